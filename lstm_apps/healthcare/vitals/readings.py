"""Readings of vital signs: the signs, their units, and which values are possible."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from lstm_apps.errors import InputError
from lstm_apps.features.raw import is_folder
from lstm_apps.features.tables.dialect import PLAIN, Dialect
from lstm_apps.features.tables.table import NEVER, parse_numbers, read_parquet
from lstm_apps.healthcare.vitals.checks import check, warn_doubtful
from lstm_apps.healthcare.vitals.table import EVENTS, Rows, read_table, table_name


class Vital(NamedTuple):
    """Unit of a vital sign, and the range of possible values."""

    unit: str
    low: float
    high: float


# Names of the CLIF 2.1 data dictionary. A reading out of bounds is an artefact of the sensor and counts as
# not measured; a table in another unit is refused (`checks`). Bounds are those of clifpy's outlier
# configuration, but above 0.
VITALS: dict[str, Vital] = {
    "heart_rate": Vital("1/min", 1, 300),
    "sbp": Vital("mmHg", 1, 300),
    "dbp": Vital("mmHg", 1, 200),
    "map": Vital("mmHg", 1, 250),
    "spo2": Vital("%", 50, 100),
    "respiratory_rate": Vital("1/min", 1, 60),
    "temp_c": Vital("°C", 32, 44),
}
NAMES = tuple(VITALS)
Bounds = Mapping[str, tuple[float, float]]  # vital sign -> lowest and highest possible value
BOUNDS: Bounds = {name: (vital.low, vital.high) for name, vital in VITALS.items()}


class Readings(NamedTuple):
    """The possible readings of one patient in the order of time."""

    seconds: np.ndarray  # (readings,) int64 since 1970
    vitals: np.ndarray  # (readings,) positions in NAMES
    values: np.ndarray  # (readings,) in the units of VITALS

    @classmethod
    def of(cls, seconds: np.ndarray, names: np.ndarray, values: np.ndarray, bounds: Bounds = BOUNDS) -> Self:
        """From arrays (readings,) of any variable in any order; what is impossible is left out."""
        place = {name: i for i, name in enumerate(NAMES)}
        vitals = np.array([place.get(name, -1) for name in names], np.int64)
        kept = possible(names, values, bounds)
        order = np.argsort(seconds[kept], kind="stable")
        return cls(*(a[kept][order] for a in (np.asarray(seconds, np.int64), vitals, values)))


def possible(names: np.ndarray, values: np.ndarray, bounds: Bounds = BOUNDS) -> np.ndarray:
    """(readings,) booleans: whether each is a known vital sign within its bounds."""
    of = np.array([bounds.get(name, (np.inf, -np.inf)) for name in names], float).reshape(-1, 2)
    low, high = of.T
    with np.errstate(invalid="ignore"):
        return (values >= low) & (values <= high)


def read_rows(
    raw: Any, columns: Mapping[str, str], dialect: Dialect = PLAIN, bounds: Bounds = BOUNDS
) -> Rows:
    """Patients (text), seconds since 1970 (int), variables (text) and values (float) of readings, four arrays
    (readings,). Of several values of one sign for one patient and time the last possible one is kept; a
    warning names them if they differ.

    Args:
        raw: A long or wide table, see `lstm_apps.healthcare.vitals.table.read_table`; or a folder of CLIF
            tables, of which the vital signs are read, each hospitalization as a patient.
        columns: The names of a table's columns "patient", which may be missing, "time", "variable" and
            "value".
        dialect: How a table is written, see `read_table`.
        bounds: Of possible values.

    Raises:
        InputError: As `read_table` and `read_clif_vitals`.
    """
    if isinstance(raw, str | Path) and is_folder(Path(raw)):
        if said := dialect.said():
            raise InputError(f"{raw} is a folder of CLIF tables; --{said[0]} is for tables of other forms.")
        return read_clif_vitals(Path(raw))
    return _one_of_each(read_table(raw, columns, dialect), bounds)


def _one_of_each(rows: Rows, bounds: Bounds) -> Rows:
    """Without all but the last possible value of one sign for one patient and time."""
    patients, seconds, names, values = rows
    at = np.flatnonzero(possible(names, values, bounds))
    order = at[np.lexsort((names[at], seconds[at], patients[at]))]  # stable: the last of the table is last
    before, after = order[:-1], order[1:]
    again = (
        (patients[before] == patients[after])
        & (seconds[before] == seconds[after])
        & (names[before] == names[after])
    )
    differ = np.flatnonzero(again & (values[before] != values[after]))
    if len(differ):
        first = before[differ[0]]
        these = (patients == patients[first]) & (seconds == seconds[first]) & (names == names[first])
        found = values[order[np.isin(order, np.flatnonzero(these))]]
        of = f" of patient {str(patients[first])!r}" if patients[first] else ""
        warnings.warn(
            f"{len(differ)} time(s) there are different values of one vital sign at one time, first "
            f"{names[first]}{of} at {np.datetime64(int(seconds[first]), 's')}: "
            f"{' and '.join(f'{v:g}' for v in found[:5])}. The last in the table counts, here {found[-1]:g}.",
            stacklevel=4,
        )
    kept = np.ones(len(values), bool)
    kept[before[again]] = False
    return patients[kept], seconds[kept], names[kept], values[kept]


def read_clif_vitals(folder: Path) -> Rows:
    """As `read_rows`, from the vitals table of CLIF 2.1, sorted by hospitalization and time. Of two readings
    of one sign at one time the arterial one counts.

    Raises:
        InputError: The table or a column of it is missing, or a value is no number.
    """
    found = read_parquet(
        folder, "vitals", "hospitalization_id", "recorded_dttm", "vital_name", "vital_category", "vital_value"
    )
    ids, seconds = found["hospitalization_id"].astype(str), found["recorded_dttm"]
    names = found["vital_category"].astype(str)
    values = found["vital_value"]
    if values.dtype.kind not in "fiu":  # text, perhaps with gaps
        values = parse_numbers(values.tolist(), "vital_value", f"the table of vitals in {folder}")
    values = values.astype(float)
    timed = seconds != NEVER
    if not timed.all():
        warnings.warn(f"{int((~timed).sum())} reading(s) without a time are left out.", stacklevel=2)
    arterial = np.array(["art" in str(n).lower() for n in found["vital_name"]], bool)
    order = np.lexsort((~arterial, names, seconds, ids))
    first = np.ones(len(order), bool)
    first[1:] = np.any([k[order][1:] != k[order][:-1] for k in (ids, seconds, names)], axis=0)
    kept = order[first]
    kept = kept[timed[kept]]
    return ids[kept], seconds[kept], names[kept], values[kept]


def warn_unknown(names: np.ndarray) -> None:
    """Warn of variables (readings,) that are neither vital signs nor events."""
    unknown = sorted(set(names.tolist()) - {*NAMES, *EVENTS})
    if unknown:
        warnings.warn(
            f"Neither vital signs that are known nor events: {', '.join(unknown[:5])}; they are left out.",
            stacklevel=2,
        )


def warn_left_out(rows: Rows, bounds: Bounds = BOUNDS) -> None:
    """Warn of readings that are left out, or would be usual in another unit."""
    _, _, names, values = rows
    warn_unknown(names)
    warn_doubtful(names, values)
    wrong = ~possible(names, values, bounds) & ~np.isnan(values) & np.isin(names, NAMES)
    if wrong.any():
        i = int(np.flatnonzero(wrong)[0])
        low, high = bounds[names[i]]
        warnings.warn(
            f"{int(wrong.sum())} impossible reading(s) count as not measured, the first {names[i]} "
            f"{values[i]:g}; between {low:g} and {high:g} {VITALS[names[i]].unit} it would count.",
            stacklevel=2,
        )


def by_patient(rows: Rows, bounds: Bounds = BOUNDS) -> dict[str, Readings]:
    """The possible readings of each patient, in the order of the table; a patient may have none."""
    patients, seconds, names, values = rows
    places, inverse = np.unique(patients, return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(inverse, minlength=len(places)))[:-1])
    found = {
        str(p): Readings.of(seconds[i], names[i], values[i], bounds)
        for p, i in zip(places, parts, strict=True)
    }
    return {p: found[p] for p in dict.fromkeys(patients.tolist())}


def read_patients(
    raw: Any, columns: Mapping[str, str], bounds: Bounds = BOUNDS, dialect: Dialect = PLAIN
) -> dict[str, Readings]:
    """The possible readings of each patient who has any; a warning says what is left out.

    Args:
        raw, columns, dialect: See `read_rows`.
        bounds: Of possible values.

    Raises:
        InputError: As `read_rows`; or readings in an unexpected unit, see `checks.check`.
    """
    rows = read_rows(raw, columns, dialect, bounds)
    check(*rows, table_name(raw), possible(rows[2], rows[3], bounds))
    warn_left_out(rows, bounds)
    found = by_patient(rows, bounds)
    nothing = [patient for patient, readings in found.items() if not len(readings.values)]
    if nothing and len(nothing) < len(found):
        shown = ", ".join(map(repr, nothing[:10])) + (", ..." if len(nothing) > 10 else "")
        warnings.warn(
            f"No answer for {len(nothing)} of {len(found)} patients, who have no possible reading: {shown}.",
            stacklevel=2,
        )
    return {patient: readings for patient, readings in found.items() if len(readings.values)}
