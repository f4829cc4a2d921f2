"""One lead of an ECG from a text file, on an even time grid."""

import re
import warnings
from datetime import datetime
from pathlib import Path

import numpy as np

from lstm_apps.errors import InputError
from lstm_apps.healthcare.ecg.leads import Channel, choose
from lstm_apps.healthcare.ecg.text import Text, parse_text

_NUMBER = re.compile(r"[-+]?(\d+([.,]\d*)?|[.,]\d+)(e[-+]?\d+)?", re.IGNORECASE)
_CLOCK = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:[.,]\d+)?)")
_TIME = re.compile(
    r"(elapsed )?(time|zeit|tiempo|temps|tempo|t|timestamp|date|datetime|seconds?|secs?|s|ms|millis(econds)?|"
    r"microseconds|hh mm ss( mmm)?|zeitstempel|uhrzeit)( ?stamp)?"
)
_SAMPLE = re.compile(r"(sample|samples|index|idx|i|n|no|nr|row|#|)( ?(number|no|nr|index|#))?")
_SECONDS = {"s": 1.0, "sec": 1.0, "seconds": 1.0, "second": 1.0, "secs": 1.0, "min": 60.0, "minutes": 60.0}
_SECONDS |= {"ms": 1e-3, "msec": 1e-3, "millis": 1e-3, "milliseconds": 1e-3}
_SECONDS |= {"us": 1e-6, "µs": 1e-6, "μs": 1e-6, "microseconds": 1e-6, "ns": 1e-9}
_PLAUSIBLE = (50.0, 5000.0)  # samples a second


def read_table(path: Path, lead: str | int | None, rate: float | None) -> tuple[np.ndarray, float]:
    """One lead of a text file (samples,), in mV where its unit is known, and samples per second.

    Args:
        path: Columns with or without a header, separated by commas, semicolons, tabs or spaces; or lines that
            describe a recording (rate, unit, lead) before one value a line.
        lead: Name of a column, or its number from 0; None: `leads.choose` decides.
        rate: Samples per second, where no column has times.

    Raises:
        InputError: No numbers, no such ECG lead, or no rate.
    """
    text = parse_text(path)
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
    described = text.rate
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


def _words(name: str) -> str:
    return re.sub(r"[\s_.:'\"]+", " ", name).strip().lower()


def _is_sample(name: str) -> bool:
    return bool(name) and bool(_SAMPLE.fullmatch(_words(name)))


def _time_column(text: Text) -> int | None:
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


def _times(text: Text, at: int) -> tuple[np.ndarray, bool]:
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
                f"{text.path}, line {text.lines[i]}: {value!r} is no time, "
                "expected seconds or 2026-01-31T10:00:00.004."
            ) from error
    return found - found[0], True


def _regular(text: Text, at: int, rate: float | None) -> tuple[np.ndarray, float]:
    """(rows,) the position of each row on an even time grid, and its samples per second."""
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
        new = 1 + np.flatnonzero(steps)
        step = float(np.ptp(times[new])) / max(1, int(np.ptp(new))) or times[-1] / len(steps)
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


def _seconds(text: Text, step: float) -> float:
    """The file's unit of time in seconds, by the median step."""
    if _PLAUSIBLE[0] <= 1 / step <= _PLAUSIBLE[1]:
        return 1.0
    if abs(step - 1) < 1e-6:
        raise InputError(
            f"{text.path}: are its times 0, 1, 2, ... milliseconds or numbers of samples? Call the column "
            "time (ms), or sample and give --rate."
        )
    for scale, name in ((1e-3, "milliseconds"), (1e-6, "microseconds"), (1e-9, "nanoseconds")):
        if _PLAUSIBLE[0] <= 1 / (step * scale) <= _PLAUSIBLE[1]:
            warnings.warn(f"{text.path}: its times are taken to be {name}.", stacklevel=2)
            return scale
    raise InputError(
        f"{text.path}: times {step:g} apart are {1 / step:g} samples a second, expected "
        "50 to 5,000 of an ECG."
    )
