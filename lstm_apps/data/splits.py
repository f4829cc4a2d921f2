"""Splits that do not leak: a part holds nothing that lies after its end."""

from dataclasses import dataclass

import numpy as np

from lstm_apps.errors import InputError
from lstm_apps.features.series import Series, fill_missing


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
