"""A quantile forecaster: one LSTM that reads the past and runs on over the steps ahead."""

import keras
import numpy as np
from keras import ops

from lstm_apps.layers import LSTM

_register = keras.saving.register_keras_serializable(package="lstm_apps")


@_register
class SeasonalLags(keras.layers.Layer):
    """Lays a history out as the steps an LSTM reads, past and ahead.

    At each of `context + horizon` steps: the value (0 ahead, where it is not known), the value a
    season earlier for each season (ahead of the first season: the last known one at that phase),
    and 1 ahead, 0 before.

    (batch, history) -> (batch, context + horizon, 2 + seasons)
    """

    def __init__(self, seasons, horizon, **kwargs):
        super().__init__(**kwargs)
        self.seasons = tuple(seasons)
        self.horizon = horizon

    def call(self, history):
        length = history.shape[1]
        context = length - max(self.seasons)
        offsets = np.arange(-context, self.horizon)  # 0 is the first step ahead
        known = ops.pad(history[:, length - context :], [[0, 0], [0, self.horizon]])
        lags = [
            ops.take(history, length + offsets - s * np.maximum(1, offsets // s + 1), axis=1)
            for s in self.seasons
        ]
        ahead = ops.ones_like(known) * (offsets >= 0).astype("float32")
        return ops.stack([known, *lags, ahead], axis=-1)

    def get_config(self):
        return {**super().get_config(), "seasons": self.seasons, "horizon": self.horizon}


@_register
class SeasonalProfiles(keras.layers.Layer):
    """What the history says of each step ahead without any learning.

    For each season the mean of the last 3, of the last 7 and of all values at the step's phase,
    as far as the history goes; then mean and standard deviation of the history, the mean of its
    last short season, and its last value.

    (batch, history) -> (batch, horizon, profiles + 4)
    """

    def __init__(self, seasons, horizon, **kwargs):
        super().__init__(**kwargs)
        self.seasons = tuple(seasons)
        self.horizon = horizon

    def call(self, history):
        length = history.shape[1]
        ahead = np.arange(self.horizon)
        columns = []
        for season in self.seasons:
            cycles = length // season
            # (cycles, horizon): the steps at the same phase, latest first
            phases = length + ahead % season - season * np.arange(1, cycles + 1)[:, None]
            values = ops.take(history, phases, axis=1)  # (batch, cycles, horizon)
            for last in sorted({min(3, cycles), min(7, cycles), cycles}):
                columns.append(ops.mean(values[:, :last], axis=1))
        whole = [
            ops.mean(history, axis=1),
            ops.std(history, axis=1),
            ops.mean(history[:, -min(self.seasons) :], axis=1),
            history[:, -1],
        ]
        columns += [ops.repeat(w[:, None], self.horizon, axis=1) for w in whole]
        return ops.stack(columns, axis=-1)

    def get_config(self):
        return {**super().get_config(), "seasons": self.seasons, "horizon": self.horizon}


@_register
class OrderedQuantiles(keras.layers.Layer):
    """Turns free numbers into quantiles that cannot cross: the middle one as it is, the others by
    steps of softplus away from it. Same shape in and out, quantiles ascending on the last axis."""

    def call(self, raw):
        raw = ops.unstack(raw, axis=-1)
        middle = len(raw) // 2
        ordered = [raw[middle]]
        for r in raw[middle + 1 :]:
            ordered.append(ordered[-1] + ops.softplus(r))
        for r in reversed(raw[:middle]):
            ordered.insert(0, ordered[0] - ops.softplus(r))
        return ops.stack(ordered, axis=-1)


@_register
class QuantileLoss(keras.losses.Loss):
    """Pinball loss (Koenker & Bassett 1978), averaged over quantiles, in units of `scale`.

    Targets (batch, horizon); predictions (batch, horizon, quantiles).
    """

    def __init__(self, quantiles, scale=1.0, name="quantile_loss", **kwargs):
        super().__init__(name=name, **kwargs)
        self.quantiles = tuple(quantiles)
        self.scale = scale

    def call(self, y_true, y_pred):
        error = (ops.expand_dims(y_true, -1) - y_pred) / self.scale
        q = ops.convert_to_tensor(self.quantiles, dtype=error.dtype)
        return ops.mean(ops.maximum(q * error, (q - 1.0) * error), axis=-1)

    def get_config(self):
        return {**super().get_config(), "quantiles": self.quantiles, "scale": self.scale}


def forecaster(
    *,
    history: int,
    horizon: int,
    seasons: tuple[int, ...],
    calendar_size: int,
    quantiles: tuple[float, ...],
    mean: float,
    std: float,
    units: int,
    layers: int,
    dropout: float,
) -> keras.Model:
    """Build the forecaster.

    Inputs "history" (batch, history), in the unit of the series, and "calendar"
    (batch, history - longest season + horizon, calendar_size). Output "quantiles"
    (batch, horizon, quantiles), in the unit of the series: the scaler is in the graph.
    """
    context = history - max(seasons)
    past = keras.Input((history,), name="history")
    calendar = keras.Input((context + horizon, calendar_size), name="calendar")
    scaled = keras.layers.Normalization(axis=None, mean=mean, variance=std**2, name="scale")(past)
    steps = SeasonalLags(seasons, horizon, name="lags")(scaled)
    x = keras.layers.Concatenate(name="steps")([steps, calendar])
    for i in range(layers):
        x = LSTM(units, return_sequences=True, name=f"lstm_{i + 1}")(x)
    x = keras.layers.Cropping1D((context, 0), name="ahead")(x)  # (batch, horizon, units)
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    calendar_ahead = keras.layers.Cropping1D((context, 0), name="calendar_ahead")(calendar)
    profiles = SeasonalProfiles(seasons, horizon, name="profiles")(scaled)
    # Averages that an LSTM would need many examples to learn. The raw lags beside them made the
    # head overfit.
    x = keras.layers.Concatenate(name="head_inputs")([x, profiles, calendar_ahead])
    x = keras.layers.Dense(units, activation="relu", name="hidden")(x)
    x = keras.layers.Dropout(dropout, name="hidden_dropout")(x)
    x = keras.layers.Dense(len(quantiles), name="raw_quantiles")(x)
    x = OrderedQuantiles(name="ordered")(x)
    x = keras.layers.Normalization(
        axis=None, mean=mean, variance=std**2, invert=True, dtype="float32", name="unscale"
    )(x)
    return keras.Model({"history": past, "calendar": calendar}, {"quantiles": x}, name="forecaster")
