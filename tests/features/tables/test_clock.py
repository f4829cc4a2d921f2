"""Local clocks and the nights in which they change."""

import warnings

import numpy as np
import pytest

from lstm_apps.errors import InputError
from lstm_apps.features.series import read_series
from lstm_apps.features.tables.clock import to_utc
from lstm_apps.features.tables.dialect import Dialect

BERLIN = Dialect(timezone="Europe/Berlin")


def local(begin, steps, minutes=60):
    """Times in UTC, and as clocks in Berlin show them."""
    import pandas as pd

    utc = np.datetime64(begin, "s") + np.arange(steps) * np.timedelta64(60 * minutes, "s")
    return utc, pd.DatetimeIndex(utc).tz_localize("UTC").tz_convert("Europe/Berlin").tz_localize(
        None
    ).to_numpy("M8[s]")


@pytest.mark.parametrize("minutes", [10, 15, 30, 60])
@pytest.mark.parametrize("begin", ["2020-03-28", "2020-10-24", "2020-10-25T00:00", "2020-10-25T01:00"])
def test_local_times_are_turned_to_utc_through_the_change(begin, minutes):
    utc, shown = local(begin, 2500 // minutes, minutes)
    assert (to_utc(shown, "Europe/Berlin", "t", "here") == utc).all()


def test_a_table_may_end_within_the_hour_that_comes_twice():
    utc, shown = local("2020-10-24", 26, 60)
    for end in (25, 26):
        assert (to_utc(shown[:end], "Europe/Berlin", "t", "here") == utc[:end]).all()


def test_without_a_zone_the_sentence_names_the_change():
    _, shown = local("2020-10-24", 50)
    with pytest.raises(
        InputError, match=r"row 26: 2020-10-25T02:00:00 comes a second time.*--timezone Europe/Berlin"
    ):
        read_series({"t": shown, "v": np.arange(50)}, "t", "v")
    series = read_series({"t": shown.astype(str), "v": np.arange(50)}, "t", "v", dialect=BERLIN)
    assert (series.start, len(series)) == (np.datetime64("2020-10-24"), 50)
    newest_first = {"t": shown[::-1], "v": np.arange(50)[::-1]}
    np.testing.assert_array_equal(read_series(newest_first, "t", "v", dialect=BERLIN).values, series.values)


def test_an_hour_that_no_clock_shows():
    _, shown = local("2020-03-28", 50)
    with pytest.warns(UserWarning, match="an hour is missing before 2020-03-29T03:00:00.*--timezone"):
        assert (~read_series({"t": shown, "v": np.arange(50)}, "t", "v").measured).sum() == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_series({"t": shown, "v": np.arange(50)}, "t", "v", dialect=BERLIN).measured.all()
    with pytest.raises(
        InputError, match="row 3: 't' is 2020-03-29T02:00:00, which no clock in Europe/Berlin showed"
    ):
        read_series({"t": [f"2020-03-29T0{h}" for h in range(5)], "v": range(5)}, "t", "v", dialect=BERLIN)


def test_dates_and_what_is_utc_already_stay_as_they_are():
    days = np.arange("2020-03-01", "2020-04-10", dtype="M8[D]")
    series = read_series({"t": days, "v": np.arange(40)}, "t", "v", dialect=BERLIN)
    assert (str(series.frequency), series.start) == ("1d", days[0])
    utc, _ = local("2020-10-24", 50)
    for times in (np.datetime_as_string(utc, timezone="UTC"), utc.astype(int)):
        assert read_series({"t": times, "v": np.arange(50)}, "t", "v", dialect=BERLIN).start == utc[0]
