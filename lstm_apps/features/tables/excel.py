"""Excel workbooks: from the bytes of a file to the cells of one sheet."""

import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lstm_apps.errors import InputError, first_line
from lstm_apps.features.tables.dialect import EXTRA
from lstm_apps.features.tables.where import Where


def read_excel(
    path: Path, content: bytes, names: Sequence[str], skip: int
) -> tuple[list[str], dict[str, Any], Where]:
    """Header, columns (rows,) of cells, and name of the first visible sheet that holds any.

    Args:
        path: For messages.
        content: The file's bytes.
        names: Expected columns, by which a header further down is named.
        skip: Rows above the header to leave out.

    Raises:
        InputError: No readable workbook, no cells, or two columns of one of `names`.
    """
    try:
        import openpyxl
    except ImportError as error:
        raise InputError(f"{path}: reading Excel needs openpyxl: {EXTRA}.") from error
    try:
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        sheets = [s for s in book.worksheets if s.sheet_state == "visible"] or book.worksheets
        for sheet in sheets:
            rows = [list(cells) for cells in sheet.iter_rows(values_only=True)]
            if any(map(_has_cells, rows)):
                break
    except Exception as error:  # of a damaged file it raises whatever its parsers do
        raise InputError(f"{path} is no Excel file that can be read: {first_line(error)}.") from error
    if len(book.worksheets) > 1:
        warnings.warn(
            f"{path}: of {len(book.worksheets)} sheets only {sheet.title!r} is read, the first visible one "
            "with cells.",
            stacklevel=4,
        )
    lines = [i for i, cells in enumerate(rows) if i >= skip and _has_cells(cells)]
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
    return header, columns, Where.of(str(path), lambda: below + 1, word="row")


def _has_cells(cells: list) -> bool:
    return any(cell not in (None, "") for cell in cells)
