"""Keras to TFLite, each LSTM as one `UNIDIRECTIONAL_SEQUENCE_LSTM` operator.

The converter makes that operator of a function that says, in an attribute, that it implements an
LSTM, has the operator's five outputs, and holds its weights as constants. So, while the model is
traced, each layer that the operator can express leaves a stand-in there: a plain LSTM with as many
units as the layer has outputs. In the file the stand-in then gets the layer's true weights, in the
operator's full form of 24 inputs, which has peepholes, a projection and layer normalisation, and state
tensors of its own that are set to zero before each run.
"""

import re
import tempfile
import uuid
from collections import Counter
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema

from export.signature import Signature, Weights, weights
from export.states import UNROLLED, cell_peaks, unread_cells, unrolled
from export.tflite_graph import (
    BIASES,
    CELL_STATE,
    FUSED,
    GAINS,
    HIDDEN_STATE,
    INPUT_WEIGHTS,
    PEEPHOLES,
    PLACES,
    PROJECTION,
    RECURRENT_WEIGHTS,
    TYPES,
    add_constant,
    add_tensor,
    add_variable,
    code_like,
    content_of,
    drop_unused,
    floats_of,
    lstms_of,
    new_operator,
    operator_name,
    pack,
    unpack,
)
from export.tflite_quantize import calibrated, with_small_weights
from export.trace import is_zero, known_operators, lstms_by, refusal, tables_of, tracing
from lstm_apps.errors import InputError, first_line
from lstm_apps.layers import LSTM, kernels
from lstm_apps.layers.gates import Gates, Variant, lstm_gates
from lstm_apps.runtime.engines import TFLiteEngine

ENDING = ".tflite"
NAME = "TFLite"
FUSED_NAMES = (FUSED,)
LOOPS = ("WHILE",)
_CELL = "lstm_cell_{}"  # the name of a cell state, by the place of its layer among the runs
QUANTIZE = ("dynamic", "int8", "int16x8")
_ACTIVATIONS = {
    keras.activations.tanh: schema.ActivationFunctionType.TANH,
    keras.activations.relu: schema.ActivationFunctionType.RELU,
}


def convert(signature: Signature, quantize: str | None, representative: Signature) -> bytes:
    """The model as a TFLite flatbuffer, batch one, sizes left open by the model as in the inputs.

    Args:
        signature: The model.
        quantize: None, "dynamic" (int8 weights), "int8" or "int16x8" (int16 activations, int8 weights).
        representative: The model with the data on which ranges of activations are measured.
    """
    # The layers that left a stand-in, once a trace, and their places among the runs of all LSTMs.
    marked: list[tuple[LSTM, Weights, int]] = []
    signature.check_arguments()
    specs = signature.specs(signature.static_shape)
    layers = signature.model._flatten_layers()
    may_be_read = any(getattr(layer, "return_state", False) for layer in layers)
    runs: list[Any] = []  # the layers that have run in this trace

    def call(*flat):
        runs.clear()
        return signature.call(*flat)

    def stand_in(layer, sequences, initial_state, mask, training):
        runs.append(layer)
        # The operator keeps its last cell state to itself.
        unread = not layer.return_state or len(runs) - 1 in unread_states
        fusible = unread and _expressible(layer) and all(map(is_zero, initial_state))
        one_example = sequences.shape[0] == 1  # not so where a reshape made more sequences of one
        if fusible and one_example and (mask is None or signature.right_padded):
            marked.append((layer, weights(layer), len(runs) - 1))
            return _sequence(layer, sequences, mask, number=len(marked))
        steps = sequences.shape[1]
        if (steps == 1 and mask is None) or (signature.chunk is not None and steps <= UNROLLED):
            return unrolled(layer, sequences, initial_state, mask)
        return kernels.scan(layer, sequences, initial_state, mask, training)

    module = tf.Module()
    module.call = tf.function(call, input_signature=specs, autograph=False)
    with tempfile.TemporaryDirectory() as folder, known_operators():
        unread_states = unread_cells(signature.call, specs) if may_be_read else set()
        # Only a saved model keeps the functions apart; a frozen graph would inline them.
        with lstms_by(stand_in), tracing():
            graph = module.call.get_concrete_function().graph
            module.tables = tables_of(signature.model, graph)
            tf.saved_model.save(module, folder, signatures={"serving_default": module.call})
        content = _converted(folder, signature, graph)
    model = _completed(unpack(content), marked)
    if quantize == "dynamic":
        model = with_small_weights(model)
    elif quantize is not None:
        float_engine = TFLiteEngine(pack(_with_reset(unpack(pack(model)))))
        calls = list(representative.calls(float_engine))
        peaks = cell_peaks(representative) if marked else []
        model = calibrated(model, calls, quantize, {_CELL.format(run): p for run, p in enumerate(peaks)})
    return pack(_with_reset(_with_outputs_apart(model)))


def _converted(folder: str, signature: Signature, graph: tf.Graph) -> bytes:
    """The converter's file; what it does not know is an InputError without its trace."""
    try:
        return tf.lite.TFLiteConverter.from_saved_model(folder).convert()
    except Exception as error:  # the converter raises its own and MLIR's errors
        unknown = re.findall(r"'tf\.(\w+)' op", str(error))
        if unknown:
            raise InputError(refusal("TFLite", signature.model, graph, unknown)) from error
        says = re.sub(r"loc\(.*?\):\s*|<unknown>:0:\s*", "", first_line(error))
        raise InputError(f"The TFLite converter refuses the model: {says}") from error


def joined(contents: list[bytes], names: list[str]) -> bytes:
    """Files of one signature each as one file with a signature `names` each, equal constants kept once."""
    model = unpack(contents[0])
    if len(model.subgraphs) > 1:
        raise InputError("Only a model without loops can have forms for several lengths in one file.")
    model.signatureDefs[0].signatureKey = names[0]
    known = {content_of(b): i for i, b in reversed(list(enumerate(model.buffers))) if b.data is not None}
    for content, name in zip(contents[1:], names[1:], strict=True):
        other = unpack(content)
        (graph,), (signature,) = other.subgraphs, other.signatureDefs
        for tensor in graph.tensors:
            buffer = other.buffers[tensor.buffer]
            if buffer.data is None:
                tensor.buffer = 0  # that of all tensors without content
                continue
            if content_of(buffer) not in known:
                known[content_of(buffer)] = len(model.buffers)
                model.buffers.append(buffer)
            tensor.buffer = known[content_of(buffer)]
        for op in graph.operators:
            op.opcodeIndex = code_like(model, other.operatorCodes[op.opcodeIndex])
        signature.signatureKey, signature.subgraphIndex = name, len(model.subgraphs)
        graph.name = name
        model.subgraphs.append(graph)
        model.signatureDefs.append(signature)
    return pack(model)


def with_metadata(content: bytes, key: str, data: str) -> bytes:
    """The file with `data` in its metadata under `key`."""
    model = unpack(content)
    buffer = schema.BufferT()
    buffer.data = list(data.encode())
    model.buffers.append(buffer)
    entry = schema.MetadataT()
    entry.name, entry.buffer = key, len(model.buffers) - 1
    model.metadata = [*(model.metadata or []), entry]
    return pack(model)


def operators(content: bytes) -> Counter:
    """How many operators of each type the file has, in all its subgraphs."""
    model = unpack(content)
    return Counter(operator_name(model, op) for graph in model.subgraphs for op in graph.operators)


def _sequence(layer, sequences, mask, number: int):
    """A layer over its sequences, with a stand-in that the file's operator can be told by. Its last cell
    state, which nothing reads, is zeros."""
    cell = tf.zeros((1, layer.units))
    lengths: Any = None if mask is None else tf.reduce_sum(tf.cast(mask, tf.int32), axis=1)
    if layer.go_backwards and mask is None:
        sequences = tf.reverse(sequences, [1])
    elif layer.go_backwards:
        sequences = tf.reverse_sequence(sequences, lengths, seq_axis=1)
    outputs = _stand_in(sequences, layer.cell.output_size, number)
    if mask is None:
        return outputs[:, -1], outputs, [outputs[:, -1], cell]
    # Right-padded: every valid step came first and saw no other.
    valid = tf.cast(tf.range(outputs.shape[1]) < lengths[:, None], outputs.dtype)[..., None]
    last = tf.gather(outputs, tf.maximum(lengths - 1, 0), axis=1, batch_dims=1)
    last = hidden = last * valid[:, 0]
    outputs = outputs * valid
    if layer.go_backwards:  # Keras gives the outputs in the order they were computed, padding first
        outputs = tf.reverse(tf.reverse_sequence(outputs, lengths, seq_axis=1), [1])
    elif not layer.zero_output_for_mask:  # Keras repeats the last output
        outputs = outputs + (1 - valid) * last[:, None]
    else:
        last = outputs[:, -1]
    return last, outputs, [hidden, cell]


def _stand_in(sequences, units: int, number: int) -> tf.Tensor:
    """An LSTM that the converter makes an operator of; its biases are `number`."""

    def lstm(x, h, c, kernel, recurrent_kernel, bias):
        def step(before, x_t):
            z = tf.matmul(x_t, kernel) + tf.matmul(before.hidden, recurrent_kernel)
            return lstm_gates(z, before.cell, Variant(bias), tf.tanh, tf.sigmoid)

        steps = tf.transpose(x, [1, 0, 2])  # (time, batch, features)
        gates = tf.scan(step, steps, Gates(c, c, c, c, cell=c, hidden=h))
        outputs = tf.transpose(gates.hidden, [1, 0, 2])
        return outputs[:, -1], outputs, gates.hidden[-1], gates.cell[-1], tf.constant(0.0)

    known_to_converter = tf.function(
        lstm,
        autograph=False,
        experimental_attributes={
            "api_implements": f"lstm_{uuid.uuid4()}",
            "api_preferred_device": "CPU",
            "time_major": False,
            "go_backwards": False,
        },
    )
    state = tf.zeros((1, units))
    ones = tf.ones((sequences.shape[-1], 4 * units)), tf.ones((units, 4 * units)), tf.ones(4 * units)
    return known_to_converter(sequences, state, state, *(number * w for w in ones))[1]


def _expressible(layer) -> bool:
    """Whether the operator computes this layer, which knows no zoneout."""
    cell = layer.cell
    able = cell.activation in _ACTIVATIONS and cell.recurrent_activation is keras.activations.sigmoid
    return able and not cell.zoneout


def _completed(model, marked: list[tuple[LSTM, Weights, int]]):
    """Give each LSTM operator what its layer has."""
    for graph, op in lstms_of(model):
        number = int(floats_of(model, graph, op.inputs[BIASES])[0])
        _complete(model, graph, op, *marked[number - 1])
    drop_unused(model)
    return model


def _with_outputs_apart(model):
    """A tensor of its own for each output: of two names on one tensor, such as an output that is a state,
    LiteRT's CompiledModel and its JavaScript know one."""
    graph, (signature,) = model.subgraphs[0], model.signatureDefs
    taken: set[int] = set()
    for output in signature.outputs:
        old = output.tensorIndex
        if old in taken:
            tensor = graph.tensors[old]
            shape = add_constant(model, graph, np.array(tensor.shape, np.int32))
            output.tensorIndex = add_tensor(graph, "output", tensor.shape, tensor.type)
            copy = new_operator(model, "RESHAPE", schema.ReshapeOptionsT(), [old, shape], output.tensorIndex)
            copy.builtinOptions.newShape = list(tensor.shape)
            graph.operators.append(copy)
        taken.add(output.tensorIndex)
    graph.outputs = [output.tensorIndex for output in signature.outputs]
    return model


def _with_reset(model):
    """Set the state of every LSTM operator to zero before it runs.

    The operator keeps its state in variable tensors until `reset_all_variables()`, so a second call
    would go on where the first ended. A reset inside the graph no caller can forget.
    """
    for graph in model.subgraphs:
        graph.operators = [
            step
            for op in graph.operators
            for step in ([*_reset(model, graph, op), op] if operator_name(model, op) == FUSED else [op])
        ]
    return model


def _complete(model, graph, op, layer: LSTM, weights: Weights, run: int) -> None:
    """Put a layer in place of a stand-in: the operator's 24 inputs and its options."""

    def constants(array: np.ndarray, blocks: int = 4) -> list[int]:
        # Blocks are columns here and rows there.
        parts = np.split(array, blocks, axis=-1)
        return [add_constant(model, graph, part.T.astype(np.float32, order="C")) for part in parts]

    inputs = [-1] * PLACES
    inputs[0] = op.inputs[0]
    inputs[INPUT_WEIGHTS:RECURRENT_WEIGHTS] = constants(weights.kernel)
    inputs[RECURRENT_WEIGHTS:PEEPHOLES] = constants(weights.recurrent_kernel)
    inputs[BIASES:PROJECTION] = constants(weights.bias)
    if weights.peephole is not None:
        inputs[PEEPHOLES:BIASES] = constants(weights.peephole.reshape(-1), 3)
    if weights.projection is not None:
        inputs[PROJECTION] = constants(weights.projection, 1)[0]
    if weights.gain is not None:
        inputs[GAINS:PLACES] = constants(weights.gain)
        model.operatorCodes[op.opcodeIndex].version = 3  # the first that has it
    inputs[HIDDEN_STATE] = add_variable(graph, f"lstm_hidden_{run}", layer.cell.output_size)
    inputs[CELL_STATE] = add_variable(graph, _CELL.format(run), layer.units)
    op.inputs = inputs
    options = op.builtinOptions
    options.cellClip = layer.cell.cell_clip or 0.0
    options.fusedActivationFunction = _ACTIVATIONS[layer.cell.activation]


def _reset(model, graph, lstm) -> list:
    """Operators that set the state of an LSTM to zero. They read the state: what reads constants alone
    is computed once, when the file is loaded."""
    found = []
    for state in (lstm.inputs[HIDDEN_STATE], lstm.inputs[CELL_STATE]):
        tensor = graph.tensors[state]
        if tensor.type == schema.TensorType.FLOAT32:
            found.append(new_operator(model, "ZEROS_LIKE", schema.ZerosLikeOptionsT(), [state], state))
            continue
        # Zero may be any integer here: the state, cut off at it from above and below. No delegate takes
        # these two from the interpreter, which alone may write into a state.
        kind = next(name for name, code in TYPES.items() if code == tensor.type)
        zero = add_constant(model, graph, np.full(tensor.shape, tensor.quantization.zeroPoint[0], kind))
        below = add_tensor(graph, "lstm_below_zero", tensor.shape, tensor.type)
        graph.tensors[zero].quantization = graph.tensors[below].quantization = tensor.quantization
        options = schema.MaximumMinimumOptionsT()
        found.append(new_operator(model, "MINIMUM", options, [state, zero], below))
        found.append(new_operator(model, "MAXIMUM", options, [below, zero], state))
    return found
