"""Numbers that stand for times: seconds since 1970, digits of a date, Excel's days, numbers of rows."""

import warnings
from dataclasses import replace

import numpy as np

from lstm_apps.errors import InputError
from lstm_apps.features.frequency import Frequency
from lstm_apps.features.tables.dates import NEVER, Times
from lstm_apps.features.tables.dialect import Dialect
from lstm_apps.features.tables.where import row

_DAY = 86400


def from_numbers(values: np.ndarray, column: str, where: str, dialect: Dialect) -> Times:
    """Times of numbers (rows,), interpreted by their size, with a warning; NaT where there is none.

    Raises:
        InputError: No known kind of time.
    """
    is_known = np.isfinite(values)
    known = values[is_known]
    whole = bool((known == np.floor(known)).all())
    if not len(known):
        return Times(np.full(len(values), NEVER), dialect)
    if dialect.start is not None:
        return _from_row_numbers(values, known, whole, column, where, dialect)
    low, high = float(known.min()), float(known.max())

    def warned(found: np.ndarray, what: str, is_local: bool = True) -> Times:
        warnings.warn(f"{where}: {column!r} is read as {what}.", stacklevel=6)
        times = np.full(len(values), NEVER)
        times[is_known] = found
        return Times(times, dialect, is_local)

    if whole and (compact := _compact(known)) is not None:
        return warned(compact[0], compact[1])
    for unit, exponent in (("seconds", 0), ("milliseconds", 3), ("microseconds", 6), ("nanoseconds", 9)):
        if 1e8 * 10**exponent <= low and high < 1e10 * 10**exponent:
            seconds = np.floor(known / 10**exponent + (1e-6 if exponent else 0))
            found = seconds.astype(np.int64).astype("datetime64[s]")
            return warned(found, f"{unit} since 1970, UTC", is_local=False)
    if not whole and low >= 1e4 and high < 1e5:
        found = np.round((known - 25569) * _DAY).astype(np.int64).astype("datetime64[s]")
        return warned(found, "Excel's days since 1900")
    i = int(np.isfinite(values).argmax())
    days = " If they are Excel's numbers of days, give these cells the format of dates." if low >= 1e4 else ""
    raise InputError(
        f"{row(where, i)}: {column!r} is {known[0]:g}, a number that is no time. If it counts rows, say when "
        f"they begin and how far apart they are: --step 1h --start 2020-01-01.{days}"
    )


def _compact(values: np.ndarray) -> tuple[np.ndarray, str] | None:
    """Times of numbers whose digits are a date, and the form; None where some are not."""
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
    count = len(parts)
    for start_of in (1, 1, 0, 0, 0)[count:]:
        parts.append(np.full(len(rest), start_of))
    month, day, hour, minute, second = parts
    months = (rest - 1970) * 12 + month - 1
    begins = months.astype("datetime64[M]").astype("datetime64[D]")
    days = ((months + 1).astype("datetime64[M]").astype("datetime64[D]") - begins).astype(np.int64)
    fits = (month >= 1) & (month <= 12) & (day >= 1) & (day <= days)
    if not (fits & (hour < 24) & (minute < 60) & (second < 60)).all():
        return None
    seconds = (day - 1) * _DAY + hour * 3600 + minute * 60 + second
    return begins.astype("datetime64[s]") + seconds, kinds[4 + 2 * count]


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
