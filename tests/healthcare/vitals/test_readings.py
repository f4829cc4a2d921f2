"""Tables of readings."""

import warnings

import pytest
from wards import as_table, readings

from lstm_apps.errors import InputError
from lstm_apps.healthcare.vitals.readings import read_patients

COLUMN_NAMES = {n: n for n in ("patient", "time", "variable", "value")}


def test_impossible_readings_count_as_not_measured_and_are_told():
    with pytest.warns(UserWarning, match=r"2 impossible reading.*heart_rate 900.*between 1 and 300"):
        found = read_patients(
            readings((1, "heart_rate", 900), (2, "temp_c", 98.6), (3, "map", 80)), COLUMN_NAMES
        )
    assert found["a"].values.tolist() == [80]
    with pytest.warns(UserWarning, match="mood"):
        read_patients(readings((1, "mood", 3), (3, "map", 80)), COLUMN_NAMES)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ({"time": [], "variable": [], "value": []}, "no rows"),
        (readings((1, "map", "high")), "expected a number"),
        ({"time": ["soon"], "variable": ["map"], "value": [80]}, "expected a time"),
        ({"time": ["2026-01-01"], "value": [80]}, "no column 'variable'"),
        ({"time": ["2026-01-01"], "variable": ["map", "map"], "value": [80]}, "differ in length"),
        (
            {**readings((1, "map", 70), (2, "map", 80)), "patient": ["a", float("nan")]},
            "row 2: 'patient' is empty",
        ),
        (7, "CSV path or a table"),
    ],
)
def test_what_is_no_table_of_readings_is_a_sentence(raw, says):
    with pytest.raises(InputError, match=says):
        read_patients(raw, COLUMN_NAMES)


def test_rows_without_their_patients_column_are_told():
    table = {"bed": ["a", "b"], "time": ["2024-01-01T00:00", "2024-01-01T01:00"],
             "variable": ["map", "map"], "value": [70.0, 71.0]}  # fmt: skip
    with pytest.warns(UserWarning, match="no column 'patient', but bed"):
        read_patients(table, COLUMN_NAMES)
    del table["bed"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_patients(table, COLUMN_NAMES)


def test_events_of_training_data_are_no_unknown_vital_signs():
    table = {
        "time": ["2024-01-01T00:00", "2024-01-01T01:00"],
        "variable": ["map", "death"],
        "value": [70, ""],
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_patients(table, COLUMN_NAMES)
    with pytest.warns(UserWarning, match="Death"):
        read_patients({**table, "variable": ["map", "Death"]}, COLUMN_NAMES)


def test_patients_without_a_reading_that_could_be_real_are_left_out():
    assert read_patients(readings((1, "map", float("nan"))), COLUMN_NAMES) == {}


@pytest.mark.parametrize("form", ["long", "wide"])
def test_different_values_of_one_time_are_told_and_the_last_possible_one_counts(form):
    if form == "long":
        rows = [("a", "2026-01-01T00:00", "map", v) for v in (120, 80, 999, 80)]
        table = as_table([*rows, ("b", "2026-01-01T00:00", "map", 70), ("a", "2026-01-01T01:00", "map", 75)])
    else:
        time = [*["2026-01-01T00:00"] * 5, "2026-01-01T01:00"]
        table = {"patient": [*"aaaaba"], "time": time, "map": [120, 80, 999, 80, 70, 75]}
    with pytest.warns(UserWarning, match="different values") as told:
        found = read_patients(table, COLUMN_NAMES)
    assert found["a"].values.tolist() == [80, 75]
    assert found["b"].values.tolist() == [70]
    (said,) = [str(w.message) for w in told if "different" in str(w.message)]
    assert "map of patient 'a' at 2026-01-01T00:00:00: 120 and 80 and 80." in said
    assert "here 80" in said


def test_the_same_value_again_needs_no_word():
    rows = [("a", "2026-01-01T00:00", "map", 80), ("a", "2026-01-01T00:00", "map", 80)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_patients(as_table(rows), COLUMN_NAMES)["a"].values.tolist() == [80]
