import numpy as np
import pytest

from lstm_apps.forecasting.metrics import score_quantiles, seasonal_naive_error

LEVELS = (0.1, 0.5, 0.9)


def test_values_by_hand():
    forecasts = np.array([[[1.0, 2.0, 3.0], [0.0, 1.0, 4.0]]])
    actual, measured = np.array([[2.5, 5.0]]), np.ones((1, 2), bool)
    scores = score_quantiles(forecasts, actual, measured, LEVELS, naive_error=2.0)
    assert scores["MAE"].value == pytest.approx((0.5 + 4.0) / 2)
    assert scores["MASE"].value == pytest.approx(2.25 / 2.0)
    assert scores["coverage80"].value == 0.5
    pinball = 2 * np.array([0.1 * 1.5, 0.5 * 0.5, 0.1 * 0.5, 0.1 * 5.0, 0.5 * 4.0, 0.9 * 1.0]).sum() / 3
    assert scores["WQL"].value == pytest.approx(pinball / 7.5)


def test_what_was_not_measured_does_not_count():
    rng = np.random.default_rng(0)
    forecasts, actual = np.sort(rng.normal(size=(5, 4, 3))), rng.normal(size=(5, 4))
    measured = rng.random((5, 4)) > 0.3
    a = score_quantiles(forecasts, actual, measured, LEVELS, 1.0)
    b = score_quantiles(forecasts, np.where(measured, actual, 1e9), measured, LEVELS, 1.0)
    assert a == b


def test_interval_holds_the_value_and_shrinks_with_more_origins():
    rng = np.random.default_rng(0)

    def width(origins):
        forecasts, actual = np.zeros((origins, 4, 3)), rng.normal(size=(origins, 4))
        found = score_quantiles(forecasts, actual, np.ones((origins, 4), bool), LEVELS, 1.0)["MAE"]
        assert found.interval[0] < found.value < found.interval[1]
        return found.interval[1] - found.interval[0]

    assert width(1000) < width(50) / 2


def test_perfect_forecasts_have_no_error():
    actual = np.arange(8.0).reshape(2, 4) + 1
    scores = score_quantiles(np.repeat(actual[..., None], 3, -1), actual, np.ones((2, 4), bool), LEVELS, 1.0)
    assert scores["WQL"].value == scores["MASE"].value == 0.0
    assert scores["coverage80"].value == 1.0


def test_seasonal_naive_error():
    values = np.array([1.0, 2.0, 2.0, 5.0, 9.0, 9.0])
    assert seasonal_naive_error(values, np.ones(6, bool), season=2) == pytest.approx((1 + 3 + 7 + 4) / 4)
    assert seasonal_naive_error(values, values < 9, season=2) == pytest.approx((1 + 3) / 2)


def test_errors_that_go_on_for_weeks_widen_the_interval():
    rng = np.random.default_rng(0)
    apart = rng.normal(size=400)
    together = np.repeat(rng.normal(size=20), 20)

    def width(errors):
        actual = np.abs(errors)[:, None] * np.ones((1, 4))
        found = score_quantiles(np.zeros((400, 4, 3)), actual, np.ones((400, 4), bool), LEVELS, 1.0)["MAE"]
        return found.interval[1] - found.interval[0]

    assert width(together) > 2 * width(apart)


def test_a_series_that_repeats_itself_has_no_mase():
    """Up to rounding: that of float64 is no error of a forecast."""
    season = np.sin(np.arange(24) * np.pi / 12)
    rounded = np.sin(np.arange(720) * np.pi / 12)
    assert (rounded[24:] != rounded[:-24]).any()
    for values in (np.tile(season.round(3), 30), rounded):
        assert seasonal_naive_error(values, np.ones(720, bool), 24) == 0
    assert seasonal_naive_error(np.tile(season, 30) + 1e-4 * np.arange(720), np.ones(720, bool), 24) > 0
    assert np.isnan(seasonal_naive_error(season, season > 0.9, 12))


@pytest.mark.parametrize(
    ("change", "null", "reason"),
    [
        ({"naive_error": 0.0}, {"MASE"}, "has no error"),
        ({"naive_error": float("nan")}, {"MASE"}, "a season apart"),
        ({"actual": np.zeros((8, 4))}, {"WQL"}, "is 0"),
        ({"measured": np.zeros((8, 4), bool)}, {"MASE", "WQL", "MAE", "coverage80"}, "no measured value"),
        ({"actual": np.full((8, 4), np.inf)}, {"MASE", "WQL", "MAE"}, "too large"),
        ({"forecasts": np.full((8, 4, 3), np.nan)}, {"MASE", "WQL", "MAE"}, "not every forecast"),
    ],
)
def test_what_cannot_be_computed_is_null_with_its_reason(change, null, reason):
    known = {"actual": np.ones((8, 4)), "measured": np.ones((8, 4), bool), "naive_error": 1.0}
    known["forecasts"] = np.zeros((8, 4, 3))
    scores = score_quantiles(levels=LEVELS, **{**known, **change})
    assert {name for name, estimate in scores.items() if estimate.value is None} == null
    for name, estimate in scores.items():
        if name in null:
            assert reason in estimate.reason
            assert (estimate.interval, len(estimate.draws)) == (None, 0)
        else:
            assert np.isfinite([estimate.value, *estimate.interval]).all()
            assert estimate.reason == ""


def test_weeks_of_zeros_among_the_draws_do_not_count():
    actual = np.zeros((40, 4))
    actual[:3] = 1.0
    found = score_quantiles(np.full((40, 4, 3), 0.1), actual, np.ones((40, 4), bool), LEVELS, 1.0)["WQL"]
    assert np.isfinite([found.value, *found.interval]).all()
