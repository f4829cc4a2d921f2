"""Columns of a table as a person has it: a CSV file, a dict of lists, a DataFrame."""

import csv
import gzip
import lzma
import math
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from lstm_apps.errors import InputError, first_line
from lstm_apps.features.raw import is_file


def read_columns(
    source: Any, names: tuple[str, ...], optional: tuple[str, ...] = ()
) -> tuple[dict[str, list], str]:
    """The columns `names`, and those of `optional` that are there; and what to call the source in a
    message.

    Args:
        source: Path of a CSV file with a header (plain, .gz or .xz), or a table: anything that
            gives a column by `source[name]`, such as a dict of lists or a pandas DataFrame.
        names: Columns that must be there.
        optional: Columns that may be.

    Raises:
        InputError: No table, or without a column.
    """
    if isinstance(source, str | Path):
        return _csv_columns(Path(source), names, optional)
    if not isinstance(source, Mapping) and not hasattr(source, "columns"):
        raise InputError(f"Expected a CSV path or a table with columns {names}, got {type(source).__name__}.")
    header = list(source.keys() if isinstance(source, Mapping) else source.columns)
    _check_header(header, names, "the table")
    wanted = [*names, *(name for name in optional if name in header)]
    try:
        return {name: list(source[name]) for name in wanted}, "the table"
    except TypeError as error:
        raise InputError(f"A column of the table is no list: {error}.") from error


def column_names(source: Any) -> list[str]:
    """The columns of a table that `read_columns` reads."""
    if not isinstance(source, str | Path):
        return list(map(str, source.keys() if isinstance(source, Mapping) else source.columns))
    with _opened(Path(source)) as file:
        return next(csv.reader(file), [])


def _opened(path: Path) -> Any:
    opener: Any = {".gz": gzip.open, ".xz": lzma.open}.get(path.suffix, open)
    return opener(path, "rt", encoding="utf-8-sig", newline="")


def _csv_columns(
    path: Path, names: tuple[str, ...], optional: tuple[str, ...]
) -> tuple[dict[str, list], str]:
    if not is_file(path):
        raise InputError(f"There is no file {str(path)[:200]}.")
    try:
        with _opened(path) as file:
            rows = csv.reader(file)
            header = next(rows, [])
            _check_header(header, names, str(path))
            wanted = [*names, *(name for name in optional if name in header)]
            columns: dict[str, list] = {name: [] for name in wanted}
            places = [header.index(name) for name in wanted]
            for row in rows:
                if not row:
                    continue
                if len(row) <= max(places):
                    raise InputError(
                        f"{path}, line {rows.line_num}: {len(row)} fields, expected {len(header)}."
                    )
                for name, place in zip(wanted, places, strict=True):
                    columns[name].append(row[place])
    except (UnicodeDecodeError, csv.Error, OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise InputError(f"{path} is not a readable CSV file: {error}.") from error
    return columns, str(path)


def _check_header(header: list, names: tuple[str, ...], where: str) -> None:
    for name in names:
        if name not in header:
            shown = ", ".join(map(str, header[:20])) or "none"
            raise InputError(
                f"{where} has no column {name!r}; it has: {shown}. "
                "Name the columns when training: --column ROLE=NAME."
            )


def parse_times(cells: list, column: str, where: str) -> np.ndarray:
    """Cells as datetime64[s]: ISO 8601 text, datetime objects or datetime64; those with a UTC offset are
    turned to UTC. Anything else is an InputError that names the row."""
    times = np.empty(len(cells), "datetime64[s]")
    for row, cell in enumerate(cells, start=1):
        try:
            moment = cell if isinstance(cell, datetime) else None
            if isinstance(cell, str):
                moment = datetime.fromisoformat(cell.strip())
            if moment is not None and moment.tzinfo is not None:
                moment = moment.astimezone(UTC).replace(tzinfo=None)
            if isinstance(cell, int | float | np.number):
                raise TypeError("a number may count anything since any day")
            times[row - 1] = np.datetime64(cell if moment is None else moment, "s")
        except (ValueError, TypeError, OverflowError) as error:
            raise InputError(
                f"{where}, row {row}: {column!r} is {cell!r}, expected a time in ISO 8601, "
                "for instance 2010-11-26T21:00."
            ) from error
        if np.isnat(times[row - 1]):
            raise InputError(f"{where}, row {row}: {column!r} is empty.")
    return times


def parse_numbers(cells: list, column: str, where: str) -> np.ndarray:
    """Cells as float64, NaN where they are empty, "?" or NaN. Text and infinity are an InputError that
    names the row."""
    values = np.empty(len(cells), np.float64)
    for row, cell in enumerate(cells, start=1):
        text = cell.strip() if isinstance(cell, str) else cell
        if _is_missing(text) or (isinstance(text, str) and text.lower() in ("", "?", "nan", "na", "null")):
            text = math.nan
        try:
            values[row - 1] = float(text)
        except (ValueError, TypeError) as error:
            raise InputError(f"{where}, row {row}: {column!r} is {cell!r}, expected a number.") from error
        if math.isinf(values[row - 1]):
            raise InputError(f"{where}, row {row}: {column!r} is infinite, expected a number.")
    return values


def _is_missing(cell: Any) -> bool:
    # NAType is of pandas, which need not be here.
    return cell is None or type(cell).__name__ == "NAType" or (isinstance(cell, float) and math.isnan(cell))


def parse_names(cells: list, column: str, where: str) -> np.ndarray:
    """Cells as text. One that is empty or missing is an InputError that names the row."""
    names = ["" if _is_missing(c) else str(c).strip() for c in cells]
    if "" in names:
        raise InputError(f"{where}, row {names.index('') + 1}: {column!r} is empty.")
    return np.array(names)


NEVER = np.iinfo(np.int64).min


def read_parquet(folder: Path, name: str, *columns: str) -> dict[str, np.ndarray]:
    """Columns of the Parquet table `name` or `clif_name` of a folder; times, whose names end in "_dttm" in
    CLIF, are seconds since 1970, `NEVER` where there is none.

    Raises:
        InputError: No such table, or without a column.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise InputError("Reading Parquet tables needs pyarrow: pip install pyarrow.") from error

    files = [folder / f"{prefix}{name}.parquet" for prefix in ("clif_", "")]
    file = next((f for f in files if f.is_file()), None)
    if file is None:
        raise InputError(f"There is no {files[0].name} in {folder}, expected a folder of CLIF 2.1 tables.")
    try:
        table = pyarrow.parquet.read_table(file, columns=list(columns))
        missing = sorted(set(columns) - set(table.column_names))
        if missing:
            raise InputError(f"{file} has no column {missing[0]!r}.")
        return {name: _array(table[name], name.endswith("_dttm")) for name in columns}
    except (pyarrow.ArrowException, OSError, TypeError) as error:
        raise InputError(f"{file} is no table that can be read: {first_line(error)}") from error


def _array(column: Any, is_time: bool) -> np.ndarray:
    import pyarrow

    if is_time and not pyarrow.types.is_timestamp(column.type):
        if pyarrow.types.is_integer(column.type):
            raise TypeError(f"{column.type} as a time: a number may count anything since any day")
        column = column.cast(pyarrow.timestamp("s"))  # of dates and text; an ArrowException for others
    if pyarrow.types.is_timestamp(column.type):
        seconds = column.cast(pyarrow.timestamp("s", column.type.tz), safe=False).cast(pyarrow.int64())
        return seconds.fill_null(NEVER).to_numpy()
    return column.to_numpy()
