"""Are readings of vital signs in the expected units and in the right columns?

A unit is refused if a patient's values again and again are not compatible with life in the expected unit but
usual in another: a systolic pressure of 17 kPa is 128 mmHg. A single low value, which may be an artefact or a
dying patient, is not refused.
"""

import warnings
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from lstm_apps.errors import InputError
from lstm_apps.healthcare.vitals.exchanged import check_exchanged
from lstm_apps.healthcare.vitals.names import UNITS, is_usual, own_unit, unit_called

SAME_TIME = 600  # seconds within which pressures are of one measurement


# Units that values reveal: what is usual (`names.USUAL`) in one of these is not compatible with life in the
# expected unit.
_SUSPECTS = {
    **dict.fromkeys(("sbp", "dbp", "map"), ("kPa", "Pa")),
    "temp_c": ("°F", "K"),
    "spo2": ("fraction",),
    "heart_rate": ("Hz",),
    "respiratory_rate": ("Hz",),
}
_ALIKE = {"kPa": "cmHg"}  # units that cannot be told apart
# How many of a patient's readings must be suspect: this share, or so many in a row for so many seconds.
# No patient of the CLIF demo has one pressure of these in more than 3 % of its readings.
_SHARE, _ROW, _LASTS = 0.4, 4, 2 * 3600
_AGREE = 2  # a single one may be an artefact
# (upper, lower): of one measurement the first is never below the second.
_ORDERS = ("sbp", "dbp"), ("sbp", "map"), ("map", "dbp")


def check(
    patients: np.ndarray,
    seconds: np.ndarray,
    names: np.ndarray,
    values: np.ndarray,
    where: str,
    counted: np.ndarray | None = None,
) -> None:
    """Refuse readings in another unit, or of exchanged signs.

    Args:
        patients, seconds, names, values: (readings,), see `table.read_table`.
        where: How messages name the table.
        counted: (readings,) booleans, which are possible and count; by default all. Only of these pressures
            are compared.

    Raises:
        InputError: Two signs that changed places, see `check_exchanged`; another unit, of one patient or
            of all pooled; or more than half of a patient's pressures of one measurement, and two at least,
            in the wrong order.
    """
    check_exchanged(names, values, where)
    found: dict[tuple[str, str], list[tuple[str, np.ndarray]]] = {}
    groups = dict(_by_patient(patients, seconds, names, values))
    for patient, signs in groups.items():
        for unit, sign, wrong in _in_another_unit(signs):
            found.setdefault((unit, sign), []).append((patient, wrong))
    if not found and len(groups) > 1:  # too few of each patient, but all are alike
        for _, signs in _by_patient(np.full(len(patients), ""), seconds, names, values):
            for unit, sign, wrong in _in_another_unit(signs):
                found[unit, sign] = [("", wrong)]
    if found:
        raise InputError(" ".join([f"{where}:", *_sentences(found, len(groups))]))
    if counted is not None:
        groups = dict(_by_patient(*(a[counted] for a in (patients, seconds, names, values))))
    _check_order(groups, where)


def warn_doubtful(names: np.ndarray, values: np.ndarray) -> None:
    """Warn of readings that would be usual in another unit, but are too few to decide."""
    for sign, unit in ((sign, unit) for sign, units in _SUSPECTS.items() for unit in units):
        doubtful = values[names == sign]
        doubtful = doubtful[is_usual(sign, unit, doubtful)]
        if len(doubtful):
            own, usual = own_unit(sign), _converted(sign, unit, doubtful[0])
            warnings.warn(
                f"{len(doubtful)} reading(s) of {sign} would be usual in {unit}, the first {doubtful[0]:g} "
                f"({usual:.4g} {own}): too few to tell, and nothing is converted.",
                stacklevel=3,
            )


def _in_another_unit(
    signs: dict[str, tuple[np.ndarray, np.ndarray]],
) -> Iterator[tuple[str, str, np.ndarray]]:
    """Unit, vital sign and values, of one patient."""
    for unit in dict.fromkeys(unit for units in _SUSPECTS.values() for unit in units):
        wrong = {
            sign: is_usual(sign, unit, signs[sign][1])
            for sign, units in _SUSPECTS.items()
            if unit in units and sign in signs
        }
        if sum(int(w.sum()) for w in wrong.values()) < _AGREE:
            continue
        for sign, these in wrong.items():
            seconds, values = signs[sign]
            if these.any() and (these.mean() >= _SHARE or _lasts(seconds, these)):
                yield unit, sign, values[these]


def _lasts(seconds: np.ndarray, wrong: np.ndarray) -> bool:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], wrong.astype(int), [0]])))
    runs = [(begin, end) for begin, end in pairwise(edges) if wrong[begin]]
    return any(e - b >= _ROW and seconds[e - 1] - seconds[b] >= _LASTS for b, e in runs)


def _check_order(groups: dict[str, dict[str, tuple[np.ndarray, np.ndarray]]], where: str) -> None:
    """Refuse patients whose pressures are in the wrong order; warn where only a few are."""
    for upper, lower in _ORDERS:
        few: list[tuple[str, float, float]] = []
        for patient, signs in groups.items():
            if upper not in signs or lower not in signs:
                continue
            pairs = list(zip(*_pairs(signs[upper], signs[lower]), strict=True))
            wrong = [(patient, float(high), float(low)) for high, low in pairs if high < low]
            few += wrong
            if len(wrong) >= _AGREE and len(wrong) * 2 > len(pairs):
                raise InputError(
                    f"{where}: {upper} is below {lower} in {len(wrong)} of {len(pairs)} measurements"
                    f"{_of(patient)}, the first {wrong[0][1]:g} and {wrong[0][2]:g}, which cannot be: "
                    "exchange the two where their names are wrong, or name the unit of one that has another."
                )
        if few:
            patient, high, low = few[0]
            warnings.warn(
                f"{len(few)} time(s) {upper} is below {lower}, which cannot be, first{_of(patient)}: "
                f"{high:g} and {low:g}. Too few to tell which is wrong; they count as they are.",
                stacklevel=4,
            )


def _pairs(upper: tuple, lower: tuple) -> tuple[np.ndarray, np.ndarray]:
    """Values of one measurement: each of the first with the nearest of the second."""
    right = np.searchsorted(lower[0], upper[0]).clip(0, len(lower[0]) - 1)
    left = (right - 1).clip(0)
    nearer = np.where(np.abs(lower[0][left] - upper[0]) < np.abs(lower[0][right] - upper[0]), left, right)
    near = np.abs(lower[0][nearer] - upper[0]) <= SAME_TIME
    return upper[1][near], lower[1][nearer][near]


def _by_patient(
    patients: np.ndarray, seconds: np.ndarray, names: np.ndarray, values: np.ndarray
) -> Iterator[tuple[str, dict[str, tuple[np.ndarray, np.ndarray]]]]:
    """Of each patient: vital sign -> seconds and values (readings,), in the order of time, without missing
    values and zeros."""
    kept = np.flatnonzero(np.isin(names, list(UNITS)) & (values > 0))
    kept = kept[np.lexsort((seconds[kept], names[kept], patients[kept]))]
    if not len(kept):
        return
    edges = np.flatnonzero(
        (patients[kept][1:] != patients[kept][:-1]) | (names[kept][1:] != names[kept][:-1])
    )
    found: dict[str, dict] = {}
    for part in np.split(kept, edges + 1):
        found.setdefault(str(patients[part[0]]), {})[str(names[part[0]])] = seconds[part], values[part]
    yield from found.items()


def _sentences(found: dict[tuple[str, str], list[tuple[str, np.ndarray]]], patients: int) -> Iterator[str]:
    for unit in dict.fromkeys(unit for unit, _ in found):
        signs = [sign for u, sign in found if u == unit]
        first = signs[0]
        who = {patient for sign in signs for patient, _ in found[unit, sign]}
        patient, values = found[unit, first][0]
        middle, own = float(np.median(values)), own_unit(first)
        alike = [unit, *([_ALIKE[unit]] if unit in _ALIKE else [])]
        whole = f", of {len(who)} of {patients} patients" if patients > 1 and "" not in who else ""
        if signs == ["heart_rate"]:
            yield _rate_or_interval(patient, middle, whole)
            continue
        would = " or ".join(f"{_converted(first, u, middle):.4g} from {u}" for u in alike)
        look = "look" if len(signs) > 1 else "looks"
        yield (
            f"{', '.join(signs)} {look} like {' or '.join(alike)}, not {own}{whole}: {first}{_of(patient)} "
            f"is around {middle:.4g}, which cannot be {own}; it would be {would}. Name the unit and it is "
            f"converted: '{first.removesuffix('_c')} ({unit})' as column or variable, or {unit} in a column "
            f"'unit' of a long table. Or write the values in {own}."
        )


def _rate_or_interval(patient: str, middle: float, whole: str) -> str:
    """The sentence of a heart rate that may be in Hz, or a time from one beat to the next."""
    rate, interval = (_converted("heart_rate", unit, middle) for unit in ("Hz", "s"))
    return (
        f"heart_rate looks like Hz, not 1/min, or like an interval in seconds from one beat to the next"
        f"{whole}: heart_rate{_of(patient)} is around {middle:.4g}, which would be {rate:.4g} 1/min from Hz "
        f"(60 x {middle:.4g}) or {interval:.4g} 1/min from an interval (60/{middle:.4g}). Name the unit "
        "and it is converted: 'heart_rate (Hz)' or 'heart_rate (s)' as column or variable, or Hz or s "
        "in a column 'unit' of a long table. Or write the values in 1/min."
    )


def _of(patient: str) -> str:
    return f" of patient {patient!r}" if patient else ""


def _converted(sign: str, unit: str, value: float) -> float:
    return float(unit_called(sign, unit).convert(value))
