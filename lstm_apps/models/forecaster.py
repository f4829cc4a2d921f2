"""A quantile forecaster: an LSTM that reads the past and continues over the horizon."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from lstm_apps.models import ensemble
from lstm_apps.models.ensemble import lstms, stacked

_register = keras.saving.register_keras_serializable(package="lstm_apps")


@_register
class SeasonalLags(keras.layers.Layer):
    """The LSTM's steps: the end of the history and the horizon, with seasonal lags.

    At each of `context + horizon` steps: the value (0 in the horizon), the last known value at the same phase
    of each season, and whether the step is in the horizon.

    (batch, history) -> (batch, context + horizon, 2 + seasons)

    Args:
        seasons: Periods in steps.
        context: Steps of history that the LSTM reads.
        horizon: Steps of the forecast.
    """

    def __init__(self, seasons: Sequence[int], context: int, horizon: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.seasons = tuple(seasons)
        self.context = context
        self.horizon = horizon

    def call(self, history):
        length = history.shape[1]
        offsets = np.arange(-self.context, self.horizon)  # 0 is the first step of the horizon
        known = ops.pad(history[:, length - self.context :], [[0, 0], [0, self.horizon]])
        lags = [
            ops.take(history, length + offsets - s * np.maximum(1, offsets // s + 1), axis=1)
            for s in self.seasons
        ]
        is_horizon = ops.ones_like(known) * (offsets >= 0).astype("float32")
        return ops.stack([known, *lags, is_horizon], axis=-1)

    def get_config(self):
        config = {"seasons": self.seasons, "context": self.context, "horizon": self.horizon}
        return {**super().get_config(), **config}


@_register
class SeasonalProfiles(keras.layers.Layer):
    """Averages of the history for each step of the horizon.

    For each season the mean of the last 3, of the last 7 and of all values at the step's phase, as far as the
    history reaches; then mean and standard deviation of the history, the mean of its last short season, and
    its last value.

    (batch, history) -> (batch, horizon, profiles + 4)

    Args:
        seasons: Periods in steps.
        horizon: Steps of the forecast.
    """

    def __init__(self, seasons: Sequence[int], horizon: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.seasons = tuple(seasons)
        self.horizon = horizon

    def call(self, history):
        length = history.shape[1]
        steps = np.arange(self.horizon)
        columns = []
        for season in self.seasons:
            cycles = length // season
            # (cycles, horizon): the steps at the same phase, latest first
            phases = length + steps % season - season * np.arange(1, cycles + 1)[:, None]
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
    """Turns unconstrained numbers into quantiles that cannot cross: the middle one is unchanged, the others
    are softplus steps away from it. Same shape in and out, quantiles ascending on the last axis."""

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
class CalibratedSpread(keras.layers.Layer):
    """Scales the distances from the median: those below by the first of `factors`, those above by
    the second. Both are 1 before calibration. Same shape in and out."""

    def build(self, input_shape):
        self.factors = self.add_weight(shape=(2,), initializer="ones", trainable=False, name="factors")

    def call(self, quantiles):
        middle = quantiles.shape[-1] // 2
        below, above = ops.split(self.factors, 2)
        each = ops.concatenate([ops.repeat(below, middle), ops.ones(1), ops.repeat(above, middle)])
        median = quantiles[..., middle : middle + 1]
        return median + each * (quantiles - median)


@_register
class QuantileLoss(keras.losses.Loss):
    """Pinball loss (Koenker & Bassett 1978), averaged over quantiles and members, in units of `scale`.

    Targets (batch, horizon); predictions (batch, horizon, members, quantiles); loss (batch, horizon).

    Args:
        quantiles: Levels, ascending.
        scale: In the unit of the targets.
    """

    def __init__(
        self, quantiles: Sequence[float], scale: float = 1.0, name: str = "quantile_loss", **kwargs: Any
    ):
        super().__init__(name=name, **kwargs)
        self.quantiles = tuple(quantiles)
        self.scale = scale

    def call(self, y_true, y_pred):
        error = (y_true[..., None, None] - y_pred) / self.scale
        q = ops.convert_to_tensor(self.quantiles, dtype=error.dtype)
        return ops.mean(ops.maximum(q * error, (q - 1.0) * error), axis=(-2, -1))

    def get_config(self):
        return {**super().get_config(), "quantiles": self.quantiles, "scale": self.scale}


def forecaster(
    *,
    history: int,
    context: int,
    horizon: int,
    seasons: tuple[int, ...],
    calendar_size: int,
    quantiles: tuple[float, ...],
    mean: float,
    std: float,
    units: int,
    layers: int,
    dropout: float,
    members: int,
) -> keras.Model:
    """Build the forecaster: the mean of `members` networks that are trained side by side.

    Inputs "history" (batch, history), in the unit of the series, and "calendar"
    (batch, context + horizon, calendar_size). Output "quantiles" (batch, horizon, quantiles), in
    the unit of the series: the scaler is in the graph. Output "members" (batch, horizon, members,
    quantiles) is for the loss: each member learns by itself, because networks trained on
    their mean overfit like one large network.

    Args:
        history, context, horizon: Steps.
        seasons: Periods in steps.
        calendar_size: Columns of the calendar.
        quantiles: Levels, ascending.
        mean, std: Of the scaler, in the unit of the series.
        units: Of each LSTM.
        layers: LSTMs of a member.
        dropout: Rate, 0 to 1.
        members: Networks of the ensemble.
    """
    past = keras.Input((history,), name="history")
    calendar = keras.Input((context + horizon, calendar_size), name="calendar")
    scaled = keras.layers.Normalization(axis=None, mean=mean, variance=std**2, name="scale")(past)
    lags = SeasonalLags(seasons, context, horizon, name="lags")(scaled)
    steps = keras.layers.Concatenate(name="steps")([lags, calendar])
    # Averages that an LSTM would need many examples to learn. With raw lags too, the head overfits.
    profiles = SeasonalProfiles(seasons, horizon, name="profiles")(scaled)
    calendar_ahead = keras.layers.Cropping1D((context, 0), name="calendar_ahead")(calendar)

    def member(number: int):
        x = lstms(steps, number, units, layers)
        x = keras.layers.Cropping1D((context, 0), name=f"ahead_{number}")(x)  # (batch, horizon, units)
        x = keras.layers.Dropout(dropout)(x)
        x = keras.layers.Concatenate()([x, profiles, calendar_ahead])
        x = keras.layers.Dense(units, activation="relu", name=f"hidden_{number}")(x)
        x = keras.layers.Dropout(dropout)(x)
        return keras.layers.Dense(len(quantiles), name=f"raw_quantiles_{number}")(x)

    raw = stacked(ensemble.members(member, members))
    ordered = OrderedQuantiles(name="ordered")(raw)
    each = keras.layers.Normalization(
        axis=None, mean=mean, variance=std**2, invert=True, dtype="float32", name="unscale"
    )(ordered)
    calibrated = CalibratedSpread(dtype="float32", name="calibrated")(ops.mean(each, axis=2))
    outputs = {"quantiles": calibrated, "members": each}
    return keras.Model({"history": past, "calendar": calendar}, outputs, name="forecaster")
