"""Export the model of a run folder, and measure the files in their own runtimes."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import keras
import numpy as np

import export
from export.verify import RELATIVE_TOLERANCE, ExportReport
from lstm_apps.application import Data
from lstm_apps.errors import unknown_name
from lstm_apps.features import Arrays, to_json
from lstm_apps.runtime.engines import Engine, open_engine
from training.run import Run, write_json


@dataclass(frozen=True)
class Format:
    """A kind of file that a run can be exported to."""

    file: str  # in the run folder
    runtime: str  # the package that runs it
    write: Callable[..., ExportReport]


FORMATS = {
    "onnx": Format("model.onnx", "onnxruntime", export.to_onnx),
    "tflite": Format("model.tflite", "ai-edge-litert", export.to_tflite),
}


def export_run(
    run: Run,
    data: Data,
    model: keras.Model,
    formats: Iterable[str],
    progress: Callable[[str], None] = print,
) -> list[dict[str, Any]]:
    """Write the run's model in `formats`, checked on real test inputs, and `export.json`.

    Args:
        run: An evaluated run.
        data: Its data, from `run.load_data()`.
        model: Its model, from `run.load_model()`.
        formats: Names from `FORMATS`.
        progress: Told what is being done.

    Returns:
        The rows of `export.json`, one a file: runtime, size, operators, parity error, the task's
        metrics measured through that runtime, latency of one example.
    """
    chosen = list(dict.fromkeys(formats))
    for name in chosen:
        if name not in FORMATS:
            raise unknown_name("export format", name, FORMATS)
    app, features = run.application, run.features
    inputs = app.checks(features, data)
    rows = {row["file"]: row for row in run.exports}
    for name in chosen:
        form = FORMATS[name]
        progress(f"exporting {form.file} and checking it against Keras")
        report = form.write(
            model,
            run.folder / form.file,
            inputs=inputs,
            tolerance=RELATIVE_TOLERANCE[None] * app.output_scale(features),
            metadata=_metadata(run, inputs),
        )
        progress(f"measuring {form.file}")
        engine = open_engine(report.path)
        scores = app.score(features, data, engine.run)
        rows[form.file] = {
            "file": form.file,
            "runtime": f"{form.runtime} {version(form.runtime)}",
            "size_bytes": report.size_bytes,
            "operators": dict(report.operators),
            "fused": report.fused,
            "max_abs_error": report.max_abs_error,
            "tolerance": report.tolerance,
            "metrics": {metric: estimate.value for metric, estimate in scores.items()},
            "latency_ms": latency_ms(engine, inputs),
        }
        write_json(run.folder / "export.json", list(rows.values()))
    return list(rows.values())


def latency_ms(engine: Engine, inputs: Arrays, seconds: float = 1.0) -> float:
    """The median time of a call with one example, in milliseconds."""
    one = {name: array[:1] for name, array in inputs.items()}
    for _ in range(5):
        engine.run(one)
    times = []
    stop = time.perf_counter() + seconds
    while (begin := time.perf_counter()) < stop:
        engine.run(one)
        times.append(time.perf_counter() - begin)
    return float(np.median(times) * 1e3)


def _metadata(run: Run, inputs: Arrays) -> dict[str, Any]:
    """What the file says of itself, and what the runtime needs to use it."""
    app, provenance = run.application, run.provenance
    return {
        "features": to_json(run.features),
        "info": {
            "application": app.name,
            "summary": app.summary,
            "notice": app.notice,
            "layout": app.layout,
            "unit": provenance.get("unit", ""),
            "data": {k: provenance.get(k, "") for k in ("source", "origin", "licence", "citation", "sha256")},
            "inputs": {name: [None, *array.shape[1:]] for name, array in inputs.items()},
            "metrics": {name: row["model"] for name, row in run.metrics.items()},
            "made_with": run.environment,
        },
    }
