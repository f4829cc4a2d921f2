"""How a whole sequence is run.

`scan` steps the cell through time with Keras's own loop. Another kernel, for instance an
exporter's, takes its place inside `use_kernel(...)`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import keras

Tensor = Any
# (last output (batch, units), all outputs (batch, time, units), [h, c] each (batch, units))
Result = tuple[Tensor, Tensor, list[Tensor]]
# (layer, sequences (batch, time, features), [h, c], mask (batch, time) or None, training) -> Result
Kernel = Callable[..., Result]


def scan(layer, sequences, initial_state, mask, training) -> Result:
    """Step through time with `keras.layers.RNN`'s loop: any cell, any mask, any device."""
    return keras.layers.RNN.inner_loop(layer, sequences, initial_state, mask, training)


_kernel: ContextVar[Kernel] = ContextVar("lstm_kernel", default=scan)


def run(layer, sequences, initial_state, mask, training) -> Result:
    """Run `layer`'s cell over `sequences` with the kernel in force."""
    return _kernel.get()(layer, sequences, initial_state, mask, training)


@contextmanager
def use_kernel(kernel: Kernel) -> Iterator[None]:
    """Run every `lstm_apps.layers.LSTM` with `kernel` inside the `with` block."""
    token = _kernel.set(kernel)
    try:
        yield
    finally:
        _kernel.reset(token)
