import numpy as np
import pytest

from lstm_apps.errors import InputError
from lstm_apps.features.frequency import Frequency


@pytest.mark.parametrize("text", ["30s", "15min", "1h", "1d", "2w", "1M", "3M", "1ME", "3ME", "1B"])
def test_text_round_trip(text):
    assert str(Frequency.parse(text)) == text


@pytest.mark.parametrize("text", ["", "h1", "0h", "1y", "1.5h", "-1h"])
def test_no_step(text):
    with pytest.raises(InputError, match="is no time step"):
        Frequency.parse(text)


@pytest.mark.parametrize(
    ("step", "seasons"),
    [
        ("1min", (60, 1440)),
        ("15min", (96, 672)),
        ("1h", (24, 168)),
        ("6h", (4, 28)),
        ("1d", (7,)),
        ("1w", (52,)),
        ("1M", (12,)),
        ("3M", (4,)),
        ("3ME", (4,)),
        ("1B", (5,)),
    ],
)
def test_seasons(step, seasons):
    assert Frequency.parse(step).seasons() == seasons


def test_a_step_that_divides_no_day_is_refused():
    with pytest.raises(InputError, match="--step 1h"):
        Frequency.parse("5000s").seasons()


def test_infers_months_of_unequal_length():
    times = np.array(["2019-12-31", "2020-01-31"], "M8[s]")
    months = np.arange("2019-11", "2021-03", dtype="M8[M]").astype("M8[s]")
    assert str(Frequency.infer(months)) == "1M"
    assert str(Frequency.infer(times)) == "1ME"


def test_infers_over_gaps_and_refuses_what_is_off_the_grid():
    hours = np.array(["2020-01-01T00", "2020-01-01T01", "2020-01-01T02", "2020-01-01T05"], "M8[s]")
    assert str(Frequency.infer(hours)) == "1h"
    hours[3] += np.timedelta64(7, "m")
    with pytest.raises(InputError, match="irregular"):
        Frequency.infer(hours)


def test_shift_inverts_steps_between():
    for step, start in (
        ("1M", "2020-01-01"),
        ("15min", "2020-01-01"),
        ("1ME", "2020-02-29T06"),
        ("1B", "2020-01-03"),
    ):
        frequency = Frequency.parse(step)
        start = np.datetime64(start, "s")
        steps = np.arange(40)
        assert (frequency.steps_between(start, frequency.shift(start, steps)) == steps).all()


def test_a_month_without_the_day_has_its_last_one():
    start = np.datetime64("2021-12-31T06:00:00")
    found = Frequency(1, "M").shift(start, np.arange(4))
    assert found.astype(str).tolist() == [
        "2021-12-31T06:00:00", "2022-01-31T06:00:00", "2022-02-28T06:00:00", "2022-03-31T06:00:00",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("step", "ends"),
    [
        ("1ME", ["2020-01-31", "2020-02-29", "2020-03-31", "2020-04-30"]),
        ("3ME", ["1960-06-30", "1960-09-30", "1960-12-31", "1961-03-31"]),
        ("12ME", ["2019-12-31", "2020-12-31", "2021-12-31"]),
    ],
)
def test_ends_of_months_stay_ends_of_months(step, ends):
    times = np.array(ends, "M8[s]")
    frequency = Frequency.infer(times)
    assert str(frequency) == step
    for begin in range(len(times) - 1):  # a part that begins on the 30th goes on to the 31st
        after = frequency.shift(times[begin], np.arange(len(times) - begin))
        assert (after == times[begin:]).all()
        assert list(frequency.steps_between(times[begin], times[begin:])) == list(range(len(times) - begin))


def test_business_days_skip_weekends_and_know_holidays_as_missing():
    days = np.array(
        ["2020-12-21", "2020-12-22", "2020-12-23", "2020-12-24", "2020-12-28", "2020-12-29"], "M8[s]"
    )
    frequency = Frequency.infer(days)
    assert str(frequency) == "1B"
    assert list(frequency.steps_between(days[0], days)) == [0, 1, 2, 3, 5, 6]  # the 25th is missing
    assert frequency.shift(days[3], 2) == np.datetime64("2020-12-28")


@pytest.mark.parametrize("step", [1, 7])
def test_days_and_weeks_are_no_business_days(step):
    days = np.datetime64("2020-01-06", "s") + step * np.arange(20) * np.timedelta64(86400, "s")
    assert str(Frequency.infer(days)) == {1: "1d", 7: "1w"}[step]


def test_a_step_beyond_all_measure_is_none():
    with pytest.raises(InputError, match="no time step"):
        Frequency.parse("99999999999999999999h")
