"""How a model leaves: ONNX and TFLite files, each checked against Keras before it appears.

Works on any functional or sequential Keras model, with or without a run folder; `export.runs`
exports a run folder.
"""

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import keras
import numpy as np

from export import arguments, files, onnx, tflite
from export.convert import Converted, Settings
from export.saved_model import to_saved_model
from export.signature import functional
from export.trace import exporting
from export.verify import ExportReport, ParityError
from lstm_apps.errors import InputError, unknown_name
from lstm_apps.runtime.metadata import MAIN

__all__ = ["ExportReport", "ParityError", "to_onnx", "to_saved_model", "to_tflite"]


def to_onnx(
    model: keras.Model | Mapping[str, keras.Model],
    path: str | Path,
    *,
    quantize: str | None = None,
    inputs: Any = None,
    tolerance: float | None = None,
    right_padded: bool = False,
    step: bool | int = False,
    metadata: Mapping[str, Any] | None = None,
    attachments: Mapping[str, bytes] | None = None,
    accept: files.Accept | None = None,
) -> ExportReport:
    """Write a Keras model as ONNX, each LSTM one `LSTM` node; batch and open time axes stay open.

    Args:
        model: A functional or sequential model; or the graphs of a generator by name, such as
            {"encoder": ..., "decoder": ...}, which become a file each: "model.encoder.onnx" and
            "model.decoder.onnx" for the path "model.onnx".
        path: The file to write; it appears, or changes, only once it has passed the check.
        quantize: None, or "int8": weights as int8, activations quantized as they come.
        inputs: What to compare with Keras on: arrays by input name, or one array, or a generator or
            `tf.data.Dataset` of such; of several graphs a dict of these. Real ones are best; by default
            random normal ones (ids that the model knows, right-padded where it masks), or some of
            `representative_data`.
        tolerance: Largest error allowed, in the outputs' unit; by default a part of their
            spread, 1e-4 without quantization. Outputs of integers and booleans must be equal, in all but such
            a part of their values.
        right_padded: Whether all masks are of right-padded sequences: valid steps, then padding. Only
            then can a masked LSTM be the operator; it is wrong for other masks. By default a masked
            LSTM is a loop that is right for any.
        step: Export a step of a stream, for one step at a time or a chunk of so many: the LSTMs' states
            are inputs `<layer>_h`, `<layer>_c` and outputs `<layer>_h_next`, `<layer>_c_next`, which
            `lstm_apps.runtime.Stream` passes on. Checked against Keras over the whole sequences.
        metadata: JSON data for the file, see `lstm_apps.runtime.metadata`; what the file is, and the parity
            that was measured, are added.
        attachments: Binary parts of the preprocessing, by name, see `lstm_apps.runtime.attachments`.
        accept: Called with the file's engine, before the file appears: a ParityError keeps it from that.

    Raises:
        ParityError: The file's outputs differ from Keras's by more; no file is written.
        InputError: No model that can be exported, or no place to write to.
    """
    asked = _settings(onnx, quantize, tolerance, right_padded, step)
    return _export(model, path, asked, Given(inputs), files.More(metadata, attachments, accept))


def to_tflite(
    model: keras.Model | Mapping[str, keras.Model],
    path: str | Path,
    *,
    quantize: str | None = None,
    representative_data: Any = None,
    inputs: Any = None,
    tolerance: float | None = None,
    right_padded: bool = False,
    step: bool | int = False,
    lengths: Any = (),
    metadata: Mapping[str, Any] | None = None,
    attachments: Mapping[str, bytes] | None = None,
    accept: files.Accept | None = None,
) -> ExportReport:
    """Write a Keras model as TFLite, each LSTM one `UNIDIRECTIONAL_SEQUENCE_LSTM` operator, without
    Flex. The file takes one example at a time, and forgets it: no call sees the one before.

    Sizes that the model leaves open, but for the batch, are fixed to those of `inputs`. The graphs of a
    generator become one file with a signature each.

    Args:
        quantize: None; "dynamic": weights as int8; "int8": activations too; "int16x8": activations as
            int16, which only steps and chunks of a stream have. Inputs, outputs and operators without an
            integer form stay float32.
        representative_data: Real training examples, as `inputs` or as TFLite's converter takes them, on
            which the ranges of activations are measured; by default `inputs`. "int8" and "int16x8" need one
            of them.
        lengths: Lengths of axis 1, shorter than that of `inputs`, for which the file has a signature
            `length_<n>` of its own, faster and with the same weights; each is checked. Of several graphs a
            dict of such.

    For other arguments and errors see `to_onnx`.
    """
    asked = _settings(tflite, quantize, tolerance, right_padded, step)
    given = Given(inputs, representative_data, lengths)
    return _export(model, path, asked, given, files.More(metadata, attachments, accept))


def _settings(form: ModuleType, quantize: Any, tolerance: Any, right_padded: Any, step: Any) -> Settings:
    """The arguments that all graphs share, checked."""
    if not isinstance(step, int | np.integer) or step < 0:
        raise InputError(f"A chunk of {step!r} steps, expected a whole number.")
    if not isinstance(right_padded, bool | np.bool):
        raise InputError(f"right_padded is {right_padded!r}, expected True or False.")
    arguments.check_tolerance(tolerance)
    if quantize is not None and (not isinstance(quantize, str) or quantize not in form.QUANTIZE):
        raise unknown_name("quantization", str(quantize), form.QUANTIZE)
    return Settings(form, quantize, tolerance, bool(right_padded), int(step))


class Given(NamedTuple):
    """What a graph is checked and calibrated on, as the user gave it."""

    inputs: Any
    representative_data: Any = None
    lengths: Any = ()


def _export(model: Any, place: Any, asked: Settings, given: Given, more: files.More) -> ExportReport:
    path, form = arguments.place_of(place), asked.form
    if path.suffix != form.ENDING:
        raise InputError(f"{path} should end in {form.ENDING}: runtimes tell files by their ending.")
    if path.is_dir():
        raise InputError(f"{path} is a folder.")
    arguments.check_metadata(more.metadata)
    graphs = model if isinstance(model, Mapping) else {MAIN: model}
    of_graphs = {MAIN: given}
    if graphs is model:
        arguments.check_graphs(graphs, asked.step)
        each = [
            arguments.of_graphs(what, value, graphs)
            for what, value in given._replace(lengths=given.lengths or None)._asdict().items()
        ]
        of_graphs = {name: Given(*(values[name] for values in each)) for name in graphs}
    for one in of_graphs.values():
        lengths = () if one.lengths is None else one.lengths
        arguments.check_lengths(lengths)
        if asked.step and len(lengths):
            raise InputError("A step file takes what comes, step by step: it has no lengths.")
    with exporting():
        converted = {}
        for name, graph in graphs.items():
            whole = functional(graph)
            for tensor in whole.inputs:
                if tensor.dtype == "string":
                    raise InputError(
                        f"Input {tensor.name!r} is of type string, which no {form.NAME} file takes: export "
                        "the part behind the strings, or the whole by to_saved_model."
                    )
            one = of_graphs[name]
            lengths = () if one.lengths is None else tuple(one.lengths)
            converted[name] = Converted(whole, asked, one.inputs, one.representative_data, lengths)
        return files.write(converted, path, asked, more)
