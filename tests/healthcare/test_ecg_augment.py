"""Beats brought forward: the patient's own, too early."""

import numpy as np

from lstm_apps.application import Request
from lstm_apps.data.ecg import EcgRecord
from lstm_apps.data.hearts import RATE, heart, write_records
from lstm_apps.healthcare.ecg import ECG
from lstm_apps.healthcare.ecg_augment import EARLY, SHARE, premature

SIGNAL, PEAKS, KINDS = heart(600, seed=2)
RECORD = EcgRecord("x", 0, SIGNAL, RATE, PEAKS, KINDS)
FOUND = premature(RECORD, np.random.default_rng(0))
NEW = (FOUND.labels == "S") & (KINDS != "S")


def test_only_normal_beats_come_early_and_none_is_lost():
    assert len(FOUND.peaks) == len(PEAKS)
    assert (KINDS[NEW] == "N").all()
    assert (FOUND.labels[~NEW] == KINDS[~NEW]).all()
    assert 0.3 * SHARE < NEW.mean() < 2 * SHARE  # of all beats, of which some may not be moved


def test_they_come_as_early_as_was_drawn_and_others_as_they_did():
    before, now = np.diff(PEAKS), np.diff(FOUND.peaks)
    usual = np.median(before)
    assert (now[NEW[1:]] < 1.1 * EARLY[1] * usual).all()
    same = ~NEW[1:] & ~NEW[:-1]
    np.testing.assert_array_equal(now[same], before[same])


def test_the_complex_of_every_beat_is_kept():
    """Up to the line that joins the ends of a cut."""
    reach = np.arange(int(-0.03 * RATE), int(0.1 * RATE))
    for old, new in zip(PEAKS[1:-1], FOUND.peaks[1:-1], strict=True):
        np.testing.assert_allclose(FOUND.signal[new + reach], SIGNAL[old + reach], atol=0.2)
        assert abs(np.argmax(np.abs(FOUND.signal[new + reach])) - np.argmax(np.abs(SIGNAL[old + reach]))) <= 1
    assert len(FOUND.signal) - len(SIGNAL) == (FOUND.peaks - PEAKS)[-1]


def test_they_serve_for_training_alone(tmp_path):
    folder = write_records(tmp_path / "hearts", records=6, beats=330)
    data = ECG.load(Request(path=folder))
    again = ECG.load(Request(path=folder))
    made_up = [b for b in data.train if b.made_up]
    assert len(made_up) == len(data.train) / 2
    assert not any(b.made_up for b in (*data.validation, *data.test))
    for one, two in zip(data.train, again.train, strict=True):
        np.testing.assert_array_equal(one.table, two.table)
    recorded = sum((b.labels == "S").sum() for b in data.train if not b.made_up)
    assert sum((b.labels == "S").sum() for b in made_up) > recorded
