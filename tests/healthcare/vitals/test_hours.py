"""Vital signs hour by hour."""

import math

import numpy as np
import pytest
from wards import START, as_table, patient, readings

from lstm_apps.errors import InputError
from lstm_apps.healthcare.vitals.hours import LOW, STABLE, UNKNOWN, HourGrid, hours_of, stays_of
from lstm_apps.healthcare.vitals.readings import NAMES, Readings, read_patients

COLUMN_NAMES = {n: n for n in ("patient", "time", "variable", "value")}


def seconds(minutes):
    return int((START + np.timedelta64(minutes, "m")).astype("datetime64[s]").astype(int))


def hours(*rows):
    (found,) = read_patients(readings(*rows), COLUMN_NAMES).values()
    return hours_of(found)


def column(hour, kind, name):
    return hour.row[("last", "low", "high", "measured", "since").index(kind) * len(NAMES) + NAMES.index(name)]


def test_an_hour_holds_what_was_measured_in_it_and_what_was_before():
    first, second, third = hours(
        (10, "map", 70), (20, "map", 90), (15, "map", 80), (60, "heart_rate", 75), (130, "spo2", 97)
    )
    assert [column(first, kind, "map") for kind in ("last", "low", "high", "measured", "since")] == [
        90, 70, 90, 1, 0,
    ]  # fmt: skip
    assert column(first, "last", "heart_rate") == 75  # the end of an hour belongs to it
    assert math.isnan(column(first, "last", "spo2"))
    assert column(first, "since", "spo2") == 24
    assert [column(third, kind, "map") for kind in ("last", "low", "high", "measured", "since")] == [
        90, 90, 90, 0, 2,
    ]  # fmt: skip
    assert np.datetime64(first.end, "s") == START + np.timedelta64(1, "h")
    assert [h.begins for h in (first, second, third)] == [True, False, False]


@pytest.mark.parametrize(
    ("rows", "status"),
    [
        ([(5, "map", 80), (5, "heart_rate", 70), (5, "spo2", 97)], STABLE),
        ([(5, "map", 64.9), (9, "map", 80), (5, "heart_rate", 70), (5, "spo2", 97)], LOW),
        ([(5, "map", 65), (5, "heart_rate", 70), (5, "spo2", 87.9)], LOW),
        ([(5, "map", 80), (5, "spo2", 97)], UNKNOWN),
        ([(5, "heart_rate", 70), (5, "spo2", 97)], UNKNOWN),
        ([(5, "map", 80), (5, "heart_rate", 70), (5, "spo2", 97), (185, "spo2", 97)], STABLE),
        ([(5, "map", 80), (5, "heart_rate", 70), (5, "spo2", 97), (245, "spo2", 97)], UNKNOWN),
        ([(5, "map", 64), (5, "heart_rate", 70), (5, "spo2", 97), (65, "spo2", 97)], LOW),
    ],
)
def test_status_at_the_end_of_the_last_hour(rows, status):
    assert hours(*rows)[-1].status == status


def test_after_twelve_hours_without_a_reading_nothing_is_known():
    complete = hours((5, "map", 80), (5 + 12 * 60, "heart_rate", 70))
    assert len(complete) == 13
    assert not complete[-1].begins
    complete = hours((5, "map", 80), (6 + 12 * 60, "heart_rate", 70))
    assert len(complete) == 2
    assert complete[1].begins
    assert math.isnan(column(complete[1], "last", "map"))
    assert [len(s) for s in stays_of(complete)] == [1, 1]


def test_no_hour_knows_what_comes_after_it():
    rows = patient("a", hours=40)
    whole = hours_of(read_patients(as_table(rows), COLUMN_NAMES)["a"])
    for cut in (50, 200, 333):
        part = hours_of(read_patients(as_table(rows[:cut]), COLUMN_NAMES)["a"])
        for a, b in zip(part[:-1], whole, strict=False):
            np.testing.assert_array_equal(a.row, b.row)
            assert a.status == b.status


def test_a_complete_hour_takes_no_more_readings():
    grid = HourGrid()
    at = int(START.astype("datetime64[s]").astype(int))
    assert grid.push(at + 600, 0, 70) == []
    assert len(grid.push(at + 2 * 3600, 0, 70)) == 1
    with pytest.raises(InputError, match="too late"):
        grid.push(at + 700, 0, 70)


def test_without_a_measured_mean_pressure_it_is_that_of_systolic_and_diastolic():
    first, second, third = hours(
        (10, "sbp", 120), (12, "dbp", 75), (40, "dbp", 60), (49, "sbp", 90),
        (70, "sbp", 120), (70, "dbp", 60), (75, "map", 85),
        (130, "sbp", 120), (141, "dbp", 60),
    )  # fmt: skip
    assert first.pressures == ((seconds(12), 90.0), (seconds(49), 70.0))
    assert [column(first, kind, "map") for kind in ("last", "low", "high", "measured", "since")] == [
        70, 70, 90, 1, 0,
    ]  # fmt: skip
    assert first.computed
    assert second.pressures == ((seconds(75), 85.0),)  # a measured one wins
    assert not second.computed
    assert third.pressures == ()  # eleven minutes apart
    assert column(third, "last", "map") == 85
    assert not third.computed


def test_a_pressure_is_computed_over_the_end_of_an_hour_and_each_reading_counts_once():
    first, second = hours((55, "sbp", 120), (62, "dbp", 60), (63, "dbp", 90))
    assert first.pressures == ()
    assert second.pressures == ((seconds(62), 80.0),)
    names, values = np.array(["sbp", "dbp"]), np.array([60.0, 120.0])
    (wrong,) = hours_of(Readings.of(np.array([300, 300]), names, values))
    assert wrong.pressures == ()


def test_what_is_computed_can_be_low():
    (hour,) = hours((5, "heart_rate", 70), (5, "spo2", 97), (5, "sbp", 80), (5, "dbp", 40))
    assert (hour.status, hour.reason) == (
        LOW,
        "already in an event: mean arterial pressure 53.33 mmHg, below 65",
    )


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([(5, "map", 80), (5, "heart_rate", 70), (5, "spo2", 97)], ""),
        ([(5, "map", 80)], "no heart rate yet, no oxygen saturation yet"),
        ([(5, "heart_rate", 70), (5, "spo2", 97)], "no mean arterial pressure yet"),
        (
            [(5, "heart_rate", 70), (5, "spo2", 97), (5, "sbp", 120)],
            "no mean arterial pressure yet (only systolic)",
        ),
        (
            [(5, "heart_rate", 70), (5, "spo2", 97), (5, "sbp", 120), (40, "dbp", 70)],
            "no mean arterial pressure yet (systolic and diastolic are never within 10 minutes)",
        ),
        (
            [(5, "map", 80), (5, "heart_rate", 70), (5, "spo2", 97), (245, "spo2", 97)],
            "no mean arterial pressure in the last 4 hours",
        ),
        (
            [(5, "map", 60), (5, "spo2", 87), (5, "heart_rate", 70)],
            "already in an event: mean arterial pressure 60 mmHg, below 65 and "
            "oxygen saturation 87 %, below 88",
        ),
        (
            [(5, "map", 60), (125, "spo2", 97)],
            "already in an event: mean arterial pressure 60 mmHg, below 65, 2 h ago",
        ),
    ],
)
def test_the_reason_why_the_last_hour_has_no_risk(rows, reason):
    hour = hours(*rows)[-1]
    assert hour.reason == reason
    assert (hour.status == STABLE) == (reason == "")


def test_hours_without_any_reading_say_so():
    complete = hours((5, "map", 80), (5, "heart_rate", 70), (5, "spo2", 97), (600, "spo2", 97))
    assert [h.reason for h in complete[1:-1]] == [""] * 3 + ["no reading in the last 4 hours"] * 5
    assert complete[-1].reason == "no mean arterial pressure in the last 4 hours"
