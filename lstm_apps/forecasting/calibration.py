"""Calibration of the width of intervals, on the validation part."""

import numpy as np

from lstm_apps.forecasting.metrics import pinball

_FACTORS = np.linspace(0.5, 1.5, 101)


def spread_factors(
    forecasts: np.ndarray,  # (origins, horizon, quantiles)
    actual: np.ndarray,  # (origins, horizon)
    measured: np.ndarray,  # (origins, horizon) booleans
    levels: tuple[float, ...],
) -> tuple[float, float]:
    """The two factors of least pinball loss: of the distances of quantiles below, and above, the median.

    A model trained on noisier years has intervals too wide for quieter ones. One factor for each side cannot
    make quantiles cross.
    """
    q, y = forecasts[measured], actual[measured]  # (steps, quantiles), (steps,)
    middle = len(levels) // 2
    median = q[:, middle, None]

    def best(side: slice) -> float:
        def loss(factor: float) -> float:
            widened = median + factor * (q[:, side] - median)
            return float(pinball(y[:, None] - widened, np.asarray(levels[side])).mean())

        return float(min(_FACTORS, key=loss))

    return best(slice(0, middle)), best(slice(middle + 1, None))


def spread(forecasts: np.ndarray, factors: tuple[float, float]) -> np.ndarray:
    """Forecasts (..., quantiles) with the distances from the median scaled by `factors`."""
    middle = forecasts.shape[-1] // 2
    each = np.repeat([factors[0], 1.0, factors[1]], [middle, 1, middle])
    median = forecasts[..., middle, None]
    return median + each * (forecasts - median)
