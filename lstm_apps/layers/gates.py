"""The equations of the long short-term memory, written once, with every variant in its place.

Hochreiter & Schmidhuber (1997), with the forget gate of Gers, Schmidhuber & Cummins (2000).
Everything else in `lstm_apps.layers` runs these equations over time or makes them faster.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
from keras import ops

Tensor = Any
Activation = Callable[[Tensor], Tensor]

# Inside the square root of layer normalisation, as TFLite's operator has it.
NORM_EPSILON = 1e-8


class Gates(NamedTuple):
    """What one step of the LSTM computes; every entry has shape (batch, units), but for `hidden`,
    which has (batch, projection_units) where there is a projection."""

    forget: Tensor  # how much of the old cell is kept, 0 to 1
    input: Tensor  # how much of the candidate enters, 0 to 1
    candidate: Tensor  # what could enter the cell, -1 to 1
    output: Tensor  # how much of the cell is shown, 0 to 1
    cell: Tensor  # the memory after the step
    hidden: Tensor  # what the layer puts out


class Variant(NamedTuple):
    """What a step may have beyond the plain one; None: it has not."""

    bias: Tensor | None = None  # (4 * units,)
    peephole: Tensor | None = None  # (3, units): of input (not if coupled), forget and output gate
    gain: Tensor | None = None  # (4 * units,): of layer normalisation
    coupled: bool = False  # three blocks instead of four: the input gate is 1 - forget
    cell_clip: float | None = None  # the cell stays within plus and minus this
    projection: Tensor | None = None  # (units, projection_units)


def lstm_gates(
    z: Tensor,  # (batch, 4 * units): x W + h R, blocks in Keras's order: input, forget, candidate, output
    c: Tensor,  # (batch, units): the memory before the step
    variant: Variant,
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

    Variants, which combine:

        peephole       + p_i * c, + p_f * c and + p_o * c' inside i, f and o (Gers & Schmidhuber 2000)
        layer norm     each sum before its bias is brought to mean 0 and variance 1 over the units and
                       multiplied by a gain (Ba, Kiros & Hinton 2016, in the form of TFLite's operator)
        coupled        i = 1 - f (CIFG: Greff et al. 2017)
        cell clip      c' is cut off at plus and minus a limit (Sak, Senior & Beaufays 2014)
        projection     h' = (o * tanh(c')) P (Sak, Senior & Beaufays 2014)

    `z` holds the sums x W + h R side by side, because one large matrix product is faster than
    four small ones.
    """
    blocks = 3 if variant.coupled else 4

    def split(vector: Tensor | None) -> list:
        parts = [None] * blocks if vector is None else ops.split(vector, blocks, axis=-1)
        return [None, *parts] if variant.coupled else list(parts)

    z_i, z_f, z_g, z_o = split(z)  # each (batch, units)
    b_i, b_f, b_g, b_o = split(variant.bias)  # each (units,)
    n_i, n_f, n_g, n_o = split(variant.gain)
    p = [] if variant.peephole is None else ops.unstack(variant.peephole)
    p_i, p_f, p_o = [None] * (3 - len(p)) + p  # coupled: two of them

    f = recurrent_activation(_gate_sum(z_f, b_f, n_f, p_f, c))
    i = 1 - f if variant.coupled else recurrent_activation(_gate_sum(z_i, b_i, n_i, p_i, c))
    g = activation(_gate_sum(z_g, b_g, n_g))
    c = f * c + i * g
    if variant.cell_clip is not None:
        c = ops.clip(c, -variant.cell_clip, variant.cell_clip)
    o = recurrent_activation(_gate_sum(z_o, b_o, n_o, p_o, c))
    h = o * activation(c)
    if variant.projection is not None:
        h = ops.matmul(h, variant.projection)
    return Gates(forget=f, input=i, candidate=g, output=o, cell=c, hidden=h)


def _normalised(z: Tensor) -> Tensor:
    """`z` with mean 0 and variance 1 over the units; half precision has no place for the epsilon."""
    dtype = keras.backend.standardize_dtype(z.dtype)
    wide = ops.cast(z, "float32") if dtype in ("float16", "bfloat16") else z
    centred = wide - ops.mean(wide, axis=-1, keepdims=True)
    variance = ops.mean(ops.square(centred), axis=-1, keepdims=True)
    return ops.cast(centred * ops.rsqrt(variance + NORM_EPSILON), dtype)


def _gate_sum(z: Tensor, bias, gain, peephole=None, c=None) -> Tensor:
    """What goes into a gate's activation."""
    if peephole is not None:
        z = z + peephole * c
    if gain is not None:
        z = gain * _normalised(z)
    return z if bias is None else z + bias
