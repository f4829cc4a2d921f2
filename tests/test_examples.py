"""The programs in examples/ run as they stand, and say what the model says."""

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import export
from export import benchmark
from lstm_apps.layers import LSTM

EXAMPLES = Path(__file__).parents[1] / "examples"
PYTHON = [("onnx_python.py", "m.onnx"), ("litert_python.py", "m.tflite"), ("stream_python.py", "m.step.onnx")]


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((4, 2), name="x")
    return keras.Model(inputs, LSTM(3)(inputs))


@pytest.fixture(scope="module")
def files(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    export.to_onnx(model, folder / "m.onnx")
    export.to_tflite(model, folder / "m.tflite")
    export.to_onnx(model, folder / "m.step.onnx", step=True)
    return folder


def said(*command) -> str:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(("program", "file"), PYTHON)
def test_python(program, file, files, model):
    answer = said(sys.executable, EXAMPLES / program, files / file).splitlines()[-1]
    if file == "m.step.onnx":
        x = np.repeat(np.arange(5, dtype="float32"), 2).reshape(1, 5, 2)
        expected = model.call(x)
    else:
        expected = model(np.full((1, 4, 2), 0.5, "float32"))
    for value in np.asarray(expected)[0]:
        assert f"{value:.5f}"[:-1] in answer


def test_node(files, model):
    if reason := benchmark._no_node("onnxruntime-node"):
        pytest.skip(reason)
    answer = said("node", EXAMPLES / "onnx_node.js", files / "m.onnx")
    for value in np.asarray(model(np.full((1, 4, 2), 0.5, "float32")))[0]:
        assert f"{value:.5f}"[:-1] in answer
