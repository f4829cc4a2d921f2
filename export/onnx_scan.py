"""Any recurrent layer as one `Scan` of ONNX, for what its operators cannot say.

TensorFlow's own loop would become a `Loop` that carries lists of tensors and counts on both sides of its
condition. A `Scan`'s body is the layer's cell alone.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import onnx
import tensorflow as tf
from keras import tree
from onnx import helper

from export.onnx_graph import all_graphs, read_by
from export.signature import frozen
from export.trace import PLACEHOLDER, keras_loop
from lstm_apps.layers.kernels import Result


class _Loop(NamedTuple):
    step: Callable[..., Any]  # (*passed, *scanned) -> (*passed, output)
    specs: list[tf.TensorSpec]  # of the step's arguments
    scanned: int  # how many of them are slices of sequences
    backwards: bool


class Scans:
    """The loops of one model. `run` leaves a placeholder for each in the graph that is traced, which the
    converter is to keep; `fill_in` puts a `Scan` in its place.

    What a loop passes on is the last output and the states, what it goes over the inputs and, if there is
    one, the mask.

    Args:
        convert: Makes an ONNX model of a function of tensors and their specs.
    """

    def __init__(self, convert: Callable[[Callable[..., Any], list[tf.TensorSpec]], onnx.ModelProto]):
        self._convert = convert
        self._loops: dict[str, _Loop] = {}

    def run(self, layer, sequences, initial_state, mask, training=False) -> Result:
        """A kernel, as those of `lstm_apps.layers.kernels`, for any layer of recurrence over vectors; over
        images Keras's loop."""
        if len(sequences.shape) != 3:
            return keras_loop(layer, sequences, initial_state, mask, training)
        states = tree.flatten(initial_state)
        batch, time, _ = sequences.shape
        units = getattr(layer.cell, "output_size", states[0].shape[-1])
        # Zeros are what a masked step shows that has no other before it.
        passed = [tf.zeros((tf.shape(sequences)[0], units), sequences.dtype), *states]
        scanned = [sequences, *([] if mask is None else [mask])]

        def step(last, *inputs):
            before, (x, *valid) = inputs[: len(states)], inputs[len(states) :]
            with frozen(layer.cell.variables):
                output, after = layer.cell(x, tree.pack_sequence_as(initial_state, before))
            after = tree.flatten(after)
            for mask in valid:
                chosen = tf.expand_dims(mask, 1)
                after = [tf.where(chosen, new, old) for new, old in zip(after, before, strict=True)]
                otherwise = tf.zeros((), last.dtype) if layer.zero_output_for_mask else last
                output = tf.where(chosen, output, otherwise)
            return output, *after, output

        token = f"scan_{len(self._loops)}"
        specs = [tf.TensorSpec(t.shape, t.dtype) for t in passed]
        specs += [tf.TensorSpec((batch, *t.shape[2:]), t.dtype) for t in scanned]
        self._loops[token] = _Loop(step, specs, len(scanned), layer.go_backwards)
        results = tf.raw_ops.PyFuncStateless(
            input=[*passed, *scanned], token=token, Tout=[t.dtype for t in (*passed, sequences)]
        )
        last, *after = (tf.ensure_shape(r, p.shape) for r, p in zip(results[:-1], passed, strict=True))
        outputs = tf.ensure_shape(results[-1], (batch, time, units))
        return last, outputs, tree.pack_sequence_as(initial_state, after)

    def fill_in(self, model: onnx.ModelProto) -> None:
        """Write the loops into `model`."""
        for graph in all_graphs(model.graph):
            used = read_by(graph)
            for node in [n for n in graph.node if n.op_type == PLACEHOLDER]:
                token = helper.get_node_attr_value(node, "token").decode()
                loop = self._loops[token]
                step = self._convert(loop.step, loop.specs).graph
                body = onnx.compose.add_prefix_graph(step, f"{token}/")
                inputs, outputs = list(node.input), list(node.output)
                if outputs[-1] not in used:  # all outputs, where the layer puts out the last one
                    outputs.pop()
                    body.output.pop()
                before = _product_first(graph, body, inputs, len(inputs) - loop.scanned)
                scan = helper.make_node(
                    "Scan",
                    inputs,
                    outputs,
                    name=token,
                    body=body,
                    num_scan_inputs=loop.scanned,
                    scan_input_axes=[1] * loop.scanned,
                    scan_input_directions=[int(loop.backwards)] * loop.scanned,
                    scan_output_axes=[1] if len(outputs) == len(node.output) else None,
                )
                place = list(graph.node).index(node)
                graph.node.remove(node)
                for made in (scan, *before):
                    graph.node.insert(place, made)


def _product_first(
    graph: onnx.GraphProto, body: onnx.GraphProto, inputs: list[str], place: int
) -> list[onnx.NodeProto]:
    """Where all that a step does with its input is to multiply it by a matrix, multiply all steps' inputs at
    once before the loop, which is faster: `inputs[place]` becomes the product. The node that makes it."""
    x = body.input[place]
    readers = [n for n in body.node if x.name in n.input]
    constants = {c.name: c for c in body.initializer}
    if [n.op_type for n in readers] != ["MatMul"] or readers[0].input[1] not in constants:
        return []
    (product,) = readers
    weights = constants[product.input[1]]
    body.initializer.remove(weights)
    body.node.remove(product)
    graph.initializer.append(weights)
    x.CopyFrom(helper.make_tensor_value_info(product.output[0], weights.data_type, [None, weights.dims[1]]))
    before = f"{inputs[place]}_{weights.name}"
    made = helper.make_node("MatMul", [inputs[place], weights.name], [before], name=before)
    inputs[place] = before
    return [made]
