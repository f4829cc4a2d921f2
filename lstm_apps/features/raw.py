"""What people give as input: arrays and paths that may be anything."""

from pathlib import Path
from typing import Any

import numpy as np

from lstm_apps.errors import InputError


def as_array(values: Any, what: str) -> np.ndarray:
    """`values` as an array; lists of unequal lengths and the like are an InputError about `what`."""
    try:
        return np.asarray(values)
    except (ValueError, TypeError) as error:
        raise InputError(f"{what} must be an array of numbers: {error}.") from error


def is_file(path: Path) -> bool:
    """Whether there is a file; never of a name that no file can have, such as a whole text."""
    return _exists(path, Path.is_file)


def is_folder(path: Path) -> bool:
    """Whether there is a folder."""
    return _exists(path, Path.is_dir)


def _exists(path: Path, asked: Any) -> bool:
    try:
        return asked(path)
    except (OSError, ValueError):  # too long a name; a zero byte in it
        return False
