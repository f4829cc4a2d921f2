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

import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from tensorflow.lite.python.convert import mlir_quantize
from tensorflow.lite.python.optimize import calibrator

from export.signature import Signature, Weights, weights
from export.spectrogram import spectrogram
from export.tflite_graph import (
    TYPES,
    add_constant,
    add_tensor,
    add_variable,
    code_like,
    content_of,
    drop_unused,
    floats_of,
    new_operator,
    operator_name,
    pack,
    unpack,
)
from export.trace import is_zero, lstms_by
from lstm_apps.errors import InputError, first_line, last_line
from lstm_apps.features import Arrays
from lstm_apps.layers import LSTM, kernels
from lstm_apps.layers.gates import Gates, Variant, lstm_gates
from lstm_apps.runtime.engines import TFLiteEngine

ENDING = ".tflite"
FUSED = "UNIDIRECTIONAL_SEQUENCE_LSTM"
FUSED_NAMES = (FUSED,)
LOOPS = ("WHILE",)
# Places among the operator's 24 inputs (lstm_shared.h in TensorFlow Lite), four gates each:
# input, forget, cell, output. There are three peepholes.
_INPUT_WEIGHTS, _RECURRENT_WEIGHTS, _PEEPHOLES, _BIASES = 1, 5, 9, 12
_PROJECTION, _HIDDEN_STATE, _CELL_STATE, _GAINS, _PLACES = 16, 18, 19, 20, 24
QUANTIZE = ("dynamic", "int8", "int16x8")
_WEIGHTED = (FUSED, "FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D")
_ACTIVATIONS = {
    keras.activations.tanh: schema.ActivationFunctionType.TANH,
    keras.activations.relu: schema.ActivationFunctionType.RELU,
}


def convert(
    signature: Signature, right_padded: bool, quantize: str | None, representative: Signature
) -> bytes:
    """The model as a TFLite flatbuffer, batch one, sizes left open by the model as in the inputs.

    Args:
        signature: The model.
        right_padded: Whether its masks are.
        quantize: None, "dynamic" (int8 weights), "int8" or "int16x8" (int16 activations, int8 weights).
        representative: The model with the data on which ranges of activations are measured.
    """
    marked: list[tuple[LSTM, Weights]] = []  # the layers that left a stand-in, once a trace

    def stand_in(layer, sequences, initial_state, mask, training):
        fusible = _expressible(layer) and all(map(is_zero, initial_state))
        one_example = sequences.shape[0] == 1  # not so where a reshape made more sequences of one
        if not (fusible and one_example) or (mask is not None and not right_padded):
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
            raise InputError(f"The TFLite converter refuses the model: {first_line(error)}") from error
    model = _completed(unpack(content), marked)
    if quantize == "dynamic":
        model = _with_small_weights(model)
    elif quantize is not None:
        float_engine = TFLiteEngine(pack(_with_reset(unpack(pack(model)))))
        calls = list(representative.calls(float_engine))
        model = _calibrated(model, calls, quantize)
    return pack(_with_reset(_with_outputs_apart(model)))


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


def _completed(model, marked: list[tuple[LSTM, Weights]]):
    """Give each LSTM operator what its layer has."""
    for graph, op in _lstms(model):
        number = int(floats_of(model, graph, op.inputs[_BIASES])[0])
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


def _lstms(model) -> list[tuple]:
    """Every LSTM operator with its graph."""
    return [(g, op) for g in model.subgraphs for op in g.operators if operator_name(model, op) == FUSED]


def _calibrated(model, calls: list[Arrays], quantize: str):
    """The model in integers, "int8" or "int16x8", by the ranges that the calls reach."""
    if len(model.subgraphs) > 1:  # it writes a broken file, or ends the process
        raise InputError("The TFLite quantizer takes no loops; quantize='dynamic' does.")
    if quantize == "int16x8" and _lstms(model):
        raise InputError("The LSTM operator has no int16x8 form: export a step model, with step=True.")
    (graph,) = model.subgraphs
    for _, op in _lstms(model):  # the calibrator notes the ranges inside the operator here
        op.intermediates = [add_tensor(graph, "lstm_range", [0]) for _ in range(5)]
    try:
        ranges = calibrator.Calibrator(pack(model))
        for call in calls:  # one by one: each from states of zero
            measured = ranges.calibrate(lambda call=call: iter([call]))
        if quantize == "int16x8":  # the newer quantizer gives activations a zero point here
            content = ranges.calibrate_and_quantize(
                lambda: iter(calls[-1:]), tf.float32, tf.float32, True, tf.int16
            )
        else:
            content = mlir_quantize(bytes(measured), denylisted_nodes=_in_float(model, graph))
    except (RuntimeError, ValueError) as error:
        raise InputError(f"The TFLite quantizer refuses the model: {last_line(error)}") from error
    quantized = unpack(bytes(content))
    for graph, op in _lstms(quantized):
        cell = graph.tensors[op.inputs[_CELL_STATE]].quantization
        cell.scale = np.clip(cell.scale, 2.0**-15, 2.0**-9)  # the kernel knows cells of up to 1, 2, ... 64
        _keep_own_scale(quantized, graph, op)
    return quantized


def _keep_own_scale(model, graph, lstm) -> None:
    """An LSTM's output is its state: both in the scale that it needs, whatever scale a neighbour, like a
    concatenation, imposed on the output."""
    out = graph.tensors[lstm.outputs[0]]
    hidden = graph.tensors[lstm.intermediates[-1]].quantization  # before a projection, if there is one
    own = out.quantization if lstm.inputs[_PROJECTION] >= 0 else hidden
    graph.tensors[lstm.inputs[_HIDDEN_STATE]].quantization = own
    if (own.scale, own.zeroPoint) != (out.quantization.scale, out.quantization.zeroPoint):
        index = add_tensor(graph, "lstm_output", out.shape, out.type)
        graph.tensors[index].quantization = own
        rescale = new_operator(model, "QUANTIZE", schema.QuantizeOptionsT(), [index], lstm.outputs[0])
        lstm.outputs = [index]
        graph.operators.insert(graph.operators.index(lstm) + 1, rescale)


def _in_float(model, graph) -> set[str]:
    """Outputs of the operators that stay float: all arithmetic but that with trained weights, so that
    the cell of a step, a softmax or a mean loses nothing. What only moves numbers follows its neighbours."""
    untouched = _spectrogram(model, graph)
    return {
        graph.tensors[t].name.decode()
        for number, op in enumerate(graph.operators)
        for t in op.outputs
        if number in untouched or operator_name(model, op) not in _WEIGHTED
    }


def _spectrogram(model, graph) -> set[int]:
    return spectrogram(
        [(operator_name(model, op), op.inputs, op.outputs) for op in graph.operators], FUSED_NAMES
    )


def _with_small_weights(model):
    """The matrices of LSTM and dense operators as int8 with one scale each."""
    places = {FUSED: (*range(_INPUT_WEIGHTS, _BIASES), _PROJECTION), "FULLY_CONNECTED": (1,)}
    for graph in model.subgraphs:
        untouched = _spectrogram(model, graph)
        for number, op in enumerate(graph.operators):
            for place in () if number in untouched else places.get(operator_name(model, op), ()):
                tensor = graph.tensors[op.inputs[place]] if op.inputs[place] >= 0 else None
                if tensor is not None and model.buffers[tensor.buffer].data is not None:
                    _make_small(model, tensor)
    drop_unused(model)
    return model


def _make_small(model, tensor) -> None:
    """A float constant as int8, its largest value 127; once, where two operators share it."""
    if tensor.type != schema.TensorType.FLOAT32:
        return
    values = np.frombuffer(bytes(model.buffers[tensor.buffer].data), np.float32)
    scale = float(np.abs(values).max()) / 127 or 1.0
    buffer = schema.BufferT()
    buffer.data = np.round(values / scale).astype(np.int8).view(np.uint8)
    model.buffers.append(buffer)
    tensor.buffer, tensor.type = len(model.buffers) - 1, schema.TensorType.INT8
    tensor.quantization = schema.QuantizationParametersT()
    tensor.quantization.scale, tensor.quantization.zeroPoint = [scale], [0]


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


def _complete(model, graph, op, layer: LSTM, weights: Weights) -> None:
    """Put a layer in place of a stand-in: the operator's 24 inputs and its options."""

    def constants(array: np.ndarray, blocks: int = 4) -> list[int]:
        # Blocks are columns here and rows there.
        parts = np.split(array, blocks, axis=-1)
        return [add_constant(model, graph, part.T.astype(np.float32, order="C")) for part in parts]

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
    inputs[_HIDDEN_STATE] = add_variable(graph, layer.cell.output_size)
    inputs[_CELL_STATE] = add_variable(graph, layer.units)
    op.inputs = inputs
    options = op.builtinOptions
    options.cellClip = layer.cell.cell_clip or 0.0
    options.fusedActivationFunction = _ACTIVATIONS[layer.cell.activation]


def _reset(model, graph, lstm) -> list:
    """Operators that set the state of an LSTM to zero. They read the state: what reads constants alone
    is computed once, when the file is loaded."""
    found = []
    for state in (lstm.inputs[_HIDDEN_STATE], lstm.inputs[_CELL_STATE]):
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
