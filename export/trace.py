"""Trace a model with every LSTM, ours and Keras's own, left to an exporter."""

import functools
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import keras
import tensorflow as tf
from keras.src import backend

from lstm_apps.errors import InputError, first_line
from lstm_apps.layers import LeftContext, kernels


@contextmanager
def lstms_by(kernel: kernels.Kernel, others: kernels.Kernel | None = None) -> Iterator[None]:
    """Inside the `with` block, `kernel` runs every LSTM layer, `keras.layers.LSTM` too, and `others` (by
    default what ran them outside, or Keras's loop) all other recurrent layers. No layer takes cuDNN, whose
    operators no exporter knows: a model can be exported where it was trained on a GPU."""
    others = others or _others.get() or keras_loop

    def alone(layer, sequences, initial_state, mask, training=False):
        with _instead(_others, None):  # a loop of Keras's that the kernel runs is no other layer
            return kernel(layer, _floats(layer, sequences), initial_state, mask, training)

    def keras_lstm(layer, sequences, initial_state, mask, training=False):
        mask = mask[0] if isinstance(mask, list | tuple) else mask
        return alone(_as_ours(layer), sequences, initial_state, mask, training)

    def keras_other(layer, sequences, initial_state, mask, training=False):
        return others(layer, _floats(layer, sequences), initial_state, mask, training)

    with _instead(_lstms, keras_lstm), _instead(_others, keras_other), kernels.use_kernel(alone):
        yield


def _floats(layer: Any, sequences: tf.Tensor) -> tf.Tensor:
    """What a layer makes of integers, such as categories one-hot, in its first product."""
    return sequences if sequences.dtype.is_floating else tf.cast(sequences, layer.compute_dtype)


@contextmanager
def masks_seen_by(see: Callable[[Any, Any], None]) -> Iterator[None]:
    """Inside the `with` block every LSTM layer runs as ever, and `see(layer, mask)` is called before."""

    def ours(layer, sequences, initial_state, mask, training):
        see(layer, mask)
        return kernels.scan(layer, sequences, initial_state, mask, training)

    def theirs(layer, sequences, initial_state, mask, training=False):
        see(layer, mask[0] if isinstance(mask, list | tuple) else mask)
        return keras_loop(layer, sequences, initial_state, mask, training)

    with _instead(_lstms, theirs), kernels.use_kernel(ours):
        yield


@contextmanager
def exporting() -> Iterator[None]:
    """Inside the `with` block, a layer may have any name, also one that TensorFlow refuses for a scope of
    a graph, and errors are as they were raised, without Keras's list of arguments."""
    filtered = keras.config.is_traceback_filtering_enabled()
    keras.config.disable_traceback_filtering()
    try:
        with _instead(_scopes, lambda layer: tf.name_scope(safe_name(layer.name))):
            yield
    finally:
        if filtered:
            keras.config.enable_traceback_filtering()


@contextmanager
def tracing() -> Iterator[None]:
    """What goes wrong in the `with` block, where a model becomes a graph, is an InputError."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # whatever a layer says of tensors without values
        raise InputError(f"TensorFlow can make no graph of the model: {first_line(error)}") from error


@contextmanager
def known_operators() -> Iterator[None]:
    """Inside the `with` block, `argmax` and `argmin` are TensorFlow's, for Keras's own tell -0.0 from 0.0 by
    its bits; what is looked up in a table of integers is found by comparing, without a table; and a
    `TimeDistributed` over an axis of any length is its layer on all steps as one batch, without a loop. The
    exporters know nothing of the others."""
    with (
        _instead(_largest, _by_operator(tf.argmax)),
        _instead(_smallest, _by_operator(tf.argmin)),
        _instead(_tables, _by_comparing),
        _instead(_distributed, _as_one_batch),
    ):
        yield


def safe_name(name: str) -> str:
    """A name that TensorFlow and all runtimes take, as near to `name` as can be."""
    safe = re.sub(r"[^A-Za-z0-9_.-]", "_", name)
    return safe if re.match(r"[A-Za-z0-9]", safe) else f"layer{safe}"


def tables_of(model: keras.Model, graph: tf.Graph) -> list[Any]:
    """The tables of a model that its traced graph looks things up in: saved is only what hangs on the module
    that is saved."""
    kind = tf.saved_model.experimental.TrackableResource
    captured = {id(outer) for outer, _ in graph.captures}
    found = tf.train.TrackableView(model).descendants()
    return [t for t in found if isinstance(t, kind) and id(t.resource_handle) in captured]


def layers_with(model: keras.Model, graph: tf.Graph, operators: Iterable[str]) -> list[str]:
    """The layers of a traced model in which TensorFlow's operators of these types stand."""
    names = {safe_name(layer.name): layer.name for layer in model._flatten_layers()}
    definition, wanted = graph.as_graph_def(), set(operators)
    nodes = [*definition.node, *(n for f in definition.library.function for n in f.node_def)]
    found: dict[str, None] = {}
    for node in nodes:
        if node.op in wanted:
            scopes = [re.sub(r"_\d+$", "", s) if s not in names else s for s in node.name.split("/")[:-1]]
            found.update(dict.fromkeys([names[s] for s in scopes if s in names][-1:]))
    return list(found)


def refusal(format: str, model: keras.Model, graph: tf.Graph, operators: Iterable[str]) -> str:
    """The sentence that says which operators of a traced model a format has not, and where they stand."""
    operators = sorted(set(operators))
    layers = ", ".join(layers_with(model, graph, operators))
    where = f" in layer {layers}" if layers else ""
    return (
        f"{format} has nothing for TensorFlow's {', '.join(operators)}{where}: export the model without it."
    )


@contextmanager
def contexts_by(prepend: Callable[[LeftContext, Any], Any]) -> Iterator[None]:
    """Inside the `with` block, `prepend(layer, x)` puts before a chunk what came before it."""
    with _instead(_contexts, prepend):
        yield


PLACEHOLDER = "PyFuncStateless"  # TensorFlow's operator that can stand for anything
# What stands in for a method of a class, in the thread that traces: others go on with the method itself.
_lstms: ContextVar[Callable | None] = ContextVar("keras_lstms", default=None)
_others: ContextVar[Callable | None] = ContextVar("other_recurrent_layers", default=None)
_contexts: ContextVar[Callable | None] = ContextVar("left_contexts", default=None)
_scopes: ContextVar[Callable | None] = ContextVar("name_scopes", default=None)
_largest: ContextVar[Callable | None] = ContextVar("argmax", default=None)
_distributed: ContextVar[Callable | None] = ContextVar("time_distributed", default=None)
_tables: ContextVar[Callable | None] = ContextVar("tables", default=None)
_smallest: ContextVar[Callable | None] = ContextVar("argmin", default=None)
_step_by_step = keras.layers.TimeDistributed.call
_lookup = tf.lookup.StaticHashTable.lookup
_MOST_KEYS = 10_000  # of a table: each is a comparison
keras_loop = keras.layers.RNN.inner_loop


@contextmanager
def _instead(variable: ContextVar[Callable | None], function: Callable | None) -> Iterator[None]:
    token = variable.set(function)
    try:
        yield
    finally:
        variable.reset(token)


def _open(cls: Any, method: str, variable: ContextVar[Callable | None]) -> None:
    """Let `variable`, where it is set, stand in for a method, or for a module's function."""
    usual = getattr(cls, method)

    @functools.wraps(usual)
    def either(self, *args: Any, **kwargs: Any) -> Any:
        return (variable.get() or usual)(self, *args, **kwargs)

    setattr(cls, method, either)


_open(keras.layers.LSTM, "inner_loop", _lstms)
_open(keras.layers.GRU, "inner_loop", _others)
_open(keras.layers.RNN, "inner_loop", _others)
_open(LeftContext, "prepend", _contexts)
_open(keras.Layer, "_open_name_scope", _scopes)
_open(keras.layers.TimeDistributed, "call", _distributed)
_open(tf.lookup.StaticHashTable, "lookup", _tables)
_open(backend.numpy, "argmax", _largest)
_open(backend.numpy, "argmin", _smallest)

_inside: ContextVar[bool] = ContextVar("inside_a_step", default=False)


def inside_a_step() -> bool:
    """Whether the layer that runs stands in a `TimeDistributed`, which runs it anew for every step."""
    return _inside.get()


def _note_inside(call: Callable) -> Callable:
    @functools.wraps(call)
    def noted(*args: Any, **kwargs: Any) -> Any:
        token = _inside.set(True)
        try:
            return call(*args, **kwargs)
        finally:
            _inside.reset(token)

    return noted


keras.layers.TimeDistributed.call = _note_inside(keras.layers.TimeDistributed.call)


def _as_one_batch(layer: keras.layers.TimeDistributed, inputs, training=None, mask=None):
    if inputs.shape[1] is not None:
        return _step_by_step(layer, inputs, training=training, mask=mask)

    def merged(x: tf.Tensor) -> tf.Tensor:
        flat = tf.reshape(x, tf.concat([[-1], tf.shape(x)[2:]], axis=0))
        return tf.ensure_shape(flat, (None, *x.shape[2:]))

    given = {"training": training} if layer.layer._call_has_training_arg else {}
    if layer.layer._call_has_mask_arg and mask is not None:
        given["mask"] = merged(mask)
    outputs = layer.layer.call(merged(inputs), **given)
    both = tf.shape(inputs)[:2]
    split = tf.reshape(outputs, tf.concat([both, tf.shape(outputs)[1:]], axis=0))
    return tf.ensure_shape(split, (*inputs.shape[:2], *outputs.shape[1:]))


def _by_comparing(table: tf.lookup.StaticHashTable, keys, name=None) -> tf.Tensor:
    """What a table of integers has for `keys`: a comparison with each that it knows."""
    with tf.init_scope():
        known, values = (t.numpy() for t in table.export())
        default = table.default_value.numpy()
    if not (known.dtype.kind == values.dtype.kind == "i") or len(known) > _MOST_KEYS:
        return _lookup(table, keys, name)
    found = tf.where(tf.expand_dims(keys, -1) == known, values - default, tf.zeros((), values.dtype))
    return tf.reduce_sum(found, axis=-1) + default


def _by_operator(operator: Callable[..., tf.Tensor]) -> Callable[..., tf.Tensor]:
    """Keras's `argmax` or `argmin` by TensorFlow's alone."""

    def index(x, axis=None, keepdims=False):
        x = tf.convert_to_tensor(x)
        if x.dtype == tf.bool:
            x = tf.cast(x, tf.int32)
        flat = tf.reshape(x, [-1]) if axis is None else x
        found = operator(flat, axis=0 if axis is None else axis, output_type=tf.int32)
        if keepdims:
            found = tf.reshape(found, [1] * x.shape.rank) if axis is None else tf.expand_dims(found, axis)
        return found

    return index


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
