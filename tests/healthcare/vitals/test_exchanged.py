"""Vital signs that changed places."""

import warnings

import numpy as np
import pytest
from wards import patient, wide

from lstm_apps.errors import InputError
from lstm_apps.healthcare.vitals.exchanged import check_exchanged
from lstm_apps.healthcare.vitals.readings import read_patients

COLUMN_NAMES = {n: n for n in ("patient", "time", "variable", "value")}
WARD = patient("a", hours=48)
PAIRS = [
    ("heart_rate", "spo2"), ("map", "spo2"), ("sbp", "spo2"), ("dbp", "spo2"),
    ("heart_rate", "respiratory_rate"), ("map", "respiratory_rate"), ("spo2", "respiratory_rate"),
    ("temp_c", "respiratory_rate"), ("temp_c", "heart_rate"), ("temp_c", "spo2"), ("temp_c", "map"),
]  # fmt: skip


@pytest.mark.parametrize("pair", PAIRS)
def test_exchanged_columns_are_a_sentence_that_names_both(pair):
    one, other = pair
    swap = {one: other, other: one}
    with pytest.raises(InputError, match="look exchanged") as error:
        read_patients({swap.get(s, s): v for s, v in wide(WARD).items()}, COLUMN_NAMES)
    assert one in str(error.value)
    assert other in str(error.value)


def test_fast_hearts_are_told_from_saturations_by_values_above_100():
    rng = np.random.default_rng(0)
    names = np.repeat(["heart_rate", "spo2"], 200)
    rates, saturations = rng.normal(95, 12, 200), np.minimum(100, rng.normal(97, 2, 200))
    check_exchanged(names, np.concatenate([rates, saturations]), "the table")
    with pytest.raises(InputError, match="the table: heart_rate and spo2 look exchanged"):
        check_exchanged(names, np.concatenate([saturations, rates]), "the table")


def test_the_very_sick_and_single_readings_are_taken():
    sick = {"heart_rate": 118, "map": 57, "spo2": 82, "respiratory_rate": 36, "temp_c": 34, "sbp": 78}
    rng = np.random.default_rng(0)
    names = np.repeat(list(sick), 50)
    check_exchanged(names, np.repeat(list(sick.values()), 50) + rng.normal(0, 2, 300), "the table")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_exchanged(np.array(["heart_rate", "respiratory_rate"]), np.array([16.0, 80.0]), "the table")
