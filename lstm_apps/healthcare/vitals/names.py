"""Names and units that people write for vital signs: "HR", "NIBP sys (kPa)", "Temp (F)"."""

import re
import unicodedata
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from lstm_apps.errors import InputError

MMHG_OF_KPA = 7.50062


class Unit(NamedTuple):
    """A unit of a vital sign, and the conversion of its values to the sign's own unit."""

    name: str
    convert: Callable


def _times(factor: float) -> Callable:
    return lambda values: values * factor


_OWN = _times(1.0)
_MMHG, _KPA, _CMHG = Unit("mmHg", _OWN), Unit("kPa", _times(MMHG_OF_KPA)), Unit("cmHg", _times(10.0))
_PA, _HPA = Unit("Pa", _times(MMHG_OF_KPA / 1e3)), Unit("hPa", _times(MMHG_OF_KPA / 10))
_PERCENT, _FRACTION = Unit("%", _OWN), Unit("fraction", _times(100.0))
_PER_MINUTE, _HERTZ = Unit("1/min", _OWN), Unit("Hz", _times(60.0))
# From one heartbeat to the next.
_MILLISECONDS, _SECONDS = Unit("ms", lambda values: 60_000 / values), Unit("s", lambda values: 60 / values)
_CELSIUS, _KELVIN = Unit("°C", _OWN), Unit("K", lambda values: values - 273.15)
_FAHRENHEIT = Unit("°F", lambda values: (values - 32) / 1.8)

# Units as they are written, in lower case, without brackets, spaces, dashes and degree signs, "/" as "per".
_PRESSURE = {"mmhg": _MMHG, "torr": _MMHG, "kpa": _KPA, "cmhg": _CMHG, "pa": _PA, "hpa": _HPA, "mbar": _HPA}
# "HR min" may be the lowest of them: "min" alone is no unit.
_RATE = dict.fromkeys(("bpm", "permin", "perminute", "1permin", "min1"), _PER_MINUTE)
_RATE |= dict.fromkeys(("hz", "1pers", "pers", "persecond", "s1"), _HERTZ)
BOTH = "bp"  # systolic and diastolic pressure in one cell: 120/80
UNITS: dict[str, dict[str, Unit]] = {
    BOTH: _PRESSURE,
    "heart_rate": {
        **_RATE,
        **dict.fromkeys(("beatspermin", "beatsperminute"), _PER_MINUTE),
        "ms": _MILLISECONDS,
        **dict.fromkeys(("s", "sec", "seconds"), _SECONDS),
    },
    "sbp": _PRESSURE,
    "dbp": _PRESSURE,
    "map": _PRESSURE,
    "spo2": {
        **dict.fromkeys(("%", "percent", "pct"), _PERCENT),
        **dict.fromkeys(("fraction", "ratio", "01"), _FRACTION),
    },
    "respiratory_rate": {
        **_RATE,
        **dict.fromkeys(("breathspermin", "breathsperminute", "brpm", "insppermin"), _PER_MINUTE),
    },
    "temp_c": {
        **dict.fromkeys(("c", "degc", "celsius", "degreesc", "degreescelsius"), _CELSIUS),
        **dict.fromkeys(("f", "degf", "fahrenheit", "degreesf", "degreesfahrenheit"), _FAHRENHEIT),
        **dict.fromkeys(("k", "kelvin"), _KELVIN),
    },
}

# Range of nearly all readings of monitored patients, in the sign's own unit.
USUAL = {
    "heart_rate": (24, 240),
    "sbp": (60, 225),
    "dbp": (30, 120),
    "map": (38, 150),
    "spo2": (30, 100),
    "respiratory_rate": (3, 59),
    "temp_c": (30, 45),
}

_NAMES: dict[str, str] = {
    name: sign
    for sign, names in {
        "heart_rate": ("heart rate", "heartrate", "hr", "pulse", "pulse rate", "pulserate"),
        "sbp": ("sbp", "sysbp", "sysabp", "nisysabp", "nibps", "nbps", "abps", "sap"),
        "dbp": ("dbp", "diasbp", "diabp", "diasabp", "nidiasabp", "nibpd", "nbpd", "abpd", "dap"),
        "map": ("map", "mbp", "meanbp", "mabp", "nimap", "nibpm", "nbpm", "abpm"),
        "spo2": (
            *("spo2", "sp o2", "o2 sat", "o2sat", "o2 saturation", "oxygen saturation", "saturation"),
            *("sat", "sats", "pulse ox", "pulseox", "pulse oximetry", "oximetry"),
        ),
        "respiratory_rate": (
            *("respiratory rate", "rr", "resp", "resp rate", "resprate", "respiration", "respirations"),
            *("respiration rate", "respiratoryrate", "breathing rate"),
        ),
        "temp_c": (
            *("temp", "temperature", "body temp", "body temperature", "core temp", "core temperature"),
        ),
    }.items()
    for name in names
}
# Pressures are also named by words: one of these, and any of the words beside them.
_PHASES = {
    **dict.fromkeys(("sys", "syst", "systolic"), "sbp"),
    **dict.fromkeys(("dia", "dias", "diast", "diastolic"), "dbp"),
    **dict.fromkeys(("mean", "map"), "map"),
}
_PRESSURE_WORDS = {
    *("bp", "nibp", "nbp", "ibp", "abp", "art", "arterial", "blood", "pressure", "press", "cuff"),
    *("non", "invasive", "noninvasive"),
}
_IN_BRACKETS = re.compile(r"^(?P<base>.*?)[(\[{]\s*(?P<unit>[^()\[\]{}]*?)\s*[)\]}]\s*$")


class Named(NamedTuple):
    """What a name means."""

    sign: str
    unit: Unit | None  # None where the name has none
    arterial: bool  # measured in the artery


def parse_name(name: str, unit: str = "") -> Named | None:
    """The vital sign, or `BOTH` pressures, that a column or a variable names; None of any other name.

    Args:
        name: As people write it, with a unit or without.
        unit: The unit if it stands elsewhere, as in a column of units.

    Raises:
        InputError: A vital sign in an unknown unit.
    """
    if unit:
        found = parse_name(name)
        return None if found is None else found._replace(unit=_unit(found.sign, unit, name))
    words = _words(name)
    if (sign := _sign(words)) is not None:
        return Named(sign, None, _arterial(words))
    bracketed = _IN_BRACKETS.match(name.strip())
    if bracketed and (sign := _sign(words := _words(bracketed["base"]))) is not None:
        again = _sign(_words(bracketed["unit"])) == sign  # as in "heart rate (HR)"
        return Named(sign, None if again else _unit(sign, bracketed["unit"], name), _arterial(words))
    for count in (1, 2, 3, 4):  # words of a unit
        sign = _sign(words[:-count])
        if sign is not None and (known := UNITS[sign].get("".join(words[-count:]))) is not None:
            return Named(sign, known, _arterial(words))
    return None


def own_unit(sign: str) -> str:
    """Name of the unit in which the package uses a vital sign."""
    return units_of(sign)[0]


def is_usual(sign: str, unit: str, values: np.ndarray) -> np.ndarray:
    """(values,) booleans: whether values in `unit` are in the usual range of monitored patients."""
    low, high = USUAL[sign]
    converted = unit_called(sign, unit).convert(values)
    return (converted >= low) & (converted <= high)


def units_of(sign: str) -> list[str]:
    """Names of the units that a vital sign may be given in, its own first."""
    return list(dict.fromkeys(u.name for u in UNITS[sign].values()))


def unit_called(sign: str, name: str) -> Unit:
    """The unit of a vital sign with this name of `units_of`."""
    return next(u for u in UNITS[sign].values() if u.name == name)


def normalized(name: str) -> str:
    """Letters and digits of a name in lower case: "Patient ID" is "patientid"."""
    return "".join(_words(name))


def _words(name: str) -> list[str]:
    plain = unicodedata.normalize("NFKC", name).lower().replace("%", " % ").replace("/", " per ")
    return [w for w in re.findall(r"[^\W_]+|%", plain) if w != "in"]  # as in "Temp in °F"


def _sign(words: list[str]) -> str | None:
    if (found := _NAMES.get(" ".join(words))) is not None:
        return found
    phases = {_PHASES[w] for w in words if w in _PHASES}
    others = [w for w in words if w not in _PHASES]
    if len(phases) > 1 or not set(others) <= _PRESSURE_WORDS or words in (["mean"], []):
        return None
    if phases:
        return phases.pop()
    return BOTH if {"bp", "nibp", "nbp", "ibp", "abp", "pressure"} & set(others) else None


def _arterial(words: list[str]) -> bool:
    # "mean arterial pressure" says nothing of where it was measured.
    said = " ".join(words).replace("mean arterial", "mean").split()
    return not {"ni", "non", "nibp"} & set(said) and any(
        w in ("art", "arterial", "abp", "ibp", "sysabp", "diasabp", "abps", "abpd", "abpm") for w in said
    )


def _unit(sign: str, written: str, name: str) -> Unit:
    known = UNITS[sign].get("".join(_words(written)))
    if known is None:
        raise InputError(
            f"{name!r} is {sign} in {written!r}, which is no unit of it that is known; those are: "
            f"{', '.join(units_of(sign))}."
        )
    return known
