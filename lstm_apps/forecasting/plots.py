"""Plots of quantile forecasts."""

import numpy as np
from matplotlib.figure import Figure

from lstm_apps.application import Plot
from lstm_apps.features.forecast import ForecastFeatures


def fan(times: np.ndarray, actual: np.ndarray, quantiles: np.ndarray, features: ForecastFeatures) -> Plot:
    """Fan charts of three parts of the test part, seven forecasts each.

    Args:
        times: (origins, horizon) datetime64.
        actual: (origins, horizon), NaN where not measured.
        quantiles: (origins, horizon, quantiles).
        features: Of the model, for levels and labels.
    """
    rows = min(3, len(times))
    starts = np.linspace(0, max(0, len(times) - 7), rows, dtype=int)
    figure = Figure(figsize=(10, 2.4 * rows), layout="constrained")
    for axis, start in zip(figure.subplots(rows, 1, squeeze=False)[:, 0], starts, strict=True):
        part = slice(start, start + 7)
        t, y, q = times[part].ravel(), actual[part].ravel(), quantiles[part]
        q = q.reshape(-1, q.shape[-1])
        for lower in range(len(features.quantiles) // 2):
            span = features.quantiles[-1 - lower] - features.quantiles[lower]
            axis.fill_between(t, q[:, lower], q[:, -1 - lower], alpha=0.22, color="C0", linewidth=0,
                              label=f"{span:.0%} interval")  # fmt: skip
        axis.plot(t, q[:, q.shape[-1] // 2], color="C0", linewidth=1.2, label="median")
        axis.plot(t, y, color="black", linewidth=0.9, label="measured")
        regular = y[features.bounded(np.where(np.isnan(y), features.mean, y)) == y]
        if len(regular) < (~np.isnan(y)).sum():  # an outlier would flatten all else
            axis.set_ylim(regular.min(initial=q.min()), regular.max(initial=q.max()))
        for origin in times[part, 0]:
            axis.axvline(origin, color="grey", linewidth=0.4, linestyle=":")
        axis.set_ylabel(features.unit or features.target)
        axis.margins(x=0.01)
    figure.axes[0].legend(ncols=4, fontsize="small", loc="upper right")
    return Plot(
        "forecast",
        "Forecasts and measured values",
        f"Each dotted line is a forecast of {features.horizon} steps from the {features.history} before it.",
        figure,
    )


def calibration(actual: np.ndarray, quantiles: np.ndarray, levels: tuple[float, ...]) -> Plot:
    """Share of measured values (origins, horizon) below each quantile (origins, horizon, quantiles), over its
    level."""
    ok = ~np.isnan(actual)
    below = [(actual[ok] <= quantiles[..., i][ok]).mean() for i in range(len(levels))]
    figure = Figure(figsize=(4, 4), layout="constrained")
    axis = figure.subplots()
    axis.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
    axis.plot(levels, below, marker="o")
    axis.set(xlabel="quantile", ylabel="share of measured values below it", aspect="equal")
    return Plot("calibration", "Calibration", "On the line, quantiles are calibrated.", figure)
