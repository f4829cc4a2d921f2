"""Keras to a SavedModel, for TensorFlow Serving, with the preprocessing in the graph."""

import os
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from export import verify
from export.signature import Signature
from export.trace import lstms_by
from export.verify import ExportReport
from lstm_apps.errors import InputError
from lstm_apps.layers import kernels


def to_saved_model(
    model: keras.Model,
    path: str | Path,
    *,
    preprocess: Callable[..., dict[str, tf.Tensor]] | None = None,
    inputs: Any = None,
    tolerance: float | None = None,
) -> ExportReport:
    """Write a Keras model as a SavedModel folder with one signature, "serving_default".

    Args:
        model: A functional or sequential model.
        path: The folder to write; it appears, or changes, only once it has passed the check.
        preprocess: From raw tensors, by keyword, to the model's inputs by name, in TensorFlow operations:
            it becomes part of the graph. The operations of a library, such as tensorflow-text, need
            that library's import, or its build of the server, where the model is loaded.
        inputs: What to compare with Keras on, as `export.to_onnx`; raw ones, by the names of
            `preprocess`'s arguments, where that is given. Their axes stay open.
        tolerance: Largest error allowed; by default 1e-4 of the outputs' spread.

    Raises:
        ParityError: The saved model's outputs differ from Keras's by more; the folder stays as it was.
        InputError: No model that can be exported, or no place to write to.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise InputError(f"There is no folder {path.parent}.")
    if path.exists() and not (path / "saved_model.pb").is_file():
        raise InputError(f"{path} is there already, and is no SavedModel.")
    if preprocess is not None and not isinstance(inputs, dict):
        raise InputError("With preprocess, inputs are the raw ones by name.")
    raw = None if preprocess is None else {name: tf.constant(a) for name, a in inputs.items()}
    signature = Signature(model, inputs if preprocess is None or raw is None else preprocess(**raw))
    if preprocess is None or raw is None:
        raw = {name: tf.constant(a) for name, a in signature.inputs.items()}
        specs = signature.specs(lambda t: (None, *t.shape[1:]))
    else:
        specs = [tf.TensorSpec([None] * t.ndim, t.dtype, name) for name, t in raw.items()]

    def serve(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        named = dict(zip(raw, tensors, strict=True))
        ready = named if preprocess is None else preprocess(**named)
        return signature.call(*(ready[name] for name in signature.input_names))

    expected = signature.expected()
    tolerance = verify.default_tolerance(expected) if tolerance is None else tolerance
    module = tf.Module()
    module.serve = tf.function(serve, input_signature=specs, autograph=False)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as folder:
        beside = Path(folder) / "new"
        with lstms_by(kernels.scan):
            concrete = module.serve.get_concrete_function()
            tf.saved_model.save(module, str(beside), signatures={"serving_default": concrete})
        served = tf.saved_model.load(str(beside)).signatures["serving_default"]
        error = verify.check(
            lambda: {name: np.asarray(t) for name, t in served(**raw).items()}, expected, tolerance
        )
        if path.exists():
            os.replace(path, Path(folder) / "old")
        os.replace(beside, path)
    files = [f for f in path.rglob("*") if f.is_file()]
    return ExportReport(
        path=path,
        size_bytes=sum(f.stat().st_size for f in files),
        operators=Counter(op.type for op in concrete.graph.get_operations()),
        fused=False,
        max_abs_error=error,
        tolerance=tolerance,
    )
