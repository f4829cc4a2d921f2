"""What a model file says of itself: JSON under one key, in every format.

version       of this form
form          "whole": it takes whole inputs. "step": it takes a step of a stream, with its states.
              "graphs": a generator, of several graphs
states        of a step: the inputs that are its states; each has an output of that name with NEXT behind
graphs        of a generator: graph -> what it takes to find it, see `lstm_apps.runtime.engines`
attachments   name -> length and SHA-256 of binary parts of the preprocessing, see `.attachments`
features      the preprocessing, `lstm_apps.features.from_json` reads it; only files of an application
info          for people: application, labels, units, inputs and outputs, data and licence, metrics
parity        how far the file is from Keras
"""

import json
from typing import Any

from lstm_apps.errors import ModelFileError, first_line

KEY = "lstm_apps"
VERSION = 2
WHOLE, STEP, GRAPHS = "whole", "step", "graphs"  # forms
MAIN = "main"  # the graph of a model that has one only
# An output with this at the end of its name is the next value of the input called as the rest.
NEXT = "_next"


def parsed(text: str | bytes) -> dict[str, Any]:
    """The metadata in a file; those that are none are a ModelFileError."""
    try:
        metadata = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"its metadata are damaged: {first_line(error)}") from error
    if not isinstance(metadata, dict) or metadata.get("version") != VERSION:
        raise ModelFileError(f"its metadata are of another version than {VERSION}.")
    return metadata


def form(metadata: dict[str, Any]) -> str:
    """What the file is; one without metadata takes whole inputs."""
    return metadata.get("form", WHOLE)
