"""Windows and answers of a forecaster's features."""

import dataclasses
import json
import warnings

import numpy as np
import pytest
from households import household
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_apps.errors import InputError
from lstm_apps.features import from_json, to_json
from lstm_apps.features.forecast import ForecastFeatures
from lstm_apps.features.frequency import Frequency
from lstm_apps.features.series import Series, read_series
from lstm_apps.features.tables.dialect import Dialect


def features(times=None, values=None):
    times, values = household(30) if times is None else (times, values)
    series = Series(times[0], Frequency.infer(times.astype("M8[s]")), values)
    fitted = ForecastFeatures.fit(
        series,
        time="time",
        target="kW",
        unit="kW",
        step=None,
        horizon=24,
        history=336,
        quantiles=(0.1, 0.5, 0.9),
    )
    return series, fitted


def test_scaler_is_that_of_the_training_part():
    series, fitted = features()
    assert fitted.mean == pytest.approx(series.values.mean())
    assert fitted.std == pytest.approx(series.values.std())


@settings(max_examples=20, deadline=None)
@given(st.integers(336, 30 * 24 - 24), st.integers(0, 99))
def test_the_future_changes_no_window(origin, seed):
    series, fitted = features()
    changed = series.values.copy()
    changed[origin:] = np.random.default_rng(seed).normal(size=len(changed) - origin)
    before = fitted.windows(series, series.values, np.array([origin]))
    after = fitted.windows(series, changed, np.array([origin]))
    for name in before:
        np.testing.assert_array_equal(before[name], after[name])
    np.testing.assert_array_equal(before["history"][0, -1], np.float32(series.values[origin - 1]))


def test_json_round_trip():
    _, fitted = features()
    assert from_json(json.loads(json.dumps(to_json(fitted)))) == fitted


def test_the_dialect_of_the_training_travels_to_predict(tmp_path):
    """Times and numbers that are in doubt are read as those of the table trained on; options change it."""
    times, values = household(30)
    cells = [f"{1000 * v:,.0f}".replace(",", ".") for v in values]
    days = [t.strftime("%d.%m.%Y %H:%M") for t in times.astype(object)]
    path = tmp_path / "house.csv"

    def write(begin, end):
        rows = (";".join(row) for row in zip(days[begin:end], cells[begin:end], strict=True))
        path.write_text("\n".join(["Meter 4711", "time;kW", *rows]))

    write(0, len(days))
    said = Dialect(skip=1, decimal=",", timezone="Europe/Berlin", missing=("0",))
    series = read_series(path, "time", "kW", dialect=said)
    fitted = dataclasses.replace(features()[1], dialect=series.dialect)
    again = from_json(json.loads(json.dumps(to_json(fitted))))
    assert again == fitted
    assert again.dialect == dataclasses.replace(said, dayfirst=True)
    write(0, 336)  # from the 6th to the 19th of January
    path.write_text(path.read_text().replace(";0\n", ";\n"))
    seen = {}

    def run(inputs):
        seen.update(inputs)
        return {"quantiles": np.zeros((1, 24, 3), np.float32)}

    answer = again.predict(run, path)
    assert answer["time"][0] == times[335]  # in UTC: the last hour in Berlin's winter
    np.testing.assert_allclose(seen["history"][0], np.round(1000 * values[:336]), rtol=1e-6)
    assert again.predict(run, path, timezone="UTC")["time"][0] == times[336]
    with pytest.raises(InputError, match=r"looks like the header.*--skip 1"):
        again.predict(run, path, skip=0)


def test_features_of_before_have_no_dialect():
    _, fitted = features()
    data = to_json(fitted)
    del data["dialect"]
    assert from_json(data) == fitted


def test_predict_hands_the_last_two_weeks_to_the_model():
    times, values = household(30)
    _, fitted = features()

    def run(inputs):
        np.testing.assert_allclose(inputs["history"], values[None, -336:], rtol=1e-6)
        assert inputs["calendar"].shape == (1, 72 + 24, 7)
        return {"quantiles": np.arange(72.0, dtype="float32").reshape(1, 24, 3)}

    answer = fitted.predict(run, {"time": times, "kW": values})
    assert list(answer) == ["time", "q10", "q50", "q90"]
    assert answer["time"][0] == times[-1] + np.timedelta64(1, "h")
    assert answer["q50"][1] == 4.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, v: (t[:100], v[:100]), "covers 100 steps of 1h; the model needs the last 336"),
        (lambda t, v: (t[::2], v[::2]), "step of 2h, the model was trained for 1h"),
        (lambda t, v: (t, [*v[:-1], "broken"]), "expected a number"),
    ],
)
def test_predict_refuses(change, message):
    times, values = change(*household(30))
    with pytest.raises(InputError, match=message):
        features()[1].predict(None, {"time": times, "kW": values})


def test_predict_tells_what_it_filled():
    times, values = household(30)
    values[-5:-2] = np.nan

    def run(inputs):
        assert np.isfinite(inputs["history"]).all()
        return {"quantiles": np.zeros((1, 24, 3))}

    with pytest.warns(UserWarning, match="3 of the last 336 values"):
        features()[1].predict(run, {"time": times, "kW": values})


def test_a_constant_series_is_refused():
    times, values = household(30)
    with pytest.raises(InputError, match="constant"):
        features(times, np.full_like(values, 2.0))


@pytest.mark.parametrize(
    ("offset", "scale", "message"),
    [
        (1e8, 1.0, "spreads by"),
        (0.0, 1e300, "choose a unit"),
        (7.0, 0.0, "constant"),
        (0.0, 1e-30, "numbers are larger"),
    ],
)
def test_what_float32_does_not_tell_apart_is_refused(offset, scale, message):
    times, values = household(30)
    with pytest.raises(InputError, match=message):
        features(times, offset + scale * (values - values.mean()))
    assert features(times, 1e-5 * values)[1].std > 0


def test_an_outlier_is_told_and_read_as_a_bound():
    times, values = household(30)
    _, fitted = features()
    values[-10] = 1e30

    def run(inputs):
        assert inputs["history"].max() == inputs["history"][0, -10] == np.float32(fitted.bounds[1])
        return {"quantiles": np.zeros((1, 24, 3))}

    with pytest.warns(
        UserWarning, match=r"1 of the last 336 .* first 1e\+30 at 2020-02-04T14:00:00: it reads"
    ):
        fitted.predict(run, {"time": times, "kW": values})


def test_a_forecast_that_is_no_number_is_refused():
    times, values = household(30)
    with pytest.raises(InputError, match="no finite forecast"):
        features()[1].predict(
            lambda _: {"quantiles": np.full((1, 24, 3), np.inf)}, {"time": times, "kW": values}
        )


def test_features_of_files_made_before_have_no_bounds():
    _, fitted = features()
    data = to_json(fitted)
    del data["bounds"]
    values = np.array([1.0, 1e9])
    np.testing.assert_array_equal(from_json(data).bounded(values), values)


def told_of(values, fitted):
    times, _ = household(30)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        fitted.predict(lambda _: {"quantiles": np.zeros((1, 24, 3))}, {"time": times, "kW": values})
    return [str(w.message) for w in told if "another unit" in str(w.message)]


@pytest.mark.parametrize("offset", [0, 3, 50])
@pytest.mark.parametrize("bounds", [True, False])
def test_a_window_in_another_unit_is_told_and_ordinary_drift_is_not(offset, bounds):
    """The series has a mean of 0, 3 and 50 standard deviations."""
    _, values = household(30)
    values = 200 * ((values - values.mean()) / values.std() + offset)
    _, fitted = features(household(30)[0], values)
    fitted = fitted if bounds else dataclasses.replace(fitted, bounds=None)
    factors = (1000, 1 / 1000, *((-1,) if offset > 2 else ()))
    for factor in factors:
        [message] = told_of(factor * values, fitted)
        level, trained = np.median(factor * values[-336:]), fitted.mean
        assert f"median {level:.4g} and" in message
        assert f"trained on the mean {trained:.4g} kW" in message
    for drifted in (values, values + 400, 1.5 * values if offset < 50 else values - 400,
                    np.where(np.arange(len(values)) % 50, fitted.mean, values)):  # fmt: skip
        assert told_of(drifted, fitted) == []
    values[-7] = 1e12  # an outlier is told as one
    assert not bounds or told_of(values, fitted) == []


def test_a_quiet_time_of_rain_is_no_other_unit():
    values = np.where(np.arange(720) % 24 < 2, 5.0 + np.arange(720) % 7, 0)
    _, fitted = features(household(30)[0], values)
    values[:] = 0
    values[-5] = 0.4
    assert told_of(values, fitted) == []
