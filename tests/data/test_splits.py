import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_apps.data.splits import by_group, by_time
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


@given(groups=st.lists(st.integers(1, 30), min_size=3, max_size=40))
def test_no_group_is_in_two_parts(groups):
    records = [(g, i) for g, size in enumerate(groups) for i in range(size)]
    parts = by_group(records, lambda r: r[0])
    assert sorted(r for part in parts for r in part) == records
    names = [{g for g, _ in part} for part in parts]
    assert all(names)
    assert sum(map(len, names)) == len(groups)


def test_groups_stay_where_they_are_when_records_are_added():
    few = [(g, 0) for g in range(100)]
    more = few + [(g, 1) for g in range(100)]
    for a, b in zip(by_group(few, lambda r: r[0]), by_group(more, lambda r: r[0]), strict=True):
        assert {g for g, _ in a} == {g for g, _ in b}


def test_too_few_groups_are_refused():
    with pytest.raises(InputError, match="it takes three"):
        by_group([(0, 0), (1, 0)], lambda r: r[0])
