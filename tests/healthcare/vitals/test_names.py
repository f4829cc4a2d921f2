"""Names and units of vital signs as people write them."""

import numpy as np
import pytest

from lstm_apps.errors import InputError
from lstm_apps.healthcare.vitals.names import BOTH, UNITS, own_unit, parse_name, unit_called, units_of
from lstm_apps.healthcare.vitals.readings import NAMES, VITALS


@pytest.mark.parametrize(
    ("written", "sign", "unit"),
    [
        *((name, name, None) for name in NAMES if name != "temp_c"),
        ("temp_c", "temp_c", "°C"),
        ("HR", "heart_rate", None),
        ("heart rate", "heart_rate", None),
        ("Heart Rate (bpm)", "heart_rate", "1/min"),
        ("heart rate (HR)", "heart_rate", None),
        ("HR/min", "heart_rate", "1/min"),
        ("Pulse [beats/min]", "heart_rate", "1/min"),
        ("SBP", "sbp", None),
        ("NIBP sys", "sbp", None),
        ("NIBP (sys) [kPa]", "sbp", "kPa"),
        ("sbp_kpa", "sbp", "kPa"),
        ("DBP in mmHg", "dbp", "mmHg"),
        ("BP (diastolic)", "dbp", None),
        ("Mean Arterial Pressure", "map", None),
        ("Non Invasive Blood Pressure mean", "map", None),
        ("SpO2 (%)", "spo2", "%"),
        ("SpO₂%", "spo2", "%"),
        ("SpO2 (0-1)", "spo2", "fraction"),
        ("RR", "respiratory_rate", None),
        ("resp", "respiratory_rate", None),
        ("Resp Rate (breaths/min)", "respiratory_rate", "1/min"),
        ("Temp", "temp_c", None),
        ("temperature", "temp_c", None),
        ("Temp (F)", "temp_c", "°F"),
        ("temp_f", "temp_c", "°F"),
        ("Temperature [°C]", "temp_c", "°C"),
        ("BP", BOTH, None),
        ("NIBP (mmHg)", BOTH, "mmHg"),
    ],
)
def test_names_as_people_write_them(written, sign, unit):
    found = parse_name(written)
    assert (found.sign, found.unit and found.unit.name) == (sign, unit)


# "HR min" may be the lowest heart rate.
@pytest.mark.parametrize(
    "written",
    ["", "bed", "mean", "weight_kg", "temp site", "HR min", "temp_min", "time", "death", "mood", "art"],
)
def test_other_names_are_none(written):
    assert parse_name(written) is None


def test_what_was_measured_in_the_artery():
    assert parse_name("ART BP Mean").arterial
    assert parse_name("Arterial Blood Pressure systolic").arterial
    for written in ("Mean Arterial Pressure", "NIBP sys", "Non Invasive Blood Pressure systolic", "sbp"):
        assert not parse_name(written).arterial


def test_a_unit_that_is_not_known_is_a_sentence():
    with pytest.raises(InputError, match=r"'SBP \(bar\)' is sbp in 'bar'.*mmHg, kPa"):
        parse_name("SBP (bar)")
    with pytest.raises(InputError, match="no unit of it"):
        parse_name("Temp", "mmHg")
    assert parse_name("mood", "bar") is None


@pytest.mark.parametrize(
    ("sign", "unit", "value", "own"),
    [
        ("sbp", "kPa", 16.0, 120.0),
        ("dbp", "cmHg", 8.0, 80.0),
        ("map", "Pa", 12000.0, 90.0),
        ("map", "hPa", 120.0, 90.0),
        ("temp_c", "°F", 98.6, 37.0),
        ("temp_c", "K", 310.15, 37.0),
        ("spo2", "fraction", 0.97, 97.0),
        ("heart_rate", "Hz", 1.25, 75.0),
        ("heart_rate", "ms", 800.0, 75.0),
        ("respiratory_rate", "Hz", 0.25, 15.0),
    ],
)
def test_units_are_converted(sign, unit, value, own):
    np.testing.assert_allclose(unit_called(sign, unit).convert(value), own, rtol=1e-3)


def test_units_are_understood_by_the_names_that_messages_have():
    assert set(UNITS) == {*NAMES, BOTH}
    for sign in NAMES:
        assert own_unit(sign) == VITALS[sign].unit
        for unit in units_of(sign):
            assert parse_name(f"{sign.removesuffix('_c')} ({unit})").unit.name == unit
            assert parse_name(sign, unit).unit.name == unit
