"""What every application must do, from its data to an answer without TensorFlow."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from export.runs import export_run
from lstm_apps import registry, runtime
from lstm_apps.application import Request
from lstm_apps.errors import InputError
from lstm_apps.features import from_json, to_json
from lstm_apps.runtime.stream import Stream
from training.config import Config
from training.evaluate import evaluate
from training.fit import fit, keras_run
from training.report import write_report

# What is no path, for applications that take one.
NO_PATHS = ("x" * 100, "x" * 300, "\0", "a" * 10_000_000)
# Answers in a process of its own in which TensorFlow cannot be imported.
WITHOUT_TENSORFLOW = """
import sys
for name in ("tensorflow", "keras", "sklearn", "pandas", "matplotlib", "training", "export"):
    sys.modules[name] = None
import json
from lstm_apps import runtime
raw = json.load(sys.stdin)
print(repr(runtime.load(sys.argv[1]).predict(tuple(raw) if isinstance(raw, list) else raw)))
"""


def check_application(name, data_path, folder, bad_inputs, groups, **chosen):
    """Put an application through all of it.

    Args:
        name: Of the application.
        data_path: Small data in its own layout.
        folder: Where the run may go.
        bad_inputs: Inputs of `predict` that must be an InputError.
        groups: Of a part of the data the people, documents or times in it, which the test part shares with
            no other.
        **chosen: Fields of `Config` instead of the tiny ones here.

    Returns:
        The run.
    """
    app = registry.application(name)
    data = app.load(Request(str(data_path)))
    for impossible in ({"columns": {"nonsense": "a"}}, {"fold": "nobody"}):
        with pytest.raises(InputError):
            app.load(Request(str(data_path), **impossible))

    tested = set(groups(data.test))
    assert tested
    for part in (data.train, data.validation):
        assert not tested & set(groups(part))
    # No leak: features are fitted where there is no other part than training.
    features = app.fit_features(data)
    assert app.fit_features(replace(data, validation=None, test=None)) == features
    assert from_json(json.loads(json.dumps(to_json(features)))) == features

    # What a resumed training draws is what it would have drawn; test_fit.py has that all else resumes too.
    few = np.arange(8)
    drawn = [app.examples(features, data.train).batch(few, np.random.default_rng(1)) for _ in range(2)]
    for one, again in zip(*drawn, strict=True):
        assert one.keys() == again.keys()
        for key in one:
            np.testing.assert_array_equal(one[key], again[key])

    tiny = {"data": str(data_path), "epochs": 2, "steps_per_epoch": 2, "units": 6, "batch_size": 8, **chosen}
    config = Config.of(app, "quick", **tiny)
    run = fit(config, folder / name, verbose=0)
    data = run.load_data()
    model = run.load_model()
    metrics = evaluate(run, data, keras_run(model), progress=lambda _: None)
    assert app.metrics[0].name in metrics
    for row in metrics.values():
        assert np.isfinite(row["model"]) if row["reason"] is None else row["model"] is None
        assert set(row["baselines"]) == set(app.baselines)

    for file in run.folder.glob("**/*.json"):
        json.loads(file.read_text(), parse_constant=pytest.fail)

    # Files that answer as Keras does, by the task's own metric too.
    rows = export_run(run, data, model, ["onnx", "tflite", "saved_model"], progress=lambda _: None)
    for row in rows:
        assert row["fused"] == (row["runtime"].split()[0] != "tensorflow"), row["file"]
        assert row["metrics"][app.metrics[0].name] == pytest.approx(
            metrics[app.metrics[0].name]["model"], rel=1e-3
        )
    rows = rows[:2]  # TensorFlow's is for servers
    raw = app.sample_input(run.features, data)
    answers = [runtime.load(run.folder / row["file"]).predict(raw) for row in rows]
    assert_alike(*answers)
    request = json.dumps(raw, default=lambda a: (a.astype(str) if a.dtype.kind == "M" else a).tolist())
    for row in rows:
        command = [sys.executable, "-c", WITHOUT_TENSORFLOW, str(run.folder / row["file"])]
        said = subprocess.run(command, input=request, capture_output=True, text=True)
        assert said.returncode == 0, said.stderr

    # A stream in chunks gives what the whole gives.
    if app.stream_outputs:
        rows = export_run(run, data, model, ["onnx", "tflite"], progress=lambda _: None, step=True)
        one = {n: a[:1] for n, a in app.parity_inputs(run.features, data).items()}
        expected = keras_run(model)(one)
        for row in rows[-2:]:
            loaded = runtime.load(run.folder / row["file"])
            for output, values in Stream(loaded.engine).run(one, loaded.info["chunk"]).items():
                np.testing.assert_allclose(values, expected[output][:, : values.shape[1]], atol=1e-4)
    else:
        with pytest.raises(InputError, match="no step"):
            export_run(run, data, model, ["onnx"], progress=lambda _: None, step=True)

    served = runtime.load(run.folder / "model.onnx")
    for bad in (*bad_inputs, None, 3, [[1.0], [1.0, 2.0]], object()):
        with pytest.raises(InputError):
            served.predict(bad)
    write_report(run, data, model)
    return run


def assert_alike(one, other):
    """The same answer up to a thousandth."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_alike(one[key], other[key])
    elif isinstance(one, float) or getattr(one, "dtype", np.dtype("O")).kind == "f":
        np.testing.assert_allclose(one, other, atol=1e-3, rtol=1e-3)
    elif isinstance(one, list | tuple):
        for a, b in zip(one, other, strict=True):
            assert_alike(a, b)
    else:
        assert np.all(one == other)
