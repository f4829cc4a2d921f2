"""How a user's table is written, where the table itself is ambiguous."""

import difflib
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np

from lstm_apps.errors import InputError, unknown_name
from lstm_apps.features.options import Option, Options

EXTRA = "pip install 'lstm-apps[tables]'"

# Of `predict`; `train` has the same.
OPTIONS: Options = {
    "skip": Option(int, "lines above the header to leave out"),
    "decimal": Option(str, "sign before decimals: a point or a comma"),
    "dayfirst": Option(bool, "whether 01/02/2020 is the first of February"),
    "timezone": Option(str, "zone of local times, such as Europe/Berlin; they become UTC"),
    "missing": Option(str, "a cell that stands for no value, such as -999", many=True),
    "series": Option(str, "the rows to read where a column names the series: COLUMN=NAME"),
    "start": Option(str, "time of the first row where the column of times only counts steps"),
}


@dataclass(frozen=True)
class Dialect:
    """The user's description of a table; `None` means that it is detected, or an error asks for it.

    After reading, `decimal`, `dayfirst` and `first` are those detected, so that a shorter table of the same
    kind is read alike.

    Raises:
        InputError: A value that is not possible.
    """

    skip: int = 0  # lines above the header
    decimal: str | None = None  # "." or ","
    dayfirst: bool | None = None
    timezone: str | None = None  # of times without an offset
    missing: tuple[str, ...] = ()  # cells that stand for no value, beside the usual ones
    series: str | None = None  # "COLUMN=NAME"; "none": all rows are of one series
    start: str | None = None  # ISO 8601, of row number `first`
    every: str | None = None  # time from one row number to the next
    first: int | None = None  # the lowest of the first table that was read, unless it is known

    def __post_init__(self) -> None:
        if self.skip < 0:
            raise InputError(f"--skip {self.skip}: expected how many lines to leave out.")
        if self.decimal not in (None, ".", ","):
            raise InputError(f"--decimal {self.decimal}: expected a point or a comma.")
        if self.timezone is not None:
            _check_zone(self.timezone)
        if self.start is not None:
            _check_start(self.start)

    @classmethod
    def of(cls, chosen: Mapping[str, Any]) -> Self:
        """From values by name, as in JSON; an InputError for an unknown name or value."""
        known = [f.name for f in fields(cls)]
        for name in chosen:
            if name not in known:
                raise unknown_name("option of tables", name, known)
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in chosen.items()}
        return cls(**values)

    def said(self) -> list[str]:
        """The names of the fields that were given a value."""
        return [f.name for f in fields(self) if getattr(self, f.name) != f.default]

    def changed(self, **given: Any) -> Self:
        """A copy with the values given for one table. A new start is that of its first row."""
        if "start" in given:
            given |= {"every": None, "first": None}
        return replace(self, **given)


PLAIN = Dialect()


def _check_zone(name: str) -> None:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        near = difflib.get_close_matches(name, zoneinfo.available_timezones(), n=1)
        hint = f"Did you mean {near[0]}?" if near else "Expected a name such as Europe/Berlin."
        raise InputError(f"There is no time zone {name!r}. {hint}") from error


def _check_start(text: str) -> None:
    try:
        if np.isnat(np.datetime64(text, "s")) or not text[:4].isdigit():
            raise ValueError(text)
    except ValueError as error:
        raise InputError(f"--start {text}: expected a time in ISO 8601, such as 2020-01-01T00:00.") from error
