"""What an export is asked for, checked before anything is done."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lstm_apps.errors import InputError, first_line, unknown_name
from lstm_apps.runtime.metadata import MAIN


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


_GRAPH = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


def check_graphs(graphs: Mapping[str, Any], step: int) -> None:
    """InputError unless they are models by names that can stand in the names of files."""
    if not graphs:
        raise InputError("There is no graph to export.")
    for name in graphs:
        if not isinstance(name, str) or not _GRAPH.fullmatch(name) or name == MAIN:
            raise InputError(
                f"A graph is called {name!r}, expected letters, digits, _ and -, and not {MAIN!r}."
            )
    if step:
        raise InputError("The graphs of a generator are exported as they are, without step.")


def of_graphs(what: str, given: Any, graphs: Mapping[str, Any]) -> dict[str, Any]:
    """An argument by graph, None where there is none."""
    if given is None:
        return dict.fromkeys(graphs)
    if not isinstance(given, Mapping):
        raise InputError(f"{what} of several graphs are a dict by graph: {', '.join(graphs)}.")
    for name in given:
        if name not in graphs:
            raise unknown_name("graph", str(name), graphs)
    return {name: given.get(name) for name in graphs}
