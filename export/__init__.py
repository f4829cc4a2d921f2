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

from export import arguments, onnx, samples, tflite, verify
from export.saved_model import to_saved_model
from export.signature import Signature, functional
from export.step import StepSignature
from export.trace import exporting
from export.verify import ExportReport, ParityError
from lstm_apps.errors import InputError, ModelFileError, unknown_name
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
        inputs: What to compare with Keras on: arrays by input name, or one array, or a generator or
            `tf.data.Dataset` of such. Real ones are best; by default random normal ones (ids that the model
            knows, right-padded where it masks), or some of `representative_data`.
        tolerance: Largest error allowed, in the outputs' unit; by default a part of their
            spread, 1e-4 without quantization. Outputs of integers and booleans must be equal, in all but such
            a part of their values.
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
    return _export(onnx, model, path, quantize, None, inputs, tolerance, right_padded, step, (), metadata)


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
            int16, which only steps and chunks of a stream have. Inputs, outputs and operators without an
            integer form stay float32.
        representative_data: Real training examples, as `inputs` or as TFLite's converter takes them, on
            which the ranges of activations are measured; by default `inputs`. "int8" and "int16x8" need one
            of them.
        lengths: Lengths of axis 1, shorter than that of `inputs`, for which the file has a signature
            `length_<n>` of its own, faster and with the same weights; each is checked.

    For other arguments and errors see `to_onnx`.
    """
    return _export(
        tflite,
        model,
        path,
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
    place: str | Path,
    quantize: str | None,
    representative_data: Any,
    inputs: Any,
    tolerance: float | None,
    right_padded: bool,
    step: bool | int,
    lengths: Sequence[int],
    metadata: Mapping[str, Any] | None,
) -> ExportReport:
    """Check the arguments."""
    path = arguments.place_of(place)
    if path.suffix != form.ENDING:
        raise InputError(f"{path} should end in {form.ENDING}: runtimes tell files by their ending.")
    if path.is_dir():
        raise InputError(f"{path} is a folder.")
    if not isinstance(step, int | np.integer) or step < 0:
        raise InputError(f"A chunk of {step!r} steps, expected a whole number.")
    if not isinstance(right_padded, bool | np.bool):
        raise InputError(f"right_padded is {right_padded!r}, expected True or False.")
    arguments.check_lengths(lengths)
    arguments.check_tolerance(tolerance)
    arguments.check_metadata(metadata)
    if quantize is not None and (not isinstance(quantize, str) or quantize not in form.QUANTIZE):
        raise unknown_name("quantization", str(quantize), form.QUANTIZE)
    if step and len(lengths):
        raise InputError("A step file takes what comes, step by step: it has no lengths.")
    with exporting():
        model = functional(model)
        for tensor in model.inputs:
            if tensor.dtype == "string":
                raise InputError(
                    f"Input {tensor.name!r} is of type string, which no {form.NAME} file takes: export the "
                    "part behind the strings, or the whole by to_saved_model."
                )
        return _checked_file(
            form,
            model,
            path,
            quantize,
            representative_data,
            inputs,
            tolerance,
            right_padded,
            step,
            lengths,
            metadata,
        )


def _checked_file(
    form: ModuleType,
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
    # Once: a generator is used up by it.
    if inputs is not None:
        inputs = samples.given(inputs, model.inputs)
    if representative_data is not None:
        representative_data = samples.given(representative_data, model.inputs, "representative_data")
    if quantize in ("int8", "int16x8") and form is tflite and representative_data is None:
        if inputs is None:
            raise InputError(f"{quantize} is calibrated on real data: give representative_data.")
        representative_data = inputs
    if inputs is None and representative_data is not None:  # real data to compare on, too
        inputs = {name: array[:8] for name, array in representative_data.items()}

    def with_data(data: Any, length: int | None = None) -> Signature:
        if step:
            return StepSignature(model, data, int(step), right_padded)
        signature = Signature(model, data, right_padded)
        return signature if length is None else Signature(model, signature.cut(length), right_padded)

    signatures = [with_data(inputs, n) for n in (None, *lengths)]
    representative = (
        signatures
        if representative_data is None
        else [with_data(representative_data, n) for n in (None, *lengths)]
    )
    if quantize in ("int8", "int16x8"):
        _check_same_shapes(signatures[0], representative[0])
    expected = [signature.expected() for signature in signatures]
    tolerances = verify.tolerances_of(expected[0], quantize, tolerance)
    contents = [
        form.convert(signature, quantize, data)
        for signature, data in zip(signatures, representative, strict=True)
    ]
    content = contents[0]
    if len(lengths):
        content = form.joined(contents, ["serving_default", *(f"length_{n}" for n in lengths)])
    with _beside(path) as beside:

        def check(content: bytes) -> verify.Parity:
            beside.write_bytes(content)
            try:
                engine = open_engine(beside)
                return verify.worst(
                    verify.check(partial(signature.run, engine), wanted, tolerances)
                    for signature, wanted in zip(signatures, expected, strict=True)
                )
            except ModelFileError as error:  # of a file that it does not know yet, and is gone then
                raise InputError(
                    f"The runtime of {form.NAME} does not take what the converter made of the model: "
                    + str(error).replace(f"{beside}: ", "")
                ) from error
            except ParityError as error:
                raise ParityError(" ".join([str(error), signatures[0].hint]).strip()) from error

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


def _check_same_shapes(signature: Signature, representative: Signature) -> None:
    """InputError where a file of fixed sizes could not take what it is calibrated on."""
    for name, array in signature.inputs.items():
        other = representative.inputs[name].shape[1:]
        if array.shape[1:] != other:
            raise InputError(
                f"Input {name!r} has shape {array.shape[1:]} in inputs and {other} in representative_data: "
                "the file has one."
            )


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
