"""One regular time series, read from what a person has: a CSV file, a table, two columns."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lstm_apps.errors import InputError
from lstm_apps.features.frequency import Frequency
from lstm_apps.features.table import parse_numbers, parse_times, read_columns

# Beyond this share of missing steps, filled values would drown the measured ones.
MAX_MISSING = 0.25
# A bin of a resampled series counts as measured when this share of its rows was.
MIN_BIN_COVERAGE = 0.5


@dataclass(frozen=True)
class Series:
    """A regular series; `values` is NaN where nothing was measured."""

    start: np.datetime64  # time of the first step, datetime64[s]
    frequency: Frequency
    values: np.ndarray  # (steps,) float64

    def __len__(self) -> int:
        return len(self.values)

    @property
    def times(self) -> np.ndarray:
        """(steps,) datetime64[s]."""
        return self.frequency.shift(self.start, np.arange(len(self)))

    @property
    def measured(self) -> np.ndarray:
        """(steps,) of booleans."""
        return ~np.isnan(self.values)

    @property
    def end(self) -> np.datetime64:
        """The time one step after the last."""
        return self.frequency.shift(self.start, np.array([len(self)]))[0]

    def __getitem__(self, part: slice) -> "Series":
        begin = part.indices(len(self))[0]
        return Series(self.times[begin], self.frequency, self.values[part])


def read_series(source: Any, time: str, target: str, step: str | None = None) -> Series:
    """Read columns `time` and `target` of `source` into a regular series.

    Args:
        source: Path of a CSV file with a header (plain, .gz or .xz), or a table: anything that
            gives a column by `source[name]`, such as a dict of lists or a pandas DataFrame.
        time: Column of times: ISO 8601 text, datetime objects or datetime64; strictly ascending.
            Times with a UTC offset are turned to UTC.
        target: Column of numbers; empty, "?" and NaN mean not measured.
        step: Average into steps of this length ("15min", "1h", "1d", "1M"). By default the
            series must be regular as it is; rows left out count as not measured.

    Raises:
        InputError: Column missing; time unparsable, repeated, out of order or irregular; text or
            infinity among the numbers; more than a quarter not measured.
    """
    columns, where = read_columns(source, (time, target))
    times = parse_times(columns[time], time, where)
    values = parse_numbers(columns[target], target, where)
    if len(times) != len(values):
        raise InputError(f"{where}: {len(times)} times but {len(values)} values.")
    if len(times) < 2:
        raise InputError(f"{where} has {len(times)} row(s); a series needs at least two.")
    _check_ascending(times, where)
    series = _resample(times, values, step) if step else _regular(times, values)
    missing = int((~series.measured).sum())
    if missing > MAX_MISSING * len(series):
        raise InputError(
            f"{where}: {missing} of {len(series)} steps of {target!r} are not measured; "
            f"at most {MAX_MISSING:.0%} may be."
        )
    return series


def fill_missing(series: Series) -> tuple[np.ndarray, int]:
    """Fill what was not measured, from the past only, so that no filled value knows the future.

    A missing value becomes the one a long season before (a week for hours), else a short season
    before, else the last before it. Missing values at the very start are set to the first
    measured one.

    Returns:
        The values (steps,) float64 without NaN, and how many were filled.
    """
    values = series.values.copy()
    missing = np.flatnonzero(np.isnan(values))
    lags = (*reversed(series.frequency.seasons()), 1)
    for i in missing:
        earlier = (values[i - lag] for lag in lags if i >= lag)
        values[i] = next((v for v in earlier if not np.isnan(v)), np.nan)
    values[np.isnan(values)] = values[~np.isnan(values)][0] if (~np.isnan(values)).any() else np.nan
    return values, len(missing)


def _check_ascending(times: np.ndarray, where: str) -> None:
    distances = np.diff(times.astype(np.int64))
    repeated, backwards = np.flatnonzero(distances == 0), np.flatnonzero(distances < 0)
    if len(repeated):
        raise InputError(
            f"{where}: {len(repeated)} repeated time(s), first {times[repeated[0]]}; keep one row each."
        )
    if len(backwards):
        raise InputError(
            f"{where}: times are out of order, first {times[backwards[0] + 1]} after "
            f"{times[backwards[0]]}; sort the rows by time."
        )


def _check_span(steps: np.ndarray, frequency: Frequency, times: np.ndarray) -> None:
    """InputError where most of the steps have no row, before there is memory for all of them."""
    count, known = int(steps[-1]) + 1, len(np.unique(steps))
    if known < (1 - MAX_MISSING) * count:
        raise InputError(
            f"From {times[0]} to {times[-1]} there are {count} steps of {frequency}, and rows "
            f"of {known}; at most {MAX_MISSING:.0%} may be missing."
        )


def _regular(times: np.ndarray, values: np.ndarray) -> Series:
    frequency = Frequency.infer(times)
    steps = frequency.steps_between(times[0], times)
    _check_span(steps, frequency, times)
    grid = np.full(steps[-1] + 1, np.nan)
    grid[steps] = values
    return Series(times[0], frequency, grid)


def _resample(times: np.ndarray, values: np.ndarray, step: str) -> Series:
    """Means over bins that start at whole steps; NaN where under half of a bin's rows was measured. A bin
    that the times begin or end in the middle of is left out: what is missing of it may be unlike the rest."""
    frequency = Frequency.parse(step)
    unit = "M" if frequency.unit == "M" else "s"
    epoch = np.datetime64("1970-01-01" if unit == "M" else "1970-01-05")  # a Monday, for weeks
    bins = frequency.steps_between(epoch, times)
    row_seconds = float(np.median(np.diff(times.astype(np.int64))))
    row = np.timedelta64(round(row_seconds), "s")
    whole = (
        frequency.shift(epoch, bins[:1])[0] > times[0] - row,
        frequency.shift(epoch, bins[-1:] + 1)[0] <= times[-1] + row,
    )
    kept = ((bins > bins[0]) | whole[0]) & ((bins < bins[-1]) | whole[1])
    if not kept.any():
        raise InputError(f"The times from {times[0]} to {times[-1]} hold no whole step of {step}.")
    bins, values = bins[kept], values[kept]
    _check_span(bins - bins[0], frequency, times)
    first = bins[0]
    size = bins[-1] - first + 1
    ok = ~np.isnan(values)
    count = np.bincount(bins[ok] - first, minlength=size)
    total = np.bincount(bins[ok] - first, weights=values[ok], minlength=size)
    expected = max(1.0, frequency.seconds / row_seconds)
    enough = count >= MIN_BIN_COVERAGE * expected
    means = np.where(enough, total / np.maximum(count, 1), np.nan)
    return Series(frequency.shift(epoch, bins)[0], frequency, means)
