"""How a whole sequence is run.

`scan` steps the cell through time with Keras's own loop: any cell, any device, the form that all
others are compared with. `fused` is the plain LSTM with a gradient of its own, compiled by XLA, and
`cudnn` the plain LSTM on an NVIDIA GPU. Training takes the fastest that computes the layer; inference
takes `scan`, which every exporter of TensorFlow understands, unless `use_kernel(compiled)` says
otherwise. An exporter puts a kernel of its own in their place with `use_kernel(...)`.

`fused` has derivatives of every order, the numbers of `scan`: see `lstm_apps.layers.gradient`, which also
says what TensorFlow refuses. cuDNN has first derivatives only.
"""

import copy
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from lstm_apps.layers.gradient import lstm

Tensor = Any
# (last output (batch, units), all outputs (batch, time, units), [h, c] each (batch, units))
Result = tuple[Tensor, Tensor, list[Tensor]]
# (layer, sequences (batch, time, features), [h, c], mask (batch, time) or None, training) -> Result
Kernel = Callable[..., Result]


def scan(layer, sequences, initial_state, mask, training) -> Result:
    """Step through time with `keras.layers.RNN`'s loop."""
    if layer.unroll and layer.go_backwards and mask is not None:
        # Unrolled, Keras 3.15 zeroes outputs by the mask in the order of time, not in that of the outputs.
        layer = copy.copy(layer)
        layer.unroll = False
    return keras.layers.RNN.inner_loop(layer, sequences, initial_state, mask, training)


def fused(layer, sequences, initial_state, mask, training) -> Result:
    """The plain LSTM with its own gradient. Dropout of the inputs is applied before the loop."""
    cell = layer.cell
    sequences = ops.cast(sequences, layer.compute_dtype)  # Keras leaves integers as they are
    if training and cell.dropout:
        sequences = sequences * cell.get_dropout_mask(sequences[:, 0])[:, None]
    if layer.go_backwards:
        sequences = tf.reverse(sequences, [1])
        mask = None if mask is None else tf.reverse(mask, [1])
    kernel, recurrent_kernel = (ops.cast(w, sequences.dtype) for w in (cell.kernel, cell.recurrent_kernel))
    bias = tf.zeros(4 * cell.units, sequences.dtype) if cell.bias is None else cell.bias
    weights = kernel, recurrent_kernel, ops.cast(bias, sequences.dtype)
    h, c = initial_state
    if mask is None:
        outputs, h, c = _in_halves(
            lambda x, h, c: lstm(x, h, c, *weights, mask=None, training=training), sequences, h, c
        )
        return outputs[:, -1], outputs, [h, c]
    mask = tf.cast(mask, tf.bool)
    outputs, h, c = _in_halves(
        lambda x, h, c, m: lstm(x, h, c, *weights, mask=m, training=training), sequences, h, c, mask
    )
    # Keras: a masked step repeats the last output, and there is none (zeros) before the first.
    shown = mask if layer.zero_output_for_mask else tf.cumsum(tf.cast(mask, tf.int32), axis=1) > 0
    outputs = tf.where(shown[..., None], outputs, tf.zeros_like(outputs))
    return outputs[:, -1], outputs, [h, c]


def cudnn(layer, sequences, initial_state, mask, training) -> Result:
    """The plain LSTM by cuDNN, whose parameters Keras packs. A mask must be padding on the right.

    Raises:
        ValueError: There is no cuDNN here, or it does not compute this layer.
    """
    if not layer.cell.is_plain:
        raise ValueError("use_cudnn=True, but cuDNN has the plain LSTM only: pass use_cudnn='auto'.")
    last, outputs, state = keras.layers.LSTM.inner_loop(layer, sequences, initial_state, mask, training)
    if mask is not None and not layer.go_backwards:
        # cuDNN gives zeros for masked steps, and the last valid step's output as the last one. Keras's own
        # loop has zeros in both or, by default, that output in both. Backwards the padding comes first.
        valid = tf.cast(mask, tf.bool)[..., None]
        if layer.zero_output_for_mask:
            last = tf.where(valid[:, -1], last, tf.zeros_like(last))
        elif layer.return_sequences:
            outputs = tf.where(valid, outputs, last[:, None])
    return last, outputs, state


def compiled(layer, sequences, initial_state, mask, training) -> Result:
    """The fastest that computes this layer, in training and inference. XLA compiles once a shape."""
    if layer.use_cudnn is True:
        return cudnn(layer, sequences, initial_state, mask, training)
    cell = layer.cell
    recurrent_dropout = training and cell.recurrent_dropout
    if not cell.is_plain or recurrent_dropout or cell.implementation != 2 or layer.unroll:
        return scan(layer, sequences, initial_state, mask, training)
    # With a mask cuDNN refuses all but right padding, and only when it runs.
    by_cudnn = _has_cudnn() and layer.use_cudnn and mask is None and cell.use_bias
    return (cudnn if by_cudnn else fused)(layer, sequences, initial_state, mask, training)


def automatic(layer, sequences, initial_state, mask, training) -> Result:
    """`compiled` in training and where cuDNN is demanded, `scan` otherwise."""
    return (compiled if training or layer.use_cudnn is True else scan)(
        layer, sequences, initial_state, mask, training
    )


_kernel: ContextVar[Kernel] = ContextVar("lstm_kernel", default=automatic)


def current() -> Kernel:
    """The kernel in force."""
    return _kernel.get()


def run(layer, sequences, initial_state, mask, training) -> Result:
    """Run `layer`'s cell over `sequences` with the kernel in force."""
    return current()(layer, sequences, initial_state, mask, training)


@contextmanager
def use_kernel(kernel: Kernel) -> Iterator[None]:
    """Run every `lstm_apps.layers.LSTM` with `kernel` inside the `with` block."""
    token = _kernel.set(kernel)
    try:
        yield
    finally:
        _kernel.reset(token)


def _has_cudnn() -> bool:
    return bool(tf.config.list_logical_devices("GPU")) and tf.sysconfig.get_build_info()["is_cuda_build"]


def _in_halves(function, *tensors):
    """`function` of each half of the batch, its results joined: XLA runs a loop on one core, and
    TensorFlow runs the two halves on two."""
    one_core = (os.cpu_count() or 1) < 2
    if one_core or tensors[0].shape[0] == 1 or tf.config.list_logical_devices("GPU"):
        return function(*tensors)
    batch = tf.shape(tensors[0])[0]
    sizes = [batch // 2, batch - batch // 2]
    halves = zip(*(tf.split(t, sizes) for t in tensors), strict=True)
    results = [function(*half) for half in halves]
    return [tf.concat(parts, axis=0) for parts in zip(*results, strict=True)]
