"""Exported files in runtimes beside our own two."""

import shutil
from contextlib import closing

import keras
import numpy as np
import pytest

import export
from export import benchmark, browser
from lstm_apps.errors import ModelFileError
from lstm_apps.layers import LSTM
from lstm_apps.metrics.bootstrap import Estimate
from lstm_apps.runtime.engines import open_engine
from lstm_apps.runtime.stream import Stream


def model(**arguments) -> keras.Model:
    return model_of(LSTM(16, return_sequences=True, **arguments))


def model_of(*layers) -> keras.Model:
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((12, 4), name="x"), *layers, keras.layers.Dense(2)])


def examples(batch: int) -> np.ndarray:
    return np.random.default_rng(batch).uniform(-2, 2, (batch, 12, 4)).astype("float32")


@pytest.mark.skipif(bool(benchmark._no_micro()), reason=benchmark._no_micro())
@pytest.mark.parametrize(
    "layers",
    [
        lambda: [LSTM(16)],
        lambda: [LSTM(16, return_sequences=True, coupled_gates=True)],
        lambda: [LSTM(16, return_sequences=True, cell_clip=0.3)],
        lambda: [LSTM(16, return_sequences=True, use_bias=False, go_backwards=True)],
        lambda: [LSTM(16, return_sequences=True), LSTM(8)],
        lambda: [keras.layers.Bidirectional(LSTM(8, return_sequences=True))],
    ],
    ids=["plain", "coupled gates", "cell clip", "backwards, no bias", "stacked", "bidirectional"],
)
@pytest.mark.parametrize(("quantize", "error"), [(None, 1e-6), ("int8", 0.05)])
def test_microcontrollers_run_the_operator(layers, quantize, error, tmp_path):
    keras_model = model_of(*layers())
    report = export.to_tflite(
        keras_model,
        tmp_path / "m.tflite",
        quantize=quantize,
        inputs=examples(3),
        representative_data=examples(99),
    )
    engine = benchmark.MicroEngine(report.path)
    for _ in range(2):  # it forgets there too
        (found,) = engine.run({"x": examples(3)}).values()
        np.testing.assert_allclose(found, keras_model(examples(3)), atol=error)
    assert 500 < engine.arena_bytes < 20_000


@pytest.mark.skipif(bool(benchmark._no_micro()), reason=benchmark._no_micro())
@pytest.mark.parametrize(
    "arguments", [{"peephole": True}, {"projection_units": 3}, {"layer_norm": True}], ids=str
)
def test_microcontrollers_run_other_variants_as_steps(arguments, tmp_path):
    """Their operator refuses peepholes, projections and layer normalisation."""
    keras_model = model(**arguments)
    whole = export.to_tflite(keras_model, tmp_path / "m.tflite")
    with pytest.raises(RuntimeError):
        benchmark.MicroEngine(whole.path)
    step = export.to_tflite(keras_model, tmp_path / "m.step.tflite", step=True, inputs=examples(2))
    stream = Stream(benchmark.MicroEngine(step.path))
    for t in range(12):
        (found,) = stream.push({"x": examples(2)[:1, t : t + 1]}).values()
    np.testing.assert_allclose(found, keras_model(examples(2))[:1, -1:], atol=1e-6)


@pytest.mark.parametrize("package", ["onnxruntime-node", "onnxruntime-web"])
@pytest.mark.parametrize("step", [False, True])
def test_javascript_answers_as_keras_does(package, step, tmp_path):
    if reason := benchmark._no_node(package):
        pytest.skip(reason)
    keras_model = model()
    report = export.to_onnx(keras_model, tmp_path / "m.onnx", step=step, inputs=examples(2))
    engine = benchmark.NodeEngine(report.path, package)
    if not step:
        (found,) = engine.run({"x": examples(5)}).values()
        np.testing.assert_allclose(found, keras_model(examples(5)), atol=1e-6)
        assert len(engine.latencies({"x": examples(5)}, 20)) == 20
        return
    (whole,) = engine.stream({"x": examples(1)}, 1).values()
    (pushed,) = Stream(engine).run({"x": examples(1)}).values()
    np.testing.assert_allclose(whole, pushed, atol=1e-6)
    np.testing.assert_allclose(whole[:, -1:], keras_model(examples(1))[:, -1:], atol=1e-6)
    with pytest.raises(ModelFileError, match="a sequence of 12 steps; a chunk has 13"):
        engine.stream({"x": examples(1)}, 13)


@pytest.mark.parametrize(
    ("write", "file", "package"),
    [(export.to_onnx, "m.onnx", "onnxruntime-web"), (export.to_tflite, "m.tflite", "@litertjs/core")],
    ids=["onnx", "tflite"],
)
def test_a_browser_answers_as_keras_does(write, file, package, tmp_path):
    if reason := browser.missing(package):
        pytest.skip(reason)
    keras_model = model()
    whole = write(keras_model, tmp_path / file)
    if file == "m.tflite":  # LiteRT.js has not the LSTM operator, from whichever converter
        with pytest.raises(ModelFileError, match="Failed to load model"):
            browser.BrowserEngine(whole.path, package)
    else:
        with closing(browser.BrowserEngine(whole.path, package)) as engine:
            (found,) = engine.run({"x": examples(5)}).values()
            np.testing.assert_allclose(found, keras_model(examples(5)), atol=1e-6)
            assert len(engine.latencies({"x": examples(5)}, 20)) == 20
    step = write(keras_model, tmp_path / f"step_{file}", step=True, inputs=examples(2))
    with closing(browser.BrowserEngine(step.path, package)) as engine:
        (found,) = engine.stream({"x": examples(1)}, 1).values()
        (pushed,) = Stream(engine).run({"x": examples(1)}).values()
    np.testing.assert_allclose(found, pushed, atol=1e-6)
    np.testing.assert_allclose(found[:, -1:], keras_model(examples(1))[:, -1:], atol=1e-6)


def test_every_file_meets_every_runtime_for_it(small_run, tmp_path):
    folder = shutil.copytree(small_run.folder, tmp_path / "run")
    run = type(small_run)(folder)
    data, keras_model = run.load_data(), run.load_model()
    rows = list(benchmark.benchmark(run, data, keras_model))
    assert [(r["file"], r["runtime"]) for r in rows] == [
        ("model.onnx", "onnxruntime"),
        ("model.onnx", "onnxruntime-node"),
        ("model.onnx", "onnxruntime-web"),
        ("model.onnx", "onnxruntime-web in Chromium"),
        ("model.tflite", "LiteRT"),
        ("model.tflite", "LiteRT.js in Chromium"),
        ("model.tflite", "TFLite Micro"),
    ]
    for row in rows:
        if row["runtime"] in ("onnxruntime", "LiteRT"):
            assert row["max_abs_error"] < 1e-4
            assert 0 < row["median_ms"] <= row["p95_ms"]
            assert row["metrics"]["MASE"] == pytest.approx(run.metrics["MASE"]["model"], rel=1e-3)
        else:
            assert row.get("reason") or row["max_abs_error"] < 1e-4


def test_where_the_package_is_not_a_file_is_scored_by_what_it_has_alone(small_run, monkeypatch):
    here, elsewhere = (benchmark.Runtime(".onnx", open_engine, alone=alone) for alone in (False, True))
    monkeypatch.setattr(benchmark, "RUNTIMES", {"here": here, "elsewhere": elsewhere})
    monkeypatch.setattr(type(small_run.application), "score_alone", lambda *_: {"MASE": Estimate(7.0)})
    rows = benchmark.benchmark(small_run, small_run.load_data(), small_run.load_model())
    found = {row["runtime"]: row["metrics"]["MASE"] for row in rows}
    assert found == {"here": pytest.approx(small_run.metrics["MASE"]["model"], rel=1e-3), "elsewhere": 7.0}


def test_a_runtime_that_answers_nan_is_told(small_run, monkeypatch):
    class Broken:
        def __init__(self, path):
            self.engine = open_engine(path)
            self.inputs = self.engine.inputs
            self.outputs = self.engine.outputs
            self.metadata = self.engine.metadata

        def run(self, inputs, graph="main"):
            return {name: np.full_like(a, np.nan) for name, a in self.engine.run(inputs).items()}

    monkeypatch.setattr(benchmark, "RUNTIMES", {"broken": benchmark.Runtime(".onnx", Broken)})
    (row,) = benchmark.benchmark(small_run, small_run.load_data(), small_run.load_model())
    assert row["reason"] == "it answers with numbers that are not finite"
    assert "metrics" not in row


def whole_numbers() -> keras.Model:
    tokens = keras.Input((6,), dtype="int32", name="tokens")
    keras.utils.set_random_seed(1)
    return keras.Model(tokens, keras.layers.Dense(2)(LSTM(4)(keras.layers.Embedding(9, 3)(tokens))))


@pytest.mark.parametrize("runtime", ["onnxruntime-node", "onnxruntime-web", "onnxruntime-web in Chromium"])
def test_javascript_takes_whole_numbers(runtime, tmp_path):
    if reason := benchmark.RUNTIMES[runtime].missing():
        pytest.skip(reason)
    tokens = np.arange(12, dtype=np.int32).reshape(2, 6) % 9
    keras_model = whole_numbers()
    report = export.to_onnx(keras_model, tmp_path / "m.onnx", inputs=tokens)
    with closing(benchmark.RUNTIMES[runtime].open(report.path)) as engine:
        (found,) = engine.run({"tokens": tokens}).values()
    np.testing.assert_allclose(found, keras_model(tokens), atol=1e-6)


def test_a_step_is_timed_where_it_runs(tmp_path):
    if reason := benchmark._no_node("onnxruntime-node"):
        pytest.skip(reason)
    report = export.to_onnx(model(), tmp_path / "m.onnx", step=True, inputs=examples(2))
    with closing(benchmark.NodeEngine(report.path, "onnxruntime-node")) as engine:
        chunk = benchmark._first_chunk(engine, {"x": examples(2)}, 1)
        assert chunk["x"].shape == (1, 1, 4)
        assert len(engine.latencies(chunk, 20)) == 20
