import numpy as np
from households import household

from lstm_apps.features.forecast import ForecastFeatures
from lstm_apps.features.frequency import Frequency
from lstm_apps.features.series import Series
from lstm_apps.forecasting.plots import fan


def test_an_outlier_does_not_flatten_the_others():
    times, values = household(30)
    features = ForecastFeatures.fit(
        Series(times[0], Frequency.parse("1h"), values), time="time", target="kW", unit="kW", step=None,
        horizon=24, history=336, quantiles=(0.1, 0.5, 0.9),
    )  # fmt: skip
    at = times[: 10 * 24].reshape(10, 24)
    actual = values[: 10 * 24].reshape(10, 24).copy()
    quantiles = np.repeat(actual[..., None], 3, axis=-1)
    actual[2, 5] = np.nan
    (before, *_) = fan(at, actual, quantiles, features).figure.axes
    actual[2, 4] = 1e6
    (after, *_) = fan(at, actual, quantiles, features).figure.axes
    assert before.get_ylim()[1] < 5
    assert after.get_ylim()[1] < 5
    actual[:] = np.nan
    fan(at, actual, quantiles, features)
