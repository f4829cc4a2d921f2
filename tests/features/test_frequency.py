import numpy as np
import pytest

from lstm_apps.errors import InputError
from lstm_apps.features.frequency import Frequency


@pytest.mark.parametrize("text", ["30s", "15min", "1h", "1d", "2w", "1M", "3M"])
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
    assert str(Frequency.infer(times)) == "1M"


def test_infers_over_gaps_and_refuses_what_is_off_the_grid():
    hours = np.array(["2020-01-01T00", "2020-01-01T01", "2020-01-01T02", "2020-01-01T05"], "M8[s]")
    assert str(Frequency.infer(hours)) == "1h"
    hours[3] += np.timedelta64(7, "m")
    with pytest.raises(InputError, match="irregular"):
        Frequency.infer(hours)


def test_shift_inverts_steps_between():
    for frequency in (Frequency.parse("1M"), Frequency.parse("15min")):
        start = np.datetime64("2020-01-01T00:00", "s")
        steps = np.arange(40)
        assert (frequency.steps_between(start, frequency.shift(start, steps)) == steps).all()


def test_a_month_without_the_day_has_its_last_one():
    start = np.datetime64("2021-12-31T06:00:00")
    found = Frequency(1, "M").shift(start, np.arange(4))
    assert found.astype(str).tolist() == [
        "2021-12-31T06:00:00", "2022-01-31T06:00:00", "2022-02-28T06:00:00", "2022-03-31T06:00:00",
    ]  # fmt: skip


def test_ends_of_months_are_told_to_be_resampled_by_month():
    ends = np.array(["2021-01-31", "2021-02-28", "2021-03-31", "2021-04-30"], "M8[s]")
    with pytest.raises(InputError, match="--step 1M"):
        Frequency.infer(ends)


def test_a_step_beyond_all_measure_is_none():
    with pytest.raises(InputError, match="no time step"):
        Frequency.parse("99999999999999999999h")
