"""Networks of one architecture side by side: each learns by itself, their mean is the answer.

Networks that learn to be right on average overfit like one large one, so losses see each member.
"""

from collections.abc import Callable
from typing import Any

from keras import ops

from lstm_apps.layers import LSTM

Tensor = Any


def members(member: Callable[[int], Any], count: int) -> list[Any]:
    """The outputs of `count` members, of which `member(number)` builds number 1, 2, ..."""
    return [member(number) for number in range(1, count + 1)]


def stacked(outputs: list[Tensor]) -> Tensor:
    """Members' outputs, each (batch, time, size), as (batch, time, members, size)."""
    return ops.stack(outputs, axis=2)


def lstms(x: Tensor, number: int, units: int, layers: int) -> Tensor:
    """A member's LSTMs over sequences: (batch, time, features) -> (batch, time, units)."""
    for i in range(layers):
        x = LSTM(units, return_sequences=True, name=f"lstm_{number}_{i + 1}")(x)
    return x
