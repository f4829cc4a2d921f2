"""Stays in intensive care: vital signs, deaths and transfers."""

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from lstm_apps.errors import InputError
from lstm_apps.features.tables.dialect import PLAIN, Dialect
from lstm_apps.features.tables.table import NEVER, read_parquet
from lstm_apps.healthcare.vitals.checks import check, warn_doubtful
from lstm_apps.healthcare.vitals.hours import GAP, NEEDED
from lstm_apps.healthcare.vitals.readings import (
    NAMES,
    Readings,
    possible,
    read_clif_vitals,
    read_rows,
    warn_unknown,
)
from lstm_apps.healthcare.vitals.table import EVENTS

LAYOUT = (
    "a folder of CLIF 2.1 Parquet tables (vitals, hospitalization, patient, adt), or a CSV file with columns "
    "patient, time, variable and value, where variables are CLIF's vital signs "
    f"({', '.join(NAMES)}; without {', '.join(NEEDED)} there is no risk, where sbp and dbp stand in for "
    "map) and, as events without a value, death and transfer_up; or a CSV file with columns patient, time "
    "and one for each vital sign, named like those or as HR, SBP, Temp (F), and perhaps death and "
    "transfer_up, with 1 where one happens"
)
_LEVELS = {"ward": 0, "stepdown": 1, "icu": 2}


@dataclass(frozen=True)
class Stay:
    """A patient's readings without a gap of more than `GAP`; times are seconds since 1970."""

    patient: str
    readings: Readings
    death: int | None  # time of death in hospital
    transfers_up: tuple[int, ...]  # times of transfers to a unit for sicker patients
    sex: str = ""
    age: float | None = None  # years, at admission


def read_stays(
    path: Path, columns: Mapping[str, str], dialect: Dialect = PLAIN
) -> tuple[list[Stay], dict[str, int]]:
    """All stays, and how many impossible readings of each vital sign are left out.

    Args:
        path: See `LAYOUT`.
        columns: The names of the columns of a CSV file.
        dialect: How a CSV file is written.

    Raises:
        InputError: Neither of the layouts, or no stay in it.
    """
    whole, left_out = _read_clif(path) if path.is_dir() else _read_csv(path, columns, dialect)
    stays = [part for stay in _until_death(whole) for part in _without_gaps(stay)]
    if left_out:
        counts = ", ".join(f"{count} of {name}" for name, count in left_out.items())
        warnings.warn(f"Impossible readings are left out: {counts}.", stacklevel=2)
    if not stays:
        raise InputError(f"{path} has no possible readings of vital signs; expected {LAYOUT}.")
    return stays, left_out


def _until_death(stays: list[Stay]) -> list[Stay]:
    """Leave out readings after a patient's death."""
    cut = []
    for stay in stays:
        alive = stay.readings.seconds <= (stay.death if stay.death is not None else np.inf)
        cut.append(replace(stay, readings=Readings(*(a[alive] for a in stay.readings))))
    late = sum(len(s.readings.seconds) for s in stays) - sum(len(s.readings.seconds) for s in cut)
    if late:
        warnings.warn(f"{late} reading(s) from after a patient's death are left out.", stacklevel=3)
    return cut


def _without_gaps(stay: Stay) -> Iterator[Stay]:
    seconds = stay.readings.seconds
    for part in np.split(np.arange(len(seconds)), np.flatnonzero(np.diff(seconds) > GAP) + 1):
        if len(part):
            yield replace(stay, readings=Readings(*(a[part] for a in stay.readings)))


def _read_csv(path: Path, columns: Mapping[str, str], dialect: Dialect) -> tuple[list[Stay], dict[str, int]]:
    patients, seconds, names, values = read_rows(path, columns, dialect)
    if (patients == "").any():
        raise InputError(f"{path} must say which patient a row is of: column {columns['patient']}.")
    check(patients, seconds, names, values, str(path), possible(names, values))
    warn_unknown(names)
    warn_doubtful(names, values)
    stays = []
    for patient in dict.fromkeys(patients.tolist()):
        mine = patients == patient
        events = {e: seconds[mine & (names == e)].tolist() for e in EVENTS}
        readings = Readings.of(seconds[mine], names[mine], values[mine])
        deaths = events["death"]
        stays.append(Stay(patient, readings, deaths[0] if deaths else None, tuple(events["transfer_up"])))
    return stays, _left_out(names, values)


def _read_clif(folder: Path) -> tuple[list[Stay], dict[str, int]]:
    ids, seconds, names, values = read_clif_vitals(folder)
    check(ids, seconds, names, values, str(folder), possible(names, values))
    warn_doubtful(names, values)
    hospitalization = read_parquet(
        folder, "hospitalization", "hospitalization_id", "patient_id", "discharge_dttm", "discharge_category",
        "age_at_admission",
    )  # fmt: skip
    patient = read_parquet(folder, "patient", "patient_id", "sex_category", "death_dttm")
    adt = read_parquet(folder, "adt", "hospitalization_id", "in_dttm", "location_category")

    up = _transfers_up(adt)
    row_of = {str(p): i for i, p in enumerate(patient["patient_id"])}
    stays = []
    identities, once = np.unique(hospitalization["hospitalization_id"].astype(str), return_index=True)
    if again := len(hospitalization["hospitalization_id"]) - len(identities):
        warnings.warn(f"{again} row(s) of hospitalizations that repeat another are left out.", stacklevel=3)
    for i in sorted(once.tolist()):
        identity = str(hospitalization["hospitalization_id"][i])
        begin, end = np.searchsorted(ids, identity), np.searchsorted(ids, identity, side="right")
        person = str(hospitalization["patient_id"][i])
        at = row_of.get(person)
        death = None
        if hospitalization["discharge_category"][i] == "Expired":
            # A discharge may be a bare date, up to a day before the death.
            known = int(patient["death_dttm"][at]) if at is not None else NEVER
            known = known if known != NEVER else int(hospitalization["discharge_dttm"][i])
            death = known if known != NEVER else None  # the time is not recorded
        stays.append(
            Stay(
                person,
                Readings.of(seconds[begin:end], names[begin:end], values[begin:end]),
                death,
                tuple(up.get(identity, ())),
                str(patient["sex_category"][at] or "") if at is not None else "",
                _age(hospitalization["age_at_admission"][i]),
            )
        )
    return stays, _left_out(names, values)


def _transfers_up(adt: dict[str, np.ndarray]) -> dict[str, list[int]]:
    """Hospitalization -> seconds since 1970 of its transfers from ward or intermediate care to more care."""
    up: dict[str, list[int]] = {}
    order = np.lexsort((adt["in_dttm"], adt["hospitalization_id"].astype(str)))
    order = order[adt["in_dttm"][order] != NEVER]
    for before, now in pairwise(order):
        identity = str(adt["hospitalization_id"][now])
        before_level, level = (_LEVELS.get(str(adt["location_category"][i]), -1) for i in (before, now))
        if identity == str(adt["hospitalization_id"][before]) and 0 <= before_level < level:
            up.setdefault(identity, []).append(int(adt["in_dttm"][now]))
    return up


def _age(value: Any) -> float | None:
    """In years; ">89", which protects the oldest, is 89."""
    try:
        years = float(str(value).strip(" <>=+"))
    except ValueError:
        return None
    return None if np.isnan(years) else years


def _left_out(names: np.ndarray, values: np.ndarray) -> dict[str, int]:
    wrong = ~possible(names, values) & ~np.isnan(values)
    return {n: count for n in NAMES if (count := int((wrong & (names == n)).sum()))}
