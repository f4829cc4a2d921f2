"""Names of tables and rows in messages."""

from collections.abc import Callable
from typing import Self

import numpy as np


class Where(str):
    """The name of a table in messages, which knows the line of each row in the file.

    Attributes:
        separator: Of the fields of a text file; "" of any other table.
    """

    separator: str = ""
    _lines: Callable[[], np.ndarray] | None = None
    _word = "line"
    _rows: np.ndarray | None = None

    @classmethod
    def of(cls, name: str, lines: Callable[[], np.ndarray], separator: str = "", word: str = "line") -> Self:
        """Of a file: `lines()` gives the line of each row (rows,), and is called only for a message."""
        where = cls(name)
        where.separator, where._lines, where._word = separator, lines, word
        return where

    def only(self, rows: np.ndarray) -> "Where":
        """Of a table with the rows `rows` (kept,) of this one."""
        where = Where(self)
        where.separator, where._lines, where._word = self.separator, self._lines, self._word
        where._rows = rows if self._rows is None else self._rows[rows]
        return where

    def row(self, index: int) -> str:
        """Names a row, counted from 0."""
        if self._rows is not None:
            index = int(self._rows[index])
        if self._lines is None:
            return f"{self}, row {index + 1}"
        return f"{self}, {self._word} {self._lines()[index]}"


def row(where: str, index: int) -> str:
    """Names a row, counted from 0, of what may be just a name."""
    return where.row(index) if isinstance(where, Where) else f"{where}, row {index + 1}"
