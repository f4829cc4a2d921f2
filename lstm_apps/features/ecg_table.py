"""ECGs in text files: columns of times and voltages, or one value a line after lines that describe them, as
Apple Watch exports them in any language."""

import csv
import math
import re
import warnings
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np

from lstm_apps.errors import InputError
from lstm_apps.features.ecg_leads import Channel, choose

_MISSING = {"", "nan", "na", "n/a", "null", "none", "-", "--"}
_NUMBER = re.compile(r"[-+]?(\d+([.,]\d*)?|[.,]\d+)(e[-+]?\d+)?", re.IGNORECASE)
_TOKEN = re.compile(r"[-+:.\dTZ]+(e[-+]?\d+)?", re.IGNORECASE)  # of numbers, dates and times
_CLOCK = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:[.,]\d+)?)")
_DATE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d")  # with a space in it
# Of a rate among the lines before the values: 512 hertz, 513,281 Hz, 512 hercios, 512 ヘルツ.
_RATE = re.compile(r"(\d+(?:[.,]\d+)?)\s*(?:hz\b|hert|herc|герц|ヘルツ|赫)", re.IGNORECASE)
_UNIT = re.compile(r"[µμu]v|mv|v|(?:micro|mikro|milli)volts?", re.IGNORECASE)
_TIME = re.compile(
    r"(elapsed )?(time|zeit|tiempo|temps|tempo|t|timestamp|date|datetime|seconds?|secs?|s|ms|millis(econds)?|"
    r"microseconds|hh mm ss( mmm)?|zeitstempel|uhrzeit)( ?stamp)?"
)
_SAMPLE = re.compile(r"(sample|samples|index|idx|i|n|no|nr|row|#|)( ?(number|no|nr|index|#))?")
_SECONDS = {"s": 1.0, "sec": 1.0, "seconds": 1.0, "second": 1.0, "secs": 1.0, "min": 60.0, "minutes": 60.0}
_SECONDS |= {"ms": 1e-3, "msec": 1e-3, "millis": 1e-3, "milliseconds": 1e-3}
_SECONDS |= {"us": 1e-6, "µs": 1e-6, "μs": 1e-6, "microseconds": 1e-6, "ns": 1e-9}
_PLAUSIBLE = (50.0, 5000.0)  # samples a second


@dataclass
class _Text:
    """A file taken apart: what each column is called, and its fields line by line."""

    path: Path
    names: list[str]
    units: list[str]
    rows: list[list[str]]
    lines: list[int]  # of the rows, from 1
    comma: bool  # whether numbers have a decimal comma
    about: list[str] = field(default_factory=list)  # lines before

    def column(self, at: int) -> np.ndarray:
        """(rows,) the numbers of a column, NaN where there is none."""
        return np.array([self._number(row, at, i) for i, row in enumerate(self.rows)])

    def _number(self, row: list[str], at: int, i: int) -> float:
        text = row[at].strip() if at < len(row) else ""
        if text.lower() in _MISSING:
            return math.nan
        try:
            return float(text.replace(",", ".") if self.comma else text)
        except ValueError as error:
            raise InputError(f"{self.path}, line {self.lines[i]}: {text!r} is no number.") from error


def read_table(path: Path, lead: str | int | None, rate: float | None) -> tuple[np.ndarray, float]:
    """One lead of a text file, in mV where its unit is known, and its samples a second.

    Args:
        path: Of columns with or without a header, parted by commas, semicolons, tabs or spaces; or of lines
            that describe a recording (its rate, unit and lead) before one value a line.
        lead: A column's name, or its place from 0 among all columns; None: as `ecg_leads.choose`.
        rate: Samples a second, where no column has times.

    Raises:
        InputError: There are no numbers, no lead of an ECG or no such one, or no rate.
    """
    text = _taken_apart(path)
    clock = _time_column(text)
    aside = {clock} if clock is not None else {i for i, n in enumerate(text.names) if _is_sample(n)}
    rest = [i for i in range(len(text.names)) if i not in aside] or list(range(len(text.names)))
    known = [Channel(text.names[i], text.units[i]) for i in range(len(text.names))]
    if len(rest) == 1 and lead is None and not known[rest[0]].is_other:
        at = rest[0]  # the only one, whatever it is called
    else:
        shown = [c if i in rest else Channel(c.name or "time", "s") for i, c in enumerate(known)]
        at = choose(shown, lead, str(path))
    signal = text.column(at) * (known[at].millivolts or 1.0)
    described = _described_rate(text.about)
    if clock is not None:
        places, found = _regular(text, clock, rate)
        whole = np.full(places[-1] + 1, np.nan)
        whole[places] = signal
        return whole, found
    if described and rate and abs(described - rate) > 0.01 * rate:
        raise InputError(f"{path} says {described:g} samples a second, not {rate:g}: leave --rate out.")
    if described or rate:
        return signal, float(described or rate or 0)
    raise InputError(
        f"{path} has no column of times and does not say its rate: give the samples a second, --rate 360."
    )


def _taken_apart(path: Path) -> _Text:
    lines = _decoded(path).splitlines()
    first = next((i for i, line in enumerate(lines) if _is_row(line)), None)
    # Values may begin after lines that describe them, such as of a date or a version: the longest run counts.
    first = _longest(lines, first) if first is not None else None
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
    return _Text(path, names, units, rows, [i + 1 for i in numbers], comma, before)


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


def _longest(lines: list[str], first: int) -> int:
    """Where the values begin: the first line of numbers after the last line of words among the first 50."""
    words = [i for i in range(first, min(len(lines), 50)) if lines[i].strip() and not _is_row(lines[i])]
    after = words[-1] + 1 if words else first
    return next((i for i in range(after, len(lines)) if _is_row(lines[i])), first)


def _format(body: list[str]) -> tuple[str, bool]:
    """What parts the fields of these lines, and whether numbers have a decimal comma."""
    for delimiter in (";", "\t"):
        if delimiter in body[0]:
            return delimiter, any("," in line for line in body)
    bare = [line.strip().strip("\"'") for line in body]
    if all(re.fullmatch(r"[-+]?\d+(,\d+)?", line) for line in bare) and any("," in line for line in bare):
        # One number with a decimal comma, or two whole ones, of which the first then counts.
        firsts = [int(line.split(",")[0]) for line in bare]
        counts = len(bare) > 1 and all(b > a for a, b in zip(firsts, firsts[1:], strict=False))
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
    """The names and units of the columns: of the last line before the values, and of the one above it where
    that line has units only; empty where there are none."""
    heads = [r for r in _split(before[-2:], delimiter)] if before else []
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
        if found := re.fullmatch(r"(.*?)\s*[(\[]\s*([^()\[\]]+?)\s*[)\]]", name):
            names[i], units[i] = found[1], units[i] or found[2]
        elif found := re.fullmatch(r"(.*?)[ _/](mv|[uµμ]v|v|ms|sec|s)", name, re.IGNORECASE):
            names[i], units[i] = found[1], units[i] or found[2]
    return names, units


def _described_rate(lines: list[str]) -> float | None:
    for line in lines:
        if found := _RATE.search(line):
            rate = float(found[1].replace(",", "."))
            # 1,000 Hz are a thousand.
            return rate if rate >= _PLAUSIBLE[0] else float(found[1].replace(",", ""))
    return None


def _described_unit(line: str) -> str:
    last = _last_field(line)
    return last if _UNIT.fullmatch(last) else ""


def _described_lead(line: str) -> str:
    found = re.fullmatch(r"(?:\w+ )?(I{1,3}|aV[RLF]|V[1-6])", _last_field(line))
    return found[1] if found else ""


def _last_field(line: str) -> str:
    return re.split(r"[,;:\t=]", line)[-1].strip(" \"'()[]")


def _words(name: str) -> str:
    return re.sub(r"[\s_.:'\"]+", " ", name).strip().lower()


def _is_sample(name: str) -> bool:
    return bool(name) and bool(_SAMPLE.fullmatch(_words(name)))


def _time_column(text: _Text) -> int | None:
    """The column of times: by its name; or by its values, in a file without names, if they ascend evenly."""
    for i, name in enumerate(text.names):
        if name and _TIME.fullmatch(_words(name)):
            return i
    if len(text.names) < 2 or any(text.names):
        return None
    first = text.rows[0][0]
    if not _NUMBER.fullmatch(first):
        return 0
    steps = np.diff(text.column(0)[:1000])
    even = len(steps) > 1 and (steps > 0).all() and np.ptp(steps) < np.median(steps)
    return 0 if even else None


def _times(text: _Text, at: int) -> tuple[np.ndarray, bool]:
    """(rows,) the times, and whether they are known to be seconds."""
    first = next((row[at].strip() for row in text.rows if at < len(row) and row[at].strip()), "")
    if _NUMBER.fullmatch(first):
        times = text.column(at)
        unit = text.units[at].lower() or _words(text.names[at])
        return (times - times[0]) * _SECONDS.get(unit, 1.0), unit in _SECONDS
    found = np.empty(len(text.rows))
    begin: datetime | None = None
    for i, row in enumerate(text.rows):
        value = row[at].strip(" []'\"") if at < len(row) else ""
        if clock := _CLOCK.fullmatch(value):
            hours, minutes, seconds = clock.groups()
            found[i] = 3600 * int(hours or 0) + 60 * int(minutes) + float(seconds.replace(",", "."))
            continue
        try:
            moment = datetime.fromisoformat(value.replace(",", "."))
            begin = begin or moment
            found[i] = (moment - begin).total_seconds()
        except (ValueError, TypeError) as error:
            raise InputError(
                f"{text.path}, line {text.lines[i]}: {value!r} is no time, expected seconds or 2026-01-31T10:00:00.004."
            ) from error
    return found - found[0], True


def _regular(text: _Text, at: int, rate: float | None) -> tuple[np.ndarray, float]:
    """(rows,) the place of each row on an even grid that begins at the first, and the grid's rate."""
    times, known = _times(text, at)
    if not np.isfinite(times).all():
        line = text.lines[int(np.flatnonzero(~np.isfinite(times))[0])]
        raise InputError(f"{text.path}, line {line} has no time.")
    steps = np.diff(times)
    if len(steps) < 2 or times[-1] <= 0 or (steps < 0).any():
        back = np.flatnonzero(steps < 0)
        where = f"line {text.lines[int(back[0]) + 1]}" if len(back) else "its times"
        raise InputError(f"{text.path}: {where} does not go on in time; sort the rows, one lead a file.")
    coarse = (steps == 0).mean() > 0.01  # several samples have the same time
    if coarse:
        step = times[-1] / len(steps)
    else:
        step = float(np.median(steps[steps > 0]))
        step = float(steps[steps < 1.9 * step].mean())  # rounded times differ, gaps are longer
    scale = 1.0 if known else _seconds(text, step)
    found = 1 / (step * scale)
    if rate is not None and abs(found - rate) > 0.01 * rate:
        raise InputError(
            f"{text.path}: its times are of {found:g} samples a second, not {rate:g}: leave --rate out."
        )
    if coarse:
        warnings.warn(
            f"{text.path}: several rows have the same time; {found:.1f} samples a second are taken from the "
            "whole, or given by --rate.",
            stacklevel=2,
        )
        return np.arange(len(times)), rate or found
    moved = np.concatenate([[0], np.maximum(1, np.rint(steps / step))]).astype(np.int64)
    places = np.cumsum(moved)
    if places[-1] > 20 * len(places):
        raise InputError(f"{text.path} has gaps in its times for most of its length.")
    whole = round(found)
    return places, rate or (float(whole) if abs(found - whole) < 1e-4 * found else found)


def _seconds(text: _Text, step: float) -> float:
    """What one of the file's own unit of time is in seconds."""
    if _PLAUSIBLE[0] <= 1 / step <= _PLAUSIBLE[1]:
        return 1.0
    if abs(step - 1) < 1e-6:
        raise InputError(
            f"{text.path}: are its times 0, 1, 2, ... milliseconds or numbers of samples? Call the column time "
            "(ms), or sample and give --rate."
        )
    for scale, name in ((1e-3, "milliseconds"), (1e-6, "microseconds"), (1e-9, "nanoseconds")):
        if _PLAUSIBLE[0] <= 1 / (step * scale) <= _PLAUSIBLE[1]:
            warnings.warn(f"{text.path}: its times are taken to be {name}.", stacklevel=2)
            return scale
    raise InputError(
        f"{text.path}: times {step:g} apart are {1 / step:g} samples a second, expected 50 to 5,000 of an ECG."
    )
