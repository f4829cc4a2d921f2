"""Records as files have them, and which beat a detected peak is."""

import numpy as np
import pytest

from lstm_apps.data import hearts
from lstm_apps.data.ecg import EcgRecord, list_records, read_record
from lstm_apps.errors import InputError


def test_records_are_read_as_they_were_written(tmp_path):
    (path,) = list_records(hearts.write_records(tmp_path / "hearts", records=1, beats=50))
    record, (signal, peaks, kinds) = read_record(path), hearts.heart(50, seed=0, ectopic=0.04)
    assert record.rate == hearts.RATE
    np.testing.assert_allclose(record.signal, signal, atol=1e-3)
    np.testing.assert_array_equal(record.peaks, peaks)
    np.testing.assert_array_equal(record.labels, kinds)


def test_a_folder_without_records_is_refused(tmp_path):
    with pytest.raises(InputError, match="no annotated record"):
        list_records(tmp_path)


def test_each_beat_is_found_once_and_nearby():
    record = EcgRecord("x", 0, np.zeros(1000), 100.0, np.array([100, 200, 300]), np.array(["N", "S", "V"]))
    found = np.array([10, 85, 104, 199, 216, 315, 400])  # 15 samples are 150 ms
    np.testing.assert_array_equal(record.match(found), [-1, -1, 0, 1, -1, 2, -1])
    np.testing.assert_array_equal(record.match(np.array([], int)), [])
    np.testing.assert_array_equal(record.match(np.array([299])), [2])


def test_premature_beats_are_early_and_ventricular_ones_wide():
    signal, peaks, kinds = hearts.heart(400, seed=1)
    before = np.diff(peaks)
    early = before[kinds[1:] != "N"].mean() / before[kinds[1:] == "N"].mean()
    assert early < 0.75
    wide = {
        k: np.mean([np.abs(np.diff(signal[p - 25 : p + 25], 5)).max() for p in peaks[kinds == k]])
        for k in "NV"
    }
    assert wide["V"] < wide["N"]


def test_a_record_that_cannot_be_used_is_named(tmp_path):
    import wfdb

    signal, peaks, kinds = hearts.heart(60, seed=0)
    signal[: len(signal) // 2] = np.nan
    wfdb.wrsamp(
        "x", hearts.RATE, ["mV"], ["I"], signal[:, None], fmt=["16"], write_dir=str(tmp_path),
        adc_gain=[200.0], baseline=[0],
    )  # fmt: skip
    wfdb.wrann("x", "atr", peaks, list(kinds), write_dir=str(tmp_path))
    with pytest.raises(InputError, match=r"x: .* are not numbers"):
        read_record(tmp_path / "x")
