"""How a model leaves: ONNX and TFLite files, each checked against Keras before it appears.

Works on any functional or sequential Keras model, with or without a run folder; `export.runs`
exports a run folder.
"""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import numpy as np

from export import onnx, tflite, verify
from export.saved_model import to_saved_model
from export.signature import Signature
from export.step import StepSignature
from export.verify import ExportReport, ParityError
from lstm_apps.errors import InputError, first_line, unknown_name
from lstm_apps.runtime.engines import METADATA_KEY, METADATA_VERSION, open_engine
from lstm_apps.runtime.seal import sealed

__all__ = ["ExportReport", "ParityError", "to_onnx", "to_saved_model", "to_tflite"]


def to_onnx(
    model: keras.Model,
    path: str | Path,
    *,
    quantize: str | None = None,
    inputs: Any = None,
    tolerance: float | None = None,
    right_padded: bool = False,
    step: bool | int = False,
    metadata: Mapping[str, Any] | None = None,
) -> ExportReport:
    """Write a Keras model as ONNX, each LSTM one `LSTM` node; batch and open time axes stay open.

    Args:
        model: A functional or sequential model.
        path: The file to write; it appears, or changes, only once it has passed the check.
        quantize: None, or "int8": weights as int8, activations quantized as they come.
        inputs: What to compare with Keras on: arrays by input name, or one array. Real ones are
            best; by default random normal ones, or some of `representative_data`.
        tolerance: Largest error allowed, in the outputs' unit; by default a part of their
            spread, 1e-4 without quantization.
        right_padded: Whether all masks are of right-padded sequences: valid steps, then padding. Only
            then can a masked LSTM be the operator; it is wrong for other masks. By default a masked
            LSTM is a loop that is right for any.
        step: Export a step of a stream, for one step at a time or a chunk of so many: the LSTMs' states
            are inputs `<layer>_h`, `<layer>_c` and outputs `<layer>_h_next`, `<layer>_c_next`, which
            `lstm_apps.runtime.engines.Stream` passes on. Checked against Keras over the whole sequences.
        metadata: JSON data for the file, as `lstm_apps.runtime.load` reads them; the parity that
            was measured is added.

    Raises:
        ParityError: The file's outputs differ from Keras's by more; no file is written.
        InputError: No model that can be exported, or no place to write to.
    """
    return _export(
        onnx, model, Path(path), quantize, None, inputs, tolerance, right_padded, step, (), metadata
    )


def to_tflite(
    model: keras.Model,
    path: str | Path,
    *,
    quantize: str | None = None,
    representative_data: Any = None,
    inputs: Any = None,
    tolerance: float | None = None,
    right_padded: bool = False,
    step: bool | int = False,
    lengths: Sequence[int] = (),
    metadata: Mapping[str, Any] | None = None,
) -> ExportReport:
    """Write a Keras model as TFLite, each LSTM one `UNIDIRECTIONAL_SEQUENCE_LSTM` operator, without
    Flex. The file takes one example at a time, and forgets it: no call sees the one before.

    Sizes that the model leaves open, but for the batch, are fixed to those of `inputs`.

    Args:
        quantize: None; "dynamic": weights as int8; "int8": activations too; "int16x8": activations as
            int16, which only step models have. Inputs, outputs and operators without an integer form
            stay float32.
        representative_data: Real training examples, as `inputs`, on which the ranges of activations are
            measured; by default `inputs`. "int8" and "int16x8" need one of them.
        lengths: Lengths of axis 1, shorter than that of `inputs`, for which the file has a signature
            `length_<n>` of its own, faster and with the same weights; each is checked.

    For other arguments and errors see `to_onnx`.
    """
    return _export(
        tflite,
        model,
        Path(path),
        quantize,
        representative_data,
        inputs,
        tolerance,
        right_padded,
        step,
        lengths,
        metadata,
    )


def _export(
    form: ModuleType,  # export.onnx or export.tflite
    model: keras.Model,
    path: Path,
    quantize: str | None,
    representative_data: Any,
    inputs: Any,
    tolerance: float | None,
    right_padded: bool,
    step: bool | int,
    lengths: Sequence[int],
    metadata: Mapping[str, Any] | None,
) -> ExportReport:
    """Convert, write beside, check, rename."""
    if path.suffix != form.ENDING:
        raise InputError(f"{path} should end in {form.ENDING}: runtimes tell files by their ending.")
    if not path.parent.is_dir():
        raise InputError(f"There is no folder {path.parent}.")
    if path.is_dir():
        raise InputError(f"{path} is a folder.")
    if not isinstance(step, int | np.integer):
        raise InputError(f"A chunk of {step} steps, expected a whole number.")
    try:
        json.dumps(metadata, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(f"The metadata are no JSON: {first_line(error)}") from error
    if quantize not in (None, *form.QUANTIZE):
        raise unknown_name("quantization", str(quantize), form.QUANTIZE)
    if step and lengths:
        raise InputError("A step file takes what comes, step by step: it has no lengths.")
    if quantize in ("int8", "int16x8") and form is tflite and representative_data is None:
        if inputs is None:
            raise InputError(f"{quantize} is calibrated on real data: give representative_data.")
        representative_data = inputs
    if inputs is None and representative_data is not None:  # real data to compare on, too
        inputs = _first(representative_data, 8)

    def with_data(data: Any, length: int | None = None) -> Signature:
        if step:
            return StepSignature(model, data, int(step))
        signature = Signature(model, data)
        return signature if length is None else Signature(model, signature.cut(length))

    signatures = [with_data(inputs, n) for n in (None, *lengths)]
    representative = (
        signatures
        if representative_data is None
        else [with_data(representative_data, n) for n in (None, *lengths)]
    )
    expected = [signature.expected() for signature in signatures]
    tolerances = verify.tolerances_of(expected[0], quantize, tolerance)
    contents = [
        form.convert(signature, right_padded, quantize, data)
        for signature, data in zip(signatures, representative, strict=True)
    ]
    content = contents[0]
    if lengths:
        content = form.joined(contents, ["serving_default", *(f"length_{n}" for n in lengths)])
    with _beside(path) as beside:

        def check(content: bytes) -> verify.Parity:
            beside.write_bytes(content)
            engine = open_engine(beside)
            return verify.worst(
                verify.check(partial(signature.run, engine), wanted, tolerances)
                for signature, wanted in zip(signatures, expected, strict=True)
            )

        parity = check(content)
        if metadata is not None:
            measured = {
                "max_abs_error": parity.error,
                "tolerance": parity.tolerance,
                "examples": signatures[0].examples,
            }
            stored = {"version": METADATA_VERSION, **metadata, "parity": measured}
            content = form.with_metadata(
                content, METADATA_KEY, json.dumps(stored, ensure_ascii=False, allow_nan=False)
            )
        content = sealed(content)
        check(content)
        os.replace(beside, path)
    operators = form.operators(content)
    return ExportReport(
        path=path,
        size_bytes=len(content),
        operators=operators,
        fused=any(operators[name] for name in form.FUSED_NAMES)
        and not any(operators[loop] for loop in form.LOOPS),
        max_abs_error=parity.error,
        tolerance=parity.tolerance,
    )


def _first(data: Any, count: int) -> Any:
    """The first examples of arrays by input name, or of one array."""
    return {name: a[:count] for name, a in data.items()} if isinstance(data, Mapping) else data[:count]


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """An empty file in the same folder, gone at the end unless it was renamed."""
    handle, name = tempfile.mkstemp(suffix=path.suffix, prefix=f".{path.stem}-", dir=path.parent)
    os.close(handle)
    beside = Path(name)
    beside.chmod(0o644)
    try:
        yield beside
    finally:
        beside.unlink(missing_ok=True)
