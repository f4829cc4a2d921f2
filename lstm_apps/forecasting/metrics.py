"""Metrics of quantile forecasts, on the measured steps only."""

import numpy as np

from lstm_apps.metrics.bootstrap import Estimate, Metric, Scores

MASE = Metric(
    "MASE",
    "lower",
    "mean absolute error of the median over that of the seasonal naive forecast one step ahead in "
    "the training part (Hyndman & Koehler 2006), outliers left out",
)
WQL = Metric(
    "WQL",
    "lower",
    "weighted quantile loss: twice the pinball loss, averaged over quantiles, over the sum of |y|",
)
MAE = Metric("MAE", "lower", "mean absolute error of the median, in the unit of the series")
# Origins in a block of the bootstrap: errors of neighbouring days are correlated.
_BLOCK = 28
COVERAGE = Metric("coverage80", 0.8, "share of measured values inside the 80 % interval")
# Relative to the standard deviation: a smaller error is rounding.
_LEAST_NAIVE_ERROR = 1e-6


def seasonal_naive_error(values: np.ndarray, measured: np.ndarray, season: int) -> float:
    """Mean |y_t - y_(t-season)| over measured pairs: the unit of MASE. `values` and `measured` are
    (steps,). 0 where the series repeats itself to the accuracy of float32, NaN where no pair is measured."""
    both = measured[season:] & measured[:-season]
    if not both.any():
        return float("nan")
    error = float(np.abs(values[season:] - values[:-season])[both].mean())
    return error if error > _LEAST_NAIVE_ERROR * float(values[measured].std()) else 0.0


def pinball(error: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Pinball loss (Koenker & Bassett 1978) of `error` = actual - forecast; levels on the last axis."""
    return np.maximum(levels * error, (levels - 1) * error)


@np.errstate(all="ignore")  # undefined metrics have a reason
def score_quantiles(
    forecasts: np.ndarray,  # (origins, horizon, quantiles)
    actual: np.ndarray,  # (origins, horizon)
    measured: np.ndarray,  # (origins, horizon) booleans; the others do not count
    levels: tuple[float, ...],  # (quantiles,), with 0.1, 0.5 and 0.9 among them
    naive_error: float,  # where it is not above 0, there is no MASE
    seed: int = 0,
) -> Scores:
    """MASE, WQL, MAE and coverage, with 95 % intervals from a circular bootstrap (Politis & Romano 1992) of
    blocks of consecutive origins, at most a quarter of all. A metric that is undefined has a reason."""
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
        return np.stack([mae / (naive_error if naive_error > 0 else np.nan), wql, mae, coverage])

    block = max(1, min(_BLOCK, len(actual) // 4))
    begins = np.random.default_rng(seed).integers(len(actual), size=(1000, -(-len(actual) // block), 1))
    chosen = (begins + np.arange(block)) % len(actual)
    resamples = chosen.reshape(1000, -1)[:, : len(actual)]
    values, draws = all_metrics(np.arange(len(actual))), all_metrics(resamples)
    reasons = dict.fromkeys((MASE, WQL, MAE, COVERAGE), "")
    if not np.isfinite(forecasts).all():
        reasons = dict.fromkeys(reasons, "not every forecast is a finite number")
    elif not np.isfinite(size.sum()):
        reasons = dict.fromkeys(reasons, "the values of the test part are too large for float32")
    if naive_error == 0:
        reasons[MASE] = (
            "the seasonal naive forecast, its unit, has no error: the training part repeats itself exactly"
        )
    if np.isnan(naive_error):
        reasons[MASE] = "no two values of the training part that are a season apart are measured"
    if not size.any():
        reasons[WQL] = "every measured value of the test part is 0"
    if not count.any():
        reasons = dict.fromkeys(reasons, "the test part has no measured value")
    return {
        metric.name: Estimate.over(float(value), drawn, reason)
        for (metric, reason), value, drawn in zip(reasons.items(), values, draws, strict=True)
    }
