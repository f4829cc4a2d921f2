"""The engines behind one call: named arrays in, named arrays out.

A file has one graph, or, as a generator has, several by name. TFLite: one file, each graph a signature or,
with a form for each of several lengths, as many. ONNX: a file a graph, `model.encoder.onnx` and
`model.decoder.onnx`, each of which names all of them in its metadata:

    "graph": "encoder",
    "graphs": {"encoder": {"file": "model.encoder.onnx", "bytes": 1234, "sha256": "..."}, "decoder": {...}}

with the SHA-256 of so many bytes at the beginning of the file, which are the model without its metadata.
"""

import hashlib
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from lstm_apps.errors import InputError, ModelFileError, first_line, unknown_name
from lstm_apps.features import Arrays
from lstm_apps.runtime import attachments, flatbuffer
from lstm_apps.runtime.inputs import as_type, check_inputs
from lstm_apps.runtime.metadata import GRAPHS, KEY, MAIN, form, parsed
from lstm_apps.runtime.seal import check_seal

Shape = tuple[int | None, ...]  # None: any size


class Graph(NamedTuple):
    """What a graph takes and gives."""

    inputs: dict[str, Shape]
    outputs: list[str]


class Engine(Protocol):
    """A model file, or the files of a generator, in their runtime."""

    graphs: dict[str, Graph]  # by name; `MAIN` where there is one only
    metadata: dict[str, Any]  # empty where the file has none
    attachments: dict[str, bytes]

    @property
    def inputs(self) -> dict[str, Shape]:
        """Of the graph `MAIN`."""

    @property
    def outputs(self) -> list[str]:
        """Of the graph `MAIN`."""

    def run(self, inputs: Arrays, graph: str = MAIN) -> Arrays:
        """Outputs by name for a batch of inputs by name, in any thread. No call sees anything of another."""


class _Graphs:
    """What engines have in common."""

    graphs: dict[str, Graph]

    @property
    def inputs(self) -> dict[str, Shape]:
        return self._graph(MAIN).inputs

    @property
    def outputs(self) -> list[str]:
        return self._graph(MAIN).outputs

    def _graph(self, name: str) -> Graph:
        if name not in self.graphs:
            raise unknown_name("graph", name, self.graphs)
        return self.graphs[name]


class OnnxEngine(_Graphs):
    """ONNX Runtime, a session a graph.

    Args:
        contents: A model file's content, or those of a generator by graph.
    """

    def __init__(self, contents: bytes | Mapping[str, bytes]):
        if isinstance(contents, bytes):
            contents = {MAIN: contents}
        self._sessions = {name: _session(content) for name, content in contents.items()}
        self.graphs = {
            name: Graph(
                {i.name: _sizes(i.shape) for i in session.get_inputs()},
                [o.name for o in session.get_outputs()],
            )
            for name, session in self._sessions.items()
        }
        self._types = {
            name: {i.name: _numpy_type(i.type) for i in session.get_inputs()}
            for name, session in self._sessions.items()
        }
        self.metadata = onnx_metadata(next(iter(self._sessions.values())))
        self.attachments: dict[str, bytes] = {}
        for name, content in contents.items():
            said = onnx_metadata(self._sessions[name]).get("attachments", {})
            self.attachments |= attachments.read(content, said)

    def run(self, inputs: Arrays, graph: str = MAIN) -> Arrays:
        known = self._graph(graph)
        session = self._sessions[graph]
        checked = check_inputs(inputs, known.inputs)
        typed = {n: as_type(n, a, self._types[graph][n]) for n, a in checked.items()}
        try:
            return dict(zip(known.outputs, session.run(known.outputs, typed), strict=True))
        except Exception as error:  # onnxruntime's errors share no base class of their own
            raise ModelFileError(f"ONNX Runtime cannot run the file: {first_line(error)}") from error


def _session(content: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only
    try:
        return onnxruntime.InferenceSession(content, options)
    except Exception as error:  # onnxruntime's errors share no base class of their own
        raise ModelFileError(f"ONNX Runtime refuses the file: {first_line(error)}") from error


def onnx_metadata(session: Any) -> dict[str, Any]:
    """What the file of a session says of itself."""
    stored = session.get_modelmeta().custom_metadata_map.get(KEY)
    return parsed(stored) if stored else {}


def _sizes(shape: list[Any]) -> Shape:
    return tuple(d if isinstance(d, int) else None for d in shape)


def _numpy_type(onnx_type: str) -> type:
    names = {"float": "float32", "double": "float64", "float16": "float16", "bool": "bool"}
    name = onnx_type.removeprefix("tensor(").removesuffix(")")
    return np.dtype(names.get(name, name)).type


class TFLiteEngine(_Graphs):
    """LiteRT, one example at a time: a file has a fixed batch of one."""

    def __init__(self, content: bytes):
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise InputError(
                "Reading .tflite files needs ai-edge-litert: pip install 'lstm-apps[tflite]'."
            ) from error
        flatbuffer.check(content)
        self.metadata = flatbuffer.metadata_of(content)
        self.attachments = attachments.read(content, self.metadata.get("attachments", {}))
        try:
            self._interpreter = Interpreter(model_content=content)
            self._interpreter.allocate_tensors()
            names = list(self._interpreter.get_signature_list()) or [""]
            by_graph = {MAIN: names}
            if form(self.metadata) == GRAPHS:
                by_graph = {name: said["signatures"] for name, said in self.metadata["graphs"].items()}
            self._calls = {
                graph: [_call(self._interpreter.get_signature_runner(name)) for name in signatures]
                for graph, signatures in by_graph.items()
            }
            self.graphs = {graph: _joined(calls) for graph, calls in self._calls.items()}
        except (ValueError, RuntimeError) as error:
            raise ModelFileError(f"LiteRT refuses the file: {first_line(error)}") from error
        self._alone = threading.Lock()  # the interpreter's tensors hold one call at a time

    def run(self, inputs: Arrays, graph: str = MAIN) -> Arrays:
        checked = check_inputs(inputs, self._graph(graph).inputs)
        batch = len(next(iter(checked.values())))
        wanted = {name: a.shape[1:] for name, a in checked.items()}
        call = next((call for call in self._calls[graph] if call.shapes == wanted), None)
        if call is None:
            known = sorted(
                {shape[0] for call in self._calls[graph] for shape in call.shapes.values() if shape}
            )
            raise InputError(f"Inputs of {wanted}; the file takes {', '.join(map(str, known))} steps.")
        typed = {n: as_type(n, a, call.types[n]) for n, a in checked.items()}
        try:
            with self._alone:
                rows = [call.runner(**{n: a[i : i + 1] for n, a in typed.items()}) for i in range(batch)]
        except RuntimeError as error:
            raise ModelFileError(f"LiteRT cannot run the file: {first_line(error)}") from error
        return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


class _Call(NamedTuple):
    """A signature of a file."""

    shapes: dict[str, tuple[int, ...]]  # of its inputs, without the batch
    types: dict[str, Any]
    runner: Any


def _call(runner: Any) -> _Call:
    details = runner.get_input_details()
    return _Call(
        {name: tuple(map(int, d["shape"][1:])) for name, d in details.items()},
        {name: d["dtype"] for name, d in details.items()},
        runner,
    )


def _joined(calls: list[_Call]) -> Graph:
    """What several signatures take: None for the batch and where they differ."""

    def sizes(name: str) -> Shape:
        of_each = zip(*(call.shapes[name] for call in calls), strict=True)
        return (None, *(size[0] if len(set(size)) == 1 else None for size in of_each))

    return Graph({n: sizes(n) for n in calls[0].shapes}, list(calls[0].runner.get_output_details()))


def open_engine(path: str | Path, only_sealed: bool = False) -> Engine:
    """The engine for a model file, by its ending; for one of the ONNX files of a generator, with its partners
    beside it.

    A file that is none, or is damaged, is a ModelFileError, and so is a partner that is missing or is of
    another export. `only_sealed` refuses a file without the seal of an export, by which damage is told; it
    tells nothing of who made it, and a runtime may crash on a file that was made to: open files of people you
    trust.
    """
    if not isinstance(path, str | Path):
        raise ModelFileError(f"{path!r} is no model file: expected its path.")
    path = Path(path)
    if path.suffix not in (".onnx", ".tflite"):
        raise ModelFileError(f"{path} is no model file: expected a name ending in .onnx or .tflite.")
    try:
        content = _content(path, only_sealed)
        if path.suffix == ".tflite":
            return TFLiteEngine(content)
        engine = OnnxEngine(content)
        if form(engine.metadata) != GRAPHS:
            return engine
        return OnnxEngine(_with_partners(path, content, engine.metadata, only_sealed))
    except ModelFileError as error:
        raise error if str(path) in str(error) else ModelFileError(f"{path}: {error}") from error


def _content(path: Path, only_sealed: bool) -> bytes:
    if not path.is_file():
        raise ModelFileError(f"There is no file {path}.")
    content = path.read_bytes()
    if not check_seal(content) and only_sealed:
        raise ModelFileError(f"{path}: it has no seal: it is cut off, or no export of lstm-apps.")
    return content


def _with_partners(
    path: Path, content: bytes, metadata: dict[str, Any], only_sealed: bool
) -> dict[str, bytes]:
    """The contents of a generator's files by graph, in the order of the metadata. Files that were renamed
    together, as `chat.encoder.onnx` and `chat.decoder.onnx`, are found."""
    own, graphs = metadata["graph"], metadata["graphs"]
    ending = f".{own}.onnx"
    found = {}
    for name, said in graphs.items():
        if name == own:
            found[name] = content
            continue
        file = f"{path.name.removesuffix(ending)}.{name}.onnx" if path.name.endswith(ending) else said["file"]
        partner = path.with_name(file)
        if not partner.is_file():
            raise ModelFileError(
                f"{path} is the {own} of a generator, and its {name} is not beside it: there is no {partner}."
            )
        found[name] = _content(partner, only_sealed)
        if hashlib.sha256(found[name][: said["bytes"]]).hexdigest() != said["sha256"]:
            raise ModelFileError(f"{partner} is not the {name} that {path.name} was exported with.")
    return found
