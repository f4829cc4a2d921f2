"""Metrics of quantile forecasts, on the measured steps only."""

import numpy as np

from lstm_apps.application import Estimate, Metric, Scores

MASE = Metric(
    "MASE",
    "lower",
    "mean absolute error of the median over that of the seasonal naive forecast one step ahead in "
    "the training part (Hyndman & Koehler 2006)",
)
WQL = Metric(
    "WQL",
    "lower",
    "weighted quantile loss: twice the pinball loss, averaged over quantiles, over the sum of |y|",
)
MAE = Metric("MAE", "lower", "mean absolute error of the median, in the unit of the series")
# Origins drawn together: errors of one day are like those of the days around it, and of the weeks.
_BLOCK = 28
COVERAGE = Metric("coverage80", 0.8, "share of measured values inside the 80 % interval")


def seasonal_naive_error(values: np.ndarray, measured: np.ndarray, season: int) -> float:
    """Mean |y_t - y_(t-season)| over measured pairs: MASE's unit. `values` (steps,)."""
    both = measured[season:] & measured[:-season]
    return float(np.abs(values[season:] - values[:-season])[both].mean())


def pinball(error: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Pinball loss (Koenker & Bassett 1978) of `error` = actual - forecast; levels on the last axis."""
    return np.maximum(levels * error, (levels - 1) * error)


def score_quantiles(
    forecasts: np.ndarray,  # (origins, horizon, quantiles)
    actual: np.ndarray,  # (origins, horizon)
    measured: np.ndarray,  # (origins, horizon) of booleans; the others do not count
    levels: tuple[float, ...],  # (quantiles,), with 0.1, 0.5 and 0.9 among them
    naive_error: float,
    seed: int = 0,
) -> Scores:
    """MASE, WQL, MAE and coverage, with 95 % intervals from a circular bootstrap (Politis & Romano 1992) of
    blocks of origins that follow each other, a quarter of all at most."""
    q = np.asarray(levels)
    error = np.where(measured[..., None], actual[..., None] - forecasts, 0.0)
    absolute = np.abs(error[..., levels.index(0.5)]).sum(axis=1)  # all (origins,) from here
    weighted = 2 * pinball(error, q).mean(axis=-1).sum(axis=1)
    low, high = forecasts[..., levels.index(0.1)], forecasts[..., levels.index(0.9)]
    inside = ((low <= actual) & (actual <= high) & measured).sum(axis=1)
    size = np.where(measured, np.abs(actual), 0.0).sum(axis=1)
    count = measured.sum(axis=1)

    def all_metrics(chosen: np.ndarray) -> np.ndarray:
        n = count[chosen].sum(axis=-1)
        mae = absolute[chosen].sum(axis=-1) / n
        wql = weighted[chosen].sum(axis=-1) / size[chosen].sum(axis=-1)
        coverage = inside[chosen].sum(axis=-1) / n
        return np.stack([mae / naive_error, wql, mae, coverage])

    values = all_metrics(np.arange(len(actual)))
    block = max(1, min(_BLOCK, len(actual) // 4))
    begins = np.random.default_rng(seed).integers(len(actual), size=(1000, -(-len(actual) // block), 1))
    chosen = (begins + np.arange(block)) % len(actual)
    resamples = chosen.reshape(1000, -1)[:, : len(actual)]
    draws = all_metrics(resamples)
    return {
        metric.name: Estimate.over(float(value), drawn)
        for metric, value, drawn in zip((MASE, WQL, MAE, COVERAGE), values, draws, strict=True)
    }
