"""The equations of the long short-term memory, written once.

Hochreiter & Schmidhuber (1997), with the forget gate of Gers, Schmidhuber & Cummins (2000).
Everything else in `lstm_apps.layers` runs these equations over time or makes them faster.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from keras import ops

Tensor = Any
Activation = Callable[[Tensor], Tensor]


class Gates(NamedTuple):
    """What one step of the LSTM computes; every entry has shape (batch, units)."""

    forget: Tensor  # how much of the old cell is kept, 0 to 1
    input: Tensor  # how much of the candidate enters, 0 to 1
    candidate: Tensor  # what could enter the cell, -1 to 1
    output: Tensor  # how much of the cell is shown, 0 to 1
    cell: Tensor  # the memory after the step
    hidden: Tensor  # what the layer puts out


def lstm_gates(
    z: Tensor,  # (batch, 4 * units): x W + h R, blocks in Keras's order: input, forget, candidate, output
    c: Tensor,  # (batch, units): the memory before the step
    bias: Tensor | None,  # (4 * units,), same blocks
    activation: Activation,  # tanh below
    recurrent_activation: Activation,  # sigmoid below
) -> Gates:
    """One step of the LSTM.

        f  = sigmoid(x W_f + h R_f + b_f)      forget gate
        i  = sigmoid(x W_i + h R_i + b_i)      input gate
        g  =    tanh(x W_g + h R_g + b_g)      candidate
        o  = sigmoid(x W_o + h R_o + b_o)      output gate
        c' = f * c + i * g
        h' = o * tanh(c')

    `z` holds the four sums x W + h R side by side, because one large matrix product is faster
    than four small ones.
    """
    if bias is not None:
        z = z + bias
    z_i, z_f, z_g, z_o = ops.split(z, 4, axis=-1)  # each (batch, units)
    f = recurrent_activation(z_f)
    i = recurrent_activation(z_i)
    g = activation(z_g)
    o = recurrent_activation(z_o)
    c = f * c + i * g
    h = o * activation(c)
    return Gates(forget=f, input=i, candidate=g, output=o, cell=c, hidden=h)
