"""Which states of a model's LSTM layers nothing reads."""

import itertools
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from export.trace import PLACEHOLDER, lstms_by


def unread_cells(call: Callable[..., Any], specs: list[tf.TensorSpec]) -> set[int]:
    """Of the runs of LSTM layers in `call`, counted from 0 in the order in which it makes them, those whose
    last cell state no output depends on. The last hidden state is the last output, whoever reads it."""
    numbers = itertools.count()

    def note(layer, sequences, initial_state, mask, training):
        batch, time, _ = sequences.shape
        outputs, cell = tf.raw_ops.PyFuncStateless(
            input=[sequences, *initial_state, *([] if mask is None else [mask])],
            token=str(next(numbers)),
            Tout=[sequences.dtype] * 2,
        )
        outputs = tf.ensure_shape(outputs, (batch, time, layer.cell.output_size))
        last = outputs[:, -1]
        return last, outputs, [last, tf.ensure_shape(cell, (batch, layer.units))]

    with lstms_by(note):
        graph = tf.function(call, input_signature=specs, autograph=False).get_concrete_function().graph
    # One inside a loop of the graph is in a graph of its own, of which nothing is known here.
    unread = {_number(op) for op in graph.get_operations() if op.type == PLACEHOLDER}
    waiting, seen = [t.op for t in graph.outputs], set()
    while waiting:
        op = waiting.pop()
        if op in seen:
            continue
        seen.add(op)
        for tensor in op.inputs:
            if tensor.op.type == PLACEHOLDER and tensor.value_index == 1:
                unread.discard(_number(tensor.op))
            waiting.append(tensor.op)
    return unread


def _number(op: tf.Operation) -> int:
    return int(op.get_attr("token"))
