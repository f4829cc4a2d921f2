"""Cross-validation leaves each speaker out once, and goes on where it was interrupted."""

import pytest
from recordings import write_recordings

from lstm_apps import application
from lstm_apps.errors import InputError
from training.config import Config
from training.crossvalidate import cross_validate
from training.run import Run


def config(name, path):
    chosen = {"data": str(path), "epochs": 1, "steps_per_epoch": 1, "units": 4, "batch_size": 4}
    return Config.of(application.get(name), "quick", **chosen)


@pytest.mark.slow
def test_each_speaker_is_left_out_once(tmp_path):
    folder = write_recordings(tmp_path / "words", speakers=2, takes=4)
    found = cross_validate(config("speech-commands", folder), tmp_path / "runs", lambda _: None, verbose=0)
    accuracy = found["accuracy"]
    assert set(accuracy["folds"]) == {"speaker0", "speaker1"}
    assert accuracy["mean"] == pytest.approx(sum(accuracy["folds"].values()) / 2)
    assert set(accuracy["baselines"]) == set(application.get("speech-commands").baselines)
    assert found["hit rate"]["baselines"] == {}
    for speaker in accuracy["folds"]:
        data = Run.open(tmp_path / "runs" / speaker).load_data()
        assert {r.speaker for r in data.test} == {speaker}
        assert speaker not in {r.speaker for r in (*data.train, *data.validation)}
    before = Run.open(tmp_path / "runs" / "speaker0").model_file.stat().st_mtime_ns
    again = cross_validate(config("speech-commands", folder), tmp_path / "runs", lambda _: None, verbose=0)
    assert again == found
    assert Run.open(tmp_path / "runs" / "speaker0").model_file.stat().st_mtime_ns == before


def test_an_application_without_folds_is_told(household_csv, tmp_path):
    with pytest.raises(InputError, match="no folds"):
        cross_validate(config("energy", household_csv), tmp_path, lambda _: None)
