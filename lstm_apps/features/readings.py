"""Readings of vital signs, as tables have them: which there are, and which can be real."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from lstm_apps.errors import InputError
from lstm_apps.features.raw import is_folder
from lstm_apps.features.table import (
    NEVER,
    column_names,
    parse_names,
    parse_numbers,
    parse_times,
    read_columns,
    read_parquet,
)


class Vital(NamedTuple):
    """A vital sign, and between which values one can be real."""

    unit: str
    low: float
    high: float


# Names of the CLIF 2.1 data dictionary. A reading out of bounds is an artefact of the sensor, or has another
# unit: it counts as not measured. Bounds are those of clifpy's outlier configuration, and nothing is 0.
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
EVENTS = "death", "transfer_up"  # variables without a value, of which training data tell
Bounds = Mapping[str, tuple[float, float]]  # by vital sign, lowest and highest value that can be real
BOUNDS: Bounds = {name: (vital.low, vital.high) for name, vital in VITALS.items()}


class Readings(NamedTuple):
    """Readings of one patient in the order of time, those that can be real."""

    seconds: np.ndarray  # (readings,) int64 since 1970
    vitals: np.ndarray  # (readings,) places in NAMES
    values: np.ndarray  # (readings,)

    @classmethod
    def of(cls, seconds: np.ndarray, names: np.ndarray, values: np.ndarray, bounds: Bounds = BOUNDS) -> Self:
        """From readings of any vital sign, in any order, possible or not."""
        place = {name: i for i, name in enumerate(NAMES)}
        vitals = np.array([place.get(name, -1) for name in names], np.int64)
        kept = possible(names, values, bounds)
        order = np.argsort(seconds[kept], kind="stable")
        return cls(*(a[kept][order] for a in (np.asarray(seconds, np.int64), vitals, values)))


def possible(names: np.ndarray, values: np.ndarray, bounds: Bounds = BOUNDS) -> np.ndarray:
    """(readings,) of booleans: whether they are of a vital sign that we know, within its bounds."""
    of = np.array([bounds.get(name, (np.inf, -np.inf)) for name in names], float).reshape(-1, 2)
    low, high = of.T
    with np.errstate(invalid="ignore"):
        return (values >= low) & (values <= high)


def read_rows(raw: Any, columns: Mapping[str, str]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Patients (text), seconds since 1970 (int), variables (text) and values (float) of readings.

    Args:
        raw: A long table, as `lstm_apps.features.table.read_columns`; or a folder of CLIF tables, of which
            the vital signs are read, each hospitalization as a patient.
        columns: The names of a table's columns "patient", which may be missing, "time", "variable" and
            "value".

    Raises:
        InputError: No table or an empty one, a column missing, a time or value that is none, a row of no
            patient where others have one.
    """
    if isinstance(raw, str | Path) and is_folder(Path(raw)):
        return read_clif_vitals(Path(raw))
    patient, time, variable, value = (columns[r] for r in ("patient", "time", "variable", "value"))
    cells, where = read_columns(raw, (time, variable, value), (patient,))
    sizes = {name: len(c) for name, c in cells.items()}
    if len(set(sizes.values())) > 1:
        raise InputError(f"{where}: its columns differ in length: {sizes}.")
    if not cells[time]:
        raise InputError(f"{where} has no rows.")
    if patient not in cells and (others := set(column_names(raw)) - {time, variable, value}):
        warnings.warn(
            f"{where} has no column {patient!r}, but {', '.join(sorted(others))}: "
            "all its rows count as one patient's.",
            stacklevel=2,
        )
    return (
        parse_names(cells[patient], patient, where) if patient in cells else np.full(len(cells[time]), ""),
        parse_times(cells[time], time, where).astype(np.int64),
        np.array([str(c).strip() for c in cells[variable]]),
        parse_numbers(cells[value], value, where),
    )


def read_clif_vitals(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """As `read_rows`, from the table of vital signs of CLIF 2.1, by hospitalization and time. Of two readings
    of one kind at once the one that was measured in the artery counts."""
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


def tell_unknown(names: np.ndarray) -> None:
    """Warn of variables that are neither vital signs nor events."""
    unknown = sorted(set(names.tolist()) - {*NAMES, *EVENTS})
    if unknown:
        warnings.warn(
            f"Neither vital signs that are known nor events: {', '.join(unknown[:5])}; they are left out.",
            stacklevel=2,
        )


def read_patients(raw: Any, columns: Mapping[str, str], bounds: Bounds = BOUNDS) -> dict[str, Readings]:
    """The readings of each patient, see `read_rows`; what is left out is said in a warning.

    Returns:
        Of each patient who has any that could be real.

    Raises:
        InputError: As `read_rows`.
    """
    patients, seconds, names, values = read_rows(raw, columns)
    tell_unknown(names)
    ok = possible(names, values, bounds)
    wrong = ~ok & ~np.isnan(values) & np.isin(names, NAMES)
    if wrong.any():
        i = int(np.flatnonzero(wrong)[0])
        low, high = bounds[names[i]]
        warnings.warn(
            f"{int(wrong.sum())} reading(s) that cannot be count as not measured, the first {names[i]} "
            f"{values[i]:g}; between {low:g} and {high:g} {VITALS[names[i]].unit} it would count.",
            stacklevel=2,
        )
    return {
        p: Readings.of(seconds[patients == p], names[patients == p], values[patients == p], bounds)
        for p in dict.fromkeys(patients[ok].tolist())
    }
