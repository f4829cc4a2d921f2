"""A small household of our own, a run trained on it once for all tests that need one, and which combinations
of parameters are run."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import shutil
import sys
from functools import partial

import pytest
from filelock import FileLock
from households import household, write_csv
from hypothesis import settings
from pairwise import pairwise

settings.register_profile("patient", deadline=None)  # a busy machine is no failure
settings.load_profile("patient")


def pytest_addoption(parser):
    parser.addoption(
        "--all-combinations",
        action="store_true",
        help="Run every combination of parameters, also of tests marked pairwise.",
    )


def pytest_collection_modifyitems(config, items):
    """Of a test marked pairwise keep so many combinations that each pair of parameters' values occurs."""
    if config.getoption("all_combinations"):
        return
    of_a_test = {}
    for item in items:
        if item.get_closest_marker("pairwise"):
            of_a_test.setdefault((item.path, item.originalname), []).append(item)
    left_out = set()
    for combined in of_a_test.values():
        kept = pairwise([item.callspec.params for item in combined])
        left_out |= {item for i, item in enumerate(combined) if i not in kept}
    config.hook.pytest_deselected(items=[item for item in items if item in left_out])
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session", autouse=True)
def in_small():
    """What takes long and is used alike whatever its size: members of an ensemble, boosted trees, the calls
    that a latency is the median of."""
    from lstm_apps.forecasting import baselines as of_forecasts
    from lstm_apps.forecasting import task as forecasting
    from lstm_apps.healthcare.vitals import baselines as of_vitals
    from lstm_apps.nlp.sentiment import task as sentiment

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forecasting, "MEMBERS", 2)
        patch.setattr(sentiment, "MEMBERS", 2)
        patch.setattr(of_forecasts, "_TREES", 20)
        patch.setattr(of_vitals, "_TREES", (10, 20))
        if "tensorflow" in sys.modules:
            from export import runs

            patch.setattr(runs, "latencies", partial(runs.latencies, seconds=0.05))
        yield


@pytest.fixture(scope="session")
def made_once(tmp_path_factory, worker_id):
    """A folder that the first of the processes that ask for it fills: `made_once(name, fill)`. They share it,
    so nobody may change it."""
    base = tmp_path_factory.getbasetemp()
    common = (base if worker_id == "master" else base.parent) / "made-once"
    common.mkdir(exist_ok=True)

    def folder_of(name, fill):
        folder, done = common / name, common / f"{name}.done"
        with FileLock(common / f"{name}.lock"):
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)  # of a process that failed
                folder.mkdir()
                fill(folder)
                done.touch()
        return folder

    return folder_of


@pytest.fixture(scope="session")
def household_csv(made_once):
    return made_once("house", lambda folder: write_csv(folder / "house.csv", *household(80))) / "house.csv"


@pytest.fixture(scope="session")
def trained(made_once, tmp_path_factory):
    """`trained(name, config, formats)`: a copy of a run that one process trained, evaluated and exported."""
    from export.runs import export_run
    from training.evaluate import evaluate
    from training.fit import fit, model_function
    from training.run_folder import RunFolder

    def copy_of(name, config, formats):
        def fill(folder):
            run = fit(config, folder / "run", verbose=0)
            data, model = run.load_data(), run.load_model()
            evaluate(run, data, model_function(run, model), progress=lambda _: None)
            export_run(run, data, model, formats, progress=lambda _: None)

        return RunFolder(
            shutil.copytree(made_once(name, fill) / "run", tmp_path_factory.mktemp(name) / "run")
        )

    return copy_of


@pytest.fixture(scope="session")
def small_run(household_csv, trained):
    """A run of `energy`, trained for two short epochs, evaluated and exported in both formats."""
    from lstm_apps import registry
    from training.config import Config

    config = Config.of(
        registry.application("energy"), "quick", data=str(household_csv), epochs=2, steps_per_epoch=5, units=8
    )
    return trained("energy", config, ["onnx", "tflite"])
