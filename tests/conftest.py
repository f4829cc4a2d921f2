"""A small household of our own, and a run trained on it once for all tests that need one."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest
from households import household, write_csv
from hypothesis import settings

settings.register_profile("patient", deadline=None)  # a busy machine is no failure
settings.load_profile("patient")


@pytest.fixture(scope="session")
def household_csv(tmp_path_factory):
    return write_csv(tmp_path_factory.mktemp("data") / "house.csv", *household(80))


@pytest.fixture(scope="session")
def small_run(household_csv, tmp_path_factory):
    """A run of `energy`, trained for two short epochs, evaluated and exported in both formats."""
    from export.runs import export_run
    from lstm_apps import registry
    from training.config import Config
    from training.evaluate import evaluate
    from training.fit import fit, keras_run

    config = Config.of(
        registry.application("energy"), "quick", data=str(household_csv), epochs=2, steps_per_epoch=5, units=8
    )
    run = fit(config, tmp_path_factory.mktemp("run") / "small", verbose=0)
    data, model = run.load_data(), run.load_model()
    evaluate(run, data, keras_run(model), progress=lambda _: None)
    export_run(run, data, model, ["onnx", "tflite"], progress=lambda _: None)
    return run
