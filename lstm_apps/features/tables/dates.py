"""Forms of dates beside ISO 8601: day or month first, months in words, quarters, weeks."""

import re
import warnings
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

import numpy as np

from lstm_apps.errors import InputError
from lstm_apps.features.tables.dialect import Dialect
from lstm_apps.features.tables.numbers import is_missing
from lstm_apps.features.tables.where import row

NEVER = np.datetime64("NaT", "s")
has_offset = re.compile(r":\d\d(?:[.,]\d+)? ?(?:Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)$").search
_QUARTER = re.compile(r"(?:(\d{4})[-/. ]?Q([1-4])|Q([1-4])[-/. ]?(\d{4}))", re.IGNORECASE).fullmatch
_WEEK = re.compile(r"(\d{4})-?W(\d\d)", re.IGNORECASE).fullmatch
# {0} is the sign between the parts; "" in `_ODD_DATES`.
_DATES = (
    "%Y{0}%m{0}%d", "%d{0}%m{0}%Y", "%m{0}%d{0}%Y", "%d{0}%m{0}%y", "%m{0}%d{0}%y", "%y{0}%m{0}%d", "%m{0}%Y",
    "%Y{0}%m", "%d{0}%b{0}%Y", "%d{0}%B{0}%Y", "%d{0}%b{0}%y", "%b{0}%Y", "%B{0}%Y", "%Y{0}%b",
    "%b{0}%d{0}%Y",
)  # fmt: skip
_ODD_DATES = "%b %d, %Y", "%B %d, %Y", "%YM%m", "%Y%m%d", "%Y%b"
_CLOCKS = (
    "%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p", "%I:%M%p", "%I %p", "%H.%M",
    "%H:%M:%S%z", "%H:%M%z", "%H:%M:%S %z", "%H:%M %z",
)  # fmt: skip
_FIRST = {"d": "day first", "m": "month first"}


class Times(NamedTuple):
    """Parsed times.

    Attributes:
        values: (rows,) datetime64[s], NaT where a cell is no time.
        dialect: With what was detected, such as `dayfirst`.
        is_local: Whether they may be local times; otherwise they are in UTC.
    """

    values: np.ndarray
    dialect: Dialect
    is_local: bool = True


def moment(cell: Any) -> np.datetime64:
    """The time of an object, in UTC if it has a zone; NaT of anything else."""
    if is_missing(cell) or not isinstance(cell, datetime | date | np.datetime64):
        return NEVER
    if isinstance(cell, datetime) and cell.tzinfo is not None:
        try:
            cell = cell.astimezone(UTC).replace(tzinfo=None)
        except OverflowError:
            return NEVER
    if isinstance(cell, datetime):  # Excel's fractions of days are off by microseconds
        return np.datetime64(cell.replace(tzinfo=None), "us") + np.timedelta64(1000, "us")
    return np.datetime64(cell, "s")


def from_forms(cells: list[str], column: str, where: str, dialect: Dialect) -> Times:
    """Times (cells,) of text that is neither plain ISO 8601 nor all numbers; NaT where there is none.

    Raises:
        InputError: Day and month are ambiguous, or some cells have a UTC offset and others none.
    """
    first = next(c for c in cells if c)
    if _QUARTER(first):
        return Times(_each(cells, _quarter), dialect)
    if _WEEK(first):
        return Times(_each(cells, _week), dialect)
    if not has_pandas():
        return Times(_each(cells, _iso_of_python), dialect, is_local=not has_offset(first))
    return _by_pandas(cells, first, column, where, dialect)


def _each(cells: list[str], parse: Callable[[str], np.datetime64]) -> np.ndarray:
    found = {cell: parse(cell) for cell in dict.fromkeys(cells)}
    return np.array([found[c] for c in cells], "datetime64[s]")


def _quarter(cell: str) -> np.datetime64:
    if (match := _QUARTER(cell)) is None:
        return NEVER
    year, quarter = match[1] or match[4], int(match[2] or match[3])
    return np.datetime64(f"{year}-{3 * quarter - 2:02}", "s")


def _week(cell: str) -> np.datetime64:
    try:
        match = _WEEK(cell)
        return np.datetime64(date.fromisocalendar(int(match[1]), int(match[2]), 1), "s") if match else NEVER
    except ValueError:
        return NEVER


def _iso_of_python(cell: str) -> np.datetime64:
    try:
        return moment(datetime.fromisoformat(cell.strip()))
    except ValueError:
        return NEVER


def _by_pandas(cells: list[str], first: str, column: str, where: str, dialect: Dialect) -> Times:
    offsets = np.array([bool(has_offset(c)) for c in cells if c], bool)
    if offsets.any() and not offsets.all():
        i = next(i for i, c in enumerate(cells) if c and bool(has_offset(c)) != offsets[0])
        with_or_without = "without a UTC offset" if offsets[0] else "with a UTC offset"
        raise InputError(
            f"{row(where, i)}: {column!r} is {cells[i]!r}, {with_or_without}, and the first row, {first!r}, "
            "is not: write all of them in one way."
        )
    array, is_local = np.array(cells, object), not offsets.any()
    if offsets.any() and first.endswith(("UTC", "GMT")):
        array = np.array([c.removesuffix("UTC").removesuffix("GMT").rstrip() for c in cells], object)
        first = next(c for c in array if c)
    if re.match(r"\d{4}-\d", first):
        found = _parsed("ISO8601", array)
        if not np.isnat(found[0]):
            return Times(found, dialect, is_local)
    return _by_format(array, first, column, where, dialect)._replace(is_local=is_local)


def _parsed(form: str, cells: np.ndarray) -> np.ndarray:
    import pandas

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = pandas.to_datetime(cells, format=form, errors="coerce", utc=True)
    return found.tz_localize(None).to_numpy().astype("datetime64[s]")


def _by_format(cells: np.ndarray, first: str, column: str, where: str, dialect: Dialect) -> Times:
    """Parse with the one order of day, month and year that fits all cells."""
    if not (orders := _orders(first)):
        return Times(np.full(len(cells), NEVER), dialect)
    if dialect.dayfirst is not None:
        unwanted = "m" if dialect.dayfirst else "d"
        orders = {order: forms for order, forms in orders.items() if order != unwanted}
        if len(orders) > 1:
            orders.pop("y", None)
        if not orders:
            place = row(where, int((cells == first).argmax()))
            order, say = ("d", "--no-dayfirst") if dialect.dayfirst else ("m", "--dayfirst")
            raise InputError(
                f"{place}: {column!r} is {first!r}, which cannot be read {_FIRST[order]}: say {say}."
            )
    # A sample of rows excludes most orders.
    sample = cells[:: max(1, len(cells) // 1000)]
    failed = {order: float(np.isnat(_first_of(f, sample)).mean()) for order, f in orders.items()}
    likely = [order for order in orders if failed[order] <= min(failed.values()) + 0.2]
    found_by = {order: _first_of(orders[order], cells) for order in likely}
    fewest = min(int(np.isnat(t).sum()) for t in found_by.values())
    best = {k: t for k, t in found_by.items() if int(np.isnat(t).sum()) == fewest}
    if "y" in best and len(best) > 1 and not _one_way(best["y"]):
        del best["y"]
    order, times = next(iter(best.items()))
    if any(not np.array_equal(times, other, equal_nan=True) for other in best.values()):
        others = [str(t[0])[:10] for t in best.values()]
        raise InputError(
            f"{where}: {column!r} of {first!r} may be {' or '.join(others)}, and no row tells: say which by "
            f"--dayfirst or --no-dayfirst{', or write years of four digits' if 'y' in best else ''}."
        )
    if order in _FIRST and dialect.dayfirst is None:
        warnings.warn(f"{where}: {column!r} is read {_FIRST[order]}: {first!r} is {times[0]}.", stacklevel=6)
        dialect = replace(dialect, dayfirst=order == "d")
    return Times(times, dialect)


def _orders(first: str) -> dict[str, list[str]]:
    """The possible orders of a date: "d" day, "m" month or "y" year of two digits first, "" unambiguous; of
    each a list of formats: the cell's own, and the same date with any other clock or none."""
    # Nobody writes years of two digits first and points between.
    dates = [d.format(s) for d in _DATES for s in "-/. " if s in first and (d[:2], s) != ("%y", ".")]
    in_words = bool(re.search("[A-Za-z]{3}", first))
    halves, offset = bool(re.search(r"\d ?[AaPp][Mm]\b", first)), bool(has_offset(first))
    likely = [c for c in _CLOCKS if ("%p" in c) == halves and ("%z" in c) == offset]
    clocks = ["", *(joint + clock for joint in (" ", "T", ", ") for clock in likely)]
    found: dict[str, list[str]] = {}
    for form in (*dates, *_ODD_DATES):
        order = form[1].lower() if re.fullmatch(r"%[dmy]\W%[dm]\W%[dyY]", form) else ""
        for clock in clocks if in_words or "%b" not in form.lower() else ():
            if order not in found and _has_format(first, form + clock):
                found[order] = [form + clock, *(form + other for other in clocks if other != clock)]
    return found


def _has_format(cell: str, form: str) -> bool:
    try:
        datetime.strptime(cell, form)
    except ValueError:
        return False
    return True


def _first_of(forms: list[str], cells: np.ndarray) -> np.ndarray:
    """(cells,) each cell parsed by the first format that fits."""
    times = np.full(len(cells), NEVER)
    for form in forms:
        left = np.flatnonzero(np.isnat(times))
        if not len(left):
            break
        times[left] = _parsed(form, cells[left])
    return times


def _one_way(times: np.ndarray) -> bool:
    """Whether times only ascend, or only descend."""
    steps = np.diff(times[~np.isnat(times)].astype(np.int64))
    return bool((steps >= 0).all() or (steps <= 0).all())


def has_pandas() -> bool:
    """Whether pandas is installed."""
    try:
        import pandas  # noqa: F401
    except ImportError:
        return False
    return True
