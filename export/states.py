"""The states of a model's LSTM layers: one step after the other, how far they reach, which nothing reads."""

import itertools
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from export.signature import Signature
from export.trace import PLACEHOLDER, lstms_by, tracing

# Steps of a chunk of a stream that a file has one after the other; more are a loop.
UNROLLED = 32


def unrolled(layer, sequences, initial_state, mask, see: Callable[[list[Any]], None] | None = None):
    """A kernel that runs the cell itself, once a step: operators that may be integer, where a loop may not.
    `see`, if there is one, is called with the states after each step."""
    times = range(sequences.shape[1])
    states, outputs = list(initial_state), []
    last = tf.zeros((sequences.shape[0], layer.cell.output_size), sequences.dtype)
    for t in reversed(times) if layer.go_backwards else times:
        output, after = layer.cell(sequences[:, t], states)
        if mask is not None:
            valid = mask[:, t, None]
            after = [tf.where(valid, new, old) for new, old in zip(after, states, strict=True)]
            output = tf.where(valid, output, tf.zeros_like(last) if layer.zero_output_for_mask else last)
        states, last = list(after), output
        outputs.append(output)
        if see is not None:
            see(states)
    return last, tf.stack(outputs, axis=1), states


def cell_peaks(signature: Signature) -> list[float]:
    """The largest absolute value in the cell state at any step of the sample inputs, of each run of an LSTM
    layer in the order in which the model makes them."""
    found: list[float] = []

    def note(layer, sequences, initial_state, mask, training):
        found.append(0.0)

        def see(states: list[Any]) -> None:
            found[-1] = max(found[-1], float(tf.reduce_max(tf.abs(states[1]))))

        return unrolled(layer, sequences, initial_state, mask, see)

    with lstms_by(note):
        signature.call(*map(tf.constant, signature.inputs.values()))
    return found


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

    with lstms_by(note), tracing():
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
