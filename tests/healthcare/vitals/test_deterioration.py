import numpy as np
import pytest

from lstm_apps.healthcare.vitals.data import Stay
from lstm_apps.healthcare.vitals.deterioration import DEATH, HYPOTENSION, HYPOXAEMIA, TRANSFER, course, events
from lstm_apps.healthcare.vitals.readings import Readings

HOUR = 3600


def stay(*extra, hours=24, death=None, transfers=(), without=()):
    """Of (hour, name, value) beside steady readings at ten past, every hour but in `without`."""
    rows = [
        (h + 1 / 6, name, value)
        for h in range(hours)
        for name, value in (("heart_rate", 70), ("map", 80), ("spo2", 97))
        if (h, name) not in without
    ]
    rows += extra
    seconds, names, values = (np.array(c) for c in zip(*rows, strict=True))
    at = None if death is None else int(death * HOUR)
    readings = Readings.of(
        (seconds.astype(float) * HOUR).round().astype(np.int64), names, values.astype(float)
    )
    return Stay("a", readings, at, tuple(int(t * HOUR) for t in transfers))


def kinds(*args, **kwargs):
    return [(t / HOUR, kind) for t, kind in events(stay(*args, **kwargs))]


def test_hypotension_is_a_pressure_that_stays_low_for_half_an_hour():
    assert kinds((10.5, "map", 60), (11.0, "map", 64.9)) == [(10.5, HYPOTENSION)]
    assert kinds((10.5, "map", 60), (10.98, "map", 60)) == []
    assert kinds((10.5, "map", 60), (10.8, "map", 65), (11.0, "map", 60)) == []
    assert kinds((10.5, "map", 60), (10.8, "map", 60), (11.1, "map", 60)) == [(10.5, HYPOTENSION)]


def test_nobody_knows_whether_a_pressure_stayed_low_over_a_break():
    gone = [(11, "map"), (12, "map")]
    assert kinds((10.5, "map", 60), (12.5, "map", 60), without=gone) == []
    assert kinds((10.5, "map", 60), (12.0, "map", 60), without=gone) == [(10.5, HYPOTENSION)]


def test_other_events():
    assert kinds((8.5, "spo2", 87.9), (9.5, "spo2", 88)) == [(8.5, HYPOXAEMIA)]
    assert kinds(transfers=(0.1, 12.0, 30.0)) == [(12.0, TRANSFER)]
    last = 23 + 1 / 6
    assert kinds(death=last + 6) == [(last + 6, DEATH)]
    assert kinds(death=last + 6.1) == []


def test_an_event_comes_in_the_six_hours_after():
    found = course(stay((12.5, "spo2", 80)))
    end = found.ends / HOUR
    np.testing.assert_array_equal(end[found.label], [7, 8, 9, 10, 11, 12])
    assert (found.onset[found.label] == 12.5 * HOUR).all()
    # Not in the hour of the event, nor where the readings do not go on for six hours.
    np.testing.assert_array_equal(end[found.eligible], [*range(1, 13), *range(14, 18)])


def test_death_is_known_where_readings_end():
    found = course(stay(death=24.0))
    end = found.ends / HOUR
    np.testing.assert_array_equal(end[found.label], [18, 19, 20, 21, 22, 23])
    assert found.eligible[found.label].all()


@pytest.mark.parametrize("name", ["map", "spo2"])
def test_no_event_takes_readings_that_show_there_is_none(name):
    found = course(stay(without=[(h, name) for h in range(10, 16)]))
    end = found.ends / HOUR
    assert not found.eligible[end == 10]
    assert found.eligible[end == 9]


def test_what_comes_is_nowhere_in_the_rows():
    one, other = course(stay()), course(stay((20.5, "spo2", 80), death=24.0, transfers=(22.0,)))
    before = one.ends <= 20 * HOUR
    np.testing.assert_array_equal(one.rows[before], other.rows[: before.sum()])
