"""Inputs of a model: checked by name, shape and number, before a runtime sees them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lstm_apps.errors import InputError
from lstm_apps.features import Arrays
from lstm_apps.features.raw import as_array


def check_inputs(inputs: Arrays, expected: dict[str, tuple[int | None, ...]]) -> Arrays:
    """`inputs` if names and shapes fit and all numbers are finite; otherwise an InputError."""
    if not isinstance(inputs, Mapping):
        raise InputError(
            f"The inputs are {type(inputs).__name__}, expected arrays by name: {', '.join(expected)}."
        )
    if set(inputs) != set(expected):
        raise InputError(f"The inputs are {sorted(inputs)}, expected {sorted(expected)}.")
    arrays = {name: as_array(inputs[name], f"Input {name!r}") for name in expected}
    for name, array in arrays.items():
        shape = expected[name]
        fits = array.ndim == len(shape) and all(
            want is None or have == want for have, want in zip(array.shape, shape, strict=True)
        )
        if not fits or 0 in array.shape:
            shown = ", ".join("any" if s is None else str(s) for s in shape)
            raise InputError(f"Input {name!r} has shape {array.shape}, expected ({shown}).")
        if array.dtype.kind not in "fiub":
            raise InputError(f"Input {name!r} holds {array.dtype}, expected numbers.")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise InputError(f"Input {name!r} holds NaN or infinity.")
    if len({len(a) for a in arrays.values()}) > 1:
        raise InputError(f"The inputs differ in batch size: { {n: len(a) for n, a in arrays.items()} }.")
    return arrays


def as_type(name: str, array: np.ndarray, dtype: Any) -> np.ndarray:
    """An input in the model's type; an InputError where that cannot hold its numbers."""
    with np.errstate(over="ignore", invalid="ignore"):
        typed = array.astype(dtype, copy=False)
    whole = typed.dtype.kind in "iu"
    if not ((typed == array) if whole else np.isfinite(typed)).all():
        raise InputError(f"Input {name!r} holds numbers that {typed.dtype} does not.")
    return typed
