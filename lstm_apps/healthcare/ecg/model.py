"""A heartbeat classifier: a forward LSTM over beats, one step a beat."""

from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from lstm_apps.models import ensemble
from lstm_apps.models.ensemble import lstms, stacked

_LIMIT = 5.0  # standard deviations; larger artefacts would cost int8 its resolution


def beat_classifier(
    *,
    columns: int,
    mean: Sequence[float],
    std: Sequence[float],
    log_odds: Sequence[float],
    units: int,
    layers: int,
    dropout: float,
    members: int,
) -> keras.Model:
    """Build the classifier: the mean of `members` networks that are trained side by side.

    Input "beats" (batch, time, columns). Output "classes" (batch, time, classes), probabilities; for the
    loss "member_logits" (batch, time, members, classes). The logits are the sum of a network of the beat
    alone and of the LSTM, which adds the context of the beats before. The model is causal.

    Args:
        columns: Inputs of a beat.
        mean, std: (columns,) of the scaler.
        log_odds: (classes,), added to the logits of "classes" but not of "member_logits": a correction where
            training shows some classes more often than they occur (Menon et al. 2021, logit adjustment).
        units: Of each LSTM.
        layers: LSTMs of a member.
        dropout: Rate, 0 to 1.
        members: Networks of the ensemble.
    """
    classes = len(log_odds)
    beats = keras.Input((None, columns), name="beats")
    scaled = keras.layers.Normalization(mean=mean, variance=[s**2 for s in std], name="scale")(beats)
    scaled = ops.clip(scaled, -_LIMIT, _LIMIT)

    def member(number: int):
        x = keras.layers.Dropout(dropout)(scaled)
        x = keras.layers.Dense(units, activation="relu", name=f"shape_{number}")(x)
        x = shape = keras.layers.Dropout(dropout)(x)
        x = lstms(x, number, units, layers)
        x = keras.layers.Dropout(dropout)(x)
        # Added, not concatenated: int8 would have to give both one scale.
        return keras.layers.Dense(classes, name=f"logits_{number}")(shape) + keras.layers.Dense(
            classes, use_bias=False, name=f"context_{number}"
        )(x)

    logits = ensemble.members(member, members)
    added = np.array(log_odds, np.float32)
    outputs = {
        "classes": ops.mean(stacked([ops.softmax(z + added) for z in logits]), axis=2),
        "member_logits": stacked(logits),
    }
    return keras.Model({"beats": beats}, outputs, name="beat_classifier")
