"""What is done to an ONNX graph once it has been converted."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

import numpy as np
import onnx
import tensorflow as tf
from onnx import helper, numpy_helper

_X, _LENGTHS, _HIDDEN, _CELL, _PEEPHOLES = 0, 4, 5, 6, 7
_OF_A_DIRECTION = (1, 2, 3, _PEEPHOLES)  # and the weights, recurrent weights and biases
_ACTIVATIONS = ("activations", "activation_alpha", "activation_beta")


def fix_captures(graph: onnx.GraphProto, captures) -> None:
    """Make constants of the tensors that the traced function took from outside, such as the mean
    of `keras.layers.Normalization`: the converter takes them for inputs."""
    outside = {inner.name: outer for outer, inner in captures if inner.dtype != tf.resource}
    for value in [v for v in graph.input if v.name in outside]:
        graph.input.remove(value)
        graph.initializer.append(numpy_helper.from_array(outside[value.name].numpy(), value.name))


def complete_shapes(graph: onnx.GraphProto, ranks: Mapping[str, int]) -> None:
    """Give outputs their number of axes, where the converter lost it; without one the file is invalid."""
    for value in graph.output:
        tensor = value.type.tensor_type
        if value.name in ranks and not tensor.HasField("shape"):
            axes = [None] * ranks[value.name]
            value.CopyFrom(helper.make_tensor_value_info(value.name, tensor.elem_type, axes))


def drop_unused(graph: onnx.GraphProto) -> None:
    """Remove constants that no node reads."""
    used = read_by(graph)
    for constant in [c for c in graph.initializer if c.name not in used]:
        graph.initializer.remove(constant)


def name_axes(graph: onnx.GraphProto) -> None:
    """Call the first open axis of inputs and outputs "batch", the others after them: of equal names a
    runtime takes it that their sizes are equal, too."""
    for value in (*graph.input, *graph.output):
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            if not dim.HasField("dim_value"):
                dim.dim_param = "batch" if axis == 0 else f"{value.name}_{axis}"


def join_directions(graph: onnx.GraphProto) -> None:
    """Make each forward and reverse LSTM of the same input, lengths and shape one bidirectional node, where
    both start from states of zero."""
    waiting: dict[tuple, list[onnx.NodeProto]] = defaultdict(list)
    for node in [n for n in graph.node if n.op_type == "LSTM"]:
        options = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        direction = options.pop("direction")
        if _input(node, _HIDDEN) or _input(node, _CELL):
            continue
        parts = _input(node, _X), _input(node, _LENGTHS), bool(_input(node, _PEEPHOLES))
        same = (*parts, repr(sorted(options.items())))
        others = waiting[same, b"forward" if direction == b"reverse" else b"reverse"]
        if not others:
            waiting[same, direction].append(node)
        else:
            other = others.pop(0)
            forward, reverse = (other, node) if direction == b"reverse" else (node, other)
            _join(graph, forward, reverse, options)


def _join(graph, forward, reverse, options: dict) -> None:
    """One node, and what splits its outputs, in place of the first of two."""
    constants = {c.name: c for c in graph.initializer}
    inputs = list(forward.input)
    for place in _OF_A_DIRECTION:
        if _input(forward, place):
            blocks = [numpy_helper.to_array(constants[n.input[place]]) for n in (forward, reverse)]
            inputs[place] = f"{forward.name}_both_directions_{place}"
            graph.initializer.append(numpy_helper.from_array(np.concatenate(blocks), inputs[place]))
    used, outputs, splits = read_by(graph), [], []
    for place, axis in enumerate((1, 0, 0)):  # all h, last h, last c: where their directions are
        names = [node.output[place] for node in (forward, reverse)]
        outputs.append(f"{forward.name}_both_{place}" if used & set(names) else "")
        if outputs[-1]:
            splits.append(helper.make_node("Split", [outputs[-1]], names, axis=axis, num_outputs=2))
    doubled = {name: value * 2 if name in _ACTIVATIONS else value for name, value in options.items()}
    joined = helper.make_node(
        "LSTM", inputs, outputs, name=forward.name, direction="bidirectional", **doubled
    )
    nodes = list(graph.node)
    first = min(nodes.index(forward), nodes.index(reverse))
    graph.node.remove(forward)
    graph.node.remove(reverse)
    for node in (*splits, joined):
        graph.node.insert(first, node)


def all_graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """The graph and those inside its loops and branches."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from all_graphs(attribute.g)


def read_by(graph: onnx.GraphProto) -> set[str]:
    """Names that a node reads, or an output is, also inside loops."""
    return {
        name
        for inner in all_graphs(graph)
        for name in (*(o.name for o in inner.output), *(i for node in inner.node for i in node.input))
    }


def _input(node: onnx.NodeProto, place: int) -> str:
    return node.input[place] if place < len(node.input) else ""
