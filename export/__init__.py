"""How a model leaves: ONNX and TFLite files, each checked against Keras before it appears.

Works on any functional or sequential Keras model, with or without a run folder.
"""

import json
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from export import onnx, tflite, verify
from export.signature import Signature
from export.verify import ExportReport, ParityError
from lstm_apps.errors import InputError
from lstm_apps.runtime.engines import METADATA_KEY, METADATA_VERSION

__all__ = ["ExportReport", "ParityError", "to_onnx", "to_tflite"]


def to_onnx(
    model: keras.Model,
    path: str | Path,
    *,
    inputs: Any = None,
    tolerance: float | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> ExportReport:
    """Write a Keras model as ONNX, each LSTM one `LSTM` node; batch and open time axes stay open.

    Args:
        model: A functional or sequential model.
        path: The file to write; it appears, or changes, only once it has passed the check.
        inputs: What to compare with Keras on: arrays by input name, or one array. Real ones are
            best; by default random normal ones.
        tolerance: Largest error allowed, in the outputs' unit; by default 1e-4 of their spread.
        metadata: JSON data for the file, as `lstm_apps.runtime.load` reads them.

    Raises:
        ParityError: The file's outputs differ from Keras's by more; no file is written.
    """
    signature = Signature(model, _default_inputs(model) if inputs is None else inputs)

    def content() -> tuple[bytes, Counter]:
        converted = onnx.convert(signature)
        if metadata is not None:
            entry = converted.metadata_props.add()
            entry.key, entry.value = METADATA_KEY, _json(metadata)
        return converted.SerializeToString(), onnx.operators(converted)

    return _export(signature, Path(path), ".onnx", content, ("LSTM",), onnx.LOOPS, tolerance)


def to_tflite(
    model: keras.Model,
    path: str | Path,
    *,
    inputs: Any = None,
    tolerance: float | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> ExportReport:
    """Write a Keras model as TFLite, each LSTM one `UNIDIRECTIONAL_SEQUENCE_LSTM` operator, without
    Flex. The file takes one example at a time, and forgets it: no call sees the one before.

    Sizes that the model leaves open, but for the batch, are fixed to those of `inputs`. For
    arguments and errors see `to_onnx`.
    """
    signature = Signature(model, _default_inputs(model) if inputs is None else inputs)

    def content() -> tuple[bytes, Counter]:
        converted = tflite.convert(signature)
        if metadata is not None:
            converted = tflite.with_metadata(converted, METADATA_KEY, _json(metadata).encode())
        return converted, tflite.operators(converted)

    fused = ("UNIDIRECTIONAL_SEQUENCE_LSTM",)
    return _export(signature, Path(path), ".tflite", content, fused, tflite.LOOPS, tolerance)


def _export(
    signature: Signature,
    path: Path,
    ending: str,
    content: Callable[[], tuple[bytes, Counter]],
    fused: tuple[str, ...],
    loops: tuple[str, ...],
    tolerance: float | None,
) -> ExportReport:
    """Convert, write beside, check, rename."""
    if path.suffix != ending:
        raise InputError(f"{path} should end in {ending}: runtimes tell files by their ending.")
    if not path.parent.is_dir():
        raise InputError(f"There is no folder {path.parent}.")
    data, found = content()
    expected = verify.reference(signature)
    tolerance = verify.default_tolerance(expected) if tolerance is None else tolerance
    handle, name = tempfile.mkstemp(suffix=ending, prefix=f".{path.stem}-", dir=path.parent)
    beside = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        error = verify.check(beside, signature.inputs, expected, tolerance)
        beside.chmod(0o644)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    return ExportReport(
        path=path,
        size_bytes=len(data),
        operators=found,
        fused=any(found[op] for op in fused) and not any(found[op] for op in loops),
        max_abs_error=error,
        tolerance=tolerance,
    )


def _default_inputs(model: keras.Model) -> dict[str, np.ndarray]:
    """Three random examples; sizes the model leaves open become 16."""
    rng = np.random.default_rng(0)
    return {
        t.name: rng.standard_normal((3, *(16 if d is None else d for d in t.shape[1:]))).astype("float32")
        for t in model.inputs or ()
    }


def _json(metadata: Mapping[str, Any]) -> str:
    return json.dumps({"version": METADATA_VERSION, **metadata}, ensure_ascii=False)
