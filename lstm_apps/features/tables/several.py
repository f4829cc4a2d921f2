"""Tables with several series below each other (long format), of which one is read."""

import re

import numpy as np

from lstm_apps.errors import InputError
from lstm_apps.features.tables.numbers import is_missing
from lstm_apps.features.tables.table import Table, missing_column

_SHOWN = 5
_CALENDAR = re.compile(
    "(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mon|tue|wed|thu|fri|sat|sun)[a-z]*|spring|summer|autumn|"
    "fall|winter|q[1-4]|am|pm|cet|cest|utc",
    re.IGNORECASE,
).fullmatch
# Columns that are named so may hold numbers.
_NAMES = (
    "id",
    "name",
    "series",
    "item",
    "store",
    "meter",
    "sensor",
    "station",
    "site",
    "device",
    "symbol",
    "ticker",
)


def chosen_rows(table: Table, series: str | None) -> np.ndarray | None:
    """The rows (kept,) of the series that a user chose as COLUMN=NAME; None: all.

    Raises:
        InputError: No such column or no row of that name; a column alone.
    """
    if series is None or series == "none":
        return None
    column, equals, name = series.partition("=")
    if column not in table.header:
        raise missing_column(
            table, column, "--series COLUMN=NAME chooses one series, --series none takes all rows."
        )
    cells = np.array([str(c).strip() for c in table.column(column).tolist()], object)
    names = list(dict.fromkeys(cells))
    if not equals or name not in names:
        found = "" if not equals else f"has no {name!r}; it "
        raise InputError(
            f"{table.where}: {column!r} {found}names {len(names)} series, {_listed(names)}: only one at a "
            f"time is read, for instance --series {column}={names[0]}."
        )
    return np.flatnonzero(cells == name)


def check_one_series(table: Table, times: np.ndarray, used: tuple[str, ...]) -> None:
    """Raise an InputError where a column seems to name the series of each row.

    Such a column has text or integers, and either no time repeats within one name, though times repeat in the
    table; or the rows of each name are contiguous.

    Args:
        table: The table.
        times: (rows,) its times.
        used: The columns of times and values, which are not checked.
    """
    ordered = np.sort(times)
    repeated = bool((ordered[1:] == ordered[:-1]).any())
    for column in table.header:
        if column in used or not isinstance(column, str) or not column:
            continue
        cells = table.column(column)[: len(times)]
        codes, names = _codes(column, cells)
        if not 1 < len(names) <= len(times) // 2:
            continue
        if repeated:
            order = np.lexsort((times, codes))
            is_name = not ((np.diff(codes[order]) == 0) & (times[order][1:] == times[order][:-1])).any()
        else:
            is_name = int((np.diff(codes) != 0).sum()) == len(names) - 1
        if is_name:
            raise InputError(
                f"{table.where}: {column!r} looks like the name of a series, of {len(names)}: "
                f"{_listed(names)}. One series at a time is read: --series {column}={names[0]}; or, if all "
                "rows are of one, --series none."
            )


def _codes(column: str, cells: np.ndarray) -> tuple[np.ndarray, list]:
    """The index of each row's name (rows,), and the names of a column; empty if it has no names."""
    none: tuple[np.ndarray, list] = np.zeros(0, np.int64), []
    if cells.dtype.kind not in "iuO" or not len(cells):
        return none
    is_id = any(word in column.casefold() for word in _NAMES)
    first = cells[0]
    if not is_id and not (isinstance(first, str) and first.strip()[:1].isalpha()):
        return none  # numbers, dates, signs
    names: dict = {}
    codes = np.array([names.setdefault(c, len(names)) for c in cells.tolist()], np.int64)
    if any(is_missing(n) for n in names) or all(isinstance(n, str) and _CALENDAR(n.strip()) for n in names):
        return none
    return codes, list(names)


def _listed(names: list) -> str:
    return ", ".join(map(str, names[:_SHOWN])) + (", ..." if len(names) > _SHOWN else "")
