"""Raw input of any kind: arrays and paths."""

from pathlib import Path
from typing import Any

import numpy as np

from lstm_apps.errors import InputError


def as_array(values: Any, what: str) -> np.ndarray:
    """`values` as an array; an InputError that names `what` for lists of unequal lengths and the like."""
    try:
        return np.asarray(values)
    except (ValueError, TypeError) as error:
        raise InputError(f"{what} must be an array of numbers: {error}.") from error


def is_file(path: Path) -> bool:
    """Whether there is a file; False of a name that no file can have, such as a whole text."""
    return _exists(path, Path.is_file)


def is_folder(path: Path) -> bool:
    """Whether there is a folder."""
    return _exists(path, Path.is_dir)


def _exists(path: Path, test: Any) -> bool:
    try:
        return test(path)
    except (OSError, ValueError):  # too long a name; a zero byte in it
        return False
