"""Local times to UTC, through changes between standard and daylight saving time."""

from typing import Any

import numpy as np

from lstm_apps.errors import InputError
from lstm_apps.features.tables.dialect import EXTRA
from lstm_apps.features.tables.where import row

_HOUR = np.timedelta64(3600, "s")
_DAY = 86400


def to_utc(times: np.ndarray, zone: str, column: str, where: str) -> np.ndarray:
    """Local times as UTC; times with steps of whole days stay as they are, because they are dates.

    Args:
        times: (rows,) datetime64[s] in the order of time, by which the two hours that have the same local
            time when clocks go back are told apart.
        zone: Such as "Europe/Berlin".
        column: For messages.
        where: For messages.

    Raises:
        InputError: A local time that does not exist, when clocks go forward; or there is no pandas.
    """
    clocks = times.astype(np.int64) % _DAY
    if len(times) and (clocks == clocks[0]).all():
        return times
    try:
        import pandas
    except ImportError as error:
        raise InputError(f"Reading times of {zone} needs pandas: {EXTRA}.") from error
    local = pandas.DatetimeIndex(times)

    def utc(summer: Any) -> np.ndarray:
        found = local.tz_localize(zone, ambiguous=summer, nonexistent="NaT")
        return found.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[s]")

    first, second = utc(np.ones(len(times), bool)), utc(np.zeros(len(times), bool))
    if np.isnat(first).any():
        i = int(np.isnat(first).argmax())
        raise InputError(
            f"{row(where, i)}: {column!r} is {times[i]}, which no clock in {zone} showed: clocks went "
            "forward. Are these times of another zone, or UTC?"
        )
    twice = np.flatnonzero(first != second)
    step = np.median(np.diff(times).astype(np.int64)).astype("timedelta64[s]") if len(times) > 1 else _HOUR
    for night in np.split(twice, np.flatnonzero(np.diff(twice) > 1) + 1):
        if len(night):
            begin = night[0] + _firsts(times, night, step)
            first[begin : night[-1] + 1] = second[begin : night[-1] + 1]
    return first


def _firsts(times: np.ndarray, night: np.ndarray, step: np.timedelta64) -> int:
    """How many rows of a repeated hour belong to its first pass."""
    back = np.flatnonzero(np.diff(times[night]) <= np.timedelta64(0, "s"))
    if len(back):
        return int(back[0]) + 1
    before = times[night[0]] - times[night[0] - 1] if night[0] else None
    after = times[night[-1] + 1] - times[night[-1]] if night[-1] + 1 < len(times) else None
    second = before != step and after == step
    return 0 if second else len(night)


def looks_like_clock_change(times: np.ndarray) -> bool:
    """Whether these repeated times (rows,) all lie in early hours of Sundays when clocks change: in September
    to November, or in March and April."""
    days = times.astype("datetime64[D]")
    months = times.astype("datetime64[M]").astype(np.int64) % 12 + 1
    hours = (times - days.astype("datetime64[s]")).astype(np.int64) // 3600
    weekdays = (days.astype(np.int64) + 3) % 7
    return bool((np.isin(months, (3, 4, 9, 10, 11)) & (hours < 4) & (weekdays == 6)).all())
