"""The programs in examples/ run as they stand, and say what the model says."""

import http.server
import re
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import ai_edge_litert
import keras
import numpy as np
import pytest
import sentencepiece
from households import household, write_csv
from recordings import write_recordings
from wards import write_ward

import export
from export import benchmark, browser
from export.runs import FORMATS, _arguments, _metadata
from lstm_apps import registry
from lstm_apps.application import Request
from lstm_apps.data.sources.synthetic_hearts import write_records
from lstm_apps.features import from_json
from lstm_apps.layers import LSTM
from lstm_apps.runtime.engines import open_engine
from lstm_apps.runtime.metadata import MAIN
from lstm_apps.runtime.stream import Stream, is_step
from training.run_folder import with_outputs

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


@pytest.fixture(scope="module")
def stream_in_cpp(tmp_path_factory):
    """The program, compiled; None where it cannot be."""
    library = Path(ai_edge_litert.__path__[0]) / "libLiteRt.so"
    if not (shutil.which("c++") and library.is_file()):
        return None
    program, options = tmp_path_factory.mktemp("cpp") / "stream", ["-std=c++17", "-Wall", "-Werror"]
    said(
        "c++", *options, EXAMPLES / "stream_litert.cc", library, f"-Wl,-rpath,{library.parent}", "-o", program
    )
    return program


def test_cpp(files, model, stream_in_cpp):
    if stream_in_cpp is None:
        pytest.skip("no C++ compiler, or no LiteRT library for it in the package")
    answer = said(stream_in_cpp, files / "m.step.tflite").splitlines()[-1]
    assert says(answer, model, STEPS)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """What the page says of a file."""
    if reason := browser.missing("onnxruntime-web"):
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    folder = tmp_path_factory.mktemp("page")
    for file in ("onnx_web.html", "metadata.mjs"):
        shutil.copy(EXAMPLES / file, folder)
    (folder / "node_modules").symlink_to(browser._modules("onnxruntime-web").resolve())
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    with http.server.ThreadingHTTPServer(("localhost", 0), handler) as server, sync_playwright() as play:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = browser.new_page(play)

        def said(file) -> str:
            shutil.copy(file, folder / "model.onnx")
            page.goto(f"http://localhost:{server.server_port}/onnx_web.html")
            page.wait_for_function("document.getElementById('answer').textContent != 'running'")
            return page.inner_text("#answer")

        yield said
        server.shutdown()


def test_web(files, model, page):
    assert says(page(files / "m.onnx"), model, HALVES)


def write_reviews(path):
    rows = [
        f"A {'good' if i % 2 else 'bad'} film {i} for you,{2 if i % 2 else -2},{i // 4}" for i in range(60)
    ]
    path.write_text("\n".join(["text,score,document", *rows]), encoding="utf-8")
    return path


DATA = {
    "energy": lambda folder: write_csv(folder / "house.csv", *household(80)),
    "speech-commands": lambda folder: write_recordings(folder / "words"),
    "sentiment": lambda folder: write_reviews(folder / "reviews.csv"),
    "ecg": lambda folder: write_records(folder / "hearts", records=6, beats=400),
    "vitals": lambda folder: write_ward(folder / "ward.csv"),
}


WRITTEN = {}  # name of an application -> what `written` gave


@pytest.fixture(scope="module", params=DATA)
def exported(request, tmp_path_factory):
    if request.param not in WRITTEN:  # pytest may come back to a parameter
        WRITTEN[request.param] = written(request.param, tmp_path_factory.mktemp(request.param))
    return WRITTEN[request.param]


def written(name, folder):
    """All files of an application, of a model that learnt nothing: path -> inputs of them as the examples
    make them."""
    app = registry.application(name)
    data = app.load(Request(str(DATA[name](folder))))
    features = app.fit_features(data)
    if app.name == "sentiment":
        features = replace(features, lengths=(8, 16))  # each is one more form of the TFLite file
    whole = app.build(features, units=4, layers=1, dropout=0.0)
    run = SimpleNamespace(
        application=app, features=features, provenance=data.provenance, metrics={}, environment={}
    )
    found = {}
    for step in (False, True) if app.stream_outputs else (False,):
        chunk = app.stream_chunk(features) if step else None
        model, inputs = (
            with_outputs(whole, app.stream_outputs if step else app.outputs),
            app.parity_inputs(features, data),
        )
        for form in ("onnx", "tflite"):
            path = folder / f"model{'.step' if step else ''}.{form}"
            FORMATS[form].write(
                model,
                path,
                tolerance=1e-3,
                metadata=_metadata(run, {MAIN: inputs}, {MAIN: model}, chunk),
                **_arguments(run, data, form, {MAIN: inputs}, None, chunk or False, None),
            )
            found[path] = {
                n: np.full((1, *a.shape[1:]), 1 if a.dtype.kind == "i" else 0.5, a.dtype)
                for n, a in inputs.items()
            }
    return app, found


def test_every_application_has_data_here():
    assert set(DATA) == set(registry.applications())


NUMBER = r"-?\d[\d.]*(?:e[-+]?\d+)?"


def agrees(said: str, expected: dict) -> bool:
    """Whether a program printed these outputs, in a line of its own: name, shape, the first five numbers."""
    for name, values in expected.items():
        line = next(line for line in said.splitlines() if line.startswith(f"{name} ["))
        numbers = [float(n) for n in re.findall(NUMBER, line.split("]")[1])]
        if not np.allclose(numbers, values.ravel()[:5], atol=2e-5, rtol=1e-4):
            return False
    return True


def answers(path, inputs) -> dict:
    """What the file says of an example's inputs: a step file of its first chunk, with states of zero."""
    engine = open_engine(path)
    if not is_step(engine):
        return engine.run(inputs)
    chunk = engine.metadata["info"]["chunk"]
    return Stream(engine).push({name: a[:, :chunk] for name, a in inputs.items()})


@pytest.mark.slow
def test_python_runs_every_file_of_an_application(exported):
    _, files = exported
    for path, inputs in files.items():
        program = "onnx_python.py" if path.suffix == ".onnx" else "litert_python.py"
        assert agrees(said(sys.executable, EXAMPLES / program, path), answers(path, inputs)), path


@pytest.mark.slow
def test_node_runs_every_file_of_an_application(exported):
    if reason := benchmark._no_node("onnxruntime-node"):
        pytest.skip(reason)
    for path, inputs in exported[1].items():
        if path.suffix == ".onnx":
            assert agrees(said("node", EXAMPLES / "onnx_node.js", path), answers(path, inputs)), path


@pytest.mark.slow
def test_the_page_runs_every_file_of_an_application(exported, page):
    for path, inputs in exported[1].items():
        if path.suffix == ".onnx":
            assert agrees(page(path), answers(path, inputs)), path


def streamed(path) -> dict:
    """What a step file says at last of five chunks of 0, 1, 2, 3 and 4."""
    engine = open_engine(path)
    stream, chunk = Stream(engine), engine.metadata["info"]["chunk"]
    shapes = {
        n: [1, *(s or chunk for s in shape[1:])]
        for n, shape in engine.inputs.items()
        if n not in stream.state
    }
    for step in range(5):
        answer = stream.push({name: np.full(shape, step, np.float32) for name, shape in shapes.items()})
    return answer


@pytest.mark.slow
def test_streams_of_every_application(exported, stream_in_cpp):
    for path in exported[1]:
        if ".step." not in path.name:
            continue
        if path.suffix == ".onnx":
            last = said(sys.executable, EXAMPLES / "stream_python.py", path).split("\n4 ")[1]
        elif stream_in_cpp:
            last = said(stream_in_cpp, path).splitlines()[-1]
        else:
            pytest.skip("no C++ compiler, or no LiteRT library for it in the package")
        for values in streamed(path).values():
            for value in values.ravel()[:5]:
                assert any(
                    np.isclose(value, float(n), atol=2e-5, rtol=1e-4) for n in re.findall(NUMBER, last)
                ), path


@pytest.mark.slow
def test_the_vocabulary_of_a_text_model_comes_out_of_its_files(exported, tmp_path):
    app, files = exported
    for path in files:
        vocabulary = tmp_path / f"{path.suffix}.model"
        command = [sys.executable, EXAMPLES / "vocabulary_python.py", str(path), str(vocabulary)]
        if app.name != "sentiment":
            assert "reads no text" in subprocess.run(command, capture_output=True, text=True).stderr
            return
        assert str([8, 16]) in said(*command)
        tokens = sentencepiece.SentencePieceProcessor(model_file=str(vocabulary)).encode("A good film.")
        features = from_json(open_engine(path).metadata["features"])
        assert features.parts("A good film.") == [tokens]
