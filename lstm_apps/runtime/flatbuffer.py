"""A TFLite file as a FlatBuffer: whether it is one, and what its metadata say."""

from typing import Any

import numpy as np

from lstm_apps.errors import ModelFileError, first_line
from lstm_apps.runtime.metadata import KEY, parsed


def metadata_of(content: bytes) -> dict[str, Any]:
    """The metadata of a file that `check` let pass; empty where it has none."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(content, 0)
    for i in range(model.MetadataLength()):
        entry = model.Metadata(i)
        if entry.Name() == KEY.encode():
            return parsed(bytes(model.Buffers(entry.Buffer()).DataAsNumpy()))
    return {}


def check(content: bytes) -> None:
    """LiteRT follows every offset and number of the file in memory: follow them here first."""
    from ai_edge_litert import schema_py_generated as schema

    if content[4:8] != b"TFL3":
        raise ModelFileError("it is no TFLite file.")
    try:
        _check_numbers(schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0)))
    except Exception as error:  # struct.error, IndexError, UnicodeDecodeError, ...
        raise ModelFileError(f"the file is damaged: {first_line(error)}") from error


def _check_numbers(model: Any) -> None:
    """IndexError where a number names something that the file does not have."""

    def check(numbers: Any, count: int, least: int = 0) -> None:
        found = [] if numbers is None else np.atleast_1d(numbers).tolist()
        if found and not (least <= min(found) and max(found) < count):
            raise IndexError(f"a number of {min(found)} to {max(found)} where there are {count}")

    buffers = len(model.buffers)
    for graph in model.subgraphs:
        tensors = len(graph.tensors)
        check([t.buffer for t in graph.tensors], buffers)
        for numbers in (graph.inputs, graph.outputs):
            check(numbers, tensors)
        for operator in graph.operators or []:
            check(operator.opcodeIndex, len(model.operatorCodes))
            code = model.operatorCodes[operator.opcodeIndex]
            kind = max(code.builtinCode, code.deprecatedBuiltinCode)
            inputs = [] if operator.inputs is None else list(operator.inputs)
            needed = _needed_inputs().get(kind, len(inputs))
            check(inputs[:needed], tensors)
            check(inputs[needed:], tensors, -1)
            for numbers in (operator.outputs, operator.intermediates):
                check(numbers, tensors)
            options = vars(operator.builtinOptions) if operator.builtinOptions else {}
            for name, value in options.items():
                if name.lower().endswith("subgraphindex"):  # of a loop or a choice
                    check(value, len(model.subgraphs))
    for signature in model.signatureDefs or []:
        check(signature.subgraphIndex, len(model.subgraphs))
        tensors = len(model.subgraphs[signature.subgraphIndex].tensors)
        check([named.tensorIndex for named in [*signature.inputs, *signature.outputs]], tensors)
    check([entry.buffer for entry in model.metadata or []], buffers)


def _needed_inputs() -> dict[int, int]:
    """Of operators that have biases, peepholes and the like: how many of their inputs must be there, before
    others that may be missing, -1."""
    from ai_edge_litert import schema_py_generated as schema

    known = schema.BuiltinOperator
    return {
        known.UNIDIRECTIONAL_SEQUENCE_LSTM: 1,
        known.BIDIRECTIONAL_SEQUENCE_LSTM: 1,
        known.BIDIRECTIONAL_SEQUENCE_RNN: 1,
        known.LSTM: 1,
        known.FULLY_CONNECTED: 2,
        known.CONV_2D: 2,
        known.DEPTHWISE_CONV_2D: 2,
        known.CONV_3D: 2,
        known.TRANSPOSE_CONV: 3,
        known.CONV_3D_TRANSPOSE: 3,
        known.SVDF: 4,
    }
