"""Long and wide tables of vital signs."""

import warnings

import numpy as np
import pytest

from lstm_apps.errors import InputError
from lstm_apps.healthcare.vitals.table import read_table

COLUMN_NAMES = {n: n for n in ("patient", "time", "variable", "value")}
TIMES = ["2026-01-01T00:00", "2026-01-01T01:00"]


def read(raw):
    """Of each (patient, hour, sign) the values that are there, in the order of the table."""
    patients, seconds, names, values = read_table(raw, COLUMN_NAMES)
    start = int(np.datetime64(TIMES[0], "s").astype(int))
    found = {}
    for p, t, n, v in zip(patients, (seconds - start) // 3600, names, values, strict=True):
        if not np.isnan(v):
            found.setdefault((str(p), int(t), str(n)), []).append(round(float(v), 6))
    return found


def test_a_wide_table_has_a_column_for_each_sign_and_gaps(tmp_path):
    path = tmp_path / "wide.csv"
    path.write_text(
        "Patient ID,Time,HR,NIBP sys,NIBP dia,SpO2 (%),Temp (F),note\n"
        "p1,2026-01-01T00:00,81,120,80,97,98.6,ok\np2,2026-01-01T01:00,,110,,NA,,\n"
    )
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = read(path)
    assert found == {
        ("p1", 0, "heart_rate"): [81], ("p1", 0, "sbp"): [120], ("p1", 0, "dbp"): [80],
        ("p1", 0, "spo2"): [97], ("p1", 0, "temp_c"): [37], ("p2", 1, "sbp"): [110],
    }  # fmt: skip
    said = " ".join(str(w.message) for w in told)
    assert "the patient: column 'Patient ID', the time: column 'Time'" in said
    assert "'HR' as heart_rate; 'NIBP sys' as sbp" in said
    assert "'Temp (F)' as temp_c, turned from °F to °C" in said
    assert "not read: 'note'" in said


def test_a_plain_wide_table_needs_no_word_and_no_patient():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = read({"time": TIMES, "map": [80, 81], "temp_c": [np.nan, 37]})
    assert found == {("", 0, "map"): [80], ("", 1, "map"): [81], ("", 1, "temp_c"): [37]}


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_units_of_names_and_of_a_column_are_converted():
    assert read({"time": TIMES, "SBP (kPa)": [16, 17], "SpO2 (fraction)": [0.97, 1.0]}) == {
        ("", 0, "sbp"): [120.00992],
        ("", 1, "sbp"): [127.51054],
        ("", 0, "spo2"): [97],
        ("", 1, "spo2"): [100],
    }
    long = {"time": TIMES, "variable": ["Temp (F)", "temp_c"], "value": [98.6, 37.5]}
    assert read(long) == {("", 0, "temp_c"): [37], ("", 1, "temp_c"): [37.5]}
    long = {"time": TIMES * 2, "variable": ["temp", "temp", "HR", "death"], "value": [98.6, 37.5, 70, ""],
            "Unit": ["F", "", "bpm", "mood"]}  # fmt: skip
    assert read(long) == {
        ("", 0, "temp_c"): [37],
        ("", 1, "temp_c"): [37.5],
        ("", 0, "heart_rate"): [70],
    }


def test_the_arterial_pressure_counts_where_there_are_two():
    with pytest.warns(UserWarning, match="'NIBP sys' as sbp; 'ABP sys' as sbp"):
        found = read({"time": TIMES, "NIBP sys": [110, 111], "ABP sys": [120, None]})
    assert found == {("", 0, "sbp"): [120], ("", 1, "sbp"): [111]}


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_both_pressures_in_one_cell():
    expected = {("", 0, "sbp"): [120], ("", 0, "dbp"): [80]}
    assert read({"time": TIMES, "BP": ["120/80 (93)", ""]}) == expected
    assert read({"time": TIMES, "variable": ["BP", "map"], "value": ["120 / 80", ""]}) == expected
    assert read({"time": TIMES[:1], "BP (kPa)": ["16/10"]}) == {
        ("", 0, "sbp"): [120.00992],
        ("", 0, "dbp"): [75.0062],
    }
    with pytest.raises(InputError, match=r"row 2: 'BP' is '120', expected .* as in 120/80"):
        read({"time": TIMES, "BP": ["120/80", "120"]})


def test_events_of_a_wide_table_are_where_there_is_a_one():
    patients, _, names, _ = read_table(
        {"patient": ["a", "b"], "time": TIMES, "map": [80, 81], "death": [0, 1], "transfer_up": ["", ""]},
        COLUMN_NAMES,
    )
    assert (patients[names == "death"].tolist(), "transfer_up" in names) == (["b"], False)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ({"time": TIMES, "mood": [1, 2]},
         r"nor one that names a vital sign; it has: time, mood. Expected .*heart_rate \(or HR, in 1/min"),
        ({"time": TIMES, "SBP (bar)": [1, 2]}, "no unit of it that is known"),
        ({"map": [80, 81]}, "no column 'time'"),
        ({"time": [], "map": []}, "no rows"),
        ({"time": TIMES, "map": [80]}, "differ in length"),
        ({"time": TIMES, "map": [80, "high"]}, "row 2: 'map' is 'high', expected a number"),
        ({"time": TIMES, "value": [80, 81]}, "no column 'variable'"),
        ({"subject_id": [1], "stay_id": [1], "time": TIMES[:1], "map": [80]}, "Which column says whose"),
        ({"patient": ["a", None], "time": TIMES, "map": [80, 81]}, "row 2: 'patient' is empty"),
        # Two patients at once must not become one.
        ({"id": [1, 2], "time": TIMES[:1] * 2, "map": [80, 81]}, "several rows of the same time.*'id'"),
        ({"time": TIMES * 2, "map": [80, 81, 90, 91]}, "Add one where all are one patient's"),
        ({"time": TIMES * 2, "variable": ["map"] * 4, "value": [80, 81, 90, 91]}, "as of several patients"),
        ({"time": TIMES, "SBP (kPa)": [120, 121]}, "would be .* mmHg from kPa: it looks like mmHg already"),
        ({"time": TIMES, "Temp (F)": [36.8, 37]}, "looks like °C already"),
        ({"time": TIMES[:1], "variable": ["spo2"], "value": [97], "unit": ["fraction"]}, "like % already"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_is_no_table_of_vital_signs_is_a_sentence(raw, says):
    with pytest.raises(InputError, match=says):
        read_table(raw, COLUMN_NAMES)


def test_no_file_is_a_sentence(tmp_path):
    with pytest.raises(InputError, match="no file"):
        read_table(tmp_path / "none.csv", COLUMN_NAMES)
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(InputError, match=r"empty\.csv"):
        read_table(tmp_path / "empty.csv", COLUMN_NAMES)
    (tmp_path / "binary.csv").write_bytes(bytes(range(128, 256)))
    with pytest.raises(InputError, match=r"binary\.csv"):
        read_table(tmp_path / "binary.csv", COLUMN_NAMES)


def test_a_patient_column_by_another_name_is_found_and_told():
    with pytest.warns(UserWarning, match="the patient: column 'subject_id'"):
        found = read({"subject_id": [1, 2], "time": TIMES, "map": [80, 81]})
    assert set(found) == {("1", 0, "map"), ("2", 1, "map")}


@pytest.mark.parametrize(
    ("one", "other"), [("heart_rate", "Pulse"), ("Temp (F)", "Temp (C)"), ("sbp", "NIBP"), ("NIBP", "sbp")]
)
def test_two_columns_of_one_sign_are_a_sentence_that_names_both(one, other):
    cells = {"NIBP": ["120/80", "121/81"]}
    with pytest.raises(InputError, match="two columns of") as error:
        read({"time": TIMES, **{c: cells.get(c, [100, 101]) for c in (one, other)}})
    assert repr(one) in str(error.value)
    assert repr(other) in str(error.value)


def test_numbers_stand_plainly_in_messages():
    with pytest.raises(InputError, match=r"'BP' is 12\.0, expected systolic"):
        read({"time": TIMES, "BP": np.array([12.0, 13.0])})
