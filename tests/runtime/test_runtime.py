"""An exported file in use: answers, refusals, and no TensorFlow anywhere near."""

import json
import subprocess
import sys
import venv
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from households import household, write_csv
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from export import onnx as export_onnx
from export import tflite_graph
from lstm_apps import runtime
from lstm_apps.errors import InputError, ModelFileError
from lstm_apps.features import from_json, to_json
from lstm_apps.features.mel import LogMel
from lstm_apps.healthcare.ecg.beat_table import MODEL_COLUMNS
from lstm_apps.healthcare.ecg.features import BeatFeatures
from lstm_apps.healthcare.vitals.features import VALUES, VitalsFeatures
from lstm_apps.nlp.sentiment.features import TextFeatures
from lstm_apps.runtime.engines import open_engine
from lstm_apps.runtime.inputs import as_type, check_inputs
from lstm_apps.runtime.metadata import KEY
from lstm_apps.runtime.seal import check_seal, sealed
from lstm_apps.runtime.stream import Stream
from lstm_apps.speech.commands.features import KeywordFeatures

FILES = ["model.onnx", "model.tflite"]
each_file = pytest.mark.parametrize("file", FILES)


@pytest.fixture(scope="module")
def table():
    times, values = household(20, seed=3)
    return {"time": times, "kilowatts": values}


@each_file
def test_answers_as_keras_does(small_run, table, file):
    answer = runtime.load(small_run.folder / file).predict(table)
    assert list(answer) == ["time", "q10", "q25", "q50", "q75", "q90"]
    assert answer["time"][0] == table["time"][-1] + np.timedelta64(1, "h")
    model = small_run.load_model()
    expected = small_run.features.predict(
        lambda inputs: {"quantiles": np.asarray(model(inputs)["quantiles"])}, table
    )
    for name in list(answer)[1:]:
        np.testing.assert_allclose(answer[name], expected[name], atol=1e-4)
    assert (np.diff([answer[q] for q in list(answer)[1:]], axis=0) >= 0).all()


@each_file
def test_no_call_sees_the_one_before(small_run, table, file):
    model = runtime.load(small_run.folder / file)
    first = model.predict(table)
    model.predict({**table, "kilowatts": table["kilowatts"][::-1]})
    for name, values in model.predict(table).items():
        np.testing.assert_array_equal(values, first[name])


@each_file
def test_files_data_frames_and_dicts_answer_alike(small_run, table, file, tmp_path):
    import pandas as pd

    model = runtime.load(small_run.folder / file)
    path = write_csv(tmp_path / "a.csv", table["time"], table["kilowatts"])
    for other in (path, str(path), pd.DataFrame(table), {k: list(v) for k, v in table.items()}):
        np.testing.assert_array_equal(model.predict(other)["q50"], model.predict(table)["q50"])


@each_file
def test_bad_tables_are_refused_in_a_sentence(small_run, table, file):
    model = runtime.load(small_run.folder / file)
    for broken in (
        {"time": table["time"]},
        {"time": table["time"][:50], "kilowatts": table["kilowatts"][:50]},
        {"time": table["time"], "kilowatts": np.full(len(table["time"]), np.nan)},
        {"time": [], "kilowatts": []},
        None,
    ):
        with pytest.raises(InputError):
            model.predict(broken)


@each_file
def test_files_that_are_no_models(small_run, file, tmp_path):
    content = (small_run.folder / file).read_bytes()
    for name, bad in (
        ("cut", content[: len(content) // 2]),
        ("empty", b""),
        ("foreign", b"PK\x03\x04" * 500),
    ):
        path = tmp_path / f"{name}{Path(file).suffix}"
        path.write_bytes(bad)
        with pytest.raises(ModelFileError, match=name):
            runtime.load(path)
    with pytest.raises(ModelFileError, match="There is no file"):
        runtime.load(tmp_path / file)
    with pytest.raises(ModelFileError, match="ending in"):
        runtime.load(tmp_path / "model.pt")


@each_file
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_is_refused(small_run, file, tmp_path, data):
    content = bytearray((small_run.folder / file).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    del content[len(content) - data.draw(st.sampled_from([0, 0, 1, 50, 500])) :]
    assume(bytes(content) != (small_run.folder / file).read_bytes())
    path = tmp_path / f"damaged{Path(file).suffix}"
    path.write_bytes(content)
    with pytest.raises(ModelFileError):
        runtime.load(path)


@each_file
def test_a_seal_disturbs_no_other_program(small_run, file):
    content = (small_run.folder / file).read_bytes()
    assert check_seal(content)
    if file == "model.onnx":
        import onnx

        onnx.checker.check_model(onnx.load_model_from_string(content), full_check=True)
    else:
        from ai_edge_litert.interpreter import Interpreter

        Interpreter(model_content=content).allocate_tensors()


def test_a_model_of_another_house_has_no_metadata(tmp_path):
    import keras

    import export
    from lstm_apps.layers import LSTM

    export.to_onnx(keras.Sequential([keras.Input((4, 2)), LSTM(3)]), tmp_path / "m.onnx")
    with pytest.raises(ModelFileError, match="contains no preprocessing"):
        runtime.load(tmp_path / "m.onnx")


def test_a_stream_remembers_and_a_refused_chunk_changes_nothing(tmp_path):
    import keras

    import export
    from lstm_apps.layers import LSTM

    model = keras.Sequential([keras.Input((6, 2), name="x"), LSTM(3, return_sequences=True)])
    x = np.random.default_rng(0).normal(size=(1, 6, 2)).astype("float32")
    export.to_onnx(model, tmp_path / "m.onnx", step=True, inputs=x)
    stream = Stream(open_engine(tmp_path / "m.onnx"))
    found = []
    for t in range(6):
        for bad in (
            np.full((1, 1, 2), np.nan),
            np.zeros((1, 1, 3)),
            np.zeros((1, 0, 2)),
            np.zeros((0, 1, 2)),
        ):
            with pytest.raises(InputError):
                stream.push({"x": bad})
        found.append(stream.push({"x": x[:, t : t + 1]})["output"])
    np.testing.assert_allclose(np.concatenate(found, axis=1), model(x), atol=1e-6)


def test_a_whole_model_is_no_stream(small_run):
    with pytest.raises(InputError, match="step=True"):
        runtime.load(small_run.folder / "model.onnx").stream()


def test_inputs_are_checked_before_they_reach_an_engine():
    expected = {"x": (None, 3)}
    fine = {"x": np.zeros((2, 3))}
    assert check_inputs(fine, expected)["x"].shape == (2, 3)
    for bad, message in (
        ({"y": np.zeros((2, 3))}, "expected"),
        ({"x": np.zeros((2, 4))}, "shape"),
        ({"x": np.zeros((0, 3))}, "shape"),
        ({"x": np.full((2, 3), np.nan)}, "NaN"),
        ({"x": np.full((2, 3), "a")}, "numbers"),
        ({"x": [[1, 2], [1]]}, "array of numbers"),
        (np.zeros((2, 3)), "arrays by name"),
    ):
        with pytest.raises(InputError, match=message):
            check_inputs(bad, expected)


def test_importing_the_runtime_imports_no_tensorflow():
    code = """
import sys, lstm_apps, lstm_apps.runtime, lstm_apps.application
heavy = {"tensorflow", "keras", "pandas", "sklearn", "matplotlib", "typer"} & set(sys.modules)
sys.exit(", ".join(heavy) or 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_bare_environment_answers(small_run, table, tmp_path):
    """A new virtual environment with the package and what `[tflite]` asks for, and nothing else."""
    venv.create(tmp_path / "bare", with_pip=True)
    python = tmp_path / "bare/bin/python"
    root = Path(__file__).parents[2]
    install = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", f"{root}[tflite]"], capture_output=True, text=True
    )
    if install.returncode:
        pytest.skip(f"pip could not install the runtime: {install.stderr.strip().splitlines()[-1]}")
    path = write_csv(tmp_path / "house.csv", table["time"], table["kilowatts"])
    code = """
import importlib.util, json, sys
assert not any(map(importlib.util.find_spec, ("tensorflow", "keras", "pandas", "typer")))
from lstm_apps import runtime
for file in sys.argv[2:]:
    model = runtime.load(file)
    assert model.info["application"] == "energy"
    print(json.dumps(model.predict(sys.argv[1])["q50"].tolist()))
"""
    files = [str(small_run.folder / f) for f in FILES]
    done = subprocess.run([python, "-c", code, path, *files], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        expected = runtime.load(files[0]).predict(table)["q50"]
    for line in done.stdout.splitlines():
        np.testing.assert_allclose(json.loads(line), expected, atol=1e-4)
    done = subprocess.run([tmp_path / "bare/bin/lstm-apps", "list"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "lstm-apps[train]" in done.stderr


@each_file
def test_threads_share_a_file(small_run, table, file):
    model = runtime.load(small_run.folder / file)
    tables = [{**table, "kilowatts": table["kilowatts"] * (1 + i)} for i in range(8)]
    expected = [model.predict(t)["q50"] for t in tables]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            for found, want in zip(pool.map(model.predict, tables), expected, strict=True):
                np.testing.assert_array_equal(found["q50"], want)


def test_numbers_that_a_model_does_not_hold_are_refused():
    with pytest.raises(InputError, match="float32 does not"):
        as_type("x", np.array([1.0, 1e300]), np.float32)
    with pytest.raises(InputError, match="int32 does not"):
        as_type("x", np.array([1.9]), np.int32)
    with pytest.raises(InputError, match="int32 does not"):
        as_type("x", np.array([2**32 + 5]), np.int32)
    assert as_type("x", np.array([3.0]), np.int32).dtype == np.int32


BEATS = BeatFeatures(("N", "S", "V"), (0.0,) * MODEL_COLUMNS, (1.0,) * MODEL_COLUMNS, (0.0,) * 3)
WORDS = KeywordFeatures(
    ("up", "down"), LogMel(8000, 256, 128, 20, 20.0, 4000.0), (0.0,) * 20, (1.0,) * 20, 8064
)
TEXT = TextFeatures("", (8, 16))
VITALS = VitalsFeatures({"time": "when"}, (0.0,) * VALUES, (1.0,) * VALUES)


def _broken(model, what):
    graph, (signature, *_) = model.subgraphs[0], model.signatureDefs
    operator = max(graph.operators, key=lambda o: len(o.outputs) == 1 and len(o.inputs) == 2)
    match what:
        case "input":
            operator.inputs = [-1, operator.inputs[1]]
        case "output":
            operator.outputs = [99999]
        case "operator":
            operator.opcodeIndex = 77
        case "graph":
            signature.subgraphIndex = 9
        case "signature":
            signature.inputs[0].tensorIndex = 99999
        case "buffer":
            graph.tensors[0].buffer = 99999
        case "metadata":
            model.metadata[-1].buffer = 99999


@pytest.mark.parametrize("what", ["input", "output", "operator", "graph", "signature", "buffer", "metadata"])
def test_a_sealed_file_that_names_what_is_not_there_is_refused(small_run, what, tmp_path):
    model = tflite_graph.unpack((small_run.folder / "model.tflite").read_bytes())
    _broken(model, what)
    (tmp_path / "m.tflite").write_bytes(sealed(tflite_graph.pack(model)))
    with pytest.raises(ModelFileError, match="damaged"):
        runtime.load(tmp_path / "m.tflite")


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.update(features=[]),
        lambda m: m["features"].update(frequency=5),
        lambda m: m["features"].update(seasons=["a"]),
        lambda m: m["features"].update(history=True),
        lambda m: m["features"].update(mean=float("nan")),
        lambda m: m["features"].update(step=3),
        lambda m: m["info"].pop("disclaimer"),
        lambda m: m["info"].update(unit=None),
    ],
)
def test_metadata_of_wrong_types_are_damaged(small_run, change, tmp_path):
    content = (small_run.folder / "model.onnx").read_bytes()
    metadata = open_engine(small_run.folder / "model.onnx").metadata
    change(metadata)
    content = export_onnx.with_metadata(content, KEY, json.dumps(metadata))
    (tmp_path / "m.onnx").write_bytes(sealed(content))
    with pytest.raises(ModelFileError, match="damaged"):
        runtime.load(tmp_path / "m.onnx")


@pytest.mark.parametrize(
    ("features", "change"),
    [
        (BEATS, {"classes": [1, 2, 3]}),
        (BEATS, {"window": {**asdict(BEATS.window), "usual": 0}}),
        (BEATS, {"window": {**asdict(BEATS.window), "ratio": None}}),
        (WORDS, {"voices": [0.0]}),
        (WORDS, {"clip": "a"}),
        (WORDS, {"clip": 100}),
        (WORDS, {"spectrogram": {**asdict(WORDS.spectrogram), "rate": 0}}),
        (TEXT, {"lengths": []}),
        (TEXT, {"lengths": ["a"]}),
        (TEXT, {"lengths": [8, 4]}),
        (VITALS, {"bounds": {"map": [1.0]}}),
        (VITALS, {"threshold": "high"}),
    ],
)
def test_features_that_cannot_be_are_refused(features, change):
    data = json.loads(json.dumps(to_json(features)))
    assert from_json(data) == features
    with pytest.raises((TypeError, ValueError)):
        from_json({**data, **change})
