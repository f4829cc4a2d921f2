"""Numbers that may be none are told with their rows."""

import warnings

import numpy as np
import pytest

from lstm_apps.features.series import read_series
from lstm_apps.features.tables.dialect import Dialect

HOURS = np.arange("2020-01-01T00", "2020-02-01T00", dtype="M8[h]")
USUAL = 1000 + 300 * np.sin(np.arange(744) / 4) + np.random.default_rng(0).normal(0, 20, 744)


def told(values, **said):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        series = read_series({"t": HOURS, "v": values}, "t", "v", dialect=Dialect(**said))
    return " ".join(str(w.message) for w in caught), series


def with_values(*pairs):
    values = USUAL.copy()
    for rows, value in pairs:
        values[rows] = value
    return values


@pytest.mark.parametrize("marker", [-999.0, -9999.0, 9999.0, 99999.0, -32768.0])
@pytest.mark.parametrize("rows", [[30], range(30, 740, 13)])
def test_markers_are_told(marker, rows):
    values = with_values((list(rows), marker))
    said, _ = told(values)
    assert "row 31: 'v' is" in said
    assert f"--missing {marker:.15g}." in said
    said, series = told(values, missing=(f"{marker:.0f}",))
    assert said == ""
    assert list(np.flatnonzero(~series.measured)) == list(rows)


def test_an_extreme_that_comes_again_and_again_is_told():
    assert "row 6: 'v' is 12345, in 3 row(s)" in told(with_values(([5, 50, 500], 12345)))[0]


def test_a_value_far_from_all_others_is_told_with_its_row():
    said, _ = told(with_values(([500], 1e6), ([600], -5e5)))
    assert "2 value(s) of 'v'" in said
    assert "row 501: 1000000; the table, row 601: -500000" in said
    both, _ = told(with_values(([500], 1e6), ([10, 20], -999)))
    assert "--missing -999" in both
    assert "row 501: 1000000" in both


@pytest.mark.parametrize(
    "values",
    [
        USUAL,
        np.random.default_rng(0).lognormal(size=744),
        np.where(np.arange(744) % 7, 0.0, 5.0),  # rain
        np.round(USUAL / 100),
        np.minimum(USUAL, 1100.0),  # a sensor that goes no further
        np.linspace(0, 99, 744).round(),
        np.exp(np.arange(744) / 200),
    ],
)
def test_of_usual_series_nothing_is_told(values):
    assert told(values)[0] == ""
