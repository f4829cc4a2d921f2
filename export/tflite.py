"""Keras to TFLite, each LSTM as one `UNIDIRECTIONAL_SEQUENCE_LSTM` operator.

The converter makes that operator of a function that says, in an attribute, that it implements an
LSTM, has the operator's five outputs, and holds its weights as constants. So, while the model is
traced, each layer that the operator can express is such a function. What the converter then gets
wrong is put right in the file: a cell clip of 10 that nobody asked for, and a state that would
survive from one call to the next.
"""

import tempfile
import uuid
from collections import Counter

import flatbuffers
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema

from export.signature import Signature, weights
from lstm_apps.errors import InputError
from lstm_apps.layers import kernels
from lstm_apps.layers.gates import Gates, Variant, lstm_gates

ENDING = ".tflite"
FUSED = "UNIDIRECTIONAL_SEQUENCE_LSTM"
LOOPS = ("WHILE",)
_NAMES = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
# Places among the operator's 24 inputs.
_HIDDEN_STATE, _CELL_STATE = 18, 19


def convert(signature: Signature) -> bytes:
    """The model as a TFLite flatbuffer, batch one, sizes left open by the model as in the inputs."""
    specs = signature.specs(signature.static_shape)
    module = tf.Module()
    module.call = tf.function(signature.call, input_signature=specs, autograph=False)
    with tempfile.TemporaryDirectory() as folder:
        # Only a saved model keeps the functions apart; a frozen graph would inline them.
        with kernels.use_kernel(_sequence):
            tf.saved_model.save(module, folder, signatures={"serving_default": module.call})
        try:
            content = tf.lite.TFLiteConverter.from_saved_model(folder).convert()
        except Exception as error:  # the converter raises its own and MLIR's errors
            reason = (str(error).strip().splitlines() or [""])[0]
            raise InputError(f"The TFLite converter refuses the model: {reason}") from error
    return _pack(_with_own_state(_unpack(content)))


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


def _sequence(layer, sequences, initial_state, mask, training):
    """Run a layer as the function the converter knows, or as a plain loop where it cannot be."""
    if mask is not None or not _expressible(layer) or not all(map(_is_zero, initial_state)):
        return kernels.scan(layer, sequences, initial_state, mask, training)

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
    if layer.go_backwards:
        sequences = tf.reverse(sequences, axis=[1])
    last, outputs, h, c, _ = known_to_converter(sequences, *initial_state, *map(tf.constant, weights(layer)))
    return last, outputs, [h, c]


def _expressible(layer) -> bool:
    """Whether the operator computes this layer: tanh, sigmoid, and no state wanted at the end,
    because the operator keeps that to itself."""
    cell = layer.cell
    able = cell.is_classic and not (cell.peephole or cell.projection_units or cell.layer_norm)
    return able and not layer.return_state


def _is_zero(tensor: tf.Tensor) -> bool:
    value = tf.get_static_value(tensor)
    return value is not None and not value.any()


def _with_own_state(model):
    """Make each LSTM operator compute what the layer does.

    The converter writes a cell clip of 10: set to none. It takes any constant of zeros as the
    operator's state, even one that is a weight elsewhere, and the operator writes into it: each
    gets two variable tensors of its own. The operator keeps its state in them until
    `reset_all_variables()`, so a second call would go on where the first ended: `ZEROS_LIKE`
    writes zeros into both before each run, inside the graph, where no caller can forget it.
    """
    for graph in model.subgraphs:
        operators = []
        for op in graph.operators:
            if _name(model, op) == FUSED:
                op.builtinOptions.cellClip = 0.0
                op.inputs = list(op.inputs)  # what was read is read-only
                for place in (_HIDDEN_STATE, _CELL_STATE):
                    op.inputs[place] = _variable_like(graph, op.inputs[place])
                    operators.append(_zeros(model, op.inputs[place]))
            operators.append(op)
        graph.operators = operators
    return model


def _variable_like(graph, tensor: int) -> int:
    """A new variable tensor with the shape and type of another."""
    like = graph.tensors[tensor]
    variable = schema.TensorT()
    variable.name = f"lstm_state_{len(graph.tensors)}"
    variable.shape, variable.type = like.shape, like.type
    variable.buffer = 0  # no content of its own
    variable.isVariable = True
    graph.tensors.append(variable)
    return len(graph.tensors) - 1


def _zeros(model, tensor: int):
    """An operator that sets a tensor to zero."""
    op = schema.OperatorT()
    op.opcodeIndex = _code(model, schema.BuiltinOperator.ZEROS_LIKE)
    op.inputs = op.outputs = [tensor]
    op.builtinOptionsType = schema.BuiltinOptions.ZerosLikeOptions
    op.builtinOptions = schema.ZerosLikeOptionsT()
    return op


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
