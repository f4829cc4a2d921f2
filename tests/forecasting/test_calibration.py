import numpy as np
import pytest

from lstm_apps.forecasting.calibration import spread, spread_factors
from lstm_apps.models.forecaster import CalibratedSpread

LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)
NORMAL = np.array([-1.2816, -0.6745, 0.0, 0.6745, 1.2816])  # quantiles of the standard normal


def test_finds_how_much_too_wide_each_side_is():
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((2000, 24))
    actual = np.where(noise < 0, 0.6 * noise, 1.2 * noise)
    forecasts = np.tile(NORMAL, (2000, 24, 1))
    below, above = spread_factors(forecasts, actual, np.ones((2000, 24), bool), LEVELS)
    assert below == pytest.approx(0.6, abs=0.03)
    assert above == pytest.approx(1.2, abs=0.03)
    inside = (spread(forecasts, (below, above))[..., [0, -1]] - actual[..., None]).prod(axis=-1) < 0
    assert inside.mean() == pytest.approx(0.8, abs=0.01)


def test_what_was_not_measured_does_not_count():
    actual, measured = np.zeros((4, 3)), np.ones((4, 3), bool)
    forecasts = np.tile(NORMAL, (4, 3, 1))
    measured[:, 2] = False
    actual[:, 2] = 99.0
    assert spread_factors(forecasts, actual, measured, LEVELS) == (0.5, 0.5)


def test_the_layer_does_the_same_in_the_graph():
    layer = CalibratedSpread()
    forecasts = np.sort(np.random.default_rng(0).normal(size=(2, 3, 5)).astype("float32"))
    np.testing.assert_allclose(layer(forecasts), forecasts, atol=1e-6)
    layer.set_weights([np.array([0.6, 1.2])])
    np.testing.assert_allclose(layer(forecasts), spread(forecasts, (0.6, 1.2)), atol=1e-6)
    assert (np.diff(layer(forecasts)) >= 0).all()
