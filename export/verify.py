"""No export without a check: the file is run in its own runtime and compared with Keras."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lstm_apps.errors import ParityError
from lstm_apps.features import Arrays

# Part of the outputs' own size that an export may be off by; of integers and booleans, the part that may
# differ at all.
RELATIVE_TOLERANCE = {None: 1e-4, "dynamic": 0.15, "int8": 0.25, "int16x8": 0.1, "float16": 0.25}


@dataclass(frozen=True)
class ExportReport:
    """What was exported, and how well it does what the Keras model does."""

    path: Path  # of a generator as ONNX that of its first graph
    files: tuple[Path, ...]  # all that were written
    size_bytes: int  # of all
    operators: Counter  # operator name -> how many
    fused: bool  # it has LSTM operators of the runtime, and no loop
    # Against Keras on the inputs given, of the output that is nearest its tolerance; of integers and
    # booleans the share that differs.
    max_abs_error: float
    tolerance: float  # of that output
    outputs: Mapping[str, Mapping[str, "Parity"]]  # graph -> output -> how far it is off


class Parity(NamedTuple):
    """How far an output is off, and how far it may be."""

    error: float
    tolerance: float

    @property
    def share(self) -> float:
        """Of the tolerance that is used up."""
        return self.error / self.tolerance if self.tolerance else np.inf if self.error else 0.0


def tolerances_of(
    expected: Arrays, quantize: str | None = None, tolerance: float | None = None
) -> dict[str, float]:
    """`tolerance` for each output; by default a part of its own spread, for what is small beside another
    must be right too. Of integers and booleans, which are right or wrong, the share that may differ."""

    def of(array: np.ndarray) -> float:
        if not _is_float(array):
            return RELATIVE_TOLERANCE[quantize]
        return RELATIVE_TOLERANCE[quantize] * _size(array) if tolerance is None else tolerance

    return {name: of(array) for name, array in expected.items()}


def _is_float(array: np.ndarray) -> bool:
    return array.dtype.kind == "f"


def _size(outputs: np.ndarray) -> float:
    """Their spread; of numbers that are all the same how large they are."""
    return float(np.std(outputs)) or float(np.abs(outputs).max()) or 1.0


def worst(found: Iterable[Parity]) -> Parity:
    """Of the output that is nearest its tolerance."""
    return max(found, key=lambda parity: parity.share)


def check(run: Callable[[], Arrays], expected: Arrays, tolerances: dict[str, float]) -> dict[str, Parity]:
    """How far each output of an exported model is from `expected`; over its tolerance is a ParityError.

    It is run twice, because one that remembers its first call answers the second differently.
    """
    parities: dict[str, Parity] = {}
    for _ in range(2):
        found = run()
        for name, want in expected.items():
            if found[name].shape != want.shape:
                raise ParityError(f"{name} has shape {found[name].shape}, in Keras {want.shape}.")
            allowed = tolerances[name]
            if not _is_float(want):
                error = float(np.mean(found[name] != want))
                says = f"differs in {error:.1%} of its values, {allowed:.2%} may"
            else:
                difference = np.abs(found[name].astype(np.float64) - want)
                error = float(np.max(np.where(np.isnan(difference), np.inf, difference)))
                says = f"is off by up to {error:.3g}, tolerance {allowed:.3g}"
            if not error <= allowed:
                raise ParityError(f"The exported model's {name} {says}; nothing was written.")
            parities[name] = worst([Parity(error, allowed), *([parities[name]] if name in parities else [])])
    return parities
