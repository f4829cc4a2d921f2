"""Readings in another unit, or in the wrong column."""

import warnings

import numpy as np
import pytest
from wards import as_table, patient, wide

from lstm_apps.errors import InputError
from lstm_apps.healthcare.vitals.checks import check
from lstm_apps.healthcare.vitals.readings import NAMES, read_patients

COLUMN_NAMES = {n: n for n in ("patient", "time", "variable", "value")}
WARD = patient("a", hours=30) + patient("b", hours=30, seed=1)

OTHER = [
    (("sbp", "dbp", "map"), lambda v: round(v / 7.50062, 2), "sbp, dbp, map look like kPa or cmHg, not mmHg"),
    (("map",), lambda v: round(v / 7.50062, 1), "map looks like kPa"),
    (("sbp", "dbp"), lambda v: v * 133.3, "look like Pa, not mmHg"),
    (("temp_c",), lambda v: v * 1.8 + 32, "temp_c looks like °F, not °C"),
    (("temp_c",), lambda v: v + 273.15, "temp_c looks like K"),
    (("spo2",), lambda v: v / 100, "spo2 looks like fraction, not %"),
    (("heart_rate",), lambda v: v / 60, "heart_rate looks like Hz, not 1/min"),
    (("respiratory_rate",), lambda v: v / 60, "respiratory_rate looks like Hz"),
]


def read(rows):
    return read_patients(as_table(rows), COLUMN_NAMES)


@pytest.mark.parametrize("who", ["ab", "b"])
@pytest.mark.parametrize(("signs", "turn", "says"), OTHER)
def test_another_unit_is_a_sentence_though_one_patient_alone_has_it(signs, turn, says, who):
    rows = [(p, t, s, turn(v) if s in signs and p in who else v) for p, t, s, v in WARD]
    with pytest.raises(InputError, match=says) as error:
        read(rows)
    assert f"of {len(who)} of 2 patients" in str(error.value)
    assert f"patient {who[0]!r}" in str(error.value)
    assert "Name the unit and it is converted" in str(error.value)


def test_a_unit_that_changes_within_a_stay_is_found():
    rows = patient("a", hours=60)
    late = range(int(0.9 * len(rows)), len(rows))
    rows = [(p, t, s, v / 7.5 if i in late and s in ("sbp", "dbp", "map") else v)
            for i, (p, t, s, v) in enumerate(rows)]  # fmt: skip
    with pytest.raises(InputError, match="sbp, dbp, map look like kPa"):
        read(rows)


def test_two_pressures_of_one_row_are_enough():
    with pytest.raises(InputError, match="sbp, dbp look like kPa"):
        read([("a", "2026-01-01T00:00", "sbp", 17.0), ("a", "2026-01-01T00:00", "dbp", 10.0)])


def test_too_few_readings_of_each_patient_are_found_together():
    rows = [(f"p{i}", "2026-01-01T00:00", "sbp", 15.0 + i) for i in range(5)]
    with pytest.raises(InputError, match="sbp looks like kPa"):
        read(rows)


SHOCK = [
    [("sbp", 45), ("dbp", 25), ("map", 32), ("temp_c", 32.5), ("spo2", 55), ("heart_rate", 25)],
    [("sbp", 60), ("dbp", 18), ("map", 32), ("respiratory_rate", 2)],
    [("temp_c", 41.9), ("heart_rate", 260), ("sbp", 290), ("dbp", 150), ("map", 190)],
]


@pytest.mark.parametrize("low", SHOCK)
@pytest.mark.parametrize("others", [[], WARD])
def test_values_of_the_very_sick_are_taken(low, others):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = read([*others, *(("c", "2026-01-01T00:00", s, v) for s, v in low)])
    assert sorted(found["c"].values.tolist()) == sorted(float(v) for _, v in low)


def test_single_artefacts_are_told_and_not_refused():
    at = "2026-01-01T03:30"
    with pytest.warns(UserWarning, match=r"1 reading.* sbp would be usual in kPa, the first 17 \(127.5 mm"):
        found = read([*WARD, ("a", at, "sbp", 17.0)])
    assert 17.0 in found["a"].values
    with pytest.warns(UserWarning, match=r"temp_c would be usual in °F, the first 98.6 \(37 °C\)"):
        read([*WARD, ("a", at, "temp_c", 98.6)])


@pytest.mark.parametrize(
    ("swap", "says"),
    [
        ({"sbp": "dbp", "dbp": "sbp"}, "sbp is below dbp in 60 of 60 measurements of patient 'a'"),
        ({"sbp": "map", "map": "sbp"}, "sbp is below map"),
        ({"dbp": "map", "map": "dbp"}, "map is below dbp"),
    ],
)
def test_pressures_that_changed_places_are_a_sentence(swap, says):
    with pytest.raises(InputError, match=f"{says}.*exchange the two"):
        read([(p, t, swap.get(s, s), v) for p, t, s, v in WARD])
    with pytest.raises(InputError, match=says):
        read_patients({swap.get(s, s): v for s, v in wide(WARD).items()}, COLUMN_NAMES)


def test_pressures_that_changed_places_for_one_patient_and_minutes_apart_are_found():
    other = {"sbp": "dbp", "dbp": "sbp"}
    rows = [
        (
            p,
            str(np.datetime64(t) + np.timedelta64(5 * (s == "dbp"), "m")),
            other.get(s, s) if p == "b" else s,
            v,
        )
        for p, t, s, v in WARD
    ]
    with pytest.raises(InputError, match=r"sbp is below dbp in .* of patient 'b'"):
        read(rows)


def test_a_single_pair_in_the_wrong_order_is_told():
    at = "2026-01-01T03:30"
    with pytest.warns(UserWarning, match="1 time.* sbp is below dbp, .* first of patient 'a': 60 and 110"):
        found = read([*WARD, ("a", at, "sbp", 60.0), ("a", at, "dbp", 110.0)])
    assert 110 in found["a"].values


def test_pressures_are_compared_within_minutes_only():
    times = np.array([0, 601, 0, 1300])
    arguments = np.full(4, "a"), times, np.array(["sbp", "sbp", "dbp", "dbp"]), np.array([120.0, 60, 80, 70])
    check(*arguments, "the table")
    with pytest.raises(InputError, match="2 of 2"):
        check(arguments[0], np.array([0, 700, 0, 1300]), arguments[2], np.array([70.0, 60, 80, 70]), "it")


def test_every_vital_sign_is_checked():
    assert {s for signs, _, _ in OTHER for s in signs} == set(NAMES)


def test_a_heart_rate_in_seconds_or_hertz_asks_which():
    rows = [("a", t, "heart_rate", 0.73) for _, t, s, _ in WARD[:60] if s == "heart_rate"]
    with pytest.raises(InputError, match=r"43.8 1/min from Hz .* or 82.19 1/min from an interval") as error:
        read(rows)
    assert "'heart_rate (Hz)' or 'heart_rate (s)'" in str(error.value)
    with pytest.warns(UserWarning, match="turned from s to 1/min"):
        found = read([(p, t, "heart_rate (s)", v) for p, t, _, v in rows])
    np.testing.assert_allclose(found["a"].values, 60 / 0.73)


def test_an_impossible_pressure_is_told_once_and_not_compared():
    at = "2026-01-01T03:30"
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        read([*WARD, ("a", at, "map", 999.0), ("a", at, "sbp", 120.0)])
    assert [str(w.message).split(",")[0] for w in told] == ["1 impossible reading(s) count as not measured"]
