"""Parses text files of an ECG: columns with or without a header, or one value a line after descriptive lines,
as Apple Watch exports them in any language."""

import csv
import itertools
import math
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lstm_apps.errors import InputError

_MISSING = {"", "nan", "na", "n/a", "null", "none", "-", "--"}
_NUMBER = re.compile(r"[-+]?(\d+([.,]\d*)?|[.,]\d+)(e[-+]?\d+)?", re.IGNORECASE)
_TOKEN = re.compile(r"[-+:.\dTZ]+(e[-+]?\d+)?", re.IGNORECASE)  # of numbers, dates and times
_DATE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d")  # with a space in it
_BRACKETS = re.compile(r"(.*?)\s*[(\[]\s*([^()\[\]]+?)\s*[)\]]")  # ECG (mV)
_ENDING = re.compile(r"(.*?)[ _/](mv|[uµμ]v|v|ms|sec|s)", re.IGNORECASE)  # ecg_mV
# Of a rate among the lines before the values: 512 hertz, 513,281 Hz, 512 hercios, 512 ヘルツ.
_RATE = re.compile(r"(\d+(?:[.,]\d+)?)\s*(?:hz\b|hert|herc|герц|ヘルツ|赫)", re.IGNORECASE)
_UNIT = re.compile(r"[µμu]v|mv|v|(?:micro|mikro|milli)volts?", re.IGNORECASE)


@dataclass
class Text:
    """A parsed file: names and units of its columns, and the fields of each line."""

    path: Path
    names: list[str]
    units: list[str]
    rows: list[list[str]]
    lines: list[int]  # line number of each row, from 1
    comma: bool  # whether numbers have a decimal comma
    about: list[str] = field(default_factory=list)  # descriptive lines before

    def column(self, at: int) -> np.ndarray:
        """(rows,) the numbers of a column, NaN where missing; an InputError for a field that is no number."""
        return np.array([self._number(row, at, i) for i, row in enumerate(self.rows)])

    def _number(self, row: list[str], at: int, i: int) -> float:
        text = row[at].strip() if at < len(row) else ""
        if text.lower() in _MISSING:
            return math.nan
        try:
            return float(text.replace(",", ".") if self.comma else text)
        except ValueError as error:
            raise InputError(f"{self.path}, line {self.lines[i]}: {text!r} is no number.") from error

    @property
    def rate(self) -> float | None:
        """Samples per second by the descriptive lines; None if they have no rate."""
        for line in self.about:
            if found := _RATE.search(line):
                rate = float(found[1].replace(",", "."))
                return rate if rate >= 50 else float(found[1].replace(",", ""))  # 1,000 Hz are a thousand
        return None


def parse_text(path: Path) -> Text:
    """Parse a text file in UTF-8, UTF-16 or Windows-1252, with fields separated by commas, semicolons, tabs
    or spaces, from its first line of numbers on.

    Raises:
        InputError: There is no line of numbers.
    """
    lines = _decoded(path).splitlines()
    first = next((i for i, line in enumerate(lines) if _is_row(line)), None)
    if first is None:
        raise InputError(
            f"{path} has no line of numbers: expected columns of time and mV, or one value a line."
        )
    numbers = [i for i in range(first, len(lines)) if lines[i].strip()]
    body = [lines[i] for i in numbers]
    delimiter, comma = _format(body[:2000])
    rows = _split(body, delimiter)
    width = max(len(row) for row in rows[:100])
    before = [line for line in lines[:first] if line.strip()]
    names, units = _header(before, delimiter, width)
    if width == 1:
        units[0] = units[0] or next((u for line in before if (u := _described_unit(line))), "")
        names[0] = names[0] or next((u for line in before[::-1] if (u := _described_lead(line))), "")
    return Text(path, names, units, rows, [i + 1 for i in numbers], comma, before)


def _decoded(path: Path) -> str:
    data = path.read_bytes()
    for mark, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"", "utf-8-sig")):
        if data.startswith(mark):
            try:
                return data.decode(encoding)
            except UnicodeDecodeError:
                continue
    return data.decode("cp1252", errors="replace")


def _is_row(line: str) -> bool:
    """Whether a line has numbers, times and missing values only, at least one of which has a digit."""
    parts = [p for p in re.split(r"[;,\s'\"\[\]]+", line) if p]
    plain = all(_TOKEN.fullmatch(p) or p.lower() in _MISSING for p in parts)
    return plain and any(c.isdigit() for c in line)


def _format(body: list[str]) -> tuple[str, bool]:
    """The delimiter of these lines, and whether numbers have a decimal comma."""
    for delimiter in (";", "\t"):
        if delimiter in body[0]:
            return delimiter, any("," in line for line in body)
    bare = [line.strip().strip("\"'") for line in body]
    if all(re.fullmatch(r"[-+]?\d+(,\d+)?", line) for line in bare) and any("," in line for line in bare):
        # One number with a decimal comma, or two whole ones, of which the first then counts.
        firsts = [int(line.split(",")[0]) for line in bare]
        counts = len(bare) > 1 and all(b > a for a, b in itertools.pairwise(firsts))
        return (",", False) if counts else ("\n", True)
    if "," in body[0]:
        quoted = next(csv.reader(body[:1]))
        return ",", any("," in f and _NUMBER.fullmatch(f.strip()) is not None for f in quoted)
    return (" ", False) if len(body[0].split()) > 1 else ("\n", False)


def _split(body: list[str], delimiter: str) -> list[list[str]]:
    if delimiter == "\n":
        return [[line.strip().strip("\"'")] for line in body]
    if delimiter == " ":
        if any(_DATE.match(line.strip()) for line in body[:1]):
            return [[" ".join(parts[:2]), *parts[2:]] for parts in map(str.split, body)]
        return [line.split() for line in body]
    return [[f.strip(" '") for f in row] for row in csv.reader(body, delimiter=delimiter)]


def _header(before: list[str], delimiter: str, width: int) -> tuple[list[str], list[str]]:
    """Names and units of the columns, from the last line before the values, and the one above it if the last
    has units only; empty where there are none."""
    heads = _split(before[-2:], delimiter) if before else []
    heads = [r for r in heads if len(r) == width]
    names, units = [""] * width, [""] * width
    if width == 1 and len(before) > 2:
        return names, units  # lines that describe one column
    if heads:
        last = [h.strip().strip("()[]") for h in heads[-1]]
        if len(heads) > 1 and any(_UNIT.fullmatch(h) for h in last):
            names, units = [h.strip() for h in heads[-2]], last
        else:
            names = [h.strip() for h in heads[-1]]
    for i, name in enumerate(names):
        found = _BRACKETS.fullmatch(name) or _ENDING.fullmatch(name)
        if found:
            names[i], units[i] = found[1], units[i] or found[2]
    return names, units


def _described_unit(line: str) -> str:
    last = _last_field(line)
    return last if _UNIT.fullmatch(last) else ""


def _described_lead(line: str) -> str:
    found = re.fullmatch(r"(?:\w+ )?(I{1,3}|aV[RLF]|V[1-6])", _last_field(line))
    return found[1] if found else ""


def _last_field(line: str) -> str:
    return re.split(r"[,;:\t=]", line)[-1].strip(" \"'()[]")
