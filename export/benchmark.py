"""The files of a run in every runtime that can be had: parity, the task's metric, latency."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from export import browser, tflite
from export.runs import latencies
from export.saved_model import SavedModelEngine
from lstm_apps.application import Data
from lstm_apps.errors import InputError, ModelFileError, first_line
from lstm_apps.features import Arrays
from lstm_apps.runtime.engines import OnnxEngine, TFLiteEngine, open_engine
from lstm_apps.runtime.inputs import check_inputs
from lstm_apps.runtime.metadata import MAIN
from lstm_apps.runtime.stream import Stream
from training.fit import model_function
from training.run_folder import RunFolder

ARENA = 64 << 20  # memory to try in, far more than a microcontroller has
ALLOCATIONS = """
import sys
from tflite_micro import runtime
runtime.Interpreter.from_file(sys.argv[1], arena_size=int(sys.argv[2])).print_allocations()
"""


class MicroEngine:
    """TensorFlow Lite for Microcontrollers, one example at a time.

    Attributes:
        arena_bytes: The memory it takes for tensors and bookkeeping.
    """

    def __init__(self, path: Path):
        from tflite_micro import runtime

        lite = open_engine(path)  # knows the names, of which a microcontroller has none
        self.graphs, self.metadata, self.attachments = lite.graphs, lite.metadata, lite.attachments
        self.inputs, self.outputs = lite.inputs, lite.outputs
        if tflite.operators(path.read_bytes())["WHILE"]:
            raise ModelFileError("Not tried: TFLite Micro hangs in some loops.")
        self._order = _tensor_names(path)
        self._interpreter = runtime.Interpreter.from_file(str(path), arena_size=ARENA)
        # It says so only on its standard error.
        command = [sys.executable, "-c", ALLOCATIONS, str(path), str(ARENA)]
        said = subprocess.run(command, capture_output=True, text=True)
        total = re.search(r"Arena allocation total (\d+) bytes", said.stdout + said.stderr)
        self.arena_bytes = int(total[1]) if total else None

    def run(self, inputs: Arrays, graph: str = MAIN) -> Arrays:
        checked = check_inputs(inputs, self.inputs)
        ins, outs = self._order
        rows = []
        for i in range(len(next(iter(checked.values())))):
            for place, name in enumerate(ins):
                self._interpreter.set_input(browser.plain(checked[name][i : i + 1]), place)
            self._interpreter.invoke()
            rows.append({name: self._interpreter.get_output(place).copy() for place, name in enumerate(outs)})
        return {name: np.concatenate([row[name] for row in rows]) for name in outs}


def _tensor_names(path: Path) -> tuple[list[str], list[str]]:
    """Signature names of inputs and outputs in the order of the graph."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes(), 0))
    signature, graph = model.signatureDefs[0], model.subgraphs[0]

    def ordered(named, tensors) -> list[str]:
        by_tensor = {entry.tensorIndex: entry.name.decode() for entry in named}
        return [by_tensor[t] for t in tensors]

    return ordered(signature.inputs, graph.inputs), ordered(signature.outputs, graph.outputs)


class NodeEngine:
    """An ONNX Runtime of JavaScript, in a process of Node.js that is asked line by line.

    Args:
        package: "onnxruntime-node" or "onnxruntime-web", whose WebAssembly is that of browsers.
    """

    def __init__(self, path: Path, package: str):
        self._package = package
        known = open_engine(path)
        self.graphs, self.metadata, self.attachments = known.graphs, known.metadata, known.attachments
        self.inputs, self.outputs = known.inputs, known.outputs
        script = Path(__file__).with_name("node_engine.js")
        self._process = subprocess.Popen(
            ["node", str(script), str(path), package],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def close(self) -> None:
        """End the process."""
        self._process.kill()

    def run(self, inputs: Arrays, graph: str = MAIN) -> Arrays:
        return self._ask(browser.question(check_inputs(inputs, self.inputs)))["outputs"]

    def latencies(self, inputs: Arrays, calls: int = 200) -> list[float]:
        """Milliseconds of calls with one example, measured there."""
        one = {name: array[:1] for name, array in inputs.items()}
        return self._ask(browser.question(check_inputs(one, self.inputs), calls))["ms"]

    def stream(self, inputs: Arrays, chunk: int) -> Arrays:
        """As `Stream.run`, of one sequence, without a way between chunks."""
        return self._ask(browser.stream_question(self, inputs, chunk))["outputs"]

    def _ask(self, asked: dict[str, Any]) -> dict[str, Any]:
        to, back = self._process.stdin, self._process.stdout
        assert to is not None
        assert back is not None
        try:
            print(json.dumps(asked, allow_nan=False), file=to, flush=True)
            answer = json.loads(back.readline() or '{"error": "it ended"}')
        except OSError as error:
            raise ModelFileError(f"{self._package} ended: {first_line(error)}") from error
        if "error" in answer:
            raise ModelFileError(f"{self._package} cannot run the file: {answer['error']}")
        return {**answer, "outputs": browser.from_json(answer["outputs"])}


def _no_node(package: str) -> str:
    if shutil.which("node") is None:
        return "Node.js is not installed"
    found = subprocess.run(["node", "-e", f"require('{package}')"], capture_output=True)
    return "" if found.returncode == 0 else f"npm install {package} (and set NODE_PATH) to measure it"


def _no_micro() -> str:
    return "" if find_spec("tflite_micro") else "pip install --pre tflite-micro to measure it"


@dataclass(frozen=True)
class Runtime:
    """A program that runs exported files."""

    ending: str  # of the files that it runs
    open: Callable[[Path], Any]
    missing: Callable[[], str] = lambda: ""  # why it cannot be had here, empty if it can
    alone: bool = True  # without this package beside it, where it is used


def _in_browser(ending: str, package: str) -> Runtime:
    return Runtime(ending, partial(browser.BrowserEngine, package=package), partial(browser.missing, package))


RUNTIMES = {
    "onnxruntime": Runtime(".onnx", open_engine, alone=False),
    **{
        package: Runtime(".onnx", partial(NodeEngine, package=package), partial(_no_node, package))
        for package in ("onnxruntime-node", "onnxruntime-web")
    },
    "onnxruntime-web in Chromium": _in_browser(".onnx", "onnxruntime-web"),
    "LiteRT": Runtime(".tflite", open_engine, alone=False),
    "LiteRT.js in Chromium": _in_browser(".tflite", "@litertjs/core"),
    "TFLite Micro": Runtime(".tflite", MicroEngine, _no_micro),
    "TensorFlow": Runtime(".saved_model", SavedModelEngine),
}


def _first_chunk(engine, inputs: Arrays, chunk: int) -> Arrays:
    """What a step file takes at the beginning: of one sequence, with states of zero."""
    stream = Stream(engine)
    return {**{name: a[:1, : stream.chunk or chunk] for name, a in inputs.items()}, **stream.state}


def benchmark(run: RunFolder, data: Data, model) -> Iterator[dict[str, Any]]:
    """Measure every exported file of a run in every runtime for it.

    Yields:
        A row a pair: file, runtime, size_bytes, fused, median_ms, p95_ms (of an example, or of a step
        of a stream), max_abs_error (against Keras), metrics, arena_bytes; or `reason` why there is none.
    """
    app, features = run.application, run.features
    function, chunk = model_function(run, model), app.stream_chunk(features)
    of_graphs = app.parity_inputs_of_graphs(features, data, function)
    generator = MAIN not in of_graphs
    inputs = {} if generator else of_graphs[MAIN]
    expected = {} if generator else function(inputs)
    for row in run.exports:
        step = ".step." in row["file"]
        for name, runtime in RUNTIMES.items():
            if not row["file"].endswith(runtime.ending):
                continue
            found = {
                "file": row["file"],
                "runtime": name,
                "size_bytes": row["size_bytes"],
                "fused": row["fused"],
            }
            if reason := runtime.missing():
                yield {**found, "reason": reason}
                continue
            engine: Any = None
            try:
                engine = runtime.open(run.folder / row.get("files", [row["file"]])[0])
                if generator:
                    if not isinstance(engine, OnnxEngine | TFLiteEngine):
                        raise InputError("It runs files of one graph only.")
                    each = [latencies(engine, i, graph=graph) for graph, i in of_graphs.items()]
                    times = [sum(times) for times in zip(*each, strict=False)]
                elif hasattr(engine, "latencies"):  # measured there, without the way
                    times = engine.latencies(_first_chunk(engine, inputs, chunk) if step else inputs)
                else:
                    times = latencies(engine, inputs, chunk)
                if generator:
                    error, scores = row["max_abs_error"], app.score(features, data, engine.run)
                elif step:
                    whole = engine.stream if hasattr(engine, "stream") else Stream(engine).run
                    run_stream = partial(whole, chunk=chunk)
                    error, scores = row["max_abs_error"], app.score_stream(features, data, run_stream)
                else:
                    outputs = engine.run(inputs)
                    if not all(np.isfinite(outputs[n]).all() for n in app.outputs):
                        yield {**found, "reason": "it answers with numbers that are not finite"}
                        continue
                    error = max(float(np.abs(outputs[n] - expected[n]).max()) for n in app.outputs)
                    score = app.score_alone if runtime.alone else app.score
                    scores = score(features, data, engine.run)
            except (InputError, RuntimeError) as problem:
                yield {**found, "reason": first_line(problem)}
                continue
            finally:
                if hasattr(engine, "close"):
                    engine.close()
            yield {
                **found,
                "median_ms": float(np.median(times)),
                "p95_ms": float(np.percentile(times, 95)),
                "max_abs_error": error,
                "metrics": {n: e.value for n, e in scores.items()},
                "metric_reasons": {n: e.reason for n, e in scores.items() if e.reason},
                "arena_bytes": getattr(engine, "arena_bytes", None),
            }
