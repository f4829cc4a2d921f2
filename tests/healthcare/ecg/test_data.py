"""Records as files have them, and which beat a detected peak is."""

import numpy as np
import pytest

from lstm_apps.data.sources import synthetic_hearts as hearts
from lstm_apps.errors import InputError
from lstm_apps.healthcare.ecg.data import (
    DS1,
    DS2,
    PACED,
    SAME_PATIENT,
    EcgRecord,
    leads,
    list_records,
    read_record,
)


def test_records_are_read_as_they_were_written(tmp_path):
    ((path,),) = list_records(hearts.write_records(tmp_path / "hearts", records=1, beats=50)).values()
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


def write(folder, name, signals, units=("mV",), annotated_at=None, seed=0, names=None):
    """A record of hearts' beats with any signals, annotated at another time resolution (1/s) if given."""
    import wfdb

    _, peaks, kinds = hearts.heart(60, seed=seed)
    count = signals.shape[1]
    wfdb.wrsamp(
        name, hearts.RATE, list(units), names or [f"lead{i}" for i in range(count)], signals,
        fmt=["16"] * count, adc_gain=[{"uV": 0.2}.get(unit, 200.0) for unit in units],
        baseline=[0] * count, write_dir=str(folder),
    )  # fmt: skip
    at = annotated_at or hearts.RATE
    scaled = np.rint(peaks * at / hearts.RATE).astype(int)
    wfdb.wrann(name, "atr", scaled, list(kinds), fs=annotated_at, write_dir=str(folder))
    return peaks


def test_annotations_may_have_a_time_scale_of_their_own(tmp_path):
    signal, *_ = hearts.heart(60, seed=0)
    for at in (None, 4 * hearts.RATE):
        peaks = write(tmp_path, "x", signal[:, None], annotated_at=at)
        np.testing.assert_array_equal(read_record(tmp_path / "x").peaks, peaks)


def test_beats_outside_of_the_signal_are_told(tmp_path):
    signal, *_ = hearts.heart(60, seed=0)
    peaks = write(tmp_path, "x", signal[: len(signal) // 2, None])
    with pytest.warns(UserWarning, match=r"x: \d+ beats are annotated outside of the signal"):
        assert len(read_record(tmp_path / "x").peaks) == (peaks < len(signal) // 2).sum()


def test_a_flat_lead_is_no_ecg(tmp_path):
    signal, *_ = hearts.heart(60, seed=0)
    write(tmp_path, "x", np.full((len(signal), 1), 0.3))
    with pytest.raises(InputError, match="x is flat in lead 1"):
        read_record(tmp_path / "x")


def test_leads_are_known_by_name_and_unit(tmp_path):
    signal, *_ = hearts.heart(60, seed=0)
    write(tmp_path, "x", np.stack([signal] * 3, axis=1), units=("mV", "pm", "mV"))
    assert leads(tmp_path / "x") == [0, 2]
    channels = np.stack([80 + signal, signal, 1000 * signal, -signal], axis=1)
    names, units = ["ABP", "RESP", "V1", "II"], ["mmHg", "mV", "uV", "mV"]
    write(tmp_path, "y", channels, units, names=names)
    assert leads(tmp_path / "y") == [2, 3]
    first, second = (read_record(tmp_path / "y", lead) for lead in (0, 1))  # in the order of the record
    assert (first.lead, second.lead) == (0, 1)
    np.testing.assert_allclose(first.signal, signal, atol=0.01)  # in mV
    np.testing.assert_allclose(second.signal, -signal, atol=0.01)


def test_a_record_without_an_ecg_lead_is_refused(tmp_path):
    signal, *_ = hearts.heart(60, seed=0)
    write(tmp_path, "x", signal[:, None], units=["mmHg"], names=["ABP"])
    with pytest.raises(InputError, match="x has no ECG lead, only ABP in mmHg"):
        read_record(tmp_path / "x")


def test_records_in_a_subfolder_are_one_patients(tmp_path):
    signal, *_ = hearts.heart(60, seed=0)
    for name in ("p1/x", "p1/y", "p2/x"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write((tmp_path / name).parent, name.split("/")[-1], signal[:, None])
    found = {patient: [p.name for p in paths] for patient, paths in list_records(tmp_path).items()}
    assert found == {"p1": ["x", "y"], "p2": ["x"]}
    # PhysioNet's archive of MIT-BIH has a folder of its patients' other records, which are not read.
    write(tmp_path, "108", signal[:, None])
    assert list(list_records(tmp_path)) == ["108"]


def test_the_split_of_de_chazal_et_al_is_of_all_mit_bih():
    """2004, table II: 22 records each; with those of pacemakers they are the 48 of the database."""
    assert len(DS1) == len(DS2) == 22
    assert len({*DS1, *DS2, *PACED}) == 48
    assert all(one in DS1 and other in DS2 for one, other in SAME_PATIENT.items())
