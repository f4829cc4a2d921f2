"""Text files of an ECG, as devices write them."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from lstm_apps.errors import InputError
from lstm_apps.healthcare.ecg.files import read_ecg

COUNT, RATE = 400, 250
MV = np.round(np.sin(np.arange(COUNT) / 7) - 0.2, 3)
SECONDS = np.arange(COUNT) / RATE


def written(folder, lines, encoding="utf-8"):
    path = folder / "a.csv"
    path.write_bytes("\n".join(lines).encode(encoding))
    return path


def both(times, values, between=","):
    return [f"{t}{between}{v}" for t, v in zip(times, values, strict=True)]


def comma(values):
    return [str(v).replace(".", ",") for v in values]


UV = np.round(1000 * MV, 1)
ISO = [(datetime(2026, 1, 31, 10) + timedelta(seconds=s)).isoformat(timespec="milliseconds") for s in SECONDS]
CLOCK = [f"'{int(s // 60)}:{s % 60:06.3f}'" for s in SECONDS + 58.5]
FILES = {
    "seconds": ["time,ecg", *both(SECONDS, MV)],
    "no header": both(SECONDS, MV),
    "units in the header": ["Time (s),ECG (uV)", *both(SECONDS, UV)],
    "units after a line": ["time_s,ecg_mV", *both(SECONDS, MV)],
    "milliseconds": ["Time [ms];ECG [µV]", *both(1000 * SECONDS, UV, ";")],
    "milliseconds not named": ["time,ecg", *both((1000 * SECONDS).astype(int), MV)],
    "decimal commas": ["Zeit (s);EKG (mV)", *both(comma(SECONDS), comma(MV), ";")],
    "quoted decimal commas": ['"time","ecg"',
    *[f'"{a}","{b}"' for a, b in zip(comma(SECONDS), comma(MV), strict=True)]],
    "tabs": ["t\tECG", *both(SECONDS, MV, "\t")],
    "spaces": both(SECONDS, MV, "   "),
    "dates": ["timestamp,ecg", *both(ISO, MV)],
    "dates with a space and a zone": ["timestamp,ecg", *both([t.replace("T", " ") + "+02:00" for t in ISO],
    MV)],
    "epoch": ["timestamp,ecg", *both([f"{1.7e12 + 1000 * s:.0f}" for s in SECONDS], MV)],
    "PhysioNet": ["'Elapsed time','ABP','MLII'", "'m:ss.mmm','mmHg','mV'",
    *both(CLOCK, both([80] * COUNT, MV))],
    "other columns": ["time,ABP,II", *both(SECONDS, both([80] * COUNT, MV))],
    "preamble": ["# Holter 7", "# patient: 12", "time,ecg", *both(SECONDS, MV)],
    "blank lines": ["time,ecg", "", *both(SECONDS, MV), "", ""],
}  # fmt: skip
WITHOUT_TIMES = {
    "values": [str(v) for v in MV],
    "a name": ["ECG (uV)", *map(str, UV)],
    "numbers of samples": ["sample,ecg", *both(range(COUNT), MV)],
    "two leads": ["aVR,II", *both(-MV, MV)],
    "decimal commas": comma(np.where(np.rint(MV) == MV, MV + 0.001, MV)),
}


@pytest.mark.filterwarnings("ignore:.*(milliseconds|lead II|MLII)")
@pytest.mark.parametrize("name", FILES)
def test_times_and_voltages_are_read(tmp_path, name):
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "cp1252"):
        signal, rate = read_ecg(written(tmp_path, FILES[name], encoding))
        assert rate == RATE
        np.testing.assert_allclose(signal, MV, atol=1e-9)


@pytest.mark.filterwarnings("ignore:.*lead II")
@pytest.mark.parametrize("name", WITHOUT_TIMES)
def test_without_times_the_rate_is_asked_for(tmp_path, name):
    path = written(tmp_path, WITHOUT_TIMES[name])
    signal, rate = read_ecg(path, rate=360.0)
    assert rate == 360
    np.testing.assert_allclose(signal, MV, atol=2e-3)
    with pytest.raises(InputError, match="give the samples a second, --rate 360"):
        read_ecg(path)


APPLE = [
    "Name,Ada Example", 'Date of Birth,"Jan 1, 1980"', "Recorded Date,2024-03-01 10:00:00 +0100",
    "Classification,Sinus Rhythm", "Symptoms,", "Software Version,1.90", 'Device,"Watch6,2"',
    "Sample Rate,512 hertz", "", "", "Lead,Lead I", "Unit,µV", "",
]  # fmt: skip
GERMAN = [
    "Name,Ada Beispiel", "Geburtsdatum,01.01.1980", "Aufgezeichnet am,2024-03-01 10:00:00 +0100",
    "Klassifizierung,Sinusrhythmus", "Symptome,", "Softwareversion,2.0", 'Gerät,"Watch6,2"',
    "Messrate,512,414 Hertz", "", "Ableitung,Ableitung I", "Einheit,µV", "", "",
]  # fmt: skip


def test_what_apple_watch_exports_is_read(tmp_path):
    for head, values, rate in (
        (APPLE, map(str, UV), 512),
        (APPLE, map(str, UV.astype(int)), 512),
        (GERMAN, comma(UV), 512.414),
        (GERMAN, [f'"{v}"' for v in comma(UV)], 512.414),
        ([line.replace("512 hertz", "1,000 Hz") for line in APPLE], map(str, UV), 1000),
    ):
        path = written(tmp_path, [*head, *values])
        for lead in (None, "I"):
            signal, found = read_ecg(path, lead)
            assert found == rate
            np.testing.assert_allclose(signal, MV, atol=1e-3)
    with pytest.raises(InputError, match="says 1000 samples a second, not 360"):
        read_ecg(path, rate=360)
    with pytest.raises(InputError, match="no lead 'II', only I in µV"):
        read_ecg(path, "II")


def test_rounded_times_are_even_and_gaps_have_no_values(tmp_path):
    times = np.round(np.arange(3600) / 360, 3)
    signal, rate = read_ecg(written(tmp_path, both(times, np.arange(3600.0))))
    assert (len(signal), rate) == (3600, 360)
    kept = np.delete(np.arange(3600), np.arange(1000, 1720))  # two seconds
    signal, rate = read_ecg(written(tmp_path, both(times[kept], kept.astype(float))))
    assert (len(signal), rate) == (3600, pytest.approx(360, rel=1e-3))
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(signal)), np.arange(1000, 1720))
    np.testing.assert_array_equal(signal[kept], kept)


def test_several_samples_of_one_second_are_told(tmp_path):
    path = written(tmp_path, ["time,ecg", *both(np.arange(5000) // 250 + 1.7e9, np.arange(5000))])
    with pytest.warns(UserWarning, match="several rows have the same time"):
        signal, rate = read_ecg(path, rate=250.0)
    assert (len(signal), rate) == (5000, 250)


def test_missing_values_are_none(tmp_path):
    values = [str(v) for v in MV]
    values[10:14] = ["", "nan", "NA", "-"]
    signal, _ = read_ecg(written(tmp_path, ["time,ecg", *both(SECONDS, values)]))
    assert np.isnan(signal[10:14]).all()
    assert np.isfinite(np.delete(signal, range(10, 14))).all()


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["time,ABP", *both(SECONDS, MV)], "no ECG lead, only time in s, ABP"),
        (["time,pressure (mmHg)", *both(SECONDS, MV)], "no ECG lead"),
        (["time,a,b", *both(SECONDS, both(MV, MV))], "no ECG lead, only time in s, a without a unit"),
        (["time,ecg", *both(SECONDS, ["1"] * 9 + ["oops"] + ["1"] * 390)], r"line 11: 'oops' is no number"),
        (["time,ecg", "0,1", "", "0.004,oops"], r"line 4: 'oops' is no number"),
        (["time,ecg", *both(SECONDS[::-1], MV)], r"line 3 does not go on in time"),
        (["time,ecg", *both(range(COUNT), MV)], "milliseconds or numbers of samples"),
        (["time,ecg", *both(np.arange(COUNT) * 60.0, MV)], "times 60 apart"),
        (["time (s),ecg", *both(np.arange(COUNT) * 0.1, MV)], "rate of 10"),
        (["date,ecg", *both(["01/31/2026"] * COUNT, MV)], "no line of numbers|is no time"),
        (["time,ecg", ",1", *both(SECONDS, MV)], "line 2 has no time"),
        (["hello", "world"], "no line of numbers"),
        ([], "no line of numbers"),
    ],
)  # fmt: skip
def test_what_is_no_ecg_is_refused_in_a_sentence(tmp_path, lines, message):
    with pytest.raises(InputError, match=message):
        read_ecg(written(tmp_path, lines))


def test_a_rate_that_the_times_contradict_is_refused(tmp_path):
    path = written(tmp_path, FILES["seconds"])
    assert read_ecg(path, rate=250.0)[1] == 250
    with pytest.raises(InputError, match="its times are of 250 samples a second, not 360"):
        read_ecg(path, rate=360.0)


def test_a_refusal_says_which_forms_are_taken(tmp_path):
    (tmp_path / "a.edf").write_bytes(b"0")
    for raw in (tmp_path / "a.edf", tmp_path, tmp_path / "none", np.zeros(3), "none"):
        with pytest.raises(InputError, match=r"WFDB record .*CSV file of times and mV.*Apple Watch"):
            read_ecg(raw)
    with pytest.raises(InputError, match="There is no file"):
        read_ecg(tmp_path / "none.csv")
