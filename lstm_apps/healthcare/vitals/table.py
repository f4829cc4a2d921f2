"""Tables of vital signs as people have them: long, with a row for each reading, or wide, with a column for
each vital sign."""

import csv
import lzma
import re
import warnings
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lstm_apps.errors import InputError
from lstm_apps.features.tables.clock import to_utc
from lstm_apps.features.tables.dialect import OPTIONS as ALL_OPTIONS
from lstm_apps.features.tables.dialect import PLAIN, Dialect
from lstm_apps.features.tables.table import (
    column_names,
    parse_names,
    parse_numbers,
    read_columns,
)
from lstm_apps.features.tables.times import no_time, read_times
from lstm_apps.features.tables.where import Where
from lstm_apps.healthcare.vitals.names import BOTH, USUAL, Named, normalized, own_unit, parse_name, units_of

EVENTS = "death", "transfer_up"  # variables without a value; training data have them
# What may be said of such a table: it is neither one of several series nor of rows that are only counted.
OPTIONS = {name: option for name, option in ALL_OPTIONS.items() if name not in ("series", "start")}
Rows = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # see `read_table`

_PATIENTS = {
    *("patient", "patientid", "patientno", "patientnr", "patientnumber", "pid", "mrn", "subject"),
    *("subjectid", "stayid", "icustayid", "hadmid", "hospitalizationid", "encounterid", "caseid"),
}
_TIMES = {"time", "timestamp", "datetime", "charttime", "recordeddttm", "dateandtime", "datetimeutc"}
_NUMBER = r"\d+(?:\.\d+)?"
_BOTH = re.compile(rf"(?P<sbp>{_NUMBER})\s*/\s*(?P<dbp>{_NUMBER})\s*(?:\(\s*{_NUMBER}\s*\))?")
_MISSING = {"", "?", "-", "nan", "na", "null", "none", "<na>"}


class _Roles(NamedTuple):
    """The columns of a table by role; None where there is none."""

    patient: str | None
    time: str
    others: list[str]  # columns that are neither


def read_table(raw: Any, columns: Mapping[str, str], dialect: Dialect = PLAIN) -> Rows:
    """Patients (text), seconds since 1970 (int), variables (text) and values (float, in the units of
    `readings.VITALS`) of readings, four arrays (readings,). A warning says how names were interpreted.

    Args:
        raw: A table, as `lstm_apps.features.tables.table.read_columns`. Either long, with a column of
            variables and one of values, and perhaps one named "unit"; or wide, whose vital signs are columns,
            see `names.parse_name`; an empty cell is no reading.
        columns: The names of a table's columns "patient", which may be missing, "time", "variable" and
            "value".
        dialect: How the table is written: what `OPTIONS` names.

    Raises:
        InputError: No table or an empty one, a column missing, a time or value that is none, a row of no
            patient where others have one, a unit that is not known, no vital sign, two columns of one.
    """
    header = _header(raw, columns, dialect)
    roles = _roles(header, columns)
    variable, value = (_same(header, columns[r]) for r in ("variable", "value"))
    signs = {name: named for name in roles.others if (named := parse_name(name)) is not None}
    if (variable in header and value in header) or not header:
        return _read_long(raw, roles, variable, value, dialect)
    if signs:
        return _read_wide(raw, roles, signs, dialect)
    if variable in header or value in header:
        read_columns(raw, (roles.time, variable, value), (), dialect)  # raises
    read_columns(raw, (roles.time,), (), dialect)
    raise InputError(
        f"{table_name(raw)} has no column {variable!r}, nor one that names a vital sign; it has: "
        f"{', '.join(header[:20]) or 'none'}. Expected the columns {columns['patient']}, {columns['time']}, "
        f"{variable} and {value}, or a column for each vital sign: {_known()}."
    )


def table_name(raw: Any) -> str:
    """How a message names a table."""
    return str(raw) if isinstance(raw, str | Path) else "the table"


def _known() -> str:
    examples = {"heart_rate": "HR", "sbp": "SBP", "dbp": "DBP", "map": "MAP", "spo2": "SpO2",
                "respiratory_rate": "RR", "temp_c": "Temp"}  # fmt: skip
    return ", ".join(f"{s} (or {e}, in {' or '.join(units_of(s))})" for s, e in examples.items())


def _header(raw: Any, columns: Mapping[str, str], dialect: Dialect) -> list[str]:
    """Names of the columns; none if `raw` is no table, which `read_columns` reports."""
    if not isinstance(raw, str | Path | Mapping) and not hasattr(raw, "columns"):
        return []
    try:
        return column_names(raw, (columns["time"],), dialect)
    except InputError:
        raise
    except (OSError, ValueError, EOFError, csv.Error, lzma.LZMAError, zlib.error):
        return []


def _same(header: Sequence[str], wanted: str) -> str:
    """The column of that name, or that differs from it in capitals and spaces alone; else `wanted`."""
    alike = [name for name in header if normalized(name) == normalized(wanted)]
    return alike[0] if len(alike) == 1 and wanted not in header else wanted


def _roles(header: list[str], columns: Mapping[str, str]) -> _Roles:
    time = _same(header, columns["time"])
    if time not in header and len(found := [n for n in header if normalized(n) in _TIMES]) == 1:
        (time,) = found
    patient: str | None = _same(header, columns["patient"])
    if patient not in header:
        found = [n for n in header if normalized(n) in _PATIENTS and n != time]
        if len(found) > 1:
            raise InputError(
                f"Which column says whose a row is: {', '.join(found)}? Rename it to {columns['patient']!r}."
            )
        patient = found[0] if found else None
    taken = [(r, n) for r, n in (("patient", patient), ("time", time)) if n in header and n != columns[r]]
    if taken:
        warnings.warn(
            f"Taken as {', '.join(f'the {role}: column {name!r}' for role, name in taken)}.", stacklevel=4
        )
    return _Roles(patient, time, [n for n in header if n not in (patient, time)])


def _read_long(raw: Any, roles: _Roles, variable: str, value: str, dialect: Dialect) -> Rows:
    unit = next((n for n in roles.others if normalized(n) in ("unit", "units")), None)
    cells, where = _cells(raw, (roles.time, variable, value), (roles.patient, unit), dialect)
    used = {variable, value, unit}
    patients = _patients(cells, roles.patient, where, len(cells[roles.time]), set(roles.others) - used)
    seconds = _seconds(cells, roles, where, dialect)
    written = [str(c).strip() for c in cells[variable]]
    units = [str(c).strip() for c in cells[unit]] if unit else [""] * len(written)
    units = ["" if u.lower() in _MISSING else u for u in units]
    pairs = list(zip(written, units, strict=True))
    signs = {p: n for p in dict.fromkeys(pairs) if p[0] not in EVENTS and (n := parse_name(*p)) is not None}
    _warn_interpreted(signs)
    both = np.array([p in signs and signs[p].sign == BOTH for p in pairs], bool)
    numbers, diastolic = list(cells[value]), np.full(len(pairs), np.nan)
    for i in np.flatnonzero(both):
        numbers[i], diastolic[i] = _both(numbers[i], value, f"{where}, row {i + 1}")
    values = parse_numbers(numbers, value, where, dialect)
    others = [n for n in roles.others if n not in used]
    if roles.patient is None and any(_times_repeat(seconds[[w == v for w in written]]) for v in set(written)):
        raise _no_patient_column(where, others)
    names = np.array([signs[p].sign if p in signs else p[0] for p in pairs], object)
    for pair, named in signs.items():
        if named.unit is not None:
            rows = np.array([p == pair for p in pairs], bool)
            for of in (values, diastolic):
                of[rows] = _converted(named, of[rows], pair[0])
    names[both] = "sbp"
    return (
        np.concatenate([patients, patients[both]]),
        np.concatenate([seconds, seconds[both]]),
        np.concatenate([names, np.full(int(both.sum()), "dbp", object)]).astype(str),
        np.concatenate([values, diastolic[both]]),
    )


def _read_wide(raw: Any, roles: _Roles, signs: dict[str, Named], dialect: Dialect) -> Rows:
    _check_one_column(signs, table_name(raw))
    events = {n: e for n in roles.others for e in EVENTS if normalized(n) == normalized(e)}
    cells, where = _cells(raw, (roles.time, *signs, *events), (roles.patient,), dialect)
    count = len(cells[roles.time])
    ignored = [n for n in roles.others if n not in signs and n not in events]
    seconds = _seconds(cells, roles, where, dialect)
    if roles.patient is None and (_times_repeat(seconds) or (ignored and len(set(seconds.tolist())) < count)):
        raise _no_patient_column(where, ignored)
    patients = _patients(cells, roles.patient, where, count, set(ignored))
    _warn_interpreted({(column, ""): named for column, named in signs.items()}, ignored)
    # Of two columns of one vital sign the one that was measured in the artery counts where it has a value.
    found: dict[str, np.ndarray] = {}
    for column, named in sorted(signs.items(), key=lambda item: not item[1].arterial):
        if named.sign == BOTH:
            texts = [_both(c, column, f"{where}, row {i}") for i, c in enumerate(cells[column], start=1)]
            parts = {s: np.array([t[i] for t in texts], float) for i, s in enumerate(("sbp", "dbp"))}
        else:
            parts = {named.sign: parse_numbers(cells[column], column, where, dialect)}
        for sign, values in parts.items():
            before, now = found.get(sign), _converted(named, values, column)
            found[sign] = now if before is None else np.where(np.isnan(before), now, before)
    rows = [(patients, seconds, np.full(count, sign), values) for sign, values in found.items()]
    for column, event in events.items():
        at = parse_numbers(cells[column], column, where, dialect) > 0
        rows.append(
            (patients[at], seconds[at], np.full(int(at.sum()), event), np.full(int(at.sum()), np.nan))
        )
    joined = [np.concatenate(parts) for parts in zip(*rows, strict=True)]
    return joined[0], joined[1], joined[2], joined[3]


def _check_one_column(signs: Mapping[str, Named], where: str) -> None:
    """Refuse two columns of one sign, unless one is measured in the artery and the other is not."""
    seen: dict[tuple[str, bool], str] = {}
    for column, named in signs.items():
        for sign in ("sbp", "dbp") if named.sign == BOTH else (named.sign,):
            other = seen.setdefault((sign, named.arterial), column)
            if other != column:
                raise InputError(
                    f"{where} has two columns of {sign}, {other!r} and {column!r}: leave one out, or give it "
                    "a name of no vital sign."
                )


def _seconds(cells: dict[str, list], roles: _Roles, where: Where, dialect: Dialect) -> np.ndarray:
    """Times (rows,) as seconds since 1970; local ones become UTC where the dialect names their zone."""
    column = cells[roles.time]
    found = read_times(column, roles.time, where, dialect)
    times = found.values
    if np.isnat(times).any():
        raise no_time(column, int(np.isnat(times).argmax()), roles.time, where)
    if dialect.timezone is not None and found.is_local:
        whose = np.array([str(c) for c in cells[roles.patient]] if roles.patient else [""] * len(times))
        for patient in dict.fromkeys(whose.tolist()):
            mine = np.flatnonzero(whose == patient)
            local, first, place = np.unique(times[mine], return_index=True, return_inverse=True)
            times[mine] = to_utc(local, dialect.timezone, roles.time, where.only(mine[first]))[place]
    return times.astype(np.int64)


def _cells(
    raw: Any, names: tuple[str, ...], optional: tuple[str | None, ...], dialect: Dialect
) -> tuple[dict[str, list], Where]:
    cells, where = read_columns(raw, names, tuple(n for n in optional if n is not None), dialect)
    sizes = {name: len(c) for name, c in cells.items()}
    if len(set(sizes.values())) > 1:
        raise InputError(f"{where}: its columns differ in length: {sizes}.")
    if not cells[names[0]]:
        raise InputError(f"{where} has no rows.")
    return cells, where


def _patients(cells: dict[str, list], column: str | None, where: str, count: int, others: set) -> np.ndarray:
    if column is not None:
        return parse_names(cells[column], column, where)
    if others:
        warnings.warn(
            f"{where} has no column 'patient', but {', '.join(sorted(others))}: "
            "all its rows count as one patient's.",
            stacklevel=5,
        )
    return np.full(count, "")


def _times_repeat(seconds: np.ndarray) -> bool:
    """Whether a time appears again after others, as where the rows of several patients follow each other."""
    runs = 1 + np.count_nonzero(np.diff(seconds)) if len(seconds) else 0
    return bool(runs > len(np.unique(seconds)))


def _no_patient_column(where: str, others: Sequence[str]) -> InputError:
    there = f", perhaps by renaming one of {', '.join(map(repr, others[:10]))}" if others else ""
    return InputError(
        f"{where} has several rows of the same time, as of several patients, and no column that says whose "
        f"they are: name it 'patient'{there}. Add one where all are one patient's."
    )


def _both(cell: Any, column: str, where: str) -> tuple[float, float]:
    """Systolic and diastolic pressure of a cell such as 120/80 or 120/80 (93)."""
    text = str(cell).strip()
    if text.lower() in _MISSING:
        return np.nan, np.nan
    found = _BOTH.fullmatch(text)
    if found is None:
        raise InputError(
            f"{where}: {column!r} is {cell!r}, expected systolic and diastolic pressure as in 120/80. "
            "A column of one of them has a name that says which: sbp, dbp, map."
        )
    return float(found["sbp"]), float(found["dbp"])


def _converted(named: Named, values: np.ndarray, written: str) -> np.ndarray:
    """Values (rows,) in the sign's own unit; an InputError if they are usual in that unit already."""
    if named.unit is None or named.sign == BOTH:
        return values if named.unit is None else named.unit.convert(values)
    with np.errstate(divide="ignore", invalid="ignore"):
        converted = named.unit.convert(values)
    own, known = own_unit(named.sign), values[~np.isnan(values)]
    low, high = USUAL[named.sign]
    if len(known) and named.unit.name != own:
        before, after = float(np.median(known)), float(np.nanmedian(converted))
        if low <= before <= high and not low <= after <= high:
            raise InputError(
                f"{written!r} is around {before:.4g}, which would be {after:.4g} {own} from "
                f"{named.unit.name}: it looks like {own} already. Correct the unit."
            )
    return converted


def _warn_interpreted(signs: Mapping[tuple[str, str], Named], ignored: Sequence[str] = ()) -> None:
    """Warn how names were interpreted, where they are not the plain ones."""
    said = []
    for (written, _), (sign, unit, _) in signs.items():
        own = own_unit(sign)
        turned = f", turned from {unit.name} to {own}" if unit is not None and unit.name != own else ""
        if written != sign or turned:
            said.append(f"{written!r} as {'sbp and dbp' if sign == BOTH else sign}{turned}")
    sentences = [f"Taken as vital signs: {'; '.join(said)}."] if said else []
    if ignored:
        shown = ", ".join(map(repr, ignored[:10])) + (", ..." if len(ignored) > 10 else "")
        sentences.append(f"Columns that name no vital sign that is known are not read: {shown}.")
    if sentences:
        warnings.warn(" ".join(sentences), stacklevel=6)
