"""What an export is asked for, checked before anything is done."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lstm_apps.errors import InputError, first_line


def place_of(path: Any) -> Path:
    """The path to write to; an InputError where it is none, or its folder is missing."""
    if not isinstance(path, str | Path):
        raise InputError(f"path is {path!r}, expected the name of a file or folder to write.")
    path = Path(path)
    if not path.parent.is_dir():
        raise InputError(f"There is no folder {path.parent}.")
    return path


def check_metadata(metadata: Any) -> None:
    """InputError unless it is None or a dict that JSON has."""
    if metadata is not None and not isinstance(metadata, Mapping):
        raise InputError(f"The metadata are a {type(metadata).__name__}, expected a dict.")
    try:
        json.dumps(metadata, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(f"The metadata are no JSON: {first_line(error)}") from error


def check_tolerance(tolerance: Any) -> None:
    """InputError unless it is None or a number that an error can be compared with."""
    number = isinstance(tolerance, float | int | np.floating | np.integer) and not isinstance(tolerance, bool)
    if tolerance is not None and not (number and tolerance >= 0):
        raise InputError(f"tolerance is {tolerance!r}, expected a number of 0 or more, such as 1e-3.")


def check_lengths(lengths: Any) -> None:
    """InputError unless it is a list without repetitions."""
    if isinstance(lengths, str | bytes) or not isinstance(lengths, Sequence | np.ndarray):
        raise InputError(f"lengths is {lengths!r}, expected a list of whole numbers, such as (16, 32).")
    if len(set(map(str, lengths))) < len(lengths):
        raise InputError(f"lengths names one twice: {', '.join(map(str, lengths))}.")
