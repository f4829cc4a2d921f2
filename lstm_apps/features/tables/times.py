"""Parses times: ISO 8601, other dates, seconds since 1970, months, quarters, years."""

import re
from collections.abc import Sequence
from datetime import time
from typing import Any

import numpy as np

from lstm_apps.errors import InputError
from lstm_apps.features.tables.counts import from_numbers
from lstm_apps.features.tables.dates import NEVER, Times, from_forms, has_offset, has_pandas, moment
from lstm_apps.features.tables.dialect import EXTRA, PLAIN, Dialect
from lstm_apps.features.tables.numbers import is_missing
from lstm_apps.features.tables.where import row

_ISO = re.compile(r"\d{4}-\d\d(-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?)?)?").fullmatch
_PLAIN_LENGTHS = {7, 10, 16, 19}  # of ISO 8601 to the month, day, minute, second
_CLOCK = re.compile(r"\d?\d:\d\d(:\d\d)?").fullmatch
_ZONE = re.compile(r"\d ?([A-Z]{3,5}|[A-Z][a-z]+/[A-Za-z_]+)$").search


def parse_times(
    cells: Sequence[Any] | np.ndarray, column: str, where: str, dialect: Dialect = PLAIN
) -> np.ndarray:
    """Cells as datetime64[s], (cells,).

    Args:
        cells: Times, or text or numbers that stand for times; those with a UTC offset are turned to
            UTC.
        column: For messages.
        where: For messages.
        dialect: How they are written; `timezone` is applied elsewhere.

    Raises:
        InputError: A cell that is no time, by its row; or day and month are ambiguous, as in 01/02.
    """
    times = read_times(cells, column, where, dialect).values
    if np.isnat(times).any():
        raise no_time(cells, int(np.isnat(times).argmax()), column, where)
    return times


def no_time(cells: Sequence[Any] | np.ndarray, index: int, column: str, where: str) -> InputError:
    """The error of a cell that is no time."""
    cell, place = cells[index], row(where, index)
    if is_missing(cell, ()):
        return InputError(f"{place}: {column!r} is empty.")
    if isinstance(cell, str) and (zone := _ZONE(cell.strip())) and not has_offset(cell.strip()):
        return InputError(
            f"{place}: {column!r} is {cell!r}, and {zone[1]} may be several zones: write the offset, as in "
            "2010-11-26T21:00+01:00, or leave it out and name the zone: --timezone Europe/Berlin."
        )
    if holds_clock([cell]):
        return InputError(
            f"{place}: {column!r} is {cell}, a time of day without a date: put both into one column, as in "
            "2010-11-26T21:00."
        )
    first = next((c for c in cells if not is_missing(c, ())), cell)
    like = f", or as the first row has it, {first!r}" if index and isinstance(first, str) else ""
    extra = "" if has_pandas() else f"; pandas reads other forms: {EXTRA}"
    return InputError(
        f"{place}: {column!r} is {cell!r}, expected a time in ISO 8601, for instance "
        f"2010-11-26T21:00{like}{extra}."
    )


def holds_clock(cells: Sequence[Any] | np.ndarray) -> bool:
    """Whether the first cell is a time of day without a date."""
    return bool(len(cells)) and (
        isinstance(cells[0], time) or (isinstance(cells[0], str) and bool(_CLOCK(cells[0].strip())))
    )


def read_times(cells: Sequence[Any] | np.ndarray, column: str, where: str, dialect: Dialect) -> Times:
    """As `parse_times`, but a cell that is no time is NaT."""
    if isinstance(cells, np.ndarray) and cells.dtype.kind == "M":
        return Times(cells.astype("datetime64[s]"), dialect)
    if isinstance(cells, np.ndarray) and cells.dtype.kind in "fiu":
        return from_numbers(cells, column, where, dialect)
    cells = cells.tolist() if isinstance(cells, np.ndarray) else list(cells)
    kinds = set(map(type, cells))
    if kinds <= {str, type(None)}:
        texts = [c or "" for c in cells] if type(None) in kinds else cells
        return _from_text(texts, column, where, dialect)
    kinds.discard(type(None))
    if all(issubclass(k, int | float | np.number) and not issubclass(k, bool) for k in kinds):
        return from_numbers(np.array(cells, np.float64), column, where, dialect)
    in_words = [i for i, c in enumerate(cells) if isinstance(c, str) and c.strip()]
    times = np.array([moment(c) for c in cells], "datetime64[s]")
    is_local = all(getattr(c, "tzinfo", None) is None for c in cells)
    if in_words:  # as Excel has what it took for text
        found = _from_text([cells[i] for i in in_words], column, where, dialect)
        times[in_words], dialect, is_local = found.values, found.dialect, is_local and found.is_local
    return Times(times, dialect, is_local)


def _from_text(cells: list[str], column: str, where: str, dialect: Dialect) -> Times:
    count = len(cells)
    while count and not any(map(str.isdigit, cells[count - 1])):  # a row of totals, a source
        count -= 1
    if not count:
        return Times(np.full(len(cells), NEVER), dialect)
    body = cells[:count]
    if (found := _plain_iso(body)) is None and (found := _plain_iso([c.strip() for c in body])) is None:
        body = [c.strip() for c in body]
        try:
            numbers = np.array([c.replace(",", ".") or "nan" for c in body], object).astype(np.float64)
        except ValueError:
            times = from_forms(body, column, where, dialect)
        else:
            times = from_numbers(numbers, column, where, dialect)
    else:
        times = Times(found, dialect)
    return times._replace(values=np.append(times.values, np.full(len(cells) - count, NEVER)))


def _plain_iso(cells: list[str]) -> np.ndarray | None:
    """ISO 8601 without an offset, or None where any cell is not."""
    lengths = set(map(len, cells))
    if (lengths <= _PLAIN_LENGTHS and {c[4] for c in cells} == {"-"}) or all(map(_ISO, cells)):
        try:
            return np.array(cells, object).astype("datetime64[s]")
        except ValueError:
            return None
    return None
