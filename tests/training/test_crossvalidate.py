"""Cross-validation leaves each speaker out once, and goes on where it was interrupted."""

from dataclasses import replace

import pytest
from recordings import write_recordings

from lstm_apps import registry
from lstm_apps.data.sources import synthetic_hearts as hearts
from lstm_apps.errors import InputError
from lstm_apps.terminal import margin_of
from training.config import Config
from training.crossvalidate import _NOTHING, _over_folds, cross_validate
from training.run_folder import RunFolder


def config(name, path):
    chosen = {"data": str(path), "epochs": 1, "steps_per_epoch": 1, "units": 4, "batch_size": 4}
    return Config.of(registry.application(name), "quick", **chosen)


@pytest.mark.slow
def test_each_speaker_is_left_out_once(tmp_path):
    folder = write_recordings(tmp_path / "words", speakers=2, takes=4)
    found = cross_validate(config("speech-commands", folder), tmp_path / "runs", lambda _: None, verbose=0)
    accuracy = found["accuracy"]
    assert set(accuracy["folds"]) == {"speaker0", "speaker1"}
    assert accuracy["mean"] == pytest.approx(sum(accuracy["folds"].values()) / 2)
    assert set(accuracy["baselines"]) == set(registry.application("speech-commands").baselines)
    assert found["hit rate"]["baselines"] == {}
    for speaker in accuracy["folds"]:
        data = RunFolder.open(tmp_path / "runs" / speaker).load_data()
        assert {r.speaker for r in data.test} == {speaker}
        assert speaker not in {r.speaker for r in (*data.train, *data.validation)}
    before = RunFolder.open(tmp_path / "runs" / "speaker0").model_file.stat().st_mtime_ns
    again = cross_validate(config("speech-commands", folder), tmp_path / "runs", lambda _: None, verbose=0)
    assert again == found
    assert RunFolder.open(tmp_path / "runs" / "speaker0").model_file.stat().st_mtime_ns == before
    other = replace(config("speech-commands", folder), units=5)
    with pytest.raises(InputError, match="another units"):
        cross_validate(other, tmp_path / "runs", lambda _: None, verbose=0)


def test_an_application_without_folds_is_told(household_csv, tmp_path):
    with pytest.raises(InputError, match="no folds"):
        cross_validate(config("energy", household_csv), tmp_path, lambda _: None)


@pytest.mark.slow
def test_beats_of_patients_left_out_are_scored_pooled(tmp_path):
    folder = hearts.write_records(tmp_path / "hearts", records=6, beats=400)
    chosen = config("ecg", folder)
    kept = registry.application("ecg").load(chosen.request)
    tested = {b.patient for b in kept.test}
    found = cross_validate(chosen, tmp_path / "runs", lambda _: None, verbose=0)
    row = found["macro F1"]
    assert set(row["folds"]) == {b.patient for b in kept.train}
    assert not tested & set(row["folds"])  # the test part takes no part
    assert set(row["baselines"]) == set(registry.application("ecg").baselines)
    for of in (row, *row["baselines"].values()):
        low, high = of["pooled"]["interval"]
        assert low <= of["pooled"]["value"] <= high
    best = max(of["pooled"]["value"] for of in row["baselines"].values())
    assert row["pooled"]["margin"]["value"] == pytest.approx(row["pooled"]["value"] - best)
    report = (tmp_path / "runs" / "cross-validation.html").read_text()
    assert "not a medical device" in report
    assert f"<p>{margin_of(row['pooled']['margin'])}, pooled.</p>" in report
    assert all(f"<td>{record}</td>" in report for record in row["folds"])
    for record in row["folds"]:
        data = RunFolder.open(tmp_path / "runs" / record).load_data()
        assert {b.patient for b in data.test} == {record}
        assert {b.patient for b in data.train} == set(row["folds"]) - {record}


def test_a_metric_that_only_some_folds_have(tmp_path):
    """Of patients without a kind of beat its F1 is none."""
    row = {"model": 0.5, "baselines": {"simple": 0.25}}
    found = _over_folds({"a": _NOTHING, "b": row})
    assert found == {
        "folds": {"a": None, "b": 0.5},
        "mean": 0.5,
        "baselines": {"simple": {"folds": {"a": None, "b": 0.25}, "mean": 0.25}},
    }


def test_a_metric_without_a_value_in_any_fold():
    row = {"model": None, "baselines": {"simple": None}}
    found = _over_folds({"a": row, "b": row})
    assert found == {"folds": {"a": None, "b": None}, "mean": None, "baselines": {}}
