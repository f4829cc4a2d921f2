"""What is counted as a mistake when beats are found in the bare signal."""

from types import SimpleNamespace

import numpy as np
import pytest

from lstm_apps.data.ecg import EcgRecord
from lstm_apps.data.hearts import RATE, heart
from lstm_apps.features.beats import beat_table
from lstm_apps.healthcare import ecg_baselines
from lstm_apps.healthcare.ecg import ECG, FROM_SIGNAL, NONE, Beats


def beats(signal, peaks, kinds):
    record = EcgRecord("x", signal, RATE, peaks, kinds)
    return Beats("x", beat_table(signal, RATE, peaks), kinds[:-1], record)


def from_signal(part):
    _, labels, _ = part.detected
    called = np.where(labels == NONE, "V", labels)  # all right, but for what is no beat
    return ECG._scores(SimpleNamespace(test=[part]), [part.labels], [called])[FROM_SIGNAL.name].value


def test_missed_and_invented_beats_are_mistakes():
    signal, peaks, kinds = heart(200, seed=3)
    assert from_signal(beats(signal, peaks, kinds)) == pytest.approx(1, abs=0.02)
    without_v = signal.copy()
    for peak in peaks[kinds == "V"]:
        without_v[peak - 40 : peak + 100] = without_v[peak - 40]
    assert from_signal(beats(without_v, peaks, kinds)) < 0.75  # they are missed
    known = (kinds != "N") | (np.arange(len(kinds)) % 3 > 0)
    assert from_signal(beats(signal, peaks[known], kinds[known])) < 0.9  # a third of N are invented V


def test_a_lead_that_came_off_is_a_record_without_beats():
    signal, peaks, kinds = heart(200, seed=3)
    flat = beats(np.zeros(len(signal)), peaks, kinds)
    table, labels, missed = flat.detected
    assert len(table) == len(labels) == 0
    assert len(missed) == len(peaks)
    whole = beats(signal, peaks, kinds)
    parts = [("a", whole.table, whole.labels), ("b", whole.table, whole.labels)]
    for _, found in ecg_baselines.labels(parts, [whole.table, table], ("N", "S", "V")):
        assert [len(f) for f in found] == [len(whole.table), 0]
