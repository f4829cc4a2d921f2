"""Train LSTMs on sequence data; ship them as one ONNX or TFLite file. Imports no TensorFlow.

>>> import lstm_apps
>>> run = lstm_apps.train("energy", preset="quick")    # pip install 'lstm-apps[train]'
>>> run.export("onnx", "tflite")
>>> lstm_apps.load(run.folder / "model.onnx").predict("last_two_weeks.csv")
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from export import to_onnx, to_tflite
    from lstm_apps.pipeline import Run, train
    from lstm_apps.registry import applications
    from lstm_apps.runtime import load

__all__ = ["Run", "applications", "load", "to_onnx", "to_tflite", "train"]

# name -> module: imported when asked for, because the runtime alone needs no TensorFlow.
_LAZY = {
    "Run": "lstm_apps.pipeline",
    "applications": "lstm_apps.registry",
    "load": "lstm_apps.runtime",
    "to_onnx": "export",
    "to_tflite": "export",
    "train": "lstm_apps.pipeline",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY])
