"""No export without a check: the file is run in its own runtime and compared with Keras."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lstm_apps.errors import ParityError
from lstm_apps.features import Arrays

# Part of the outputs' own size that an export may be off by.
RELATIVE_TOLERANCE = {None: 1e-4, "dynamic": 0.15, "int8": 0.25, "int16x8": 0.1}


@dataclass(frozen=True)
class ExportReport:
    """What was exported, and how well it does what the Keras model does."""

    path: Path
    size_bytes: int
    operators: Counter  # operator name -> how many
    fused: bool  # every LSTM is the runtime's own operator, none a loop
    max_abs_error: float  # against Keras, over all outputs on the inputs given
    tolerance: float


def default_tolerance(expected: Arrays, quantize: str | None = None) -> float:
    """A part of the outputs' spread."""
    spread = max(float(np.std(a)) for a in expected.values())
    return RELATIVE_TOLERANCE[quantize] * (spread or 1.0)


def check(run: Callable[[], Arrays], expected: Arrays, tolerance: float) -> float:
    """The largest distance of an exported model's outputs from `expected`; over the tolerance it is a
    ParityError.

    It is run twice, because one that remembers its first call answers the second differently.
    """
    error = 0.0
    for _ in range(2):
        found = run()
        for name, want in expected.items():
            if found[name].shape != want.shape:
                raise ParityError(f"{name} has shape {found[name].shape}, in Keras {want.shape}.")
            difference = np.abs(found[name].astype(np.float64) - want)
            error = max(error, float(np.max(np.where(np.isnan(difference), np.inf, difference))))
    if not error <= tolerance:
        raise ParityError(
            f"The exported model is off by up to {error:.3g}, tolerance {tolerance:.3g}; nothing was written."
        )
    return error
