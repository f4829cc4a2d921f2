"""Splits that do not leak: a part holds nothing that lies after its end."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from lstm_apps.errors import InputError
from lstm_apps.features.series import Series, fill_missing

Record = TypeVar("Record")


@dataclass(frozen=True)
class Part:
    """A stretch of a series to forecast, with all that came before it and nothing after it.

    `series` ends where the part ends, so that no code working on a part can read the future.
    Forecasts are made from step `begin` on; the steps before it serve as history only.
    """

    series: Series
    values: np.ndarray  # (steps,) the series without NaN, filled from the past
    begin: int

    def origins(self, history: int, horizon: int, every: int = 1) -> np.ndarray:
        """Steps at which a forecast can be made: `history` known before, `horizon` to check after.

        With `every`, only one in so many steps, at the same phase as the part's begin.
        """
        first = self.begin
        while first < history:
            first += every
        return np.arange(first, len(self.series) - horizon + 1, every)


@dataclass(frozen=True)
class TimeSplit:
    train: Part
    validation: Part
    test: Part


def by_time(series: Series, validation: int, test: int) -> TimeSplit:
    """Split a series: the last `test` steps, the `validation` steps before them, all before that."""
    test_begin = len(series) - test
    validation_begin = test_begin - validation
    if validation_begin <= 0:
        raise InputError(
            f"The series has {len(series)} steps; validation and test take {validation + test} of them."
        )

    def part(begin: int, end: int) -> Part:
        known = series[:end]
        return Part(known, fill_missing(known)[0], begin)

    return TimeSplit(
        train=part(0, validation_begin),
        validation=part(validation_begin, test_begin),
        test=part(test_begin, len(series)),
    )


def by_group(
    records: Iterable[Record],
    group: Callable[[Record], Hashable],
    validation: float = 0.15,
    test: float = 0.2,
) -> tuple[list[Record], list[Record], list[Record]]:
    """Split records so that no group (speaker, patient, document) is in two parts.

    Groups are drawn in an order that depends on their names alone, so that more data do not move a
    group to another part more than they must.

    Returns:
        Training, validation and test part; the last two hold at least their share of the records.

    Raises:
        InputError: Fewer than three groups.
    """
    groups: dict[Hashable, list[Record]] = defaultdict(list)
    for record in records:
        groups[group(record)].append(record)
    if not groups:
        raise InputError("There is nothing to split into training, validation and test part.")
    if len(groups) < 3:
        raise InputError(
            f"{len(groups)} different speakers, patients or documents cannot be split into training, "
            "validation and test part: it takes three."
        )
    order = sorted(groups, key=lambda g: hashlib.sha256(str(g).encode()).digest())
    total = sum(map(len, groups.values()))
    parts: list[list[Record]] = []
    for share in (test, validation):
        part: list[Record] = []
        while len(part) < share * total and len(order) > 2 - len(parts):
            part += groups[order.pop()]
        parts.append(part)
    return [r for g in order for r in groups[g]], parts[1], parts[0]
