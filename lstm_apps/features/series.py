"""One regular time series, read from a file, a table or two columns."""

import shlex
import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lstm_apps.errors import InputError
from lstm_apps.features.frequency import Frequency
from lstm_apps.features.tables.clock import looks_like_clock_change, to_utc
from lstm_apps.features.tables.dialect import PLAIN, Dialect
from lstm_apps.features.tables.numbers import parse_numbers, read_numbers
from lstm_apps.features.tables.several import check_one_series, chosen_rows
from lstm_apps.features.tables.suspects import warn_suspects
from lstm_apps.features.tables.table import Table, open_table
from lstm_apps.features.tables.times import holds_clock, no_time, read_times
from lstm_apps.features.tables.where import Where, row

# Beyond this share of missing steps, filled values would drown the measured ones.
MAX_MISSING = 0.25
# A bin of a resampled series counts as measured when this share of its rows was.
MIN_BIN_COVERAGE = 0.5
# Rows at the end that may be something else: a total, a source.
MAX_FOOTER = 20


@dataclass(frozen=True)
class Series:
    """A regular series; `values` is NaN where nothing was measured."""

    start: np.datetime64  # time of the first step, datetime64[s]
    frequency: Frequency
    values: np.ndarray  # (steps,) float64
    dialect: Dialect = PLAIN  # of its table, with what was detected

    def __len__(self) -> int:
        return len(self.values)

    @property
    def times(self) -> np.ndarray:
        """(steps,) datetime64[s]."""
        return self.frequency.shift(self.start, np.arange(len(self)))

    @property
    def measured(self) -> np.ndarray:
        """(steps,) booleans: whether each value is measured."""
        return ~np.isnan(self.values)

    @property
    def end(self) -> np.datetime64:
        """The time one step after the last."""
        return self.frequency.shift(self.start, np.array([len(self)]))[0]

    def __getitem__(self, part: slice) -> "Series":
        begin = part.indices(len(self))[0]
        return Series(self.times[begin], self.frequency, self.values[part], self.dialect)


def read_series(
    source: Any, time: str, target: str, step: str | None = None, dialect: Dialect = PLAIN
) -> Series:
    """Read columns `time` and `target` of `source` into a regular series. Warnings say what was
    assumed.

    Args:
        source: A file or a table, see `lstm_apps.features.tables.table.open_table`.
        time: Column of times, see `lstm_apps.features.tables.times.parse_times`; in any order, each once.
        target: Column of numbers, see `lstm_apps.features.tables.numbers.parse_numbers`.
        step: Average into steps of this length ("15min", "1h", "1d", "1M"). By default the
            series must be regular as it is; rows left out count as not measured. Where
            `dialect.start` is given, the time from one row number to the next.
        dialect: How the table is written.

    Raises:
        InputError: Column missing; time unparsable, repeated or irregular; text or infinity among the
            numbers; more than a quarter not measured; rows of several series.
    """
    if dialect.start is not None and dialect.every is None:
        dialect, step = replace(dialect, every=step), None
    table = open_table(source, (time, target), dialect)
    table.check((time, target), lambda name: _advice(table, name, time, target))
    times, values, where, dialect = _rows(table, time, target, dialect)
    if len(times) < 2:
        raise InputError(f"{where} has {len(times)} row(s); a series needs at least two.")
    warn_suspects(values, target, where)
    series = _resample(times, values, step) if step else _regular(times, values)
    series = replace(series, dialect=dialect)
    missing = int((~series.measured).sum())
    if missing > MAX_MISSING * len(series):
        raise InputError(
            f"{where}: {missing} of {len(series)} steps of {target!r} are not measured; "
            f"at most {MAX_MISSING:.0%} may be."
        )
    return series


def _advice(table: Table, name: str, time: str, target: str) -> str:
    """What to do about a missing column, with the candidates."""
    if name == time:
        return "Name the column of times: --time NAME."
    numeric = [c for c in table.header if c != time and _is_numeric(table.column(c)[:100])]
    if len(numeric) > 1:
        names = ", ".join(map(str, numeric))
        return f"Several columns hold numbers: {names}. Name the one to forecast: --target NAME."
    return f"Name the column to forecast: --target {shlex.quote(str(numeric[0])) if numeric else 'NAME'}."


def _is_numeric(cells: np.ndarray) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return bool(np.isfinite(parse_numbers(cells, "", "", Dialect(decimal="."))).any())
        except InputError:
            return False


def _rows(
    table: Table, time: str, target: str, dialect: Dialect
) -> tuple[np.ndarray, np.ndarray, Where, Dialect]:
    """Times and values of one series in the order of time, each time once; the name of the table; and the
    dialect with what was detected."""
    where = table.where
    time_cells, cells = table.column(time), table.column(target)
    if len(time_cells) != len(cells):
        raise InputError(f"{where}: {len(time_cells)} times but {len(cells)} values.")
    if (rows := chosen_rows(table, dialect.series)) is not None:
        time_cells, cells, where = time_cells[rows], cells[rows], where.only(rows)
    times, dialect, is_local = read_times(time_cells, time, where, dialect)
    times = times[: _without_footer(times, time_cells, time, where)]
    values, decimal = read_numbers(cells[: len(times)], target, where, dialect)
    dialect = replace(dialect, decimal=dialect.decimal or decimal)
    if dialect.series is None:
        check_one_series(table, times, (time, target))
    rows = np.arange(len(times))
    if (np.diff(times.astype(np.int64)) < 0).sum() > len(times) / 2:
        rows = rows[::-1]
    if is_local and not table.is_utc(time):
        if dialect.timezone is not None:
            times[rows] = to_utc(times[rows], dialect.timezone, time, where.only(rows))
        else:
            _warn_lost_hours(times[rows], where.only(rows))
    rows = _in_order(times, rows, where)
    rows = _once(table, times, values, rows, where)
    return times[rows], values[rows], where.only(rows), dialect


def _without_footer(times: np.ndarray, cells: np.ndarray, column: str, where: str) -> int:
    """The number of rows without the last ones, if these have no time."""
    bad = np.isnat(times)
    if not bad.any():
        return len(times)
    count = len(times) - int((~bad[::-1]).argmax())
    cut = [str(cell).strip()[:1].isdigit() for cell in cells[count:]]  # meant to be a time
    if bad.all() or bad[:count].any() or len(cut) > MAX_FOOTER or any(cut):
        raise no_time(cells, int(bad.argmax()), column, where)
    warnings.warn(
        f"{row(where, count)}: {column!r} is {cells[count]!r}: the last {len(times) - count} row(s), which "
        "have no time, are left out.",
        stacklevel=4,
    )
    return count


def _in_order(times: np.ndarray, rows: np.ndarray, where: str) -> np.ndarray:
    """Rows in the order of time; a warning if they were in another."""
    backwards = int((np.diff(times[rows].astype(np.int64)) < 0).sum())
    if backwards:
        rows = rows[np.argsort(times[rows], kind="stable")]
    if len(rows) and rows[0] > rows[-1] and not backwards:
        warnings.warn(f"{where}: the newest row comes first; rows are sorted by time.", stacklevel=4)
    elif backwards:
        warnings.warn(f"{where}: {backwards} row(s) are out of order; rows are sorted by time.", stacklevel=4)
    return rows


def _once(table: Table, times: np.ndarray, values: np.ndarray, rows: np.ndarray, where: Where) -> np.ndarray:
    """Rows without repeated ones; an InputError where a time has several values."""
    again = np.flatnonzero(np.diff(times[rows].astype(np.int64)) == 0)
    if not len(again):
        return rows
    before, after = values[rows[again]], values[rows[again + 1]]
    other = np.flatnonzero((before != after) & ~(np.isnan(before) & np.isnan(after)))
    if looks_like_clock_change(times[rows[again]]):
        raise InputError(
            f"{row(where, rows[again[0] + 1])}: {times[rows[again[0]]]} comes a second time, as on local "
            "clocks in the night when they go back: name the zone, for instance --timezone Europe/Berlin."
        )
    if len(other):
        first = rows[again[other[0]] + 1]
        clock = next((c for c in table.header if holds_clock(table.column(c)[:1])), None)
        advice = (
            "keep one row each" if clock is None else f"put it and {clock!r} into one column of date and time"
        )
        raise InputError(
            f"{row(where, first)}: {len(again)} repeated time(s), first {times[first]}, with another "
            f"value; {advice}."
        )
    warnings.warn(f"{where}: {len(again)} row(s) that repeat another are left out.", stacklevel=4)
    return np.delete(rows, again + 1)


def _warn_lost_hours(times: np.ndarray, where: Where) -> None:
    """Warn where hours are missing only in nights when clocks go forward."""
    distances = np.diff(times.astype(np.int64))
    if not len(distances):
        return
    gaps = np.flatnonzero(distances - np.median(distances) == 3600)
    if len(gaps) and looks_like_clock_change(times[gaps]):
        warnings.warn(
            f"{row(where, gaps[0] + 1)}: an hour is missing before {times[gaps[0] + 1]}, as on local "
            "clocks in the night when they go forward: if so, name the zone, for instance "
            "--timezone Europe/Berlin.",
            stacklevel=4,
        )


def fill_missing(series: Series) -> tuple[np.ndarray, int]:
    """Fill missing values from the past only.

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


def _check_span(steps: np.ndarray, frequency: Frequency, times: np.ndarray) -> None:
    """Raise an InputError where too many steps have no row, before memory for all of them is allocated."""
    count, known = int(steps[-1]) + 1, 1 + int((np.diff(steps) > 0).sum())
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
    """Means over bins that start at whole steps; NaN where under half of a bin's rows is measured. Incomplete
    bins at both ends are left out, because the missing part may differ."""
    frequency = Frequency.parse(step)
    if frequency.unit in ("ME", "B"):
        raise InputError(
            f"Steps of {step} are read as they are, none can be averaged into them; take 1M or 1d."
        )
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
