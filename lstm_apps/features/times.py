"""Times as people write them: ISO 8601, other dates, seconds since 1970, months, quarters, years."""

import re
import warnings
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time
from typing import Any, NamedTuple

import numpy as np

from lstm_apps.errors import InputError
from lstm_apps.features.dialect import EXTRA, PLAIN, Dialect
from lstm_apps.features.frequency import Frequency
from lstm_apps.features.numbers import is_missing
from lstm_apps.features.where import row

_NEVER = np.datetime64("NaT", "s")
_ISO = re.compile(r"\d{4}-\d\d(-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?)?)?").fullmatch
_PLAIN_LENGTHS = {7, 10, 16, 19}  # of ISO 8601 to the month, day, minute, second
_OFFSET = re.compile(r":\d\d(?:[.,]\d+)? ?(?:Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)$").search
_CLOCK = re.compile(r"\d?\d:\d\d(:\d\d)?").fullmatch
_ZONE = re.compile(r"\d ?([A-Z]{3,5}|[A-Z][a-z]+/[A-Za-z_]+)$").search
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
_DAY = 86400


class Times(NamedTuple):
    """What was read.

    Attributes:
        values: (rows,) datetime64[s], NaT where a cell is no time.
        dialect: With what was found out.
        is_local: Whether a clock on the wall may have shown them; otherwise they are in UTC.
    """

    values: np.ndarray
    dialect: Dialect
    is_local: bool = True


def parse_times(
    cells: Sequence[Any] | np.ndarray, column: str, where: str, dialect: Dialect = PLAIN
) -> np.ndarray:
    """Cells as datetime64[s].

    Args:
        cells: Times, or text or numbers that stand for times; those with a UTC offset are turned to
            UTC.
        column: For messages.
        where: For messages.
        dialect: What is known of how they are written; its `timezone` and `start` are not for here.

    Raises:
        InputError: Anything else, or no time at all, by its row; 01/02 may be a day in January as well.
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
    if isinstance(cell, str) and (zone := _ZONE(cell.strip())) and not _OFFSET(cell.strip()):
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
    extra = "" if _has_pandas() else f"; pandas reads other forms: {EXTRA}"
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
        return _from_numbers(cells, column, where, dialect)
    cells = list(cells)
    kinds = set(map(type, cells)) - {type(None)}
    if kinds <= {str}:
        return _from_text([c or "" for c in cells], column, where, dialect)
    if all(issubclass(k, int | float | np.number) and not issubclass(k, bool) for k in kinds):
        return _from_numbers(np.array(cells, np.float64), column, where, dialect)
    texts = [i for i, c in enumerate(cells) if isinstance(c, str) and c.strip()]
    times = np.array([_moment(c) for c in cells], "datetime64[s]")
    is_local = all(getattr(c, "tzinfo", None) is None for c in cells)
    if texts:  # as Excel has what it took for text
        found = _from_text([cells[i] for i in texts], column, where, dialect)
        times[texts], dialect, is_local = found.values, found.dialect, is_local and found.is_local
    return Times(times, dialect, is_local)


def _moment(cell: Any) -> np.datetime64:
    """Of an object that is a time, anything else NaT."""
    if is_missing(cell) or not isinstance(cell, datetime | date | np.datetime64):
        return _NEVER
    if isinstance(cell, datetime) and cell.tzinfo is not None:
        try:
            cell = cell.astimezone(UTC).replace(tzinfo=None)
        except OverflowError:
            return _NEVER
    if isinstance(cell, datetime):  # Excel's fractions of days are off by microseconds
        return np.datetime64(cell.replace(tzinfo=None), "us") + np.timedelta64(1000, "us")
    return np.datetime64(cell, "s")


def _from_text(cells: list[str], column: str, where: str, dialect: Dialect) -> Times:
    count = len(cells)
    while count and not any(map(str.isdigit, cells[count - 1])):  # a row of totals, a source
        count -= 1
    if not count:
        return Times(np.full(len(cells), _NEVER), dialect)
    body = cells[:count]
    if (found := _plain_iso(body)) is None and (found := _plain_iso([c.strip() for c in body])) is None:
        body = [c.strip() for c in body]
        try:
            numbers = np.array([c.replace(",", ".") or "nan" for c in body], object).astype(np.float64)
        except ValueError:
            times = _from_forms(body, column, where, dialect)
        else:
            times = _from_numbers(numbers, column, where, dialect)
    else:
        times = Times(found, dialect)
    return times._replace(values=np.append(times.values, np.full(len(cells) - count, _NEVER)))


def _plain_iso(cells: list[str]) -> np.ndarray | None:
    """ISO 8601 without an offset, or None where any cell is not."""
    lengths = set(map(len, cells))
    if (lengths <= _PLAIN_LENGTHS and {c[4] for c in cells} == {"-"}) or all(map(_ISO, cells)):
        try:
            return np.array(cells, object).astype("datetime64[s]")
        except ValueError:
            return None
    return None


# Numbers


def _from_numbers(values: np.ndarray, column: str, where: str, dialect: Dialect) -> Times:
    is_known = np.isfinite(values)
    known = values[is_known]
    whole = bool((known == np.floor(known)).all())
    if not len(known):
        return Times(np.full(len(values), _NEVER), dialect)
    if dialect.start is not None:
        return _from_row_numbers(values, known, whole, column, where, dialect)
    low, high = float(known.min()), float(known.max())

    def told(found: np.ndarray, what: str, is_local: bool = True) -> Times:
        warnings.warn(f"{where}: {column!r} is read as {what}.", stacklevel=6)
        times = np.full(len(values), _NEVER)
        times[is_known] = found
        return Times(times, dialect, is_local)

    if whole and (compact := _compact(known)) is not None:
        return told(*compact)
    for unit, exponent in (("seconds", 0), ("milliseconds", 3), ("microseconds", 6), ("nanoseconds", 9)):
        if 1e8 * 10**exponent <= low and high < 1e10 * 10**exponent:
            seconds = np.floor(known / 10**exponent + (1e-6 if exponent else 0))
            found = seconds.astype(np.int64).astype("datetime64[s]")
            return told(found, f"{unit} since 1970, UTC", is_local=False)
    if not whole and low >= 1e4 and high < 1e5:
        found = np.round((known - 25569) * _DAY).astype(np.int64).astype("datetime64[s]")
        return told(found, "Excel's days since 1900")
    i = int(np.isfinite(values).argmax())
    days = " If they are Excel's numbers of days, give these cells the format of dates." if low >= 1e4 else ""
    raise InputError(
        f"{row(where, i)}: {column!r} is {known[0]:g}, a number that is no time. If it counts rows, say when "
        f"they begin and how far apart they are: --step 1h --start 2020-01-01.{days}"
    )


def _compact(values: np.ndarray) -> tuple[np.ndarray, str] | None:
    """Times of numbers whose digits are a date, and what they are; None where some are not."""
    digits = {len(str(int(v))) for v in (values.min(), values.max())}
    kinds = {
        4: "years",
        6: "YYYYMM",
        8: "YYYYMMDD",
        10: "YYYYMMDDhh",
        12: "YYYYMMDDhhmm",
        14: "YYYYMMDDhhmmss",
    }
    if len(digits) != 1 or (size := digits.pop()) not in kinds:
        return None
    rest = values.astype(np.int64)
    parts: list[np.ndarray] = []
    while size > 4:
        parts.insert(0, rest % 100)
        rest, size = rest // 100, size - 2
    if rest.min() < 1500 or rest.max() > 2200 or (parts and rest.min() < 1700):
        return None
    month, day, *clock = [*parts, *(np.full(len(rest), d) for d in (1, 1, 0, 0, 0)[len(parts) :])]
    months = (rest - 1970) * 12 + month - 1
    first = months.astype("datetime64[M]").astype("datetime64[D]")
    days = ((months + 1).astype("datetime64[M]").astype("datetime64[D]") - first).astype(np.int64)
    fits = (month >= 1) & (month <= 12) & (day >= 1) & (day <= days)
    for part, limit in zip(clock, (24, 60, 60), strict=True):
        fits &= part < limit
    if not fits.all():
        return None
    seconds = (day - 1) * _DAY + clock[0] * 3600 + clock[1] * 60 + clock[2]
    return first.astype("datetime64[s]") + seconds, kinds[4 + 2 * len(parts)]


def _from_row_numbers(
    values: np.ndarray, known: np.ndarray, whole: bool, column: str, where: str, dialect: Dialect
) -> Times:
    if not whole or len(known) != len(values):
        i = int((values != np.floor(values)).argmax())
        raise InputError(f"{row(where, i)}: {column!r} is {values[i]:g}, expected the number of a row.")
    if dialect.every is None:
        raise InputError(
            "--start says when row numbers begin; --step must say how far apart rows are: --step 1h."
        )
    frequency, start = Frequency.parse(dialect.every), np.datetime64(str(dialect.start), "s")
    first = int(known.min()) if dialect.first is None else dialect.first
    times = frequency.shift(start, values.astype(np.int64) - first)
    return Times(times, replace(dialect, first=first), is_local=False)


# Text that is neither ISO 8601 as it should be nor a number


def _from_forms(cells: list[str], column: str, where: str, dialect: Dialect) -> Times:
    first = next(c for c in cells if c)
    if _QUARTER(first):
        return Times(_each(cells, _quarter), dialect)
    if _WEEK(first):
        return Times(_each(cells, _week), dialect)
    if not _has_pandas():
        return Times(_each(cells, _iso_of_python), dialect, is_local=not _OFFSET(first))
    return _by_pandas(cells, first, column, where, dialect)


def _each(cells: list[str], parse: Any) -> np.ndarray:
    found = {cell: parse(cell) for cell in dict.fromkeys(cells)}
    return np.array([found[c] for c in cells], "datetime64[s]")


def _quarter(cell: str) -> np.datetime64:
    if (match := _QUARTER(cell)) is None:
        return _NEVER
    year, quarter = match[1] or match[4], int(match[2] or match[3])
    return np.datetime64(f"{year}-{3 * quarter - 2:02}", "s")


def _week(cell: str) -> np.datetime64:
    try:
        match = _WEEK(cell)
        return np.datetime64(date.fromisocalendar(int(match[1]), int(match[2]), 1), "s") if match else _NEVER
    except ValueError:
        return _NEVER


def _iso_of_python(cell: str) -> np.datetime64:
    try:
        return _moment(datetime.fromisoformat(cell.strip()))
    except ValueError:
        return _NEVER


def _by_pandas(cells: list[str], first: str, column: str, where: str, dialect: Dialect) -> Times:
    import pandas

    array = np.array(cells, object)

    def parsed(form: str, some: np.ndarray) -> np.ndarray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = pandas.to_datetime(some, format=form, errors="coerce", utc=True)
        return found.tz_localize(None).to_numpy().astype("datetime64[s]")

    offsets = np.array([bool(_OFFSET(c)) for c in cells if c])
    if offsets.any() and not offsets.all():
        i = next(i for i, c in enumerate(cells) if c and bool(_OFFSET(c)) != offsets[0])
        with_or_without = "without a UTC offset" if offsets[0] else "with a UTC offset"
        raise InputError(
            f"{row(where, i)}: {column!r} is {cells[i]!r}, {with_or_without}, and the first row, {first!r}, "
            "is not: write all of them in one way."
        )
    is_local = not offsets.any()
    if offsets.any() and first.endswith(("UTC", "GMT")):
        array = np.array([c.removesuffix("UTC").removesuffix("GMT").rstrip() for c in cells], object)
        first = next(c for c in array if c)
    if re.match(r"\d{4}-\d", first):
        found = parsed("ISO8601", array)
        if not np.isnat(found[0]):
            return Times(found, dialect, is_local)
    if not (readings := _readings(first)):
        return Times(np.full(len(cells), _NEVER), dialect)
    if dialect.dayfirst is not None:
        unwanted = "m" if dialect.dayfirst else "d"
        readings = {order: forms for order, forms in readings.items() if order != unwanted}
        if not readings:
            raise InputError(
                f"{row(where, cells.index(first))}: {column!r} is {first!r}, which cannot be read "
                f"{_FIRST['d' if dialect.dayfirst else 'm']}: say "
                f"--{'no-' if dialect.dayfirst else ''}dayfirst."
            )
    # Most readings fail on a few rows already.
    sample = array[:: max(1, len(array) // 1000)]
    failed = {order: float(np.isnat(_first_of(f, sample, parsed)).mean()) for order, f in readings.items()}
    likely = [order for order in readings if failed[order] <= min(failed.values()) + 0.2]
    found_by = {order: _first_of(readings[order], array, parsed) for order in likely}
    fewest = min(int(np.isnat(t).sum()) for t in found_by.values())
    best = {k: t for k, t in found_by.items() if int(np.isnat(t).sum()) == fewest}
    if "y" in best and len(best) > 1 and not _one_way(best["y"]):
        del best["y"]
    order, times = next(iter(best.items()))
    if any(not np.array_equal(times, other, equal_nan=True) for other in best.values()):
        others = [str(t[0])[:10] for t in best.values()]
        raise InputError(
            f"{where}: {column!r} of {first!r} may be {' or '.join(others)}, and no row tells: say which by "
            "--dayfirst or --no-dayfirst."
        )
    if order in _FIRST and dialect.dayfirst is None:
        warnings.warn(f"{where}: {column!r} is read {_FIRST[order]}: {first!r} is {times[0]}.", stacklevel=6)
        dialect = replace(dialect, dayfirst=order == "d")
    return Times(times, dialect, is_local)


def _readings(first: str) -> dict[str, list[str]]:
    """How a cell may be read, by what stands first: "d" day, "m" month, "y" year of two digits, "" no doubt.
    Each is a list of formats: the cell's own, and the same date with any other clock or none."""
    dates = [d.format(sign) for d in _DATES for sign in "-/. " if sign in first]
    found: dict[str, list[str]] = {}
    for form in (*dates, *_ODD_DATES):
        clocks = ["", *(joint + clock for joint in (" ", "T", ", ") for clock in _CLOCKS)]
        for clock in clocks:
            order = form[1].lower() if re.fullmatch(r"%[dmy]\W%[dm]\W%[dyY]", form) else ""
            if order not in found and _has_format(first, form + clock):
                found[order] = [form + clock, *(form + other for other in clocks if other != clock)]
    return found


def _has_format(cell: str, form: str) -> bool:
    try:
        datetime.strptime(cell, form)
    except ValueError:
        return False
    return True


def _first_of(forms: list[str], cells: np.ndarray, parsed: Any) -> np.ndarray:
    """Each cell by the first of the formats that it has."""
    times = np.full(len(cells), _NEVER)
    for form in forms:
        left = np.flatnonzero(np.isnat(times))
        if not len(left):
            break
        times[left] = parsed(form, cells[left])
    return times


def _one_way(times: np.ndarray) -> bool:
    """Whether times only ascend, or only descend."""
    steps = np.diff(times[~np.isnat(times)].astype(np.int64))
    return bool((steps >= 0).all() or (steps <= 0).all())


def _has_pandas() -> bool:
    try:
        import pandas  # noqa: F401
    except ImportError:
        return False
    return True
