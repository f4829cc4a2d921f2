"""One regular time series, read from what a person has: a CSV file, a table, two columns."""

import csv
import gzip
import lzma
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from lstm_apps.errors import InputError
from lstm_apps.features.frequency import Frequency

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
    columns, where = _columns(source, (time, target))
    times = _parse_times(columns[time], time, where)
    values = _parse_numbers(columns[target], target, where)
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


def _columns(source: Any, names: tuple[str, ...]) -> tuple[dict[str, list], str]:
    """The named columns, and what to call the source in a message."""
    if isinstance(source, str | Path):
        return _csv_columns(Path(source), names)
    if not isinstance(source, Mapping) and not hasattr(source, "columns"):
        raise InputError(f"Expected a CSV path or a table with columns {names}, got {type(source).__name__}.")
    header = list(source.keys() if isinstance(source, Mapping) else source.columns)
    _check_header(header, names, "the table")
    return {name: list(source[name]) for name in names}, "the table"


def _csv_columns(path: Path, names: tuple[str, ...]) -> tuple[dict[str, list], str]:
    if not path.is_file():
        raise InputError(f"There is no file {path}.")
    opener: Any = {".gz": gzip.open, ".xz": lzma.open}.get(path.suffix, open)
    columns: dict[str, list] = {name: [] for name in names}
    try:
        with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file)
            header = next(rows, [])
            _check_header(header, names, str(path))
            places = [header.index(name) for name in names]
            for row in rows:
                if not row:
                    continue
                if len(row) <= max(places):
                    raise InputError(
                        f"{path}, line {rows.line_num}: {len(row)} fields, expected {len(header)}."
                    )
                for name, place in zip(names, places, strict=True):
                    columns[name].append(row[place])
    except (UnicodeDecodeError, csv.Error, OSError, EOFError, lzma.LZMAError) as error:
        raise InputError(f"{path} is not a readable CSV file: {error}.") from error
    return columns, str(path)


def _check_header(header: list, names: tuple[str, ...], where: str) -> None:
    for name in names:
        if name not in header:
            shown = ", ".join(map(str, header[:20])) or "none"
            raise InputError(
                f"{where} has no column {name!r}; it has: {shown}. "
                "Name the columns with --time and --target when training."
            )


def _parse_times(cells: list, column: str, where: str) -> np.ndarray:
    times = np.empty(len(cells), "datetime64[s]")
    for row, cell in enumerate(cells, start=1):
        try:
            moment = cell if isinstance(cell, datetime) else None
            if isinstance(cell, str):
                moment = datetime.fromisoformat(cell.strip())
            if moment is not None and moment.tzinfo is not None:
                moment = moment.astimezone(UTC).replace(tzinfo=None)
            times[row - 1] = np.datetime64(cell if moment is None else moment, "s")
        except (ValueError, TypeError) as error:
            raise InputError(
                f"{where}, row {row}: {column!r} is {cell!r}, expected a time in ISO 8601, "
                "for instance 2010-11-26T21:00."
            ) from error
        if np.isnat(times[row - 1]):
            raise InputError(f"{where}, row {row}: {column!r} is empty.")
    return times


def _parse_numbers(cells: list, column: str, where: str) -> np.ndarray:
    values = np.empty(len(cells), np.float64)
    for row, cell in enumerate(cells, start=1):
        text = cell.strip() if isinstance(cell, str) else cell
        if text is None or (isinstance(text, str) and text.lower() in ("", "?", "nan", "na", "null")):
            text = math.nan
        try:
            values[row - 1] = float(text)
        except (ValueError, TypeError) as error:
            raise InputError(f"{where}, row {row}: {column!r} is {cell!r}, expected a number.") from error
        if math.isinf(values[row - 1]):
            raise InputError(f"{where}, row {row}: {column!r} is infinite, expected a number.")
    return values


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


def _regular(times: np.ndarray, values: np.ndarray) -> Series:
    frequency = Frequency.infer(times)
    steps = frequency.steps_between(times[0], times)
    grid = np.full(steps[-1] + 1, np.nan)
    grid[steps] = values
    return Series(times[0], frequency, grid)


def _resample(times: np.ndarray, values: np.ndarray, step: str) -> Series:
    """Means over bins that start at whole steps; NaN where under half of a bin's rows was measured."""
    frequency = Frequency.parse(step)
    unit = "M" if frequency.unit == "M" else "s"
    epoch = np.datetime64("1970-01-01" if unit == "M" else "1970-01-05")  # a Monday, for weeks
    bins = frequency.steps_between(epoch, times)
    first = bins[0]
    size = bins[-1] - first + 1
    ok = ~np.isnan(values)
    count = np.bincount(bins[ok] - first, minlength=size)
    total = np.bincount(bins[ok] - first, weights=values[ok], minlength=size)
    row_seconds = float(np.median(np.diff(times.astype(np.int64))))
    expected = max(1.0, frequency.seconds / row_seconds)
    enough = count >= MIN_BIN_COVERAGE * expected
    means = np.where(enough, total / np.maximum(count, 1), np.nan)
    return Series(frequency.shift(epoch, bins)[0], frequency, means)
