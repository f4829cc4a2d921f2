"""Dates whose day and month a spreadsheet has exchanged."""

import numpy as np

from lstm_apps.errors import InputError
from lstm_apps.features.tables.where import row


def check_exchanged(times: np.ndarray, column: str, where: str) -> None:
    """Raise an InputError where times are out of order only because day and month are exchanged in some.

    A spreadsheet that expects the month first reads 03/02/2020 as the second of March and leaves 13/02/2020
    as text: exchanged are the dates with a day up to 12, and they alone.

    Args:
        times: (rows,) datetime64[s], as read.
        column: For messages.
        where: For messages.
    """
    days, months, years = (times.astype(f"datetime64[{unit}]") for unit in "DMY")
    day = (days - months.astype("datetime64[D]")).astype(np.int64)
    month = (months - years.astype("datetime64[M]")).astype(np.int64)
    other = (years.astype("datetime64[M]") + day % 12).astype("datetime64[D]") + month
    clock = times - days.astype("datetime64[s]")
    exchanged = np.where(day < 12, other.astype("datetime64[s]") + clock, times)
    jumps = _jumps(times)
    if len(jumps) and 4 * len(_jumps(exchanged)) <= len(jumps):
        i = int(jumps[0]) + 1
        raise InputError(
            f"{row(where, i)}: {column!r} would be {times[i]}, after {times[i - 1]} in the row above; "
            f"{len(jumps)} row(s) are out of order, and would not be with day and month exchanged where the "
            "day is at most 12: a spreadsheet has probably done that, export the table again with dates as "
            "2020-12-31."
        )


def _jumps(times: np.ndarray) -> np.ndarray:
    """The rows after which times go against the direction of most."""
    steps = np.diff(times.astype(np.int64))
    back, ahead = np.flatnonzero(steps < 0), np.flatnonzero(steps > 0)
    return min(back, ahead, key=len)
