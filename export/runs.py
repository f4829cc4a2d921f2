"""Export the model of a run folder, and measure the files in their own runtimes."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from typing import Any

import keras
import numpy as np

import export
from export.saved_model import SavedModelEngine
from export.verify import RELATIVE_TOLERANCE, ExportReport, ParityError
from lstm_apps.application import Data
from lstm_apps.errors import InputError, unknown_name
from lstm_apps.features import Arrays, ModelFunction, to_json
from lstm_apps.features import parts as parts_of
from lstm_apps.runtime.engines import Engine, open_engine
from lstm_apps.runtime.metadata import MAIN
from lstm_apps.runtime.stream import Stream, is_step
from training.fit import keras_run
from training.run_folder import RunFolder, with_outputs, write_json


@dataclass(frozen=True)
class Format:
    """A kind of file, or folder, that a run can be exported to."""

    ending: str
    runtime: str  # the package that runs it
    open: Callable[[Any], Engine]
    write: Callable[..., ExportReport]
    quantize: tuple[str, ...] = ()
    steps: bool = True
    parts: bool = True  # it holds binary parts of the preprocessing


FORMATS = {
    "onnx": Format(".onnx", "onnxruntime", open_engine, export.to_onnx, export.onnx.QUANTIZE),
    "tflite": Format(".tflite", "ai-edge-litert", open_engine, export.to_tflite, export.tflite.QUANTIZE),
    "saved_model": Format(
        ".saved_model", "tensorflow", SavedModelEngine, export.to_saved_model, steps=False, parts=False
    ),
}
# Training examples on which an integer export measures the ranges of its activations.
CALIBRATION_EXAMPLES = 128
# Test inputs for which a generator must write the same tokens as in Keras.
GENERATED = 50


def export_run(
    run: RunFolder,
    data: Data,
    model: keras.Model,
    formats: Iterable[str],
    progress: Callable[[str], None] = print,
    *,
    quantize: str | None = None,
    step: bool = False,
) -> list[dict[str, Any]]:
    """Write the run's model in `formats`, checked on real test inputs, and `export.json`.

    Args:
        run: The run; where it was evaluated, the files say its metrics.
        data: Its data, from `run.load_data()`.
        model: Its model, from `run.load_model()`.
        formats: Names from `FORMATS`.
        progress: Told what is being done.
        quantize: As `export.to_tflite`; calibrated on training examples.
        step: Export a step of a stream instead of the whole.

    Returns:
        The rows of `export.json`, one a file: runtime, size, operators, parity error, the task's
        metrics measured through that runtime, latency of one example or one step of a stream.
    """
    chosen = list(dict.fromkeys(formats))
    for name in chosen:
        if name not in FORMATS:
            raise unknown_name("export format", name, FORMATS)
        if quantize is not None and quantize not in FORMATS[name].quantize:
            raise unknown_name(f"quantization of {name}", quantize, FORMATS[name].quantize)
        if step and not FORMATS[name].steps:
            raise InputError(f"{name} has no form for a step of a stream.")
    app = run.application
    if step and not app.stream_outputs:
        raise InputError(f"{app.name} reads its whole input at once: it has no step of a stream.")
    rows = {row["file"]: row for row in run.exports}
    for name in chosen:
        parts = ["model", *(["step"] if step else []), *([quantize] if quantize else [])]
        file = ".".join(parts) + FORMATS[name].ending
        progress(f"exporting {file} and checking it against Keras")
        row = _exported(run, data, model, name, file, quantize, step, progress)
        rows[file] = {"file": file, **row}
        write_json(run.folder / "export.json", list(rows.values()))
    return list(rows.values())


def _exported(
    run: RunFolder,
    data: Data,
    model: keras.Model,
    name: str,
    file: str,
    quantize: str | None,
    step: bool,
    progress: Callable[[str], None],
) -> dict[str, Any]:
    """Write one file, or the files of a generator; what was measured of it."""
    app, features, form = run.application, run.features, FORMATS[name]
    chunk = app.stream_chunk(features)
    graphs = {MAIN: with_outputs(model, app.stream_outputs)} if step else app.graphs(model, features)
    keras_function = keras_run(graphs)
    inputs = app.parity_inputs_of_graphs(features, data, keras_function)
    wanted = app.generated(features, data, keras_function, GENERATED)
    generator = MAIN not in graphs
    how = _arguments(run, data, name, inputs, quantize, chunk if step else False, keras_function)
    if form.parts:
        how |= {"attachments": parts_of(features)}
    equal: list[float] = []

    def accept(engine: Engine) -> None:
        found = app.generated(features, data, engine.run, GENERATED)
        equal.append(float(np.mean([a == b for a, b in zip(found, wanted, strict=True)])))
        if quantize is None and equal[-1] < 1:
            raise ParityError(
                f"Of {len(wanted)} test inputs the exported model writes other tokens than Keras for "
                f"{sum(a != b for a, b in zip(found, wanted, strict=True))}; nothing was written."
            )

    report = form.write(
        graphs if generator else graphs[MAIN],
        run.folder / file,
        tolerance=None if generator else RELATIVE_TOLERANCE[quantize] * app.output_scale(features),
        metadata=_metadata(run, inputs, graphs, chunk if step else None),
        **({"accept": accept} if wanted and form.parts else {}),
        **how,
    )
    progress(f"measuring {file}")
    engine = form.open(report.path)
    if step:
        scores = app.score_stream(features, data, partial(Stream(engine).run, chunk=chunk))
    else:
        scores = app.score(features, data, engine.run)
    latency = {graph: float(np.median(latencies(engine, i, chunk, graph))) for graph, i in inputs.items()}
    return {
        "files": [written.name for written in report.files],
        "runtime": f"{form.runtime} {version(form.runtime)}",
        "size_bytes": report.size_bytes,
        "operators": dict(report.operators),
        "fused": report.fused,
        "max_abs_error": report.max_abs_error,
        "tolerance": report.tolerance,
        "metrics": {metric: estimate.value for metric, estimate in scores.items()},
        "metric_reasons": {metric: e.reason for metric, e in scores.items() if e.reason},
        "latency_ms": sum(latency.values()),
        **({"graphs": _of_graphs(report, latency), "equal_tokens": equal[-1]} if equal else {}),
    }


def _of_graphs(report: ExportReport, latency: dict[str, float]) -> dict[str, Any]:
    """Of a generator: graph -> latency, and of each output error and tolerance."""
    return {
        graph: {
            "latency_ms": latency[graph],
            "outputs": {name: {"error": p.error, "tolerance": p.tolerance} for name, p in outputs.items()},
        }
        for graph, outputs in report.outputs.items()
    }


def _arguments(
    run: RunFolder, data: Data, name: str, inputs: dict[str, Arrays], quantize, step, function: ModelFunction
) -> dict[str, Any]:
    """What the writer of a format wants to know beside what all do."""
    app = run.application
    if name == "saved_model":
        if MAIN not in inputs:
            raise InputError(f"{app.name} generates: it has no form as a SavedModel.")
        preprocess, raw = app.preprocessing(run.features, data) or (None, inputs[MAIN])
        return {"preprocess": preprocess, "inputs": raw}
    generator = MAIN not in inputs
    found: dict[str, Any] = {"inputs": inputs if generator else inputs[MAIN]}
    found |= {"quantize": quantize, "step": step, "right_padded": app.right_padded}
    if name == "tflite":
        found["lengths"] = () if step or generator else app.lengths(run.features)
        if quantize:
            training = replace(data, test=data.train)
            found["representative_data"] = (
                app.parity_inputs_of_graphs(run.features, training, function)
                if generator
                else _calibration(run, data)
            )
    return found


def _calibration(run: RunFolder, data: Data) -> Arrays:
    """Inputs of training examples, spread over all of them."""
    examples = run.application.examples(run.features, data.train)
    indices = np.linspace(0, len(examples) - 1, min(CALIBRATION_EXAMPLES, len(examples))).astype(int)
    return examples.batch(indices, None)[0]


def latencies(
    engine: Engine, inputs: Arrays, chunk: int = 1, graph: str = MAIN, seconds: float = 1.0
) -> list[float]:
    """Times of calls with one example, or of chunks of a stream, in milliseconds."""
    one = {name: array[:1] for name, array in inputs.items()}
    call: Callable[[Arrays], Arrays] = partial(engine.run, graph=graph)
    if is_step(engine):
        stream = Stream(engine)
        one = {name: array[:, : stream.chunk or chunk] for name, array in one.items()}
        call = stream.push
    for _ in range(5):
        call(one)
    times = []
    stop = time.perf_counter() + seconds
    while (begin := time.perf_counter()) < stop:
        call(one)
        times.append((time.perf_counter() - begin) * 1e3)
    return times


def _metadata(
    run: RunFolder, inputs: dict[str, Arrays], graphs: dict[str, keras.Model], chunk: int | None
) -> dict[str, Any]:
    """What the file says of itself, and what the runtime needs to use it; of a step of a stream, in `chunk`,
    how many steps along axis 1 it takes at least, and whole multiples of which."""
    app, provenance = run.application, run.provenance
    shapes = {
        graph: {
            "inputs": {name: [None, *array.shape[1:]] for name, array in inputs[graph].items()},
            "outputs": {name: list(tensor.shape) for name, tensor in model.output.items()},
        }
        for graph, model in graphs.items()
    }
    return {
        "features": to_json(run.features),
        "info": {
            "application": app.name,
            "summary": app.describe(run.features),
            "disclaimer": app.disclaimer,
            "layout": app.layout,
            "unit": provenance.get("unit", ""),
            "data": {k: provenance.get(k, "") for k in ("source", "origin", "licence", "citation", "sha256")},
            **run.features.about(),
            **shapes.get(MAIN, {"graphs": shapes}),
            "metrics": {name: row["model"] for name, row in run.metrics.items()},
            **({"chunk": chunk} if chunk else {}),
            "made_with": run.environment,
        },
    }
