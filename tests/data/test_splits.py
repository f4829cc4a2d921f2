import numpy as np
import pytest

from lstm_apps.data.splits import by_time
from lstm_apps.errors import InputError
from lstm_apps.features.frequency import Frequency
from lstm_apps.features.series import Series


def series(values):
    return Series(np.datetime64("2020-01-01T00:00:00"), Frequency.parse("1h"), np.asarray(values, float))


def test_no_part_holds_anything_that_lies_after_its_end():
    split = by_time(series(np.arange(100)), validation=20, test=30)
    assert [len(p.series) for p in (split.train, split.validation, split.test)] == [50, 70, 100]
    assert [p.begin for p in (split.train, split.validation, split.test)] == [0, 50, 70]


def test_changing_the_future_changes_nothing_before_it():
    values = np.random.default_rng(0).normal(size=400)
    values[[3, 60, 199, 201]] = np.nan
    changed = values.copy()
    changed[300:] = 1e6
    a, b = (by_time(series(v), validation=100, test=100) for v in (values, changed))
    np.testing.assert_array_equal(a.train.values, b.train.values)
    np.testing.assert_array_equal(a.validation.values, b.validation.values)


def test_origins_leave_room_on_both_sides():
    split = by_time(series(np.arange(100)), validation=20, test=30)
    assert list(split.test.origins(history=10, horizon=8, every=8)) == [70, 78, 86]
    assert split.train.origins(history=10, horizon=8)[[0, -1]].tolist() == [10, 42]


def test_too_short():
    with pytest.raises(InputError, match="validation and test take 50 of them"):
        by_time(series(np.arange(50)), 20, 30)
