"""Dates that a spreadsheet has damaged are never sorted into a series."""

import warnings

import numpy as np
import pytest

from lstm_apps.errors import InputError
from lstm_apps.features.series import read_series
from lstm_apps.features.tables.dialect import Dialect

DAYS = np.arange("2020-01-01", "2020-03-31", dtype="M8[D]").astype(object)
HOURS = np.arange("2020-02-10T00", "2020-02-16T00", dtype="M8[h]").astype(object)


def read(times, **said):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read_series({"t": times, "v": list(range(len(times)))}, "t", "v", dialect=Dialect(**said))


def as_text(times, clock="", damaged=True):
    """Month first where the day may be a month, day first elsewhere."""
    return [t.strftime(("%m/%d/%Y" if damaged and t.day <= 12 else "%d/%m/%Y") + clock) for t in times]


def as_cells(times):
    """As a workbook has them: dates with the day taken for a month, and text."""
    return [t.replace(day=t.month, month=t.day) if t.day <= 12 else t.strftime("%d/%m/%Y") for t in times]


@pytest.mark.parametrize(
    ("times", "line"),
    [
        (as_text(DAYS), 13),
        (as_text(DAYS[::-1]), 19),
        (as_text(HOURS, " %H:%M"), 73),
        (as_cells(DAYS), 13),
    ],
)
@pytest.mark.parametrize("said", [{}, {"dayfirst": True}])
def test_exchanged_days_and_months_are_refused_with_the_line(times, line, said):
    with pytest.raises(InputError, match=f"row {line}: 't' would be .* day and month exchanged"):
        read(times, **said)


def test_dates_as_they_are_may_be_out_of_order():
    times = as_text(DAYS, damaged=False)
    expected = np.arange(float(len(DAYS)))
    for order in (np.arange(90), np.arange(90)[::-1], np.roll(np.arange(90), 40),
                  np.random.default_rng(0).permutation(90)):  # fmt: skip
        np.testing.assert_array_equal(np.sort(read([times[i] for i in order]).values), expected)
    for form in ("%m/%d/%Y", "%Y-%m-%d"):
        np.testing.assert_array_equal(read([t.strftime(form) for t in DAYS]).values, expected)
