"""What `predict` answers, for a terminal and as a file: text, a table, events, values by name, sound."""

import csv
import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table
from rich.text import Text

from lstm_apps.errors import InputError
from lstm_apps.features.sound import Sound, write_sound


def shown(answer: Any, info: dict[str, Any]) -> Table | Text:
    """An answer for a terminal: text as it is; columns where it holds arrays or events of a stream; rows of
    name and value otherwise.

    Args:
        answer: Of `predict`; no `Sound`.
        info: Of the model.
    """
    if isinstance(answer, str):
        return Text(answer)
    if answer == []:
        return Text("Nothing was found.")
    table = Table(title=f"{info['application']} ({info['unit']})" if info["unit"] else info["application"])
    columns = _columns(answer)
    if columns is not None:
        for name in columns:
            table.add_column(name)
        for row in zip(*columns.values(), strict=True):
            table.add_row(*map(_cell, row))
    else:
        table.show_header = False
        for name, value in answer.items():
            table.add_row(name, _value(value))
    if info["disclaimer"]:
        table.caption = info["disclaimer"]
    return table


def as_json(answer: Any) -> str:
    """Strict JSON: NaN, which says that there is no value, is null; an infinite number is an InputError."""
    if isinstance(answer, Sound):
        raise InputError("The answer is sound, which JSON has not: write it by --out answer.wav.")
    return json.dumps(_plain(answer), allow_nan=False)


def write(answer: Any, path: Path) -> None:
    """Write an answer by the ending of the file: sound as .wav, .flac or .ogg; a table or events as .csv;
    text as .txt; anything but sound as .json. The file appears whole, or not at all."""
    if not path.parent.is_dir():
        raise InputError(f"There is no folder {path.parent}.")
    if isinstance(answer, Sound):
        return write_sound(answer, path)
    columns = None if isinstance(answer, str) else _columns(answer)
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("w", newline="", encoding="utf-8") as file:
            if path.suffix == ".json":
                file.write(as_json(answer) + "\n")
            elif path.suffix == ".txt" and isinstance(answer, str):
                file.write(answer + "\n")
            elif path.suffix == ".csv" and columns is not None:
                rows = csv.writer(file)
                rows.writerow(columns)
                rows.writerows(zip(*(map(_csv_cell, c) for c in columns.values()), strict=True))
            else:
                fitting = (
                    ".txt or .json" if isinstance(answer, str) else ".csv or .json" if columns else ".json"
                )
                raise InputError(f"{path} should end in {fitting}, as this answer is written.")
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return None


def _columns(answer: Any) -> dict[str, np.ndarray] | None:
    """Of a table or of events, by name; None of anything else."""
    if isinstance(answer, list):
        return {name: np.array([event[name] for event in answer]) for name in answer[0]} if answer else {}
    return answer if all(isinstance(v, np.ndarray) for v in answer.values()) else None


def _cell(value: Any) -> str:
    if isinstance(value, np.floating):
        return "" if np.isnan(value) else f"{value:.3f}"
    return str(value)


def _csv_cell(value: Any) -> Any:
    return "" if isinstance(value, np.floating) and np.isnan(value) else value


def _value(value: Any) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_value(v)}" for name, v in value.items())
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return _plain((value.astype(str) if value.dtype.kind == "M" else value).tolist())
    if isinstance(value, np.datetime64):
        return str(value)
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and math.isinf(value):
        raise InputError("The answer holds an infinite number, which JSON has not: the input is too large.")
    return None if isinstance(value, float) and math.isnan(value) else value
