"""Text tables: from the bytes of a file to cells of text, with the separator detected."""

import codecs
import csv
import io
import re
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lstm_apps.errors import InputError, first_line
from lstm_apps.features.tables.dialect import EXTRA
from lstm_apps.features.tables.where import Where

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NEWLINE = re.compile(r"\r\n|\n|\r")
_HEAD = 1 << 18  # characters in which the header and the separator are looked for
_MOST_ABOVE = 50  # lines in which a header is looked for
_MOST_BELOW = 20  # lines at the end that may be a footer

Columns = dict[str, Any]  # by name: an arrow array or a list of text


def read_delimited(
    path: Path, content: bytes, names: Sequence[str], skip: int
) -> tuple[list[str], Columns, Where]:
    """Header, columns (rows,) of text, and name of a text table.

    Args:
        path: For messages.
        content: The file's bytes, not compressed.
        names: Expected columns, by which header and separator are detected.
        skip: Lines above the header to leave out.

    Raises:
        InputError: No readable text table, or two columns of one of `names`.
    """
    text, encoding = _decoded(path, content)
    head = text[:_HEAD]
    starts = [0, *(m.end() for m in _NEWLINE.finditer(head))]
    lines = _NEWLINE.split(head)
    top, separator = _header_line(path, lines, names, skip)
    if not separator:
        separator = _separator(lines[top : top + _MOST_ABOVE], names)
    header = [name.strip() for name in next(csv.reader([lines[top]], delimiter=separator))]
    if not set(names) <= set(header):
        _check_header(path, lines, top, names)
    for name in names:
        if header.count(name) > 1:
            raise InputError(f"{path} has {header.count(name)} columns called {name!r}: rename the others.")
    if not _has_arrow() and (separator != "," or encoding != "utf-8"):
        raise InputError(
            f"{path}: its fields are separated by {SEPARATORS[separator]}, its encoding is {encoding}; "
            f"without pandas and pyarrow only commas and UTF-8 are read: {EXTRA}."
        )
    if encoding != "utf-8":
        _warn(f"{path} is read as {encoding}.")
    if separator != ",":
        _warn(f"{path}: its fields are separated by {SEPARATORS[separator]}.")

    begin = starts[top + 1] if top + 1 < len(starts) else len(text)
    below = _Below(path, text, begin, separator, [*_unique(header)], top + 1)
    return header, below.columns(), below.where


def _decoded(path: Path, content: bytes) -> tuple[str, str]:
    """The text, without byte order mark, and its encoding."""
    encoding = next((name for bom, name in _BOMS if content.startswith(bom)), "utf-8")
    if encoding == "utf-8" and b"\0" in content[:4096]:
        zeros = np.flatnonzero(np.frombuffer(content[:4096], np.uint8) == 0) % 2
        encoding = "utf-16-le" if zeros.mean() > 0.9 else "utf-16-be" if zeros.mean() < 0.1 else "utf-8"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            raise InputError(f"{path} is not a readable CSV file: {error}.") from error
        encoding = "cp1252"
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError as no:
            raise InputError(f"{path} is not a readable CSV file, neither UTF-8 nor cp1252: {no}.") from no
    if "\0" in text:
        raise InputError(f"{path} is not a readable CSV file: it holds zero bytes.")
    return text, "utf-8" if encoding == "utf-8-sig" else encoding


def _header_line(path: Path, lines: list[str], names: Sequence[str], skip: int) -> tuple[int, str]:
    """Index of the header's line, and the separator if a line above declares it, as Excel's `sep=;`."""
    top, separator = skip, ""
    while top < len(lines):
        line = lines[top].strip()
        if said := re.fullmatch(r'"?sep=([,;|\t])"?', lines[top].strip(" "), re.IGNORECASE):
            separator = said[1]
        elif line and not (line.startswith("#") and not any(name in line for name in names)):
            return top, separator
        top += 1
    raise InputError(f"{path} is empty, expected a line of column names and rows of values.")


def _separator(lines: list[str], names: Sequence[str]) -> str:
    """The separator that finds the columns `names`; else the one by which most lines have as many fields as
    the header."""

    def likely(separator: str) -> tuple[int, float, int]:
        header, *rows = csv.reader(lines, delimiter=separator)
        known = len(set(names) & {name.strip() for name in header})
        alike = [len(row) in (len(header), len(header) + 1) for row in rows if row]
        return known, float(np.mean(alike or [True])) if len(header) > 1 else 0.0, len(header)

    try:
        return max(SEPARATORS, key=likely)
    except csv.Error:
        return ","


def _check_header(path: Path, lines: list[str], top: int, names: Sequence[str]) -> None:
    """Raise an InputError where another line has the names."""
    for number in range(min(len(lines), _MOST_ABOVE) if names else 0):
        for separator in SEPARATORS:
            if set(names) <= {f.strip(' "') for f in lines[number].split(separator)}:
                raise InputError(
                    f"{path}: line {number + 1} looks like the header, line {top + 1} does not: "
                    f"--skip {number}."
                )


class _Below:
    """The lines below the header."""

    def __init__(self, path: Path, text: str, begin: int, separator: str, header: list[str], line: int):
        self.path, self.separator, self.header, self.line = path, separator, header, line
        self.text = text[begin:] if begin else text
        self.ragged = False
        first = next(csv.reader(_NEWLINE.split(self.text[:_HEAD]), delimiter=separator), [])
        if len(first) == len(header) + 1 and not first[-1].strip():
            header.append("\0after the last separator")
        self.where = Where.of(str(path), self._lines, separator)
        self._found: np.ndarray | None = None

    def columns(self) -> Columns:
        if not self.text or self.text.isspace():
            return {name: [] for name in self.header}
        if _has_arrow():
            return self._by_arrow()
        rows = [row for _, row in self._whole_rows()]
        return {name: [row[i] for row in rows] for i, name in enumerate(self.header)}

    def _by_arrow(self) -> Columns:
        import pyarrow
        from pyarrow import csv as arrow_csv

        def other_width(row: Any) -> str:
            self.ragged = True
            return "skip"

        try:
            table = arrow_csv.read_csv(
                pyarrow.BufferReader(self.text.encode()),
                arrow_csv.ReadOptions(column_names=self.header, block_size=1 << 24),
                arrow_csv.ParseOptions(
                    delimiter=self.separator, newlines_in_values=True, invalid_row_handler=other_width
                ),
                arrow_csv.ConvertOptions(
                    column_types={name: pyarrow.string() for name in self.header}, strings_can_be_null=False
                ),
            )
        except pyarrow.ArrowException as error:
            raise InputError(f"{self.path} is not a readable CSV file: {first_line(error)}.") from error
        if self.ragged:
            for _ in self._whole_rows():
                pass  # raises, or tells what is left out
        return {name: table[name] for name in self.header}

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        """Line and fields of each row."""
        rows = csv.reader(io.StringIO(self.text, newline=""), delimiter=self.separator)
        begin = 0
        try:
            for row in rows:
                if row:
                    yield self.line + begin + 1, row
                begin = rows.line_num
        except csv.Error as error:
            line = self.line + rows.line_num
            raise InputError(f"{self.path}, line {line}: not readable as CSV: {error}.") from error

    def _whole_rows(self) -> Iterator[tuple[int, list[str]]]:
        """Those with as many fields as the header; others may be comments, and end the file."""
        comments = 0
        below: list[tuple[int, list[str]]] = []
        for line, row in self._rows():
            if len(row) == len(self.header):
                if below:
                    raise self._other_width(*below[0])
                yield line, row
            elif row[0].lstrip().startswith("#"):
                comments += 1
            elif any(map(str.strip, row)):
                below.append((line, row))
        for line, row in below:
            if len(below) > _MOST_BELOW or len(row) > len(self.header) or row[0].strip()[:1].isdigit():
                raise self._other_width(line, row)  # a row that was cut, not a note below the table
        if comments:
            _warn(f"{self.path}: {comments} line(s) of comments (#) are left out.")
        if below:
            line, row = below[0]
            _warn(
                f"{self.path}: {len(below)} line(s) at the end are left out, first line {line}: "
                f"{self.separator.join(row)[:60]!r}."
            )

    def _other_width(self, line: int, row: list[str]) -> InputError:
        return InputError(f"{self.path}, line {line}: {len(row)} fields, expected {len(self.header)}.")

    def _lines(self) -> np.ndarray:
        if self._found is None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # told when it was read
                self._found = np.fromiter((line for line, _ in self._whole_rows()), np.int64)
        return self._found


def _unique(header: list[str]) -> Iterator[str]:
    """Names for the reader: of several columns of one name only the first keeps it."""
    seen: set[str] = set()
    for i, name in enumerate(header):
        yield f"\0{i}" if name in seen else name
        seen.add(name)


def _has_arrow() -> bool:
    try:
        import pyarrow.csv  # noqa: F401
    except ImportError:
        return False
    return True


def _warn(sentence: str) -> None:
    warnings.warn(sentence, stacklevel=4)
