"""Raw input to tensors and back. No TensorFlow here: training and the runtime use the same code."""

from collections.abc import Callable
from typing import Any, ClassVar, Protocol, Self

import numpy as np

from lstm_apps.errors import unknown_name
from lstm_apps.features.beats import BeatFeatures
from lstm_apps.features.forecast import ForecastFeatures
from lstm_apps.features.keywords import KeywordFeatures
from lstm_apps.features.text import TextFeatures
from lstm_apps.features.vitals import VitalsFeatures

Arrays = dict[str, np.ndarray]
Run = Callable[[Arrays], Arrays]


class Features(Protocol):
    """What stands between a person's input and the model's tensors; saved as JSON, never code."""

    kind: ClassVar[str]

    def predict(self, run: Run, raw: Any) -> Any:
        """Encode `raw`, call the model through `run` as often as needed, decode the answer."""

    def stream(self, stream: Any) -> Any:
        """`stream` (`lstm_apps.runtime.Stream`) for raw input: an object with `push(raw)`, `end()`
        and `reset()`.
        An InputError where the task has no streams."""

    def about(self) -> dict[str, Any]:
        """What a person must know who uses the model: labels, rates, columns."""

    def to_dict(self) -> dict: ...

    @classmethod
    def from_dict(cls, data: dict) -> Self: ...


_KINDS: dict[str, type[Features]] = {
    f.kind: f for f in (BeatFeatures, ForecastFeatures, KeywordFeatures, TextFeatures, VitalsFeatures)
}


def to_json(features: Features) -> dict:
    """`features` as JSON data that `from_json` reads back."""
    return {"kind": features.kind, **features.to_dict()}


def from_json(data: dict) -> Features:
    """The features that `to_json` described."""
    data = dict(data)
    kind = data.pop("kind", "")
    if kind not in _KINDS:
        raise unknown_name("kind of features", kind, _KINDS)
    return _KINDS[kind].from_dict(data)
