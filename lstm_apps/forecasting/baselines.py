"""Baselines of a quantile forecast, treated like the model: fitted on the training part, tuned on
validation, with quantiles of their own, scored at the same origins."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from lstm_apps.data.splits import Part, TimeSplit
from lstm_apps.features.calendar import calendar
from lstm_apps.features.forecast import ForecastFeatures
from lstm_apps.forecasting.calibration import spread, spread_factors

# Longest seasons before the origin on which a statistical model is fitted.
_FIT_SEASONS = 8
# Longest seasons that are averaged, where the training part has so many.
_CYCLES = 4
# Origins between two fits on the test part.
_REFIT = 28
_TREES = 200  # that are boosted


def names(seasons: tuple[int, ...] = (24, 168), cycles: int = _CYCLES) -> tuple[str, ...]:
    """The baselines' names for series with these seasons, in the order they are computed."""
    naive = [f"seasonal naive ({s} steps)" for s in seasons]
    return (
        *naive,
        f"mean of {cycles} seasons ({seasons[-1]} steps)",
        _statistical_name(seasons),
        "gradient-boosted trees",
    )


def forecasts(
    features: ForecastFeatures, split: TimeSplit, origins: np.ndarray
) -> Iterator[tuple[str, np.ndarray]]:
    """Each baseline's name and its quantiles (origins, horizon, quantiles) on the test part."""
    longest = features.seasons[-1]
    cycles = next(
        k for k in range(_CYCLES, 0, -1) if k == 1 or len(_past(features, split, origins, longest, k))
    )
    name = iter(names(features.seasons, cycles))
    for season in features.seasons:
        yield next(name), _seasonal(features, split, origins, season, cycles=1)
    yield next(name), _seasonal(features, split, origins, longest, cycles)
    yield next(name), _statistical(features, split.test, origins)
    yield next(name), _trees(features, split, origins)


def _seasonal(
    features: ForecastFeatures, split: TimeSplit, origins: np.ndarray, season: int, cycles: int
) -> np.ndarray:
    """The mean of the last `cycles` values at the same phase, with the quantiles that its errors
    had in the training part, at the same phase of the shortest season and step of the horizon."""
    horizon = features.horizon
    back = np.maximum(1, np.arange(horizon) // season + 1) * season

    def point(part: Part, at: np.ndarray) -> np.ndarray:
        steps = at[:, None] + np.arange(horizon)
        return np.mean([part.values[steps - back - k * season] for k in range(cycles)], axis=0)

    train = split.train
    past = _past(features, split, origins, season, cycles)
    steps = past[:, None] + np.arange(horizon)
    errors = np.where(train.series.measured[steps], train.values[steps] - point(train, past), np.nan)
    spread = np.nanquantile(errors, features.quantiles, axis=0).T  # (horizon, quantiles)
    return point(split.test, origins)[:, :, None] + spread


def _past(
    features: ForecastFeatures, split: TimeSplit, origins: np.ndarray, season: int, cycles: int
) -> np.ndarray:
    """Origins in the training part, at the phase of those to forecast from, with `cycles` seasons before."""
    every = features.seasons[0]
    reach = (cycles + features.horizon // season) * season
    phase = (origins[0] - reach) % every
    past = split.train.origins(reach + phase, features.horizon)
    return past[past % every == origins[0] % every]


def _statistical_name(seasons: tuple[int, ...]) -> str:
    return "AutoETS" if seasons[0] <= 24 else "MSTL"  # ETS knows no season over 24 steps


def _statistical(features: ForecastFeatures, test: Part, origins: np.ndarray) -> np.ndarray:
    """Exponential smoothing with its own intervals (statsforecast), on the weeks before each origin."""
    import pandas as pd
    from statsforecast import StatsForecast
    from statsforecast.models import MSTL, AutoETS

    seasons, horizon = features.seasons, features.horizon
    if _statistical_name(seasons) == "AutoETS":
        model: Any = AutoETS(season_length=seasons[0], model="AZA")  # additive: values may be 0 or below
    else:
        model = MSTL(season_length=list(seasons))
    every = int(origins[1] - origins[0]) if len(origins) > 1 else horizon
    end = int(origins[-1]) + horizon
    # Whole numbers for times: the library needs order only, and months would need their own kind.
    table = pd.DataFrame({"unique_id": "series", "ds": np.arange(end), "y": test.values[:end]})
    result = StatsForecast([model], freq=1).cross_validation(
        df=table,
        h=horizon,
        step_size=every,
        n_windows=len(origins),
        input_size=min(_FIT_SEASONS * seasons[-1], int(origins[0])),
        refit=_REFIT,
        level=sorted({round(abs(2 * q - 1) * 100) for q in features.quantiles if q != 0.5}),
    )

    def column(q: float) -> str:
        side = "lo" if q < 0.5 else "hi"
        return repr(model) if q == 0.5 else f"{model!r}-{side}-{round(abs(2 * q - 1) * 100)}"

    quantiles = result[[column(q) for q in features.quantiles]].to_numpy()
    return quantiles.reshape(len(origins), horizon, -1)


def _tree_table(features: ForecastFeatures, part: Part, origins: np.ndarray) -> np.ndarray:
    """Columns of the trees for each origin and step of the horizon: seasonal lags and means, the last season,
    the calendar, the step. (origins * horizon, columns)."""
    horizon, seasons = features.horizon, features.seasons
    steps = origins[:, None] + np.arange(horizon)
    columns = []
    for season in seasons:
        back = np.maximum(1, np.arange(horizon) // season + 1) * season
        cycles = min(7, (features.history - int(back[-1])) // season + 1)
        lags = [part.values[steps - back - k * season] for k in range(cycles)]
        columns += [*lags, np.mean(lags, axis=0)]
    recent = part.values[origins[:, None] - np.arange(1, 4)]  # the last three values
    last_season = part.values[origins[:, None] - np.arange(1, seasons[0] + 1)]
    whole = part.values[origins[:, None] - np.arange(1, features.history + 1)]
    per_origin = [*recent.T, last_season.mean(axis=1), whole.mean(axis=1), whole.std(axis=1)]
    columns += [np.repeat(c[:, None], horizon, axis=1) for c in per_origin]
    columns.append(np.broadcast_to(np.arange(horizon), steps.shape))
    times = features.frequency.shift(part.series.start, steps)
    table = np.concatenate([np.stack(columns, axis=-1), calendar(times)], axis=-1)
    return table.reshape(len(origins) * horizon, -1)


def _trees(features: ForecastFeatures, split: TimeSplit, origins: np.ndarray) -> np.ndarray:
    """Gradient-boosted trees on lags and calendar, one model for each quantile; size and width of
    the intervals are chosen on validation, as the LSTM's are: (origins, horizon, quantiles)."""
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.metrics import mean_pinball_loss
    from threadpoolctl import threadpool_limits

    horizon = features.horizon

    def rows(part: Part, at: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        steps = at[:, None] + np.arange(horizon)
        return _tree_table(features, part, at), part.values[steps], part.series.measured[steps]

    def learnt(every: int) -> tuple[np.ndarray, np.ndarray]:
        x, y, ok = rows(split.train, split.train.origins(features.history, horizon, every))
        return x[ok.ravel()], y[ok]

    # Origins one step apart give nearly the same rows; fewer suffice to choose a size.
    few, many = learnt(max(1, horizon // 3)), learnt(min(2, horizon))
    # This step reaches all hours of the day.
    at = split.validation.origins(features.history, horizon, max(1, horizon // 3 - 1))
    validation_x, validation_y, validation_ok = rows(split.validation, at)

    def fit(known: tuple[np.ndarray, np.ndarray], quantile: float, leaves: int, rate: float):
        model = HistGradientBoostingRegressor(
            loss="quantile", quantile=quantile, max_leaf_nodes=leaves, learning_rate=rate,
            max_iter=_TREES, min_samples_leaf=50, l2_regularization=1.0, random_state=0,
        )  # fmt: skip
        with threadpool_limits(1, "openmp"):  # a second thread gains little, and spins where cores are busy
            return model.fit(*known)

    def validation_loss(choice: tuple[int, float]) -> float:
        forecast = fit(few, 0.5, *choice).predict(validation_x[validation_ok.ravel()])
        return mean_pinball_loss(validation_y[validation_ok], forecast, alpha=0.5)

    best = min([(15, 0.03), (15, 0.1), (31, 0.03), (31, 0.1)], key=validation_loss)
    models = [fit(many, q, *best) for q in features.quantiles]

    def forecast(x: np.ndarray) -> np.ndarray:
        quantiles = np.stack([m.predict(x) for m in models], axis=-1)
        quantiles.sort(axis=-1)  # fitted separately they can cross; sorting can only improve them
        return quantiles.reshape(-1, horizon, len(models))

    factors = spread_factors(forecast(validation_x), validation_y, validation_ok, features.quantiles)
    return spread(forecast(_tree_table(features, split.test, origins)), factors)
