"""An early warning model: a forward LSTM over hours, the risk after each."""

from collections.abc import Sequence

import keras
from keras import ops

from lstm_apps.models import ensemble
from lstm_apps.models.ensemble import lstms, stacked

_LIMIT = 4.0  # standard deviations at which inputs are clipped


@keras.saving.register_keras_serializable(package="lstm_apps")
class PlattScaling(keras.layers.Layer):
    """Logits to probabilities, sigmoid(slope * logit + shift) (Platt 1999); 1 and 0 before calibration.
    Same shape in and out."""

    def build(self, input_shape):
        self.slope = self.add_weight(shape=(), initializer="ones", trainable=False, name="slope")
        self.shift = self.add_weight(shape=(), initializer="zeros", trainable=False, name="shift")

    def call(self, logits):
        return ops.sigmoid(self.slope * logits + self.shift)


def early_warning(
    *,
    columns: int,
    mean: Sequence[float],
    std: Sequence[float],
    units: int,
    layers: int,
    dropout: float,
    members: int,
) -> keras.Model:
    """Build the model: the mean of `members` networks that are trained side by side.

    Input "hours" (batch, time, columns), in the units of the vital signs: the scaler is in the graph. Output
    "risk" (batch, time, 1), a calibrated probability; for the loss "member_logits" (batch, time, members, 1).
    The model is causal.

    Args:
        columns: Inputs of an hour.
        mean, std: (columns,) of the scaler.
        units: Of each LSTM.
        layers: LSTMs of a member.
        dropout: Rate, 0 to 1.
        members: Networks of the ensemble.
    """
    hours = keras.Input((None, columns), name="hours")
    scaled = keras.layers.Normalization(mean=mean, variance=[s**2 for s in std], name="scale")(hours)
    scaled = ops.clip(scaled, -_LIMIT, _LIMIT)

    def member(number: int):
        x = keras.layers.SpatialDropout1D(dropout)(scaled)
        x = lstms(x, number, units, layers)
        return keras.layers.Dense(1, name=f"logits_{number}")(keras.layers.Dropout(dropout)(x))

    logits = stacked(ensemble.members(member, members))
    risk = PlattScaling(dtype="float32", name="calibrated")(ops.mean(logits, axis=2))
    return keras.Model({"hours": hours}, {"risk": risk, "member_logits": logits}, name="early_warning")
