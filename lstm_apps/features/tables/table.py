"""Columns of a table: a file, a dict of lists, a DataFrame."""

import bz2
import gzip
import io
import lzma
import re
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
from lstm_apps.features.tables.arrow import arrow_cells, is_arrow, without_periods
from lstm_apps.features.tables.delimited import read_delimited
from lstm_apps.features.tables.dialect import EXTRA, PLAIN, Dialect
from lstm_apps.features.tables.excel import read_excel
from lstm_apps.features.tables.frame import is_frame, with_index
from lstm_apps.features.tables.numbers import is_missing, parse_numbers
from lstm_apps.features.tables.times import parse_times
from lstm_apps.features.tables.where import Where, row

__all__ = [
    "NEVER", "Table", "column_names", "open_table", "parse_names", "parse_numbers", "parse_times",
    "read_columns", "read_parquet",
]  # fmt: skip

# Beginnings of files that are no table this reads, in part text that would pass for one.
_OTHER_FORMS = {
    "JSON": rb"(?:\xef\xbb\xbf)?\s*(?:\{\s*[\"}]|\[\s*[\[{\]\"])",
    "HTML or XML": rb"(?:\xef\xbb\xbf)?\s*<(?:!|\?xml|html|table)",
    "Feather or Arrow": b"ARROW1|FEA1",
    "HDF5": b"\x89HDF",
    "ORC": b"ORC",
    "a SQLite database": b"SQLite format 3",
    "a pickle": b"\x80[\x02-\x05]",
    "a NumPy array": b"\x93NUMPY",
    "a PDF": b"%PDF-",
}


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
            column = self._columns[name]
            if getattr(column, "ndim", 1) == 2 and hasattr(column, "iloc"):  # several of this name
                column = column.iloc[:, 0]
            cells = _cells(column)
        except TypeError as error:
            raise InputError(f"{self.where}: {name!r} is no list: {error}.") from error
        if cells.ndim != 1:
            raise InputError(f"{self.where}: {name!r} has the shape {cells.shape}, expected one value a row.")
        return cells

    def is_utc(self, name: str) -> bool:
        """Whether a column's type has a time zone: its cells are then in UTC."""
        column = self._columns[name]
        kind = getattr(column, "type", None) if is_arrow(column) else getattr(column, "dtype", None)
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
    if getattr(getattr(source, "columns", None), "nlevels", 1) > 1:
        raise InputError(
            f"The table's columns have names of several levels, such as {source.columns[0]}: give each one "
            "name, for instance by table.columns = ['_'.join(name) for name in table.columns]."
        )
    if is_frame(source) and not set(names) <= set(source.columns):
        source = with_index(source)
    # Of pyarrow, `columns` are the arrays.
    header = list(
        source.keys() if isinstance(source, Mapping) else getattr(source, "column_names", source.columns)
    )
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
        header, columns, where = read_excel(path, content, names, dialect.skip)
        return Table(header, where, columns)
    if content.startswith(bytes.fromhex("d0cf11e0a1b11ae1")):
        raise InputError(f"{path} is of an old Excel, or locked by a password: save it as .xlsx or CSV.")
    if form := next((form for form, starts in _OTHER_FORMS.items() if re.match(starts, content)), None):
        raise InputError(
            f"{path} is {form}, which is not read as a table; CSV and other text with separators, Excel "
            "(.xlsx) and Parquet are: save it as one of these."
        )
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
    return Table(
        table.column_names,
        Where(str(path)),
        {f.name: without_periods(f, table[f.name]) for f in table.schema},
    )


def _cells(column: Any) -> np.ndarray:
    if is_arrow(column):
        return arrow_cells(column)
    of_time = getattr(column, "dt", column)  # an index has no `dt`
    if getattr(getattr(column, "dtype", None), "tz", None) is not None:  # of pandas
        column = of_time.tz_convert("UTC")
        column = getattr(column, "dt", column).tz_localize(None)
    elif type(getattr(column, "dtype", None)).__name__ == "PeriodDtype":
        column = of_time.to_timestamp()
    kind = getattr(getattr(column, "dtype", None), "kind", "O")
    if kind in "Mfiub" and isinstance(getattr(column, "dtype", None), np.dtype):
        return np.asarray(column)
    cells = column.tolist() if kind == "U" else list(column)
    array = np.empty(len(cells), object)
    array[:] = cells
    return array


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
