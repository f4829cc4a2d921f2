"""Keras to a SavedModel, for TensorFlow Serving, with the preprocessing in the graph."""

import json
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from export import arguments, samples, verify
from export.signature import Signature, functional
from export.trace import exporting, lstms_by, tables_of, tracing
from export.verify import ExportReport
from lstm_apps.errors import InputError, ModelFileError, first_line
from lstm_apps.features import Arrays
from lstm_apps.layers import kernels
from lstm_apps.runtime.engines import Graph
from lstm_apps.runtime.metadata import KEY, MAIN, VERSION, WHOLE

DEFAULT = tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY
# The signature that takes what the Keras model takes, where preprocessing stands before the default one.
PREPROCESSED = "preprocessed"


def to_saved_model(
    model: keras.Model,
    path: str | Path,
    *,
    preprocess: Callable[..., dict[str, tf.Tensor]] | None = None,
    inputs: Any = None,
    tolerance: float | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> ExportReport:
    """Write a Keras model as a SavedModel folder with the signature "serving_default".

    Args:
        model: A functional or sequential model.
        path: The folder to write; it appears, or changes, only once it has passed the check.
        preprocess: From raw tensors, by keyword, to the model's inputs by name, in TensorFlow operations:
            it becomes part of the graph, and the signature "preprocessed" takes the model's inputs. A
            `tf.Module` where it holds resources, such as a vocabulary. The operations of a library, such
            as tensorflow-text, need its import, or its build of the server, where the model is loaded.
        inputs: What to compare with Keras on, as `export.to_onnx`; raw ones, by the names of
            `preprocess`'s arguments, where that is given. Their axes stay open. A model that takes strings
            itself needs some.
        tolerance: Largest error allowed; by default 1e-4 of the outputs' spread.
        metadata: JSON data, written to `assets.extra` with the parity that was measured.

    Raises:
        ParityError: The saved model's outputs differ from Keras's by more; the folder stays as it was.
        InputError: No model that can be exported, or no place to write to.
    """
    path = arguments.place_of(path)
    if path.exists() and not (path / "saved_model.pb").is_file():
        raise InputError(f"{path} is there already, and is no SavedModel.")
    arguments.check_tolerance(tolerance)
    arguments.check_metadata(metadata)
    if preprocess is not None and not isinstance(inputs, dict):
        raise InputError("With preprocess, inputs are the raw ones by name.")
    with exporting():
        return _saved(functional(model), path, preprocess, inputs, tolerance, metadata)


def _saved(
    model: keras.Model,
    path: Path,
    preprocess: Callable[..., dict[str, tf.Tensor]] | None,
    inputs: Any,
    tolerance: float | None,
    metadata: Mapping[str, Any] | None,
) -> ExportReport:
    """Write beside, check, rename."""
    raw: dict[str, tf.Tensor] = {}
    if preprocess is not None:
        raw = {name: tf.constant(a) for name, a in inputs.items()}
        inputs = preprocess(**raw)
    signature = Signature(model, inputs)
    signature.check_arguments()
    specs = signature.specs(lambda t: (None, *t.shape[1:]))
    # One function for both signatures: its weights are constants of the file.
    call = tf.function(signature.call, input_signature=specs, autograph=False)
    calls = {PREPROCESSED: (call, {name: tf.constant(a) for name, a in signature.inputs.items()})}
    if preprocess is None:
        calls = {DEFAULT: calls[PREPROCESSED]}
    else:
        calls[DEFAULT] = _with_preprocessing(preprocess, raw, call, specs), raw
    expected = signature.expected()
    tolerances = verify.tolerances_of(expected, tolerance=tolerance)
    module = tf.Module()
    module.preprocess = preprocess  # what it holds is saved with it
    with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as folder:
        beside = Path(folder) / "new"
        with lstms_by(kernels.scan), tracing():
            concrete = {name: traced.get_concrete_function() for name, (traced, _) in calls.items()}
            module.tables = tables_of(signature.model, call.get_concrete_function().graph)
            tf.saved_model.save(module, str(beside), signatures=concrete)
        served = tf.saved_model.load(str(beside)).signatures
        outputs = {
            name: verify.check(partial(_answer, served[name], given), expected, tolerances)
            for name, (_, given) in calls.items()
        }
        error, tolerance = verify.worst(p for of_call in outputs.values() for p in of_call.values())
        if metadata is not None:
            parity = {"max_abs_error": error, "tolerance": tolerance, "examples": signature.examples}
            stored = {"version": VERSION, "form": WHOLE, **metadata, "parity": parity}
            extra = beside / "assets.extra"  # where TensorFlow Serving leaves files of others alone
            extra.mkdir()
            (extra / f"{KEY}.json").write_text(json.dumps(stored, ensure_ascii=False, allow_nan=False))
        if not path.exists():
            os.replace(beside, path)
        else:
            old = Path(folder) / "old"
            os.replace(path, old)
            try:
                os.replace(beside, path)
            except OSError:
                os.replace(old, path)
                raise
    files = [f for f in path.rglob("*") if f.is_file()]
    graph = concrete[DEFAULT].graph.as_graph_def()
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    return ExportReport(
        path=path,
        files=(path,),
        size_bytes=sum(f.stat().st_size for f in files),
        operators=Counter(node.op for node in nodes),
        fused=False,
        max_abs_error=error,
        tolerance=tolerance,
        outputs={MAIN: outputs[DEFAULT]},
    )


def _with_preprocessing(preprocess, raw: dict[str, tf.Tensor], call, specs: list[tf.TensorSpec]) -> Any:
    """`call` on what `preprocess` makes of raw tensors like these, whose axes stay open."""

    def serve(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        prepared = preprocess(**dict(zip(raw, tensors, strict=True)))
        return call(*(tf.cast(prepared[spec.name], spec.dtype) for spec in specs))

    open_axes = [tf.TensorSpec([None] * t.ndim, t.dtype, name) for name, t in raw.items()]
    return tf.function(serve, input_signature=open_axes, autograph=False)


class SavedModelEngine:
    """A SavedModel in TensorFlow, by the inputs of the Keras model. An `Engine` of `lstm_apps.runtime`."""

    def __init__(self, path: Path):
        with suppress(ImportError):  # has the operators of a graph that takes text
            import tensorflow_text  # noqa: F401
        try:
            self._model = tf.saved_model.load(str(path))
        except (OSError, ValueError, tf.errors.OpError) as error:
            raise ModelFileError(f"{path}: TensorFlow refuses the folder: {first_line(error)}") from error
        served = self._model.signatures
        self._call = served[PREPROCESSED] if PREPROCESSED in served else served[DEFAULT]
        specs = self._call.structured_input_signature[1]
        self._types = {name: spec.dtype.name for name, spec in specs.items()}
        self.inputs = {name: tuple(spec.shape) for name, spec in specs.items()}
        self.outputs = list(self._call.structured_outputs)
        self.graphs = {MAIN: Graph(self.inputs, self.outputs)}
        self.attachments: dict[str, bytes] = {}
        extra = path / "assets.extra" / f"{KEY}.json"
        self.metadata: dict[str, Any] = json.loads(extra.read_text()) if extra.is_file() else {}

    def run(self, inputs: Arrays, graph: str = MAIN) -> Arrays:
        tensors = [keras.KerasTensor(s, self._types[n], name=n) for n, s in self.inputs.items()]
        typed = samples.given(inputs, tensors)
        return _answer(self._call, {n: tf.constant(a) for n, a in typed.items()})


def _answer(call: Callable[..., dict[str, tf.Tensor]], inputs: dict[str, tf.Tensor]) -> Arrays:
    return {name: np.asarray(tensor) for name, tensor in call(**inputs).items()}
