import json
import math

import numpy as np
import pytest
from wards import START, as_table, patient, readings

from lstm_apps.errors import InputError
from lstm_apps.features import from_json, to_json
from lstm_apps.features.hours import COLUMNS, LOW, STABLE, UNKNOWN, HourGrid, hours_of, stays_of
from lstm_apps.features.readings import NAMES, read_patients
from lstm_apps.features.vitals import STRETCH, WARM_UP, Alarms, VitalsFeatures, stretches

COLUMN_NAMES = {n: n for n in ("patient", "time", "variable", "value")}
FEATURES = VitalsFeatures(COLUMN_NAMES, tuple(float(i) for i in range(21)), (1.0,) * 21, threshold=0.5)


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
    told = hours((5, "map", 80), (5 + 12 * 60, "heart_rate", 70))
    assert len(told) == 13
    assert not told[-1].begins
    told = hours((5, "map", 80), (6 + 12 * 60, "heart_rate", 70))
    assert len(told) == 2
    assert told[1].begins
    assert math.isnan(column(told[1], "last", "map"))
    assert [len(s) for s in stays_of(told)] == [1, 1]


def test_no_hour_knows_what_comes_after_it():
    rows = patient("a", hours=40)
    whole = hours_of(read_patients(as_table(rows), COLUMN_NAMES)["a"])
    for cut in (50, 200, 333):
        part = hours_of(read_patients(as_table(rows[:cut]), COLUMN_NAMES)["a"])
        for a, b in zip(part[:-1], whole, strict=False):
            np.testing.assert_array_equal(a.row, b.row)
            assert a.status == b.status


def test_an_hour_that_was_told_takes_no_more_readings():
    grid = HourGrid()
    at = int(START.astype("datetime64[s]").astype(int))
    assert grid.push(at + 600, 0, 70) == []
    assert len(grid.push(at + 2 * 3600, 0, 70)) == 1
    with pytest.raises(InputError, match="too late"):
        grid.push(at + 700, 0, 70)


def test_an_alarm_holds_for_six_hours():
    alarms = Alarms(0.5)
    risks = [0.4, 0.6, 0.9, 0.9, 0.9, 0.9, 0.9, 0.7, float("nan"), 0.2]
    assert [alarms.hear(3600 * i, r) for i, r in enumerate(risks)] == [
        False, True, False, False, False, False, False, True, False, False,
    ]  # fmt: skip


def test_stretches_tell_every_hour_once():
    for count in (1, WARM_UP, STRETCH, STRETCH + 1, 300):
        rows = np.zeros((count, COLUMNS), np.float32)
        rows[:, 0] = np.arange(count)
        assert max(map(len, stretches(rows))) <= STRETCH
        found = FEATURES.risks(lambda inputs: {"risk": inputs["hours"][..., :1]}, rows)
        np.testing.assert_array_equal(found, np.arange(count))


def test_a_value_never_measured_is_the_mean():
    row = np.full(COLUMNS, np.nan)
    row[21:] = 0
    np.testing.assert_array_equal(FEATURES.encode(row), [*range(21), *[0] * 14])


def test_one_row_of_one_patient_is_answered():
    answer = FEATURES.predict(lambda inputs: {"risk": inputs["hours"][..., :1]}, readings((5, "map", 80)))
    assert answer["status"].tolist() == [UNKNOWN]
    assert math.isnan(answer["risk"][0])
    assert not answer["alarm"][0]


def test_bounds_are_those_of_the_file():
    data = json.loads(json.dumps(to_json(FEATURES)))
    assert from_json(data) == FEATURES
    data["bounds"]["map"] = [1, 70]
    with pytest.raises(InputError, match="could be real"):
        from_json(data).predict(lambda inputs: {"risk": inputs["hours"][..., :1]}, readings((5, "map", 80)))


class Same:
    """A step file that always answers 0."""

    def reset(self):
        pass

    def push(self, inputs):
        return {"risk": np.zeros((1, 1, 1))}


@pytest.mark.parametrize("reading", [("heart_rate", 900), ("heart_rate", math.nan), ("etco2", 40)])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_stream_goes_on_when_a_sensor_comes_off(reading):
    stream = FEATURES.stream(Same())
    assert stream.push(readings((2, *reading))) == []
    stream.push(readings((1, "map", 80)))
    assert stream.push(readings((2, *reading))) == []
    assert len(stream.push(readings((90, "map", 80)))) == 1
    with pytest.raises(InputError, match="could be real"):
        FEATURES.predict(lambda inputs: inputs, readings((2, *reading)))


def test_a_stream_is_of_one_patient():
    stream = FEATURES.stream(Same())
    stream.push(readings((1, "map", 80)))
    other = readings((2, "map", 80))
    with pytest.raises(InputError, match="begin another"):
        stream.push({**other, "patient": ["somebody else"]})
    assert len(stream.push(readings((90, "map", 80)))) == 1
    stream.reset()
    stream.push({**other, "patient": ["somebody else"]})
