"""Calendar features of times, between -1 and 1."""

import numpy as np

_DAY, _WEEK = 86400, 604800
_MONDAY = np.datetime64("1970-01-05", "s")

# Sine and cosine of the day, of half a day and of the week; weekend. Not of the year: a series of a
# few years has too few of them to learn from, and an LSTM that is told the date memorises the days
# it has seen (2 % worse on a validation year; trees neither gain nor lose). The level of the recent
# past says what season it is.
CALENDAR_SIZE = 7


def calendar(times: np.ndarray) -> np.ndarray:
    """Calendar features of `times` (..., datetime64[s]); returns (..., CALENDAR_SIZE) float32.

    Times are local or UTC, as in the series.
    """
    seconds = (times.astype("datetime64[s]") - _MONDAY).astype(np.float64)
    waves = [
        wave(2 * np.pi * (seconds % period) / period)
        for period in (_DAY, _DAY / 2, _WEEK)
        for wave in (np.sin, np.cos)
    ]
    weekend = (seconds % _WEEK) >= 5 * _DAY
    return np.stack([*waves, weekend], axis=-1).astype(np.float32)
