"""Trace a model with every LSTM, ours and Keras's own, left to an exporter."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import keras
import tensorflow as tf

from lstm_apps.layers import LeftContext, kernels


@contextmanager
def lstms_by(kernel: kernels.Kernel, others: kernels.Kernel | None = None) -> Iterator[None]:
    """Inside the `with` block, `kernel` runs every LSTM layer, `keras.layers.LSTM` too, and `others` (by
    default Keras's loop) all other recurrent layers over vectors. No layer takes cuDNN, whose operators
    no exporter knows: a model can be exported where it was trained on a GPU."""

    def keras_lstm(layer, sequences, initial_state, mask, training=False):
        mask = mask[0] if isinstance(mask, list | tuple) else mask
        return kernel(_as_ours(layer), sequences, initial_state, mask, training)

    loop = keras.layers.RNN.inner_loop

    def keras_other(layer, sequences, initial_state, mask, training=False):
        kernel = others if others and len(sequences.shape) == 3 else loop
        return kernel(layer, sequences, initial_state, mask, training)

    with (
        patch.object(keras.layers.LSTM, "inner_loop", keras_lstm),
        patch.object(keras.layers.GRU, "inner_loop", keras_other),
        patch.object(keras.layers.RNN, "inner_loop", keras_other),
        kernels.use_kernel(kernel),
    ):
        yield


@contextmanager
def contexts_by(prepend: Callable[[LeftContext, Any], Any]) -> Iterator[None]:
    """Inside the `with` block, `prepend(layer, x)` puts before a chunk what came before it."""
    with patch.object(LeftContext, "prepend", prepend):
        yield


class _View:
    """An object with attributes of its own in front of another's."""

    def __init__(self, of: Any, **own: Any):
        self._of = of
        self.__dict__.update(own)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._of, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._of(*args, **kwargs)


def _as_ours(layer: keras.layers.LSTM) -> Any:
    """Keras's layer as one of ours that is no variant."""
    none = dict.fromkeys(("peepholes", "gain", "projection", "projection_units", "cell_clip"))
    cell = _View(layer.cell, layer_norm=False, coupled_gates=False, zoneout=0.0, **none)
    return _View(layer, cell=cell)


def is_zero(tensor: tf.Tensor) -> bool:
    """Whether a traced tensor is known to be all zeros, whatever its batch will be."""
    if tensor.op.type == "Fill":
        tensor = tensor.op.inputs[1]
    value = tf.get_static_value(tensor)
    return value is not None and not value.any()
