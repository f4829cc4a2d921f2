"""Did two vital signs change places in a table?"""

from collections.abc import Mapping
from itertools import combinations

import numpy as np

from lstm_apps.errors import InputError

# Medians of whole tables, in the signs' own units. Pressures among themselves are compared in `checks`.
_MEDIANS = {
    "heart_rate": (45, 170),
    "sbp": (80, 190),
    "dbp": (40, 105),
    "map": (50, 125),
    "spo2": (88, 100),
    "respiratory_rate": (6, 34.5),
    "temp_c": (35, 40),
}
_OWN = {**_MEDIANS, "temp_c": (31, 42)}  # of a table of very ill or cooled patients too
_PRESSURES = {"sbp", "dbp", "map"}
_ENOUGH = 8  # readings of each sign
# Saturations: hardly one is above 100, and their median is so high, but of patients who are very ill.
_SATURATION = (91, 100)


def check_exchanged(names: np.ndarray, values: np.ndarray, where: str) -> None:
    """Refuse two signs of which each fits the other's name and not its own.

    Args:
        names, values: (readings,) of all patients.
        where: How messages name the table.

    Raises:
        InputError: The medians of two signs are in each other's usual range and not in their own; or what is
            called spo2 is too low for it or often above 100, and fits another sign, which in turn looks like
            saturations: high, never above 100, and spread less.
    """
    of = {sign: values[(names == sign) & (values > 0)] for sign in _MEDIANS}
    of = {sign: found for sign, found in of.items() if len(found) >= _ENOUGH}
    for one, other in combinations(of, 2):
        if {one, other} <= _PRESSURES:
            continue
        if "spo2" in (one, other):
            rest = other if one == "spo2" else one
            wrong = _is_saturation(of[rest], of["spo2"]) and _fits(of["spo2"], rest)
        else:
            wrong = False
        alike = _fits(of[one], other) and _fits(of[other], one)
        if wrong or (alike and not _fits(of[one], one, _OWN) and not _fits(of[other], other, _OWN)):
            raise InputError(
                f"{where}: {one} and {other} look exchanged: {one} is around {np.median(of[one]):.4g}, "
                f"usual of {other}, and {other} around {np.median(of[other]):.4g}, usual of {one}. Exchange "
                "the two where their names are wrong."
            )


def _fits(values: np.ndarray, sign: str, ranges: Mapping[str, tuple[float, float]] = _MEDIANS) -> bool:
    low, high = ranges[sign]
    return bool(low <= np.median(values) <= high)


def _is_saturation(values: np.ndarray, called: np.ndarray) -> bool:
    """Whether `values` are saturations rather than those that are called so."""
    (low, high), (first, last) = _MEDIANS["spo2"], _SATURATION
    spread, other = (float(np.subtract(*np.quantile(v, [0.9, 0.1]))) for v in (values, called))
    return bool(
        (not low <= np.median(called) <= high or np.mean(called > last) > 0.05)
        and first <= np.median(values) <= last
        and np.mean(values > last) < 0.01
        and spread <= other
    )
