"""Keras to ONNX, each LSTM as one `LSTM` node of the standard.

While the model is traced, each layer leaves a single placeholder in the graph instead of its loop, and the
converter is told to write an `LSTM` node for it. What the operator cannot express becomes a `Scan`.
"""

import logging
import tempfile
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import tensorflow as tf
import tf2onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

from export import onnx_graph
from export.onnx_ops import HANDLERS
from export.onnx_scan import Scans
from export.signature import Signature, Weights, weights
from export.spectrogram import spectrogram
from export.trace import PLACEHOLDER, is_zero, known_operators, lstms_by, refusal, tracing
from lstm_apps.errors import InputError, first_line

# The oldest opset with all that is used here; every onnxruntime since 1.14 reads it.
OPSET = 18
ENDING = ".onnx"
NAME = "ONNX"
FUSED_NAMES = ("LSTM", "DynamicQuantizeLSTM")
QUANTIZE = ("int8",)
LOOPS = ("Loop", "Scan")
# Keras's activations by their ONNX name, alpha and beta.
_ACTIVATIONS = {
    keras.activations.sigmoid: ("Sigmoid", None, None),
    keras.activations.tanh: ("Tanh", None, None),
    keras.activations.relu: ("Relu", None, None),
    keras.activations.hard_sigmoid: ("HardSigmoid", 1 / 6, 0.5),
    keras.activations.softsign: ("Softsign", None, None),
    keras.activations.softplus: ("Softplus", None, None),
    keras.activations.elu: ("Elu", 1.0, None),
    keras.activations.linear: ("Affine", 1.0, 0.0),
}


def convert(signature: Signature, quantize: str | None, representative: Signature) -> bytes:
    """The model as an ONNX file; batch and open time axes stay open.

    Args:
        signature: The model.
        quantize: None, or "int8": weights in int8, activations quantized as they come.
        representative: Not needed here.
    """
    marked: dict[str, tuple] = {}  # token of a placeholder -> its layer and weights
    keras_model = signature.model
    scans = Scans(partial(_converted, of=keras_model))

    def placeholder(layer, sequences, initial_state, mask, training):
        if not _expressible(layer) or (mask is not None and not signature.right_padded):
            return scans.run(layer, sequences, initial_state, mask)
        token = f"lstm_{len(marked)}"
        marked[token] = layer, weights(layer), all(map(is_zero, initial_state))
        shape = tf.shape(sequences)
        batch, time, _ = sequences.shape
        lengths: Any = None if mask is None else tf.reduce_sum(tf.cast(mask, tf.int32), axis=1)
        results = tf.raw_ops.PyFuncStateless(
            input=[sequences, *initial_state, *([] if mask is None else [lengths])],
            token=token,
            Tout=[tf.float32] * 3,
        )
        outputs = tf.ensure_shape(results[0], (batch, time, layer.units))
        states = [tf.ensure_shape(s, (batch, layer.units)) for s in results[1:]]
        if mask is None:
            return states[0], outputs, states
        # The operator gives zeros for an empty sequence, whatever its state was.
        valid = lengths[:, None] > 0
        states = [tf.where(valid, new, old) for new, old in zip(states, initial_state, strict=True)]
        if not layer.go_backwards and not layer.zero_output_for_mask:  # Keras repeats the last output
            after = tf.range(shape[1]) >= lengths[:, None]
            outputs = tf.where((after & valid)[..., None], states[0][:, None], outputs)
        last = states[0] if layer.go_backwards or not layer.zero_output_for_mask else outputs[:, -1]
        return tf.where(valid, last, tf.zeros_like(last)), outputs, states

    def write_node(context, node, name, args):
        token = node.get_attr("token").s.decode()
        if token in marked:
            _lstm_node(context, node, *marked[token])

    specs = signature.specs(lambda t: (None, *t.shape[1:]))
    with lstms_by(placeholder, scans.run):
        model = _converted(signature.call, specs, keras_model, {PLACEHOLDER: (write_node, [])})
    scans.fill_in(model)
    onnx_graph.join_directions(model.graph)
    onnx_graph.drop_unused(model.graph)
    expected = signature.expected()
    onnx_graph.complete_shapes(model.graph, {name: array.ndim for name, array in expected.items()})
    onnx_graph.name_axes(model.graph)
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:  # it has several classes of its own
        raise InputError(f"The converter to ONNX fails on the model: {first_line(error)}") from error
    return model.SerializeToString() if quantize is None else _with_small_weights(model)


def _converted(
    function: Callable[..., Any],
    specs: list[tf.TensorSpec],
    of: keras.Model,
    handlers: dict[str, tuple] | None = None,
) -> onnx.ModelProto:
    """A function of tensors, a part of a Keras model, as an ONNX model; `handlers` write operators that the
    converter does not know."""
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)  # it warns that it does not know placeholders
    traced = tf.function(function, input_signature=specs, autograph=False)
    with known_operators(), tracing():
        concrete = traced.get_concrete_function()
    try:
        model, _ = tf2onnx.convert.from_function(
            traced, input_signature=specs, opset=OPSET, custom_op_handlers={**HANDLERS, **(handlers or {})}
        )
    except Exception as error:  # the converter raises what it stumbles upon
        raise InputError(f"The converter to ONNX fails on the model: {first_line(error)}") from error
    graphs = list(onnx_graph.all_graphs(model.graph))
    types = {node.op_type for graph in graphs for node in graph.node if not node.domain}
    if unknown := {name for name in types if not onnx.defs.has(name)} - {PLACEHOLDER}:
        raise InputError(refusal("ONNX", of, concrete.graph, unknown))
    onnx_graph.fix_captures(model.graph, concrete.graph.captures)
    return model


def with_metadata(content: bytes, key: str, data: str) -> bytes:
    """The file with `data` in its `metadata_props` under `key`, behind the model: a message of Protocol
    Buffers may be continued by appending fields."""
    entry = onnx.ModelProto()
    onnx.helper.set_model_props(entry, {key: data})
    return content + entry.SerializeToString()


def operators(content: bytes) -> Counter:
    """How many nodes of each type the graph has, those inside loops included."""
    graphs = onnx_graph.all_graphs(onnx.load_model_from_string(content).graph)
    return Counter(node.op_type for graph in graphs for node in graph.node)


def _with_small_weights(model: onnx.ModelProto) -> bytes:
    nodes = model.graph.node
    untouched = spectrogram([(n.op_type, n.input, n.output) for n in nodes], FUSED_NAMES)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.onnx"
        logging.disable(logging.WARNING)  # it advises a preparation that tf2onnx has done
        try:
            quantize_dynamic(
                model,
                path,
                weight_type=QuantType.QInt8,
                reduce_range=True,  # 7 bits: x86 without VNNI adds pairs of products in 16, where 8 overflow
                extra_options={"EnableSubgraph": True},  # the bodies of loops too
                nodes_to_exclude=[nodes[n].name for n in untouched],
            )
        finally:
            logging.disable(logging.NOTSET)
        return path.read_bytes()


def _expressible(layer) -> bool:
    """Whether ONNX's LSTM operator computes this layer. Its clip is of the gates, not of the cell."""
    cell = layer.cell
    known = {cell.activation, cell.recurrent_activation} <= _ACTIVATIONS.keys()
    if cell.coupled_gates:  # the input gate is the forget gate's of the negative: only of these it is 1 - f
        known &= cell.recurrent_activation in (keras.activations.sigmoid, keras.activations.hard_sigmoid)
    return known and not (cell.zoneout or cell.cell_clip or cell.projection_units or cell.layer_norm)


def _lstm_node(context, node, layer, weights: Weights, starts_empty: bool) -> None:
    """Write `layer` in place of its placeholder, whose outputs are all h, last h, last c.

    The operator wants time first, a leading axis of directions, and gates in the order input,
    output, forget, candidate (ONNX operator LSTM, version 14).
    """
    peephole = weights.peephole

    def constant(name: str, value: np.ndarray) -> str:
        return context.make_const(tf2onnx.utils.make_name(name), value).output[0]

    def reordered(weights: np.ndarray) -> np.ndarray:
        i, f, g, o = np.split(weights, 4, axis=-1)
        return np.concatenate([i, o, f, g], axis=-1)

    def one(op: str, inputs: list[str], **attributes: Any) -> str:
        return context.make_node(op, inputs, attr=attributes).output[0]

    first_axis = constant("axis", np.array([0], np.int64))
    second_axis = constant("axis", np.array([1], np.int64))

    x, h, c, *lengths = node.input
    results = list(node.output)
    types = [context.get_dtype(r) for r in results]
    shapes = [context.get_shape(r) for r in results]
    context.remove_node(node.name)
    taken = context.get_node_by_name(layer.name) is not None  # by another call of the same layer
    lstm = context.make_node(
        "LSTM",
        [
            one("Transpose", [x], perm=[1, 0, 2]),  # (time, batch, features)
            constant("W", reordered(weights.kernel).T[None]),
            constant("R", reordered(weights.recurrent_kernel).T[None]),
            # The operator has two biases; the second stays zero.
            constant("B", np.concatenate([reordered(weights.bias), np.zeros_like(weights.bias)])[None]),
            *(lengths or [""]),  # none: all steps
            *(["", ""] if starts_empty else [one("Unsqueeze", [state, first_axis]) for state in (h, c)]),
            *([] if peephole is None else [constant("P", peephole[[0, 2, 1]].reshape(1, -1))]),
        ],
        attr={
            "hidden_size": layer.units,
            "direction": "reverse" if layer.go_backwards else "forward",
            **_activations(layer.cell),
        },
        output_count=3,
        name=tf2onnx.utils.make_name(layer.name) if taken else layer.name,
    )
    sequence = one("Squeeze", [lstm.output[0], second_axis])  # (time, batch, units)
    if layer.go_backwards:  # Keras gives the outputs in the order they were computed
        ends = [constant("end", np.array([v], np.int64)) for v in (-1, np.iinfo(np.int64).min)]
        sequence = one("Slice", [sequence, *ends, first_axis, constant("step", np.array([-1], np.int64))])
    to_results = [
        ("Transpose", [sequence], {"perm": [1, 0, 2]}),
        ("Squeeze", [lstm.output[1], first_axis], {}),
        ("Squeeze", [lstm.output[2], first_axis], {}),
    ]
    for i, (op, source, attributes) in enumerate(to_results):
        context.make_node(
            op, source, attr=attributes, outputs=[results[i]], dtypes=[types[i]], shapes=[shapes[i]]
        )


def _activations(cell) -> dict[str, Any]:
    """The operator's attributes for the activations of gates, candidate and output."""
    chosen = [_ACTIVATIONS[a] for a in (cell.recurrent_activation, cell.activation, cell.activation)]
    if [name for name, *_ in chosen] == ["Sigmoid", "Tanh", "Tanh"]:
        return {}
    found: dict[str, Any] = {"activations": [name for name, *_ in chosen]}
    for key, values in (("alpha", [c[1] for c in chosen]), ("beta", [c[2] for c in chosen])):
        used = [v for v in values if v is not None]
        if used:
            found[f"activation_{key}"] = used
    return found
