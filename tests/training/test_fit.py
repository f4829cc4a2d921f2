"""Training: repeatable, interruptible, and it keeps what was there."""

import csv
import shutil
import subprocess
import sys
import threading
from itertools import islice
from pathlib import Path

import keras
import numpy as np
import pytest
from interrupted import fit_in_two_parts

from export.runs import export_run
from lstm_apps import registry
from lstm_apps.errors import InputError
from training.batches import InOrder, batches_an_epoch, shuffled
from training.callbacks import CheckpointCallback
from training.config import Config
from training.evaluate import evaluate
from training.fit import fit, keras_run
from training.report import write_report
from training.run_folder import RunFolder, read_json, write_json


def config(household_csv, **chosen):
    energy = registry.application("energy")
    defaults = {"data": str(household_csv), "epochs": 3, "steps_per_epoch": 3, "units": 6, "batch_size": 8}
    return Config.of(energy, "quick", **{**defaults, **chosen})


def test_any_number_of_examples_is_answered_in_batches_of_few_sizes():
    x = keras.Input((3,), name="x")
    asked, model = set(), keras.Model(x, {"y": keras.layers.Dense(2)(x)})

    class Watched:
        def predict(self, inputs, batch_size, verbose):
            asked.update(len(inputs["x"][i : i + batch_size]) for i in range(0, len(inputs["x"]), batch_size))
            return model.predict(inputs, batch_size=batch_size, verbose=verbose)

    run = keras_run(Watched(), batch_size=8)
    for count in range(1, 20):
        given = np.random.default_rng(count).normal(size=(count, 3)).astype("float32")
        np.testing.assert_allclose(run({"x": given})["y"], model(given)["y"], atol=1e-6)
    assert asked == {1, 2, 4, 8}


class Counting:
    """Examples that are their own indices, plus noise in training."""

    def __len__(self):
        return 10

    def batch(self, indices, rng):
        return indices, None if rng is None else rng.random(), None


def test_training_batches_are_drawn_from_seed_and_epoch():
    steps = batches_an_epoch(Counting(), 4, None)
    assert steps == 2
    two_epochs = list(islice(shuffled(Counting(), 4, 1, steps), 4))
    first, second = (np.concatenate([b[0] for b in half]) for half in (two_epochs[:2], two_epochs[2:]))
    assert len(set(first)) == len(set(second)) == 8  # none twice in an epoch
    assert list(first) != list(second)
    resumed = list(islice(shuffled(Counting(), 4, 1, steps, epoch=1), 2))
    for (a, noise_a, _), (b, noise_b, _) in zip(two_epochs[2:], resumed, strict=True):
        np.testing.assert_array_equal(a, b)
        assert noise_a == noise_b
    other = np.concatenate([b[0] for b in islice(shuffled(Counting(), 4, 2, steps), 2)])
    assert list(other) != list(first)


def test_evaluation_batches_are_all_examples_in_order():
    batches = InOrder(Counting(), 4)
    np.testing.assert_array_equal(np.concatenate([batches[i][0] for i in range(len(batches))]), np.arange(10))


@pytest.mark.slow
def test_resumed_equals_uninterrupted(household_csv, tmp_path):
    whole = fit(config(household_csv), tmp_path / "whole", verbose=0)

    parts = fit_in_two_parts(config(household_csv), tmp_path / "parts", 5)  # in the second epoch

    for a, b in zip(whole.load_model().get_weights(), parts.load_model().get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    histories = [list(csv.DictReader(run.history_file.open())) for run in (whole, parts)]
    assert [r["epoch"] for r in histories[1]] == ["0", "1", "2"]
    for a, b in zip(*histories, strict=True):
        assert float(a["val_loss"]) == pytest.approx(float(b["val_loss"]), abs=1e-6)


def test_keeps_the_best_epoch_and_stops_after_patience(tmp_path):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    (tmp_path / "run").mkdir()
    model.stop_training = False  # as `fit` begins
    checkpoint = CheckpointCallback(RunFolder(tmp_path / "run"), patience=3)
    checkpoint.set_model(model)
    checkpoint.set_params({"epochs": 9})
    ended = []
    for epoch, loss in enumerate([3.0, 2.0, 2.5, 2.0, 2.1, 1.0]):
        model.set_weights([np.array([[epoch]])])
        checkpoint.on_epoch_end(epoch, {"val_loss": loss})
        ended.append(epoch)
        if model.stop_training:
            break
    assert ended == [0, 1, 2, 3, 4]
    kept = keras.models.load_model(tmp_path / "run/model.keras")
    assert kept.get_weights()[0] == 1  # the second epoch's
    state = read_json(tmp_path / "run/checkpoint/state.json")
    assert state == {"epochs_done": 5, "best": 2.0, "waited": 3, "finished": True, "complete": False}
    assert [p.name for p in (tmp_path / "run/checkpoint").glob("*.keras")] == ["epoch_5.keras"]


def test_divergence_is_told(household_csv, tmp_path):
    with pytest.raises(InputError, match="diverged"):
        fit(config(household_csv, learning_rate=1e38, epochs=1), tmp_path / "run", verbose=0)


def test_a_folder_with_something_in_it_is_left_alone(household_csv, small_run, tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(InputError, match="not empty"):
        fit(config(household_csv), tmp_path, verbose=0)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]
    before = small_run.model_file.read_bytes()
    with pytest.raises(InputError, match="holds a run already"):
        fit(small_run.config, small_run.folder, verbose=0)
    with pytest.raises(InputError, match="begun with another units"):
        fit(
            config(household_csv, units=9, epochs=2, steps_per_epoch=5, batch_size=64),
            small_run.folder,
            resume=True,
        )
    with pytest.raises(InputError, match="no run to resume"):
        fit(config(household_csv), tmp_path / "none", resume=True, verbose=0)
    assert small_run.model_file.read_bytes() == before


def test_run_folders_know_when_their_data_changed(household_csv, tmp_path):
    own = shutil.copy(household_csv, tmp_path / "house.csv")
    run = fit(config(own, epochs=1, steps_per_epoch=1), tmp_path / "run", verbose=0)
    text = own.read_text()
    own.write_text(text[:-3] + "9\n")
    with pytest.raises(InputError, match="its content changed"):
        RunFolder.open(run.folder).load_data()
    assert run.load_data() is run.load_data()  # what it was trained on
    before = run.config_file.read_bytes()
    write_json(run.state_file, {**read_json(run.state_file), "complete": False})  # as if interrupted
    with pytest.raises(InputError, match="its content changed"):
        fit(run.config, run.folder, resume=True, verbose=0)
    assert run.config_file.read_bytes() == before


def test_what_was_interrupted_is_not_taken_for_a_trained_model(small_run, tmp_path):
    run = RunFolder(Path(shutil.copytree(small_run.folder, tmp_path / "run")))
    run.load_model()
    write_json(run.state_file, {**read_json(run.state_file), "complete": False})
    with pytest.raises(InputError, match=f"--resume --out {run.folder}"):
        run.load_model()


def test_no_run_folder(tmp_path):
    with pytest.raises(InputError, match="no run folder"):
        RunFolder.open(tmp_path)


@pytest.mark.slow
def test_a_new_process_knows_the_layers_of_a_saved_model():
    """Or it could not go on with a training."""
    code = (
        "import keras\n"
        "from lstm_apps import registry\n"
        "for name in registry.applications():\n"
        "    registry.application(name).register_layers()\n"
        "for name in ('PlattScaling', 'LSTM', 'CalibratedSpread', 'LogMel'):\n"
        "    assert keras.saving.get_registered_object(f'lstm_apps>{name}') is not None, name\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.slow
def test_mixed_precision_goes_all_the_way(household_csv, tmp_path):
    run = fit(config(household_csv, mixed_precision=True), tmp_path / "run", verbose=0)
    data, model = run.load_data(), run.load_model()
    assert {w.dtype for w in model.weights} == {"float32"}
    assert "float16" in {layer.compute_dtype for layer in model.layers}
    found = evaluate(run, data, keras_run(model), progress=lambda _: None)["MASE"]["model"]
    for row in export_run(run, data, model, ["onnx", "tflite"], progress=lambda _: None):
        assert row["fused"]
        assert row["metrics"]["MASE"] == pytest.approx(found, rel=0.01)
    assert "Gates of" in write_report(run, data, model).read_text()


def test_a_finished_run_is_left_as_it_is(small_run):
    before = {p: p.stat().st_mtime_ns for p in small_run.folder.rglob("*") if p.is_file()}
    fit(small_run.config, small_run.folder, resume=True, verbose=0)
    assert {p: p.stat().st_mtime_ns for p in small_run.folder.rglob("*") if p.is_file()} == before


def test_of_two_trainings_in_one_folder_one_is_refused(tmp_path):
    RunFolder(tmp_path / "run").claim()
    with pytest.raises(InputError, match="holds another run"):
        RunFolder(tmp_path / "run").claim()


@pytest.mark.parametrize("content", ["{}", "[1]", '{"config": 3}', '{"vocab_size": 30522}'])
def test_a_folder_of_another_program_is_told(tmp_path, content):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(InputError, match="not of lstm-apps"):
        RunFolder.open(tmp_path).config.application  # noqa: B018


def test_a_damaged_model_is_a_sentence(small_run, tmp_path):
    folder = shutil.copytree(small_run.folder, tmp_path / "run")
    (folder / "model.keras").write_bytes(b"junk")
    with pytest.raises(InputError, match=r"model\.keras is damaged"):
        RunFolder(folder).load_model()


def test_a_training_leaves_no_thread_behind(household_csv, tmp_path):
    before = threading.active_count()
    fit(config(household_csv, epochs=1, steps_per_epoch=1), tmp_path / "run", verbose=0)
    assert not [t for t in threading.enumerate() if "(make)" in t.name]
    assert threading.active_count() <= before + 1  # Keras may keep one of its own
