"""Use an exported model: `load(file)`, then `predict`. Needs numpy and an engine, no TensorFlow.

>>> from lstm_apps import runtime
>>> model = runtime.load("energy.onnx")
>>> model.predict("last_two_weeks.csv")
"""

from pathlib import Path
from typing import Any

from lstm_apps.errors import InputError, ModelFileError
from lstm_apps.features import from_json
from lstm_apps.features.options import Options, checked
from lstm_apps.runtime.engines import open_engine
from lstm_apps.runtime.stream import Stream, is_step

__all__ = ["Model", "Stream", "load"]


class Model:
    """An exported model with the preprocessing that its file carries.

    Attributes:
        info: What the file says of itself: application, summary, disclaimer, unit, licence of the
            data, metrics, parity with Keras.
        engine: The file in its runtime, for named arrays in and out.
    """

    def __init__(self, path: str | Path):
        self.engine = open_engine(path, only_sealed=True)
        metadata = self.engine.metadata
        if "features" not in metadata:
            raise ModelFileError(
                f"{path} contains no preprocessing: it was not exported from a run. "
                "`lstm_apps.runtime.engines.open_engine` runs it on arrays."
            )
        try:
            self._features = from_json(metadata["features"], self.engine.attachments)
            self.info: dict[str, Any] = {**metadata["info"], "parity": metadata["parity"]}
            if not all(isinstance(self.info[name], str) for name in ("application", "disclaimer", "unit")):
                raise TypeError("its application, disclaimer and unit are no texts")
        except InputError as error:
            raise ModelFileError(
                f"{path}: its metadata are damaged or of another version: {error}"
            ) from error
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
            raise ModelFileError(f"{path}: its metadata are damaged ({error!r}).") from error

    @property
    def options(self) -> Options:
        """What `predict` takes beside the input, by name."""
        return {} if is_step(self.engine) else self._features.options

    def predict(self, raw: Any, **options: Any) -> Any:
        """The answer for a raw input: what goes in and comes out is the application's.

        For a forecaster: a file or a table with the columns of times and values that it was trained on; the
        answer holds "time" and one array a quantile, and is a DataFrame where `raw` is one. A step file
        answers what its stream says of `raw` from the beginning.

        Args:
            raw: The input.
            **options: Those of `options`; any other name, or a value of another type, is an InputError.
        """
        options = checked(self.options, options)
        if is_step(self.engine):
            stream = self.stream()
            return [*stream.push(raw), *stream.end()]
        answer = self._features.predict(self.engine.run, raw, **options)
        # A data frame for a data frame, of its own class: pandas need not be here.
        return type(raw)(answer) if hasattr(raw, "iloc") and is_table(answer) else answer

    def stream(self) -> Any:
        """A new stream through a file exported with `step`; any other file is an InputError.

        `push(next piece of raw input)` gives what the application says of it, `end()` what is left to say
        when nothing more comes; `reset()` begins anew.
        """
        return self._features.stream(Stream(self.engine))


def is_table(answer: Any) -> bool:
    """Whether it is columns of one length."""
    if not isinstance(answer, dict) or not all(getattr(v, "ndim", 0) == 1 for v in answer.values()):
        return False
    return len({len(v) for v in answer.values()}) == 1


def load(path: str | Path) -> Model:
    """Open an exported `.onnx` or `.tflite` file; anything else is a ModelFileError."""
    return Model(path)
