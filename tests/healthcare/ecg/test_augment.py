"""Hearts to learn from: the patient's own beats, at other times."""

import numpy as np
import pytest

from lstm_apps.application import Request
from lstm_apps.data.sources.synthetic_hearts import RATE, heart, write_records
from lstm_apps.healthcare.ecg import augment as ecg_augment
from lstm_apps.healthcare.ecg.augment import EARLY, RHYTHMS, SHARE, synthesize
from lstm_apps.healthcare.ecg.data import EcgRecord
from lstm_apps.healthcare.ecg.task import ECG

SIGNAL, PEAKS, KINDS = heart(600, seed=2)
RECORD = EcgRecord("x", 0, SIGNAL, RATE, PEAKS, KINDS)


def heart_of(monkeypatch, share=0.0, irregular=0.0):
    """A heart to which only what is named happens."""
    monkeypatch.setattr(ecg_augment, "SHARE", share)
    return synthesize(RECORD, np.random.default_rng(0), irregular)


@pytest.fixture
def early(monkeypatch):
    return heart_of(monkeypatch, share=SHARE)


def new(found):
    return (found.labels == "S") & (KINDS != "S")


def test_only_normal_beats_come_early_and_none_is_lost(early):
    assert len(early.peaks) == len(PEAKS)
    assert (KINDS[new(early)] == "N").all()
    assert (early.labels[~new(early)] == KINDS[~new(early)]).all()
    assert 0.3 * SHARE < new(early).mean() < 2 * SHARE  # of all beats, of which some may not be moved


def test_they_come_as_early_as_was_drawn_and_others_as_they_did(early):
    before, now = np.diff(PEAKS), np.diff(early.peaks)
    usual = np.median(before)
    assert (now[new(early)[1:]] < 1.1 * EARLY[1] * usual).all()
    same = ~new(early)[1:] & ~new(early)[:-1]
    np.testing.assert_array_equal(now[same], before[same])


def test_in_an_irregular_rhythm_normal_beats_come_at_other_times_and_stay_normal(monkeypatch):
    found = heart_of(monkeypatch, irregular=0.01)
    np.testing.assert_array_equal(found.labels, KINDS)
    moved = np.flatnonzero(np.diff(PEAKS) != np.diff(found.peaks))
    assert 0.2 < len(moved) / len(PEAKS) < 0.95
    assert np.median(np.diff(moved)) == 1  # in stretches
    for i in moved:
        assert KINDS[i] == KINDS[i + 1] == "N"


def logs(rhythm, seed):
    return np.log(rhythm(3000, np.random.default_rng(seed)))


def correlation(x, lag):
    return np.corrcoef(x[lag:], x[:-lag])[0, 1]


@pytest.mark.parametrize("seed", range(5))
def test_irregular_rhythms_have_their_intervals(seed):
    fibrillating, breathing, blocked = (logs(rhythm, seed) for rhythm in RHYTHMS)
    assert fibrillating.std() == pytest.approx(0.22, rel=0.15)
    assert abs(correlation(fibrillating, 1)) < 0.06  # nothing tells of the next one
    assert np.log(0.5) < fibrillating.mean() < np.log(1.15)
    assert 0.03 < breathing.std() < 0.26
    # It comes back after a breath: from longer than usual to shorter, and to longer again.
    correlations = [correlation(breathing, lag) for lag in range(1, 16)]
    assert min(correlations) < -0.2
    assert max(correlations[int(np.argmin(correlations)) :]) > 0.05
    twice = blocked > np.log(1.5)
    assert 0.3 < twice.mean() < 0.7
    assert blocked[twice].mean() - blocked[~twice].mean() == pytest.approx(np.log(2), abs=0.01)
    assert blocked[~twice].mean() == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("share", ["share", "irregular"])
def test_the_complex_of_every_beat_is_kept(monkeypatch, share):
    """Up to the line that joins the ends of a cut."""
    found = heart_of(monkeypatch, **{share: 0.05})
    reach = np.arange(int(-0.03 * RATE), int(0.1 * RATE))
    for old, now in zip(PEAKS[1:-1], found.peaks[1:-1], strict=True):
        np.testing.assert_allclose(found.signal[now + reach], SIGNAL[old + reach], atol=0.2)
        assert abs(np.argmax(np.abs(found.signal[now + reach])) - np.argmax(np.abs(SIGNAL[old + reach]))) <= 1
    assert len(found.signal) - len(SIGNAL) == (found.peaks - PEAKS)[-1]


def test_they_serve_for_training_alone(tmp_path):
    folder = write_records(tmp_path / "hearts", records=6, beats=330)
    data = ECG.load(Request(path=folder))
    again = ECG.load(Request(path=folder))
    synthetic = [b for b in data.train if b.synthetic]
    assert len(synthetic) == len(data.train) / 2
    assert not any(b.synthetic for b in (*data.validation, *data.test))
    for one, two in zip(data.train, again.train, strict=True):
        np.testing.assert_array_equal(one.table, two.table)
    recorded = sum((b.labels == "S").sum() for b in data.train if not b.synthetic)
    assert sum((b.labels == "S").sum() for b in synthetic) > recorded
