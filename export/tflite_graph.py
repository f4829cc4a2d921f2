"""What a TFLite flatbuffer is made of: tensors, buffers, operators and their codes."""

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

FUSED = "UNIDIRECTIONAL_SEQUENCE_LSTM"
# Places among the operator's 24 inputs (lstm_shared.h in TensorFlow Lite), four gates each:
# input, forget, cell, output. There are three peepholes.
INPUT_WEIGHTS, RECURRENT_WEIGHTS, PEEPHOLES, BIASES = 1, 5, 9, 12
PROJECTION, HIDDEN_STATE, CELL_STATE, GAINS, PLACES = 16, 18, 19, 20, 24
_NAMES = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
TYPES = {
    "float32": schema.TensorType.FLOAT32,
    "int8": schema.TensorType.INT8,
    "int16": schema.TensorType.INT16,
    "int32": schema.TensorType.INT32,
}


def unpack(content: bytes):
    """A file as a tree of objects that may be changed, `schema.ModelT`."""
    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))


def pack(model) -> bytes:
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def operator_name(model, op) -> str:
    """As `schema.BuiltinOperator` has it, or a custom operator's own name."""
    code = model.operatorCodes[op.opcodeIndex]
    return code.customCode.decode() if code.customCode else _NAMES[code.builtinCode]


def lstms_of(model) -> list[tuple]:
    """Every LSTM operator with its graph."""
    return [(g, op) for g in model.subgraphs for op in g.operators if operator_name(model, op) == FUSED]


def floats_of(model, graph, tensor: int) -> np.ndarray:
    """The numbers of a float constant."""
    return np.frombuffer(bytes(model.buffers[graph.tensors[tensor].buffer].data), np.float32)


def content_of(buffer) -> bytes:
    """What a buffer holds, as something to compare and look up by."""
    return bytes(bytearray(buffer.data))


def add_tensor(graph, name: str, shape, kind: int = schema.TensorType.FLOAT32) -> int:
    """A new tensor without content."""
    tensor = schema.TensorT()
    tensor.name = f"{name}_{len(graph.tensors)}"
    tensor.shape, tensor.type, tensor.buffer = list(shape), kind, 0
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def add_constant(model, graph, array: np.ndarray) -> int:
    """A new tensor with these numbers."""
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(array.tobytes(), np.uint8)
    model.buffers.append(buffer)
    index = add_tensor(graph, "lstm_constant", array.shape, TYPES[array.dtype.name])
    graph.tensors[index].buffer = len(model.buffers) - 1
    return index


def add_variable(graph, name: str, size: int) -> int:
    """A new tensor (1, size) that keeps its content."""
    index = add_tensor(graph, name, (1, size))
    graph.tensors[index].name = name
    graph.tensors[index].isVariable = True
    return index


def new_operator(model, name: str, options, inputs: list[int], output: int):
    """A builtin operator, which stands in no graph yet."""
    op = schema.OperatorT()
    op.opcodeIndex = _code_of(model, getattr(schema.BuiltinOperator, name))
    op.inputs, op.outputs = inputs, [output]
    op.builtinOptions = options
    op.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
    return op


def _code_of(model, builtin: int) -> int:
    """The index of a builtin operator among the model's codes, added if it is not there."""
    for index, code in enumerate(model.operatorCodes):
        if code.builtinCode == builtin:
            return index
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = builtin
    code.version = 1
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def code_like(model, wanted) -> int:
    """The index of an operator of another file among the model's codes, added if it is not there."""

    def key(code) -> tuple:
        return code.builtinCode, code.customCode, code.version

    for index, code in enumerate(model.operatorCodes):
        if key(code) == key(wanted):
            return index
    model.operatorCodes.append(wanted)
    return len(model.operatorCodes) - 1


def drop_unused(model) -> None:
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
