"""Keras to ONNX, each LSTM as one `LSTM` node of the standard.

A layer's loop would reach ONNX as a `Loop` of a dozen nodes a step. So, while the model is traced,
each layer that the operator can express leaves a single placeholder in the graph instead, and the
converter is told to write an `LSTM` node for it.
"""

import logging
from collections import Counter
from typing import Any

import numpy as np
import onnx
import tensorflow as tf
import tf2onnx

from export.signature import Signature, peepholes, weights
from lstm_apps.layers import kernels

# The oldest opset with all that is used here; every onnxruntime since 1.14 reads it.
OPSET = 18
ENDING = ".onnx"
FUSED = "LSTM"
LOOPS = ("Loop", "Scan")


def convert(signature: Signature) -> bytes:
    """The model as an ONNX file; batch and open time axes stay open."""
    marked: dict[str, tuple] = {}  # token of a placeholder -> its layer and weights

    def placeholder(layer, sequences, initial_state, mask, training):
        if mask is not None or not _expressible(layer):
            return kernels.scan(layer, sequences, initial_state, mask, training)
        token = f"lstm_{len(marked)}"
        marked[token] = layer, *weights(layer), peepholes(layer)
        h, c = initial_state
        outputs, last_h, last_c = tf.raw_ops.PyFuncStateless(
            input=[sequences, h, c], token=token, Tout=[tf.float32] * 3
        )
        batch, time, _ = sequences.shape
        outputs = tf.ensure_shape(outputs, (batch, time, layer.units))
        last_h = tf.ensure_shape(last_h, (batch, layer.units))
        last_c = tf.ensure_shape(last_c, (batch, layer.units))
        return last_h, outputs, [last_h, last_c]

    def write_node(context, node, name, args):
        _lstm_node(context, node, *marked[node.get_attr("token").s.decode()])

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)  # it warns that it does not know placeholders
    specs = signature.specs(lambda t: (None, *t.shape[1:]))
    function = tf.function(signature.call, input_signature=specs, autograph=False)
    with kernels.use_kernel(placeholder):
        captures = function.get_concrete_function().graph.captures
        model, _ = tf2onnx.convert.from_function(
            function,
            input_signature=specs,
            opset=OPSET,
            custom_op_handlers={"PyFuncStateless": (write_node, [])},
        )
    _fix_captures(model, captures)
    _name_axes(model, specs)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


def with_metadata(content: bytes, key: str, data: str) -> bytes:
    """The file with `data` in its `metadata_props` under `key`."""
    model = onnx.load_model_from_string(content)
    onnx.helper.set_model_props(model, {key: data})
    return model.SerializeToString()


def operators(content: bytes) -> Counter:
    """How many nodes of each type the graph has, those inside loops included."""

    def count(graph: onnx.GraphProto) -> Counter:
        found = Counter(node.op_type for node in graph.node)
        for node in graph.node:
            for attribute in node.attribute:
                if attribute.type == onnx.AttributeProto.GRAPH:
                    found += count(attribute.g)
        return found

    return count(onnx.load_model_from_string(content).graph)


def _expressible(layer) -> bool:
    """Whether ONNX's LSTM operator computes this layer as it stands here."""
    cell = layer.cell
    return cell.is_classic and not (cell.projection_units or cell.layer_norm)


def _lstm_node(context, node, layer, kernel, recurrent_kernel, bias, peephole) -> None:
    """Write `layer` in place of its placeholder, whose outputs are all h, last h, last c.

    The operator wants time first, a leading axis of directions, and gates in the order input,
    output, forget, candidate (ONNX operator LSTM, version 14).
    """
    units = layer.units

    def constant(name: str, value: np.ndarray) -> str:
        return context.make_const(tf2onnx.utils.make_name(name), value).output[0]

    def reordered(weights: np.ndarray) -> np.ndarray:
        i, f, g, o = np.split(weights, 4, axis=-1)
        return np.concatenate([i, o, f, g], axis=-1)

    def one(op: str, inputs: list[str], **attributes: Any) -> str:
        return context.make_node(op, inputs, attr=attributes).output[0]

    first_axis = constant("axis", np.array([0], np.int64))
    second_axis = constant("axis", np.array([1], np.int64))

    x, h, c = node.input
    results = list(node.output)
    types = [context.get_dtype(r) for r in results]
    shapes = [context.get_shape(r) for r in results]
    context.remove_node(node.name)
    lstm = context.make_node(
        "LSTM",
        [
            one("Transpose", [x], perm=[1, 0, 2]),  # (time, batch, features)
            constant("W", reordered(kernel).T[None]),
            constant("R", reordered(recurrent_kernel).T[None]),
            # The operator has two biases; the second stays zero.
            constant("B", np.concatenate([reordered(bias), np.zeros_like(bias)])[None]),
            "",  # sequence lengths: all steps
            one("Unsqueeze", [h, first_axis]),
            one("Unsqueeze", [c, first_axis]),
            *([] if peephole is None else [constant("P", peephole[[0, 2, 1]].reshape(1, -1))]),
        ],
        attr={"hidden_size": units, "direction": "reverse" if layer.go_backwards else "forward"},
        output_count=3,
        name=layer.name,
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


def _fix_captures(model: onnx.ModelProto, captures) -> None:
    """Make constants of the tensors that the traced function took from outside, such as the mean
    of `keras.layers.Normalization`: the converter takes them for inputs."""
    outside = {inner.name: outer for outer, inner in captures if inner.dtype != tf.resource}
    for value in [v for v in model.graph.input if v.name in outside]:
        model.graph.input.remove(value)
        constant = onnx.numpy_helper.from_array(outside[value.name].numpy(), value.name)
        model.graph.initializer.append(constant)


def _name_axes(model: onnx.ModelProto, specs: list[tf.TensorSpec]) -> None:
    """Call the open axes of inputs and outputs "batch" and "time"."""
    for value in (*model.graph.input, *model.graph.output):
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            if not dim.HasField("dim_value"):
                dim.dim_param = ("batch", "time")[axis] if axis < 2 else f"{value.name}_{axis}"
