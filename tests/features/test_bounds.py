"""What a few values far outside all others may do to a scaler, and what they may not."""

import numpy as np
import pytest
from households import household
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_apps.errors import InputError
from lstm_apps.features.bounds import clip_outliers, robust_bounds
from lstm_apps.features.forecast import ForecastFeatures
from lstm_apps.features.frequency import Frequency
from lstm_apps.features.series import Series

_RNG = np.random.default_rng(0)
# Real-looking series in which nothing is an outlier.
REAL = {
    "household": household(40)[1],
    "revenue, lognormal": _RNG.lognormal(3, 1, 1000),
    "counts, mostly 0": _RNG.poisson(0.05, 1000).astype(float),
    "0.4 % are not 0": np.where(np.arange(1000) % 250 == 0, 1.0, 0.0),
    "constant with bursts": np.where(np.arange(1000) % 50 < 3, 100.0, 5.0),
    "an hour's burst a week": np.where(np.arange(4032) % 168 == 9, 100.0, 5 + _RNG.normal(size=4032)),
    "on and off": np.where(_RNG.random(1000) < 0.2, 0.0, 50 + 3 * _RNG.normal(size=1000)),
    "a trend": np.arange(1000.0),
    "prices, with peaks": 50 + 10 * _RNG.normal(size=1000) + (_RNG.random(1000) < 0.02) * 300,
    "a month's values": 100 + 30 * np.sin(np.arange(94) * 2 * np.pi / 12) + np.arange(94),
    "percent, often 99": _RNG.choice([96.0, 97.0, 98.0, 99.0], 1000),
}


def fitted(values, history=336):
    series = Series(np.datetime64("2020-01-06T00:00:00"), Frequency.parse("1h"), values)
    return ForecastFeatures.fit(
        series, time="time", target="kW", unit="", step=None, horizon=24, history=history,
        quantiles=(0.1, 0.5, 0.9),
    )  # fmt: skip


@pytest.mark.parametrize("name", REAL)
def test_real_series_keep_mean_std_and_every_value(name):
    values = REAL[name]
    found = fitted(values)
    assert (found.mean, found.std) == (np.nanmean(values), np.nanstd(values))
    np.testing.assert_array_equal(found.bounded(values), values)


@settings(max_examples=60)
@given(
    st.sampled_from(sorted(REAL.keys() - {"0.4 % are not 0"})),
    st.floats(0, 1),
    st.sampled_from([1e6, -1e6, 1e14, 1e300]),
)
def test_no_single_value_moves_the_scaler(name, place, outlier):
    """By more than a fiftieth of the standard deviation, or a fifth of it in 94 values."""
    values = REAL[name].copy()
    before = fitted(values)
    values[int(place * (len(values) - 1))] = outlier
    after = fitted(values)
    few = 0.02 if len(values) > 900 else 0.2
    assert abs(after.mean - before.mean) <= few * before.std
    assert after.std == pytest.approx(before.std, rel=2 * few)
    assert np.abs(after.bounded(values) - before.mean).max() < 40 * before.std


@pytest.mark.parametrize("marker", [-999.0, -9999.0, 99999.0, -99.9, 65535.0, -32768.0])
@pytest.mark.parametrize("share", [0.01, 0.04, 0.2])
def test_markers_of_loggers_may_be_many(marker, share):
    values = REAL["household"].copy()
    clean = fitted(values)
    rows = np.random.default_rng(1).random(len(values)) < share
    values[rows] = marker
    found = fitted(values)
    assert found.mean == pytest.approx(clean.mean, abs=0.1 * clean.std)
    assert found.std == pytest.approx(clean.std, rel=0.1)
    assert np.abs(found.bounded(values)).max() < 10 < abs(marker)


@settings(max_examples=30)
@given(st.integers(340, 900), st.integers(0, 9999))
def test_what_comes_later_changes_no_value(step, seed):
    values = household(40)[1]
    rng = np.random.default_rng(seed)
    bounds = robust_bounds(values)
    values[rng.integers(len(values), size=20)] = 50.0
    changed = values.copy()
    changed[step:] = rng.normal(5, 50, len(values) - step)
    found, other = (clip_outliers(v, bounds, 336)[:step] for v in (values, changed))
    np.testing.assert_array_equal(found, other)
    assert found.max() <= bounds[1] < 50


def test_a_series_that_has_moved_is_left_as_it_is():
    values = np.concatenate([household(40)[1], 1000 + household(40)[1]])
    found = clip_outliers(values, robust_bounds(values[:960]), recent=336)
    np.testing.assert_array_equal(found[:960], values[:960])
    assert (found[960 : 960 + 84] < 20).all()  # a quarter of two weeks: it might be a defect
    np.testing.assert_array_equal(found[960 + 84 :], values[960 + 84 :])


@pytest.mark.parametrize("outliers", [1, 2])
def test_a_constant_series_with_an_outlier_is_constant(outliers):
    values = np.full(1000, 5.0)
    values[:outliers] = 1e6
    with pytest.raises(InputError, match=f"is constant, but for {outliers} of its 1000 values; there is"):
        fitted(values)


@settings(max_examples=60)
@given(st.lists(st.floats(-1e9, 1e9) | st.just(float("nan")), min_size=28, max_size=60))
def test_bounds_hold_most_of_any_values(values):
    values = np.array(values)
    if np.isnan(values).all():
        return
    low, high = robust_bounds(values)
    usual = values[~np.isnan(values)]
    assert low <= high
    assert ((usual < low) | (usual > high)).sum() <= max(2, len(usual) // 2)
