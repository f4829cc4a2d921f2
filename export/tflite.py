"""Keras to TFLite, each LSTM as one `UNIDIRECTIONAL_SEQUENCE_LSTM` operator.

The converter makes that operator of a function that says, in an attribute, that it implements an
LSTM, has the operator's five outputs, and holds its weights as constants. So, while the model is
traced, each layer that the operator can express leaves a stand-in there: a plain LSTM with as many
units as the layer has outputs. In the file the stand-in then gets the layer's true weights, in the
operator's full form of 24 inputs, which has peepholes, a projection and layer normalisation, and state
tensors of its own that are set to zero before each run.
"""

import tempfile
import uuid
from collections import Counter
from typing import Any

import flatbuffers
import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema

from export.signature import Signature, Weights, weights
from export.trace import lstms_by
from lstm_apps.errors import InputError
from lstm_apps.layers import LSTM, kernels
from lstm_apps.layers.gates import Gates, Variant, lstm_gates

ENDING = ".tflite"
FUSED = "UNIDIRECTIONAL_SEQUENCE_LSTM"
LOOPS = ("WHILE",)
_NAMES = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
# Places among the operator's 24 inputs (lstm_shared.h in TensorFlow Lite), four gates each:
# input, forget, cell, output. There are three peepholes.
_INPUT_WEIGHTS, _RECURRENT_WEIGHTS, _PEEPHOLES, _BIASES = 1, 5, 9, 12
_PROJECTION, _HIDDEN_STATE, _CELL_STATE, _GAINS, _PLACES = 16, 18, 19, 20, 24
_ACTIVATIONS = {
    keras.activations.tanh: schema.ActivationFunctionType.TANH,
    keras.activations.relu: schema.ActivationFunctionType.RELU,
}


def convert(signature: Signature, right_padded: bool) -> bytes:
    """The model as a TFLite flatbuffer, batch one, sizes left open by the model as in the inputs."""
    marked: list[tuple[LSTM, Weights]] = []  # the layers that left a stand-in, once a trace

    def stand_in(layer, sequences, initial_state, mask, training):
        fusible = _expressible(layer) and all(map(_is_zero, initial_state))
        if not fusible or (mask is not None and not right_padded):
            return _loop(layer, sequences, initial_state, mask, training)
        marked.append((layer, weights(layer)))
        return _sequence(layer, sequences, mask, number=len(marked))

    specs = signature.specs(signature.static_shape)
    module = tf.Module()
    module.call = tf.function(signature.call, input_signature=specs, autograph=False)
    with tempfile.TemporaryDirectory() as folder:
        # Only a saved model keeps the functions apart; a frozen graph would inline them.
        with lstms_by(stand_in):
            tf.saved_model.save(module, folder, signatures={"serving_default": module.call})
        try:
            content = tf.lite.TFLiteConverter.from_saved_model(folder).convert()
        except Exception as error:  # the converter raises its own and MLIR's errors
            reason = (str(error).strip().splitlines() or [""])[0]
            raise InputError(f"The TFLite converter refuses the model: {reason}") from error
    return _pack(_completed(_unpack(content), marked))


def with_metadata(content: bytes, key: str, data: str) -> bytes:
    """The file with `data` in its metadata under `key`."""
    model = _unpack(content)
    buffer = schema.BufferT()
    buffer.data = list(data.encode())
    model.buffers.append(buffer)
    entry = schema.MetadataT()
    entry.name, entry.buffer = key, len(model.buffers) - 1
    model.metadata = [*(model.metadata or []), entry]
    return _pack(model)


def operators(content: bytes) -> Counter:
    """How many operators of each type the file has, in all its subgraphs."""
    model = _unpack(content)
    return Counter(_name(model, op) for graph in model.subgraphs for op in graph.operators)


def _loop(layer, sequences, initial_state, mask, training):
    """What no operator computes: a loop, or the cell itself where there is one step."""
    if sequences.shape[1] != 1 or mask is not None:
        return kernels.scan(layer, sequences, initial_state, mask, training)
    output, states = layer.cell(sequences[:, 0], initial_state)
    return output, output[:, None], states


def _sequence(layer, sequences, mask, number: int):
    """A layer over its sequences, with a stand-in that the file's operator can be told by."""
    lengths: Any = None if mask is None else tf.reduce_sum(tf.cast(mask, tf.int32), axis=1)
    if layer.go_backwards and mask is None:
        sequences = tf.reverse(sequences, [1])
    elif layer.go_backwards:
        sequences = tf.reverse_sequence(sequences, lengths, seq_axis=1)
    outputs = _stand_in(sequences, layer.cell.output_size, number)
    if mask is None:
        return outputs[:, -1], outputs, []
    # Right-padded: every valid step came first and saw no other.
    valid = tf.cast(tf.range(outputs.shape[1]) < lengths[:, None], outputs.dtype)[..., None]
    last = tf.gather(outputs, tf.maximum(lengths - 1, 0), axis=1, batch_dims=1)
    last = last * valid[:, 0]
    outputs = outputs * valid
    if layer.go_backwards:  # Keras gives the outputs in the order they were computed, padding first
        outputs = tf.reverse(tf.reverse_sequence(outputs, lengths, seq_axis=1), [1])
    elif not layer.zero_output_for_mask:  # Keras repeats the last output
        outputs = outputs + (1 - valid) * last[:, None]
    else:
        last = outputs[:, -1]
    return last, outputs, []


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
    """Whether the operator computes this layer: no zoneout, and no state wanted at the end, because
    the operator keeps that to itself."""
    cell = layer.cell
    able = cell.activation in _ACTIVATIONS and cell.recurrent_activation is keras.activations.sigmoid
    return able and not cell.zoneout and not layer.return_state


def _is_zero(tensor: tf.Tensor) -> bool:
    value = tf.get_static_value(tensor)
    return value is not None and not value.any()


def _completed(model, marked: list[tuple[LSTM, Weights]]):
    """Give each LSTM operator what its layer has.

    The operator keeps its state in variable tensors until `reset_all_variables()`, so a second call
    would go on where the first ended: `ZEROS_LIKE` writes zeros into both before each run, inside the
    graph, where no caller can forget it.
    """
    for graph in model.subgraphs:
        operators = []
        for op in graph.operators:
            if _name(model, op) == FUSED:
                number = int(_values(model, graph, op.inputs[_BIASES])[0])
                _complete(model, graph, op, *marked[number - 1])
                operators += _reset(model, op)
            operators.append(op)
        graph.operators = operators
    _drop_unused(model)
    return model


def _complete(model, graph, op, layer: LSTM, weights: Weights) -> None:
    """Put a layer in place of a stand-in: the operator's 24 inputs and its options."""

    def constants(array: np.ndarray, blocks: int = 4) -> list[int]:
        # Blocks are columns here and rows there.
        parts = np.split(array, blocks, axis=-1)
        return [_constant(model, graph, np.ascontiguousarray(part.T)) for part in parts]

    inputs = [-1] * _PLACES
    inputs[0] = op.inputs[0]
    inputs[_INPUT_WEIGHTS:_RECURRENT_WEIGHTS] = constants(weights.kernel)
    inputs[_RECURRENT_WEIGHTS:_PEEPHOLES] = constants(weights.recurrent_kernel)
    inputs[_BIASES:_PROJECTION] = constants(weights.bias)
    if weights.peephole is not None:
        inputs[_PEEPHOLES:_BIASES] = constants(weights.peephole.reshape(-1), 3)
    if weights.projection is not None:
        inputs[_PROJECTION] = constants(weights.projection, 1)[0]
    if weights.gain is not None:
        inputs[_GAINS:_PLACES] = constants(weights.gain)
        model.operatorCodes[op.opcodeIndex].version = 3  # the first that has it
    inputs[_HIDDEN_STATE] = _variable(graph, layer.cell.output_size)
    inputs[_CELL_STATE] = _variable(graph, layer.units)
    op.inputs = inputs
    options = op.builtinOptions
    options.cellClip = layer.cell.cell_clip or 0.0
    options.fusedActivationFunction = _ACTIVATIONS[layer.cell.activation]


def _constant(model, graph, array: np.ndarray) -> int:
    """A new tensor with these numbers."""
    tensor, buffer = schema.TensorT(), schema.BufferT()
    buffer.data = np.frombuffer(array.astype(np.float32).tobytes(), np.uint8)
    model.buffers.append(buffer)
    tensor.name = f"lstm_weight_{len(graph.tensors)}"
    tensor.shape, tensor.type = list(array.shape), schema.TensorType.FLOAT32
    tensor.buffer = len(model.buffers) - 1
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _variable(graph, size: int) -> int:
    """A new tensor (1, size) that keeps its content."""
    variable = schema.TensorT()
    variable.name = f"lstm_state_{len(graph.tensors)}"
    variable.shape, variable.type = [1, size], schema.TensorType.FLOAT32
    variable.buffer = 0  # no content of its own
    variable.isVariable = True
    graph.tensors.append(variable)
    return len(graph.tensors) - 1


def _values(model, graph, tensor: int) -> np.ndarray:
    return np.frombuffer(bytes(model.buffers[graph.tensors[tensor].buffer].data), np.float32)


def _drop_unused(model) -> None:
    """Empty the buffers of constants that no operator reads: the stand-ins' weights."""
    used: set[int] = set()
    for graph in model.subgraphs:
        tensors = {*graph.inputs, *graph.outputs}
        for op in graph.operators:
            tensors.update(op.inputs)
        used.update(graph.tensors[t].buffer for t in tensors if t >= 0)
    used.update(entry.buffer for entry in model.metadata or [])
    for number, buffer in enumerate(model.buffers):
        if number not in used:
            buffer.data = None


def _reset(model, lstm) -> list:
    """Operators that set the state of an LSTM to zero."""
    found = []
    for tensor in (lstm.inputs[_HIDDEN_STATE], lstm.inputs[_CELL_STATE]):
        op = schema.OperatorT()
        op.opcodeIndex = _code(model, schema.BuiltinOperator.ZEROS_LIKE)
        op.inputs = op.outputs = [tensor]
        op.builtinOptionsType = schema.BuiltinOptions.ZerosLikeOptions
        op.builtinOptions = schema.ZerosLikeOptionsT()
        found.append(op)
    return found


def _code(model, builtin: int) -> int:
    """The index of a builtin operator among the model's codes, added if it is not there."""
    for index, code in enumerate(model.operatorCodes):
        if code.builtinCode == builtin:
            return index
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = builtin
    code.version = 1
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def _name(model, op) -> str:
    code = model.operatorCodes[op.opcodeIndex]
    return code.customCode.decode() if code.customCode else _NAMES[code.builtinCode]


def _unpack(content: bytes):
    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))


def _pack(model) -> bytes:
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
