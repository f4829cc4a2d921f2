"""The programs in examples/ run as they stand, and say what the model says."""

import http.server
import shutil
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import ai_edge_litert
import keras
import numpy as np
import pytest

import export
from export import benchmark, browser
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
    export.to_tflite(model, folder / "m.step.tflite", step=True)
    return folder


def said(*command) -> str:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def says(answer: str, model, x) -> bool:
    return all(f"{value:.5f}"[:-1] in answer for value in np.asarray(model.call(x))[0])


HALVES = np.full((1, 4, 2), 0.5, "float32")
STEPS = np.repeat(np.arange(5, dtype="float32"), 2).reshape(1, 5, 2)


@pytest.mark.parametrize(("program", "file"), PYTHON)
def test_python(program, file, files, model):
    answer = said(sys.executable, EXAMPLES / program, files / file).splitlines()[-1]
    assert says(answer, model, STEPS if file == "m.step.onnx" else HALVES)


def test_a_stream_whose_chunk_only_its_metadata_tell(tmp_path):
    """As of a waveform: an open axis, of which it takes whole frames."""
    x = keras.Input((None,), name="x")
    frames = keras.layers.Reshape((-1, 4))(x)
    model = keras.Model(x, LSTM(3, return_sequences=True)(frames))
    inputs, metadata = np.ones((1, 20), "float32"), {"features": {}, "info": {"chunk": 4}}
    export.to_onnx(model, tmp_path / "m.step.onnx", inputs=inputs, step=4, metadata=metadata)
    answer = said(sys.executable, EXAMPLES / "stream_python.py", tmp_path / "m.step.onnx").splitlines()[-1]
    whole = np.repeat(np.arange(5, dtype="float32"), 4)[None]
    assert all(f"{value:.5f}"[:-1] in answer for value in np.asarray(model(whole))[0, -1])


def test_node(files, model):
    if reason := benchmark._no_node("onnxruntime-node"):
        pytest.skip(reason)
    assert says(said("node", EXAMPLES / "onnx_node.js", files / "m.onnx"), model, HALVES)


def test_cpp(files, model, tmp_path):
    library = Path(ai_edge_litert.__path__[0]) / "libLiteRt.so"
    if not (shutil.which("c++") and library.is_file()):
        pytest.skip("no C++ compiler, or no LiteRT library for it in the package")
    program, options = tmp_path / "stream", ["-std=c++17", "-Wall", "-Werror"]
    said(
        "c++", *options, EXAMPLES / "stream_litert.cc", library, f"-Wl,-rpath,{library.parent}", "-o", program
    )
    answer = said(program, files / "m.step.tflite").splitlines()[-1]
    assert says(answer, model, STEPS)


def test_web(files, model, tmp_path):
    if reason := browser.missing("onnxruntime-web"):
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    shutil.copy(EXAMPLES / "onnx_web.html", tmp_path)
    shutil.copy(files / "m.onnx", tmp_path / "model.onnx")
    (tmp_path / "node_modules").symlink_to(browser._modules("onnxruntime-web").resolve())
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("localhost", 0), handler) as server, sync_playwright() as play:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = browser.new_page(play)
        page.goto(f"http://localhost:{server.server_port}/onnx_web.html")
        page.wait_for_function("document.getElementById('answer').textContent != 'running'")
        answer = page.inner_text("#answer")
        server.shutdown()
    assert says(answer, model, HALVES)
