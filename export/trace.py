"""Trace a model with every LSTM, ours and Keras's own, left to an exporter."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

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

    def keras_other(layer, sequences, initial_state, mask, training=False):
        kernel = others if others and len(sequences.shape) == 3 else _LOOP
        return kernel(layer, sequences, initial_state, mask, training)

    with _instead(_lstms, keras_lstm), _instead(_others, keras_other), kernels.use_kernel(kernel):
        yield


@contextmanager
def contexts_by(prepend: Callable[[LeftContext, Any], Any]) -> Iterator[None]:
    """Inside the `with` block, `prepend(layer, x)` puts before a chunk what came before it."""
    with _instead(_contexts, prepend):
        yield


# What stands in for a method of a class, in the thread that traces: others go on with the method itself.
_lstms: ContextVar[Callable | None] = ContextVar("keras_lstms", default=None)
_others: ContextVar[Callable | None] = ContextVar("other_recurrent_layers", default=None)
_contexts: ContextVar[Callable | None] = ContextVar("left_contexts", default=None)
_LOOP = keras.layers.RNN.inner_loop


@contextmanager
def _instead(variable: ContextVar[Callable | None], function: Callable) -> Iterator[None]:
    token = variable.set(function)
    try:
        yield
    finally:
        variable.reset(token)


def _open(cls: type, method: str, variable: ContextVar[Callable | None]) -> None:
    """Let `variable`, where it is set, stand in for the method."""
    usual = getattr(cls, method)

    def either(self, *args: Any, **kwargs: Any) -> Any:
        return (variable.get() or usual)(self, *args, **kwargs)

    setattr(cls, method, either)


_open(keras.layers.LSTM, "inner_loop", _lstms)
_open(keras.layers.GRU, "inner_loop", _others)
_open(keras.layers.RNN, "inner_loop", _others)
_open(LeftContext, "prepend", _contexts)


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
