"""What the calendar says of a time, as numbers between -1 and 1 that need no history."""

import numpy as np

_DAY, _WEEK, _YEAR = 86400, 604800, 365.2425 * 86400
_MONDAY = np.datetime64("1970-01-05", "s")

# Weekend; sine and cosine of the day, of half a day, of the week and, last, of the year.
CALENDAR_SIZE = 9
YEAR_SIZE = 2


def calendar(times: np.ndarray) -> np.ndarray:
    """Calendar features of `times` (..., datetime64[s]); returns (..., CALENDAR_SIZE) float32.

    Local or universal time, as the series has it: an hour means the same hour in all its rows.
    """
    seconds = (times.astype("datetime64[s]") - _MONDAY).astype(np.float64)
    waves = [
        wave(2 * np.pi * (seconds % period) / period)
        for period in (_DAY, _DAY / 2, _WEEK, _YEAR)
        for wave in (np.sin, np.cos)
    ]
    weekend = (seconds % _WEEK) >= 5 * _DAY
    return np.stack([weekend, *waves], axis=-1).astype(np.float32)
