"""The application as the contract sees it, on the small household and on the real one."""

from itertools import islice

import numpy as np
import pytest
from households import household, write_csv
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_apps import registry, runtime
from lstm_apps.application import Request
from lstm_apps.data import sources
from lstm_apps.data.splits import TimeSplit
from lstm_apps.errors import InputError
from lstm_apps.features.series import read_series
from lstm_apps.features.tables.dialect import Dialect
from lstm_apps.forecasting import baselines

ENERGY = registry.application("energy")


@pytest.fixture(scope="module")
def real():
    data = ENERGY.load(Request())
    return data, ENERGY.fit_features(data)


def test_the_test_part_is_the_last_whole_year(real):
    data, features = real
    assert data.provenance["test_from"] == "2009-11-26T00:00:00"
    assert data.provenance["end"] == "2010-11-26T22:00:00"
    examples = ENERGY._test_examples(features, data)
    assert len(examples) == 365
    assert (features.history, features.horizon) == (14 * 24, 24)


def test_features_know_the_training_part_only(real):
    data, features = real
    train = read_series(sources.get(ENERGY.dataset), "time", "kilowatts").values[: len(data.train.series)]
    assert (features.mean, features.std) == (np.nanmean(train), np.nanstd(train))
    for part in (data.train, data.validation, data.test):  # in which nothing is an outlier
        np.testing.assert_array_equal(features.bounded(part.values), part.values)


def test_another_future_leaves_training_as_it_was(tmp_path):
    """Features, training batches and validation batches of two histories with different futures."""
    times, values = household(80)
    changed = values.copy()
    changed[-int(len(values) * 0.2) :] = 50.0
    found = []
    for name, series in (("a", values), ("b", changed)):
        data = ENERGY.load(Request(str(write_csv(tmp_path / f"{name}.csv", times, series))))
        features = ENERGY.fit_features(data)
        batches = []
        for part in (data.train, data.validation):
            examples = ENERGY.examples(features, part)
            batches.append(examples.batch(np.arange(len(examples)), None))
        found.append((features, batches))
    (features_a, batches_a), (features_b, batches_b) = found
    assert features_a == features_b
    for a, b in zip(batches_a, batches_b, strict=True):
        for arrays_a, arrays_b in zip(a, b, strict=True):
            for name in arrays_a:
                np.testing.assert_array_equal(arrays_a[name], arrays_b[name])


def test_no_training_target_lies_in_another_part(real):
    data, features = real
    examples = ENERGY.examples(features, data.train)
    assert examples.origins.max() + features.horizon <= data.validation.begin
    assert ENERGY.examples(features, data.validation).origins.min() == data.validation.begin
    assert ENERGY.examples(features, data.validation).origins.max() + features.horizon <= data.test.begin


@pytest.mark.parametrize("step", ["1d", "15min", "30min", "2h"])
def test_any_regular_step_gives_a_task(tmp_path, step):
    days = {"1d": 400, "15min": 60, "30min": 60, "2h": 90}[step]
    data = ENERGY.load(Request(str(write_csv(tmp_path / "a.csv", *household(days, step)))))
    features = ENERGY.fit_features(data)
    assert str(features.frequency) == step
    inputs, targets, weights = ENERGY.examples(features, data.train).batch(np.arange(2), None)
    assert inputs["history"].shape == (2, features.history)
    assert targets["members"].shape == weights["members"].shape == (2, features.horizon)


def test_months(tmp_path):
    times = np.arange("1990-01", "2010-01", dtype="M8[M]").astype("M8[s]")
    values = 10 + np.sin(np.arange(240) * 2 * np.pi / 12)
    data = ENERGY.load(Request(str(write_csv(tmp_path / "a.csv", times, values))))
    features = ENERGY.fit_features(data)
    assert (str(features.frequency), features.seasons, features.horizon) == ("1M", (12,), 3)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (lambda v: np.full_like(v, 2.0), "constant"),
        (lambda v: np.where(np.arange(len(v)) % 3 == 0, np.nan, v), "not measured"),
        (lambda v: v[:500], "it needs at least"),
        (lambda v: np.append(v[:1530], np.full(390, np.nan)), "the test part, nothing is measured"),
        (
            lambda v: np.r_[v[:1240], np.full(300, np.nan), v[1540:]],
            "From 2020-02-27T00:00:00 to 2020-03-10T00:00:00, the validation part, nothing is measured",
        ),
    ],
)
def test_series_that_teach_nothing_are_refused(tmp_path, values, message):
    times, all_values = household(80)
    chosen = values(all_values)
    path = write_csv(tmp_path / "a.csv", times[: len(chosen)], chosen)
    with pytest.raises(InputError, match=message):
        ENERGY.fit_features(ENERGY.load(Request(str(path))))


def test_unknown_role():
    with pytest.raises(InputError, match="role"):
        ENERGY.load(Request(columns={"text": "a"}))


def test_outliers_ruin_no_window_no_target_and_no_unit(tmp_path):
    """One in each part: the model is fed and taught bounds, the metric keeps what was measured."""
    times, values = household(80)
    clean = ENERGY.load(Request(str(write_csv(tmp_path / "a.csv", times, values))))
    values[[500, 1400, 1700]] = 1e6
    data = ENERGY.load(Request(str(write_csv(tmp_path / "b.csv", times, values))))
    features, without = ENERGY.fit_features(data), ENERGY.fit_features(clean)
    assert features.mean == pytest.approx(without.mean, rel=1e-3)
    assert features.std == pytest.approx(without.std, rel=1e-2)
    for part in (data.train, data.validation, data.test):
        examples = ENERGY.examples(features, part)
        inputs, targets, _ = examples.batch(np.arange(len(examples)), None)
        assert inputs["history"].max() == np.float32(features.bounds[1]) < 20
        assert targets["members"].max() < 20
    zeros = np.zeros((len(ENERGY._test_examples(features, data)), 24, 5))
    scores, those_without = (ENERGY._score(f, d, zeros) for f, d in ((features, data), (without, clean)))
    assert scores["MAE"].value > 1e6 / (len(zeros) * 24)
    unit, unit_without = (s["MAE"].value / s["MASE"].value for s in (scores, those_without))
    assert unit == pytest.approx(unit_without, rel=0.01)


@pytest.mark.slow
def test_outliers_ruin_no_baseline(tmp_path):
    """One in the training part, one in validation, one just before the test part."""
    times, values = household(48)
    changed = values.copy()
    changed[[500, 800, 910]] = 1e6
    found = []
    for name, series in (("a", values), ("b", changed)):
        data = ENERGY.load(Request(str(write_csv(tmp_path / f"{name}.csv", times, series))))
        found.append(dict(ENERGY.score_baselines(ENERGY.fit_features(data), data)))
    for name, scores in found[0].items():
        assert found[1][name]["MAE"].value < 1.5 * scores["MAE"].value, name
        assert found[1][name]["WQL"].value < 1.5 * scores["WQL"].value, name


@pytest.mark.slow
def test_baselines_read_no_future_and_cross_no_quantiles(tmp_path):
    """Forecasts up to an origin stay when everything from it on changes."""
    times, values = household(80)
    changed = values.copy()
    data = ENERGY.load(Request(str(write_csv(tmp_path / "a.csv", times, values))))
    begin = data.test.begin + 2 * 24
    changed[begin:] = 9.0
    other = ENERGY.load(Request(str(write_csv(tmp_path / "b.csv", times, changed))))
    features = ENERGY.fit_features(data)
    origins = ENERGY._test_examples(features, data).origins
    found = [
        dict(baselines.forecasts(features, TimeSplit(d.train, d.validation, d.test), origins))
        for d in (data, other)
    ]
    assert tuple(found[0]) == ENERGY.baselines
    for name, quantiles in found[0].items():
        assert quantiles.shape == (len(origins), 24, 5)
        assert (np.diff(quantiles) >= 0).all(), name
        np.testing.assert_allclose(quantiles[:3], found[1][name][:3], err_msg=name)
        assert not np.allclose(quantiles[4:], found[1][name][4:])


def test_seasonal_naive_is_yesterday(real):
    data, features = real
    split = TimeSplit(data.train, data.validation, data.test)
    origins = ENERGY._test_examples(features, data).origins[:10]
    name, quantiles = next(baselines.forecasts(features, split, origins))
    assert name == "seasonal naive (24 steps)"
    yesterday = data.test.values[origins[:, None] + np.arange(24) - 24]
    median_error = np.median(
        (quantiles[:, :, 2] - yesterday), axis=0
    )  # the errors' median, hour by hour: the same each day
    np.testing.assert_allclose(quantiles[:, :, 2] - yesterday, np.tile(median_error, (10, 1)), atol=1e-9)


@pytest.mark.parametrize(
    ("step", "steps", "cycles"), [("7D", 260, 3), ("M", 70, 3), ("h", 35 * 24, 3), ("h", 60 * 24, 4)]
)
def test_a_short_series_has_the_baselines_that_fit(tmp_path, step, steps, cycles):
    begin = np.datetime64("2015-01-05T00") if step != "M" else np.datetime64("2015-01")
    unit = {"7D": np.timedelta64(7, "D"), "M": np.timedelta64(1, "M"), "h": np.timedelta64(1, "h")}[step]
    times = (begin + np.arange(steps) * unit).astype("M8[s]")
    values = 10 + np.random.default_rng(0).normal(0, 1, steps)
    data = ENERGY.load(Request(str(write_csv(tmp_path / "a.csv", times, values))))
    features = ENERGY.fit_features(data)
    split = TimeSplit(data.train, data.validation, data.test)
    origins = ENERGY._test_examples(features, data).origins
    found = list(islice(baselines.forecasts(features, split, origins), len(features.seasons) + 1))
    assert found[-1][0] == f"mean of {cycles} seasons ({features.seasons[-1]} steps)"
    for _, quantiles in found:
        assert quantiles.shape == (len(origins), features.horizon, len(features.quantiles))
        assert np.isfinite(quantiles).all()


@pytest.mark.parametrize(
    "said",
    [{}, {"timezone": "Europe/Berlin"}, {"series": "house=A"}, {"start": "2020-01-06"}, {"missing": ("0",)}],
)
def test_a_sample_is_read_whatever_was_said_of_the_table_trained_on(tmp_path, said):
    times, values = household(80)
    cells = range(len(times)) if "start" in said else np.datetime_as_string(times)
    rows = (f"{cell},{value},A" for cell, value in zip(cells, values, strict=True))
    (tmp_path / "a.csv").write_text("\n".join(["time,kilowatts,house", *rows]))
    step = "1h" if "start" in said else None
    request = Request(str(tmp_path / "a.csv"), step=step, dialect=Dialect(**said))
    data = ENERGY.load(request)
    features = ENERGY.fit_features(data)
    answer = features.predict(
        lambda _: {"quantiles": np.zeros((1, 24, 5), np.float32)}, ENERGY.sample_input(features, data)
    )
    assert answer["time"][-1] == data.test.series.times[-1]


@settings(max_examples=25)
@given(
    at=st.lists(st.integers(1, 336), min_size=1, max_size=5),
    outlier=st.sampled_from([1e6, -1e6, 1e30, -1e300, -999.0, 99999.0]),
    seed=st.integers(0, 99),
)
def test_outliers_in_a_history_do_not_throw_its_forecast_off(small_run, at, outlier, seed):
    """Whatever a few of the last two weeks' values are: finite, in order, and nearly as without them."""
    model = runtime.load(small_run.folder / "model.onnx")
    times, values = household(14, seed=seed)
    without = model.predict({"time": times, "kilowatts": values})
    values[np.negative(at)] = outlier
    with pytest.warns(UserWarning, match="far from all that the model was trained on"):
        answer = model.predict({"time": times, "kilowatts": values})
    quantiles, expected = (
        np.stack([a[q] for q in ("q10", "q25", "q50", "q75", "q90")]) for a in (answer, without)
    )
    assert np.isfinite(quantiles).all()
    assert (np.diff(quantiles, axis=0) >= 0).all()
    assert np.abs(quantiles - expected).max() < 5 * small_run.features.std
