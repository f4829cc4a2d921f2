"""The two engines behind one call: named arrays in, named arrays out."""

import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from lstm_apps.errors import InputError, ModelFileError, first_line
from lstm_apps.features import Arrays
from lstm_apps.features.raw import as_array
from lstm_apps.runtime.seal import check_seal

# The name under which metadata stand in a file, and the version of their form.
METADATA_KEY = "lstm_apps"
METADATA_VERSION = 1
# An output with this at the end of its name is the next value of the input called as the rest.
NEXT = "_next"


class Engine(Protocol):
    """A model file in its runtime."""

    inputs: dict[str, tuple[int | None, ...]]  # name -> shape; None: any size
    outputs: list[str]
    metadata: dict[str, Any]  # empty where the file has none

    def run(self, inputs: Arrays) -> Arrays:
        """Outputs by name for a batch of inputs by name, in any thread. No call sees anything of another."""


class OnnxEngine:
    """ONNX Runtime."""

    def __init__(self, content: bytes):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors only
        try:
            self._session = onnxruntime.InferenceSession(content, options)
        except Exception as error:  # onnxruntime's errors share no base class of their own
            raise ModelFileError(f"ONNX Runtime refuses the file: {first_line(error)}") from error
        self._types = {i.name: i.type for i in self._session.get_inputs()}
        self.inputs = {
            i.name: tuple(d if isinstance(d, int) else None for d in i.shape)
            for i in self._session.get_inputs()
        }
        self.outputs = [o.name for o in self._session.get_outputs()]
        stored = self._session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
        self.metadata = _parse_metadata(stored) if stored else {}

    def run(self, inputs: Arrays) -> Arrays:
        checked = check_inputs(inputs, self.inputs)
        typed = {n: as_type(n, a, _numpy_type(self._types[n])) for n, a in checked.items()}
        try:
            return dict(zip(self.outputs, self._session.run(self.outputs, typed), strict=True))
        except Exception as error:  # onnxruntime's errors share no base class of their own
            raise ModelFileError(f"ONNX Runtime cannot run the file: {first_line(error)}") from error


class TFLiteEngine:
    """LiteRT, one example at a time: a file has a fixed batch of one."""

    def __init__(self, content: bytes):
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise InputError(
                "Reading .tflite files needs ai-edge-litert: pip install 'lstm-apps[tflite]'."
            ) from error
        _check_flatbuffer(content)
        try:
            self._interpreter = Interpreter(model_content=content)
            self._interpreter.allocate_tensors()
            runners = [
                self._interpreter.get_signature_runner(name)
                for name in self._interpreter.get_signature_list() or ("",)
            ]
            details = runners[0].get_input_details()
            self._types = {name: d["dtype"] for name, d in details.items()}
            self._runners = [(_shapes(runner), runner) for runner in runners]
        except (ValueError, RuntimeError) as error:
            raise ModelFileError(f"LiteRT refuses the file: {first_line(error)}") from error
        self._alone = threading.Lock()  # the interpreter's tensors hold one call at a time
        self.inputs = {name: _open([shapes[name] for shapes, _ in self._runners]) for name in details}
        self.outputs = list(runners[0].get_output_details())
        self.metadata = _tflite_metadata(content)

    def run(self, inputs: Arrays) -> Arrays:
        checked = check_inputs(inputs, self.inputs)
        batch = len(next(iter(checked.values())))
        asked = {name: a.shape[1:] for name, a in checked.items()}
        call = next((runner for shapes, runner in self._runners if shapes == asked), None)
        if call is None:
            known = sorted({shape[0] for shapes, _ in self._runners for shape in shapes.values()})
            raise InputError(f"Inputs of {asked}; the file takes {', '.join(map(str, known))} steps.")
        typed = {n: as_type(n, a, self._types[n]) for n, a in checked.items()}
        try:
            with self._alone:
                rows = [call(**{n: a[i : i + 1] for n, a in typed.items()}) for i in range(batch)]
        except RuntimeError as error:
            raise ModelFileError(f"LiteRT cannot run the file: {first_line(error)}") from error
        return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


def _shapes(runner: Any) -> dict[str, tuple[int, ...]]:
    """The shapes of a signature's inputs by name, without the batch."""
    return {name: tuple(map(int, d["shape"][1:])) for name, d in runner.get_input_details().items()}


def _open(shapes: list[tuple[int, ...]]) -> tuple[int | None, ...]:
    """What several signatures take of an input: None for the batch and where they differ."""
    return (None, *(sizes[0] if len(set(sizes)) == 1 else None for sizes in zip(*shapes, strict=True)))


def _states(engine: Engine) -> list[str]:
    return [name for name in engine.inputs if f"{name}{NEXT}" in engine.outputs]


def is_step(engine: Engine) -> bool:
    """Whether a file was exported with `step`."""
    return bool(_states(engine))


class Stream:
    """A step model that remembers: push the next chunk, get what the model says after it.

    Args:
        engine: A file that was exported with `step`.
        batch: How many sequences run side by side.

    Attributes:
        state: What it remembers, by the names of the file's state inputs.
        chunk: Steps in a chunk; None: any number.
    """

    def __init__(self, engine: Engine, batch: int = 1):
        self._engine, self._batch = engine, batch
        self._states = _states(engine)
        if not self._states:
            raise InputError("The file is no step model: export it with step=True to stream.")
        self.chunk = next(shape[1] for name, shape in engine.inputs.items() if name not in self._states)
        self.reset()

    def reset(self) -> None:
        """Forget all that was pushed."""
        self.state: Arrays = {
            name: np.zeros((self._batch, *(s or 1 for s in self._engine.inputs[name][1:])), np.float32)
            for name in self._states
        }

    def push(self, chunk: Arrays) -> Arrays:
        """Outputs by name after the next chunk of every sequence, (batch, steps, ...) by name. A chunk
        that is refused leaves the stream as it was."""
        found = self._engine.run({**chunk, **self.state})
        self.state = {name: found.pop(f"{name}{NEXT}") for name in self._states}
        return found

    def run(self, inputs: Arrays, chunk: int | None = None) -> Arrays:
        """From the beginning, chunk by chunk through whole sequences: what it puts out, one after the
        other along axis 1. Steps beyond the last whole chunk are left out."""
        self.reset()
        time = min(a.shape[1] for a in inputs.values())
        size = self.chunk or chunk or 1
        if time < size:
            raise InputError(f"Sequences of {time} steps; a chunk has {size}.")
        found = [
            self.push({name: a[:, t : t + size] for name, a in inputs.items()})
            for t in range(0, time - time % size, size)
        ]
        return {name: np.concatenate([f[name] for f in found], axis=1) for name in found[0]}


_ENGINES: dict[str, Callable[[bytes], Engine]] = {".onnx": OnnxEngine, ".tflite": TFLiteEngine}


def open_engine(path: str | Path, only_sealed: bool = False) -> Engine:
    """The engine for a model file, by its ending.

    A file that is none, or is damaged, is a ModelFileError. `only_sealed` refuses a file without the seal
    of an export, by which damage is told; it tells nothing of who made it, and a runtime may crash on a
    file that was made to: open files of people you trust.
    """
    path = Path(path)
    if path.suffix not in _ENGINES:
        raise ModelFileError(f"{path} is no model file: expected a name ending in .onnx or .tflite.")
    if not path.is_file():
        raise ModelFileError(f"There is no file {path}.")
    try:
        content = path.read_bytes()
        if not check_seal(content) and only_sealed:
            raise ModelFileError("it has no seal: it is cut off, or no export of lstm-apps.")
        return _ENGINES[path.suffix](content)
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from error


def check_inputs(inputs: Arrays, expected: dict[str, tuple[int | None, ...]]) -> Arrays:
    """`inputs` if names and shapes fit and all numbers are finite; otherwise an InputError."""
    if not isinstance(inputs, Mapping):
        raise InputError(
            f"The inputs are {type(inputs).__name__}, expected arrays by name: {', '.join(expected)}."
        )
    if set(inputs) != set(expected):
        raise InputError(f"The inputs are {sorted(inputs)}, expected {sorted(expected)}.")
    arrays = {name: as_array(inputs[name], f"Input {name!r}") for name in expected}
    for name, array in arrays.items():
        shape = expected[name]
        fits = array.ndim == len(shape) and all(
            want is None or have == want for have, want in zip(array.shape, shape, strict=True)
        )
        if not fits or 0 in array.shape:
            shown = ", ".join("any" if s is None else str(s) for s in shape)
            raise InputError(f"Input {name!r} has shape {array.shape}, expected ({shown}).")
        if array.dtype.kind not in "fiub":
            raise InputError(f"Input {name!r} holds {array.dtype}, expected numbers.")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise InputError(f"Input {name!r} holds NaN or infinity.")
    if len({len(a) for a in arrays.values()}) > 1:
        raise InputError(f"The inputs differ in batch size: { {n: len(a) for n, a in arrays.items()} }.")
    return arrays


def as_type(name: str, array: np.ndarray, dtype: Any) -> np.ndarray:
    """An input in the model's type; an InputError where that cannot hold its numbers."""
    with np.errstate(over="ignore", invalid="ignore"):
        typed = array.astype(dtype, copy=False)
    whole = typed.dtype.kind in "iu"
    if not ((typed == array) if whole else np.isfinite(typed)).all():
        raise InputError(f"Input {name!r} holds numbers that {typed.dtype} does not.")
    return typed


def _numpy_type(onnx_type: str) -> type:
    names = {"float": "float32", "double": "float64", "float16": "float16", "bool": "bool"}
    name = onnx_type.removeprefix("tensor(").removesuffix(")")
    return np.dtype(names.get(name, name)).type


def _parse_metadata(text: str | bytes) -> dict[str, Any]:
    try:
        metadata = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"its metadata are damaged: {first_line(error)}") from error
    if not isinstance(metadata, dict) or metadata.get("version") != METADATA_VERSION:
        raise ModelFileError(f"its metadata are of another version than {METADATA_VERSION}.")
    return metadata


def _check_flatbuffer(content: bytes) -> None:
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


def _tflite_metadata(content: bytes) -> dict[str, Any]:
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(content, 0)
    for i in range(model.MetadataLength()):
        entry = model.Metadata(i)
        if entry.Name() == METADATA_KEY.encode():
            return _parse_metadata(bytes(model.Buffers(entry.Buffer()).DataAsNumpy()))
    return {}
