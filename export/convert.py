"""A Keras model in a format, with what it is checked by: real inputs and what Keras computes for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any

import keras
import numpy as np

from export import samples, tflite, verify
from export.signature import Signature
from export.step import StepSignature
from lstm_apps.errors import InputError
from lstm_apps.runtime.engines import Engine
from lstm_apps.runtime.metadata import MAIN


@dataclass(frozen=True)
class Settings:
    """What is asked of an export, of all graphs alike."""

    form: ModuleType  # export.onnx or export.tflite
    quantize: str | None = None
    tolerance: float | None = None
    right_padded: bool = False
    step: int = 0  # steps in a chunk of a stream; 0: whole inputs


class Converted:
    """A graph of a file.

    Args:
        model: A functional model.
        settings: What is asked of it.
        inputs, representative_data: As `export.to_tflite` takes them.
        lengths: Shorter lengths for which it has a form of its own.

    Attributes:
        contents: The model in its format, then that of each length.
        lengths: Those.
        examples: How many examples it is checked on.
    """

    def __init__(
        self,
        model: keras.Model,
        settings: Settings,
        inputs: Any = None,
        representative_data: Any = None,
        lengths: Sequence[int] = (),
    ):
        quantize, form = settings.quantize, settings.form
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
            if settings.step:
                return StepSignature(model, data, settings.step, settings.right_padded)
            signature = Signature(model, data, settings.right_padded)
            if length is None:
                return signature
            return Signature(model, signature.cut(length), settings.right_padded)

        self._signatures = [with_data(inputs, n) for n in (None, *lengths)]
        representative = self._signatures
        if representative_data is not None:
            representative = [with_data(representative_data, n) for n in (None, *lengths)]
        if quantize in ("int8", "int16x8"):
            _check_same_shapes(self._signatures[0], representative[0])
        self._expected = [signature.expected() for signature in self._signatures]
        if not settings.step:
            _check_repeats(self._signatures[0].model, self._signatures[0])
        self._tolerances = verify.tolerances_of(self._expected[0], quantize, settings.tolerance)
        self.contents: list[bytes] = [
            form.convert(signature, quantize, data)
            for signature, data in zip(self._signatures, representative, strict=True)
        ]
        self.examples = self._signatures[0].examples
        self.lengths = tuple(lengths)

    @property
    def states(self) -> list[str]:
        """Of a step: the inputs that are its states."""
        return [t.name for t in getattr(self._signatures[0], "states", [])]

    def check(self, engine: Engine, graph: str = MAIN) -> Mapping[str, verify.Parity]:
        """How far each output of the file is from Keras, over all lengths; too far is a ParityError."""
        try:
            found = [
                verify.check(partial(signature.run, engine, graph), wanted, self._tolerances)
                for signature, wanted in zip(self._signatures, self._expected, strict=True)
            ]
        except verify.ParityError as error:
            raise verify.ParityError(" ".join([str(error), self._signatures[0].hint]).strip()) from error
        return {name: verify.worst(parities[name] for parities in found) for name in found[0]}


def _check_repeats(model: keras.Model, signature: Signature) -> None:
    """InputError where the model answers otherwise when it is asked again: a file could not."""
    given = [keras.ops.convert_to_tensor(signature.inputs[t.name]) for t in signature.tensors]
    inputs = keras.tree.pack_sequence_as(model.input, given)
    first, second = (keras.tree.flatten(model.call(inputs, training=False)) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        a, b = map(keras.ops.convert_to_numpy, (one, other))
        if not np.allclose(a, b, rtol=1e-3, atol=1e-5, equal_nan=True):
            raise InputError(
                "The model answers otherwise when asked again: a layer draws random numbers in inference, "
                "and a file would draw them once."
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
