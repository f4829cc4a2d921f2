"""A model file that takes a step of a stream, and what it remembers."""

from collections.abc import Sequence

import numpy as np

from lstm_apps.errors import InputError
from lstm_apps.features import Arrays
from lstm_apps.runtime.engines import Engine
from lstm_apps.runtime.metadata import NEXT, STEP, form


def is_step(engine: Engine) -> bool:
    """Whether a file was exported with `step`."""
    return form(engine.metadata) == STEP


class Stream:
    """A step model that remembers: push the next chunk, get what the model says after it.

    Args:
        engine: A file that was exported with `step`.
        batch: How many sequences run side by side.
        states: The inputs that are its states; by default as its metadata say.

    Attributes:
        state: What it remembers, by the names of the file's state inputs.
        chunk: Steps in a chunk; None: any number.
    """

    def __init__(self, engine: Engine, batch: int = 1, states: Sequence[str] | None = None):
        self._engine, self._batch = engine, batch
        if states is None and not is_step(engine):
            raise InputError("The file is no step model: export it with step=True to stream.")
        self._states = list(engine.metadata["states"] if states is None else states)
        self.chunk = next(shape[1] for name, shape in engine.inputs.items() if name not in self._states)
        self.reset()

    def reset(self) -> None:
        """Forget all that was pushed."""
        self.state: Arrays = {
            name: np.zeros((self._batch, *(s or 1 for s in self._engine.inputs[name][1:])), np.float32)
            for name in self._states
        }

    def push(self, chunk: Arrays) -> Arrays:
        """Outputs by name after the next chunk of every sequence, (batch, steps, ...) by name. A chunk
        that is refused leaves the stream as it was."""
        found = self._engine.run({**chunk, **self.state})
        self.state = {name: found.pop(f"{name}{NEXT}") for name in self._states}
        return found

    def run(self, inputs: Arrays, chunk: int | None = None) -> Arrays:
        """From the beginning, chunk by chunk through whole sequences: what it puts out, one after the
        other along axis 1. Steps beyond the last whole chunk are left out."""
        self.reset()
        time = min(a.shape[1] for a in inputs.values())
        size = self.chunk or chunk or 1
        if time < size:
            raise InputError(f"Sequences of {time} steps; a chunk has {size}.")
        found = [
            self.push({name: a[:, t : t + size] for name, a in inputs.items()})
            for t in range(0, time - time % size, size)
        ]
        return {name: np.concatenate([f[name] for f in found], axis=1) for name in found[0]}
