"""Columns of a table: a file, a dict of lists, a DataFrame."""

import bz2
import gzip
import io
import lzma
import warnings
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lstm_apps.errors import InputError, first_line, near_name
from lstm_apps.features.raw import is_file
from lstm_apps.features.tables.delimited import read_delimited
from lstm_apps.features.tables.dialect import EXTRA, PLAIN, Dialect
from lstm_apps.features.tables.numbers import is_missing, parse_numbers
from lstm_apps.features.tables.times import parse_times
from lstm_apps.features.tables.where import Where, row

__all__ = [
    "NEVER", "Table", "column_names", "open_table", "parse_names", "parse_numbers", "parse_times",
    "read_columns", "read_parquet",
]  # fmt: skip


@dataclass(frozen=True)
class Table:
    """A table in memory; `column` converts to an array."""

    header: list[str]
    where: Where
    _columns: Mapping[str, Any]

    def column(self, name: str) -> np.ndarray:
        """The cells (rows,): numbers, datetime64 in UTC, or unchanged objects, such as text; an InputError if
        the column is no list."""
        try:
            return _cells(self._columns[name])
        except TypeError as error:
            raise InputError(f"A column of the table is no list: {error}.") from error

    def is_utc(self, name: str) -> bool:
        """Whether a column's type has a time zone: its cells are then in UTC."""
        column = self._columns[name]
        kind = getattr(column, "type", None) if _is_arrow(column) else getattr(column, "dtype", None)
        return getattr(kind, "tz", None) is not None

    def check(self, names: Sequence[str], advice: Callable[[str], str]) -> None:
        """Raise an InputError where a column is missing; `advice(name)` ends its message."""
        for name in names:
            if name not in self.header:
                raise missing_column(self, name, advice(name))


def read_columns(
    source: Any, names: tuple[str, ...], optional: tuple[str, ...] = (), dialect: Dialect = PLAIN
) -> tuple[dict[str, list], Where]:
    """The columns `names` and those of `optional` that exist, as lists (rows,), and the name of the table in
    messages.

    Args:
        source: See `open_table`.
        names: Required columns.
        optional: Other columns.
        dialect: How the table is written.

    Raises:
        InputError: No table, or a required column is missing.
    """
    table = open_table(source, names, dialect)
    table.check(names, lambda _: "Name the columns when training: --column ROLE=NAME.")
    wanted = [*names, *(name for name in optional if name in table.header)]
    return {name: _listed(table.column(name)) for name in wanted}, table.where


def _listed(cells: np.ndarray) -> list:
    """Cells as a list: numbers of Python, which messages show plainly, but times of numpy."""
    return cells.tolist() if cells.dtype.kind in "fiub" else list(cells)


def column_names(source: Any, names: Sequence[str] = (), dialect: Dialect = PLAIN) -> list[str]:
    """Names of the columns of a table, see `open_table`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they are repeated when its cells are read
        return open_table(source, names, dialect).header


def open_table(source: Any, names: Sequence[str] = (), dialect: Dialect = PLAIN) -> Table:
    """Read a table.

    Args:
        source: Path of a file with a header: text (separated by commas, semicolons, tabs or bars),
            Excel or Parquet, as they are or compressed (gz, xz, bz2, zip); or anything that gives a
            column by `source[name]`, such as a dict of lists or a pandas DataFrame.
        names: Columns that will be read; they help to find the header.
        dialect: How the table is written.

    Raises:
        InputError: None of these, unreadable, or two columns of one of `names`.
    """
    if isinstance(source, str | Path):
        return _from_file(Path(source), names, dialect)
    if not isinstance(source, Mapping) and not hasattr(source, "columns"):
        raise InputError(
            f"Expected a CSV path or a table with columns {tuple(names)}, got {type(source).__name__}."
        )
    header = list(source.keys() if isinstance(source, Mapping) else source.columns)
    for name in names:
        if header.count(name) > 1:
            raise InputError(
                f"The table has {header.count(name)} columns called {name!r}: rename the others."
            )
    return Table(header, Where("the table"), source)


def missing_column(table: Table, name: str, advice: str) -> InputError:
    """The error of a missing column, with the nearest name."""
    header = [str(other) for other in table.header]
    if header and all(_is_value(other) for other in header):
        advice = "Its first line looks like values: put a line with the names of the columns above it."
    elif len(header) == 1 and table.where.separator and name in header[0]:
        advice = (
            "Its fields are separated by none of commas, semicolons, tabs and bars: save it with one of them."
        )
    elif near := near_name(name, header):
        advice = f"Did you mean {near!r}? {advice}"
    shown = ", ".join(header[:20]) or "none"
    return InputError(f"{table.where} has no column {name!r}; it has: {shown}. {advice}")


def _is_value(text: str) -> bool:
    """Whether this looks like a value rather than a name."""
    return text[:1].isdigit() or text[:1] in ("-", "+") or is_missing(text)


def _from_file(path: Path, names: Sequence[str], dialect: Dialect) -> Table:
    if not is_file(path):
        raise InputError(f"There is no file {str(path)[:200]}.")
    try:
        content = _unpacked(path, path.read_bytes())
    except (OSError, EOFError, lzma.LZMAError, zlib.error, zipfile.BadZipFile, RuntimeError) as error:
        raise InputError(f"{path} is not a readable CSV file: {error}.") from error
    if content.startswith(b"PAR1"):
        return _from_parquet(path, content)
    if content.startswith(b"PK\3\4"):
        return _from_excel(path, content, names, dialect.skip)
    if content.startswith(bytes.fromhex("d0cf11e0a1b11ae1")):
        raise InputError(f"{path} is of an old Excel, or locked by a password: save it as .xlsx or CSV.")
    header, columns, where = read_delimited(path, content, names, dialect.skip)
    return Table(header, where, columns)


def _unpacked(path: Path, content: bytes) -> bytes:
    for magic, unpack in ((b"\x1f\x8b", gzip.decompress), (b"\xfd7zXZ", lzma.decompress)):
        if content.startswith(magic):
            return unpack(content)
    if content.startswith(b"BZh"):
        return bz2.decompress(content)
    if content.startswith(b"PK\3\4"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            files = [f for f in archive.namelist() if not f.endswith("/") and "__MACOSX" not in f]
            if "[Content_Types].xml" in files:  # of Excel
                return content
            if len(files) != 1:
                raise InputError(
                    f"{path} holds {len(files)} files ({', '.join(files[:5])}), expected one table."
                )
            return archive.read(files[0])
    return content


def _from_parquet(path: Path, content: bytes) -> Table:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise InputError(f"{path}: reading Parquet needs pyarrow: {EXTRA}.") from error
    try:
        table = pyarrow.parquet.read_table(pyarrow.BufferReader(content))
    except (pyarrow.ArrowException, OSError, TypeError) as error:
        raise InputError(f"{path} is no table that can be read: {first_line(error)}") from error
    return Table(table.column_names, Where(str(path)), {n: table[n] for n in table.column_names})


def _from_excel(path: Path, content: bytes, names: Sequence[str], skip: int) -> Table:
    try:
        import openpyxl
    except ImportError as error:
        raise InputError(f"{path}: reading Excel needs openpyxl: {EXTRA}.") from error
    try:
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        sheet = book.worksheets[0]
        rows = [list(cells) for cells in sheet.iter_rows(values_only=True)]
    except Exception as error:  # of a damaged file it raises whatever its parsers do
        raise InputError(f"{path} is no Excel file that can be read: {first_line(error)}.") from error
    if len(book.worksheets) > 1:
        warnings.warn(
            f"{path}: only the first of {len(book.worksheets)} sheets is read, {sheet.title!r}.", stacklevel=4
        )
    lines = [i for i, cells in enumerate(rows) if i >= skip and any(c not in (None, "") for c in cells)]
    if not lines:
        raise InputError(f"{path} is empty, expected a row of column names and rows of values.")
    header = ["" if c is None else str(c).strip() for c in rows[lines[0]]]
    if names and not set(names) <= set(header):
        for i in range(min(len(rows), 50)):
            if set(names) <= {str(c).strip() for c in rows[i]}:
                raise InputError(
                    f"{path}: row {i + 1} looks like the header, row {lines[0] + 1} does not: --skip {i}."
                )
    for name in names:
        if header.count(name) > 1:
            raise InputError(f"{path} has {header.count(name)} columns called {name!r}: rename the others.")
    below = np.array(lines[1:], np.int64)
    width = max(len(header), *(len(cells) for cells in rows))
    full = [rows[i] + [None] * (width - len(rows[i])) for i in below]
    columns = {name: [cells[place] for cells in full] for place, name in reversed(list(enumerate(header)))}
    return Table(header, Where.of(str(path), lambda: below + 1, word="row"), columns)


def _cells(column: Any) -> np.ndarray:
    if _is_arrow(column):
        return _arrow_cells(column)
    if getattr(getattr(column, "dtype", None), "tz", None) is not None:  # of pandas
        column = column.dt.tz_convert("UTC").dt.tz_localize(None)
    kind = getattr(getattr(column, "dtype", None), "kind", "O")
    if kind in "Mfiub" and isinstance(getattr(column, "dtype", None), np.dtype):
        return np.asarray(column)
    cells = column.tolist() if kind == "U" else list(column)
    array = np.empty(len(cells), object)
    array[:] = cells
    return array


def _is_arrow(column: Any) -> bool:
    return type(column).__module__.startswith("pyarrow")


def _arrow_cells(column: Any) -> np.ndarray:
    import pyarrow

    if pyarrow.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if pyarrow.types.is_timestamp(kind):
        return column.cast(pyarrow.timestamp("s"), safe=False).to_numpy()
    if pyarrow.types.is_date(kind):
        return column.cast(pyarrow.timestamp("s")).to_numpy()
    if pyarrow.types.is_decimal(kind):
        column = column.cast(pyarrow.float64())
    return column.to_numpy()


def parse_names(cells: list, column: str, where: str) -> np.ndarray:
    """Cells as text (cells,). An empty or missing cell is an InputError with its row."""
    names = ["" if is_missing(c, ()) else str(c).strip() for c in cells]
    if "" in names:
        raise InputError(f"{row(where, names.index(''))}: {column!r} is empty.")
    return np.array(names)


NEVER = np.iinfo(np.int64).min


def read_parquet(folder: Path, name: str, *columns: str) -> dict[str, np.ndarray]:
    """Columns (rows,) of the Parquet table `name` or `clif_name` of a folder; times, whose names end in
    "_dttm" in CLIF, are seconds since 1970, `NEVER` where missing.

    Raises:
        InputError: No such table, or without a column.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise InputError(f"Reading Parquet tables needs pyarrow: {EXTRA}.") from error

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
