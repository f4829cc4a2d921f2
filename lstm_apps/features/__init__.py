"""Raw input to tensors and back. No TensorFlow here: training and the runtime use the same code."""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from types import NoneType
from typing import Any, ClassVar, Protocol, Self, get_args, get_origin, get_type_hints

import numpy as np

from lstm_apps import registry
from lstm_apps.features.options import Options

Arrays = dict[str, np.ndarray]
# A model, in Keras or as a file: `run(inputs)`, of a generator `run(inputs, graph="encoder")`, gives arrays
# by name for arrays by name.
ModelFunction = Callable[..., Arrays]


class Features(Protocol):
    """Converts raw input to the model's tensors, and its outputs to answers; saved as JSON, never code."""

    kind: ClassVar[str]
    options: ClassVar[Options]  # optional keywords of `predict`

    # `*args` says to type checkers that each kind has keywords of its own: those of `options`.
    def predict(self, run: ModelFunction, raw: Any, *args: Any, **options: Any) -> Any:
        """Encode `raw`, call the model through `run` as often as needed, decode the answer."""

    def stream(self, stream: Any) -> Any:
        """`stream` (`lstm_apps.runtime.Stream`) for raw input: an object with `push(raw)`, `end()`
        and `reset()`; an InputError where the task has no streams."""

    def about(self) -> dict[str, Any]:
        """What a user of the model must know: labels, rates, columns."""

    def to_dict(self) -> dict:
        """What `from_dict` takes: JSON data and, at the top level, bytes."""

    @classmethod
    def from_dict(cls, data: dict) -> Self: ...


def to_json(features: Features) -> dict:
    """`features` as JSON data that `from_json` reads back, with its `parts` if it has any."""
    data = {name: value for name, value in features.to_dict().items() if not isinstance(value, bytes)}
    return {"kind": features.kind, **data}


def parts(features: Features) -> dict[str, bytes]:
    """What of `features` is bytes, such as a vocabulary, by name: it travels beside the JSON data."""
    return {name: value for name, value in features.to_dict().items() if isinstance(value, bytes)}


def from_json(data: dict, parts: Mapping[str, bytes] | None = None) -> Features:
    """The features of the JSON data of `to_json` and the bytes of `parts`.

    Raises:
        InputError, KeyError, TypeError, ValueError: Data of no known features.
    """
    data = {**data, **(parts or {})}
    features = registry.features(data.pop("kind", "")).from_dict(data)
    _check_types(features, type(features))
    return features


def _check_types(value: Any, hint: Any) -> None:
    """Raise a TypeError for a value that does not match its annotation, fields of dataclasses included, and a
    ValueError for a number that is not finite."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint is float:
        if not np.isfinite(value) or isinstance(value, bool):
            raise ValueError(f"{value!r} is no number")
    elif is_dataclass(hint):
        hints = get_type_hints(hint)
        for name in (f.name for f in fields(hint)):
            _check_types(getattr(value, name), hints[name])
    elif origin is tuple:
        if not isinstance(value, tuple) or (inner[-1] is not ... and len(value) != len(inner)):
            raise TypeError(f"{value!r} is not {hint}")
        for i, one in enumerate(value):
            _check_types(one, inner[0] if inner[-1] is ... else inner[i])
    elif origin is Mapping:
        for pair in value.items():
            _check_types(pair, tuple[inner])  # type: ignore[valid-type]
    elif NoneType in inner:
        if value is not None:
            _check_types(value, inner[0])
    elif not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise TypeError(f"{value!r} is not {hint}")
