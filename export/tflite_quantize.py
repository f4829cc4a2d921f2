"""TFLite models in integers."""

import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from tensorflow.lite.python.convert import mlir_quantize
from tensorflow.lite.python.optimize import calibrator

from export.spectrogram import spectrogram
from export.states import UNROLLED
from export.tflite_graph import (
    BIASES,
    CELL_STATE,
    FUSED,
    HIDDEN_STATE,
    INPUT_WEIGHTS,
    PROJECTION,
    add_tensor,
    drop_unused,
    lstms_of,
    new_operator,
    operator_name,
    pack,
    unpack,
)
from lstm_apps.errors import InputError, last_line
from lstm_apps.features import Arrays

_WEIGHTED = (FUSED, "FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D")


def calibrated(model, calls: list[Arrays], quantize: str, peaks: dict[str, float]):
    """The model in integers, "int8" or "int16x8", by the ranges that the calls reach; `peaks` are those of
    the cell states by the names of their tensors, of which the calibrator sees the last step alone."""
    if len(model.subgraphs) > 1:  # it writes a broken file, or ends the process
        raise InputError(
            "The TFLite quantizer takes no loops: quantize='dynamic' does, and a chunk of a stream of at "
            f"most {UNROLLED} steps has none."
        )
    if quantize == "int16x8" and lstms_of(model):
        raise InputError("The LSTM operator has no int16x8 form: export a step of a stream, with step=True.")
    (graph,) = model.subgraphs
    for _, op in lstms_of(model):  # the calibrator notes the ranges inside the operator here
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
    # The quantizer keeps the operators' order, not the tensors' names.
    names = [g.tensors[op.inputs[CELL_STATE]].name for g, op in lstms_of(model)]
    for (graph, op), name in zip(lstms_of(quantized), names, strict=True):
        state = graph.tensors[op.inputs[CELL_STATE]]
        # The kernel knows cells of up to 1, 2, ... 64.
        exponent = np.ceil(np.log2(max(peaks[name], 1e-9)))
        state.quantization.scale = np.array([2.0 ** np.clip(exponent - 15, -15, -9)], np.float32)
        _keep_own_scale(quantized, graph, op)
    return quantized


def _keep_own_scale(model, graph, lstm) -> None:
    """An LSTM's output is its state: both in the scale that it needs, whatever scale a neighbour, like a
    concatenation, imposed on the output."""
    out = graph.tensors[lstm.outputs[0]]
    hidden = graph.tensors[lstm.intermediates[-1]].quantization  # before a projection, if there is one
    own = out.quantization if lstm.inputs[PROJECTION] >= 0 else hidden
    graph.tensors[lstm.inputs[HIDDEN_STATE]].quantization = own
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
        [(operator_name(model, op), op.inputs, op.outputs) for op in graph.operators], (FUSED,)
    )


def with_small_weights(model):
    """The matrices of LSTM and dense operators as int8 with one scale each."""
    places = {FUSED: (*range(INPUT_WEIGHTS, BIASES), PROJECTION), "FULLY_CONNECTED": (1,)}
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
