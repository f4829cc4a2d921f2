"""A model as a step of a stream: a chunk of its sequence and its layers' states in, outputs and the new
states out."""

import itertools
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from export.signature import Signature
from export.states import UNROLLED
from export.trace import contexts_by, inside_a_step, keras_loop, lstms_by, safe_name
from lstm_apps.errors import InputError, first_line
from lstm_apps.features import Arrays
from lstm_apps.layers import kernels
from lstm_apps.runtime.engines import Engine
from lstm_apps.runtime.metadata import MAIN, NEXT
from lstm_apps.runtime.stream import Stream


class StepSignature(Signature):
    """As `Signature`, for chunks along axis 1 of every input. The state inputs are called after their
    layers, `<layer>_h` and `<layer>_c` of an LSTM, `<layer>_context` of a `LeftContext`, in letters that all
    runtimes take, and the new states the same with `_next` at the end.

    Args:
        model, inputs, right_padded: As `Signature`; the inputs are whole sequences.
        chunk: Steps in a chunk.

    Raises:
        InputError: A layer runs backwards in time, looks ahead, or is recurrent and no LSTM; the inputs are
            shorter than two chunks, of which the second shows whether the first is remembered.
    """

    chunk: int
    hint = "In a stream only LSTM and LeftContext layers remember what came before a chunk."

    def __init__(self, model: keras.Model, inputs: Any, chunk: int, right_padded: bool = False):
        self.open_size = max(self.open_size, 3 * chunk)
        super().__init__(model, inputs, right_padded)
        time = min(a.shape[1] if a.ndim > 1 else 0 for a in self.inputs.values())
        if not 1 <= chunk <= time // 2:
            raise InputError(
                f"Sequences of {time} steps do not hold two chunks of {chunk}, which it takes to check them."
            )
        self.chunk = chunk
        self.whole = {n: a[:, : time - time % chunk] for n, a in self.inputs.items()}
        self.sequences = [
            keras.KerasTensor((None, None, *t.shape[2:]), t.dtype, name=t.name) for t in self.tensors
        ]
        self.states = self._states()
        self.tensors = [*self.sequences, *self.states]
        zeros = {t.name: np.zeros((self.examples, *t.shape[1:]), t.dtype) for t in self.states}
        self.inputs = {**{n: a[:, :chunk] for n, a in self.whole.items()}, **zeros}

    def _states(self) -> list[keras.KerasTensor]:
        """Two an LSTM, one a left context, in the order in which the layers run."""
        _check_windows(self.model)
        found: list[keras.KerasTensor] = []

        def note(layer, kind: str, state) -> None:
            taken = {*self.input_names, *self.output_names, *(t.name for t in found)}
            for again in itertools.count(1):  # a layer may run more than once, and others have its name
                name = "_".join([safe_name(layer.name), *([str(again)] if again > 1 else []), kind])
                if not taken & {name, f"{name}{NEXT}"}:
                    break
            found.append(_tensor(name, tuple(state.shape[1:]), state.dtype.name))

        def note_lstm(layer, sequences, initial_state, mask, training):
            if inside_a_step():
                return kernels.scan(layer, sequences, initial_state, mask, training)
            if layer.go_backwards:
                raise InputError(f"Layer {layer.name} runs backwards in time: it cannot be streamed.")
            for kind, state in zip("hc", initial_state, strict=True):
                note(layer, kind, state)
            return kernels.scan(layer, sequences, initial_state, mask, training)

        def check_other(layer, sequences, initial_state, mask, training):
            if not inside_a_step():
                raise InputError(
                    f"Layer {layer.name} is a {type(layer).__name__}, whose state no stream passes on: of "
                    "recurrent layers only LSTMs can be streamed."
                )
            return keras_loop(layer, sequences, initial_state, mask, training)

        def note_context(layer, x):
            before = tf.zeros_like(tf.repeat(x[:, :1], layer.steps, axis=1))
            note(layer, "context", before)
            return tf.concat([before, x], axis=1)

        first = [tf.constant(a[:1, : self.chunk]) for a in self.whole.values()]
        try:
            with lstms_by(note_lstm, check_other), contexts_by(note_context):
                super().call(*first)
        except InputError:
            raise
        except Exception as error:  # whatever a layer says of a length that it was not made for
            raise InputError(
                f"The model does not run on {self.chunk} of its steps ({first_line(error)}): it cannot be "
                "streamed."
            ) from error
        if not found:
            raise InputError("The model has no LSTM layer that could be streamed.")
        return found

    def call(self, *flat: tf.Tensor) -> dict[str, tf.Tensor]:
        states = iter(flat[len(self.sequences) :])
        after: list[tf.Tensor] = []
        kernel = kernels.current()  # the exporter's

        def from_states(layer, sequences, initial_state, mask, training):
            if inside_a_step():
                return kernel(layer, sequences, initial_state, mask, training)
            given = [next(states), next(states)]
            last, outputs, new = kernel(layer, sequences, given, mask, training)
            after.extend(new)
            if mask is not None and not layer.zero_output_for_mask:
                # A masked step repeats the last output, which may be of the chunk before.
                outputs = tf.where(_begun(mask)[..., None], outputs, given[0][:, None])
                last = outputs[:, -1]
            return last, outputs, new

        def from_context(layer, x):
            whole = tf.concat([next(states), x], axis=1)
            after.append(whole[:, -layer.steps :])
            return whole

        with lstms_by(from_states), contexts_by(from_context):
            outputs = super().call(*flat[: len(self.sequences)])
        # Also of a state that passes unchanged, an output must be a tensor of its own.
        named = {f"{t.name}{NEXT}": tf.identity(s) for t, s in zip(self.states, after, strict=True)}
        return {**outputs, **named}

    def expected(self) -> Arrays:
        """What Keras computes for the whole sequences."""
        for name, array in self._expected.items():
            if array.ndim < 2:
                raise InputError(f"Output {name} of shape {array.shape} has no second axis to go on along.")
        return self._expected

    @cached_property
    def _expected(self) -> Arrays:
        return self._by_keras(self.whole[t.name] for t in self.sequences)

    def run(self, engine: Engine, graph: str = MAIN) -> Arrays:
        """What a file puts out for them chunk by chunk: all outputs one after the other where Keras has
        a sequence, the last one elsewhere."""
        joined = Stream(engine, self.examples).run(self.whole, self.chunk)
        return {name: a[:, -self._expected[name].shape[1] :] for name, a in joined.items()}

    def _chunks(self) -> Iterator[Arrays]:
        time = next(iter(self.whole.values())).shape[1]
        for t in range(0, time, self.chunk):
            yield {n: a[:, t : t + self.chunk] for n, a in self.whole.items()}

    def calls(self, engine: Engine) -> Iterator[Arrays]:
        stream = Stream(engine, self.examples, [t.name for t in self.states])  # it has no metadata yet
        for chunk in self._chunks():
            inputs = {**chunk, **stream.state}
            stream.push(chunk)
            for i in range(self.examples):
                yield {name: a[i : i + 1] for name, a in inputs.items()}


def _begun(mask: tf.Tensor) -> tf.Tensor:
    """Whether a step of the chunk was valid, this one or one before, (batch, steps)."""
    steps = mask.shape[1]
    if steps is None or steps > UNROLLED:
        return tf.cumsum(tf.cast(mask, tf.int32), axis=1) > 0
    each = itertools.accumulate(tf.unstack(tf.cast(mask, tf.bool), axis=1), tf.logical_or)
    return tf.stack(list(each), axis=1)  # no sum, for TFLite's quantizer takes none of integers


def _check_windows(model: keras.Model) -> None:
    """InputError if a convolution makes up what came before a chunk, or what comes after it."""
    kinds = keras.layers.Conv1D, keras.layers.DepthwiseConv1D, keras.layers.SeparableConv1D
    inside = {
        id(layer)
        for distributed in model._flatten_layers()
        if isinstance(distributed, keras.layers.TimeDistributed)
        for layer in distributed._flatten_layers()
    }
    for layer in model._flatten_layers():
        if not isinstance(layer, kinds) or layer.kernel_size[0] == 1 or id(layer) in inside:
            continue
        before = (layer.kernel_size[0] - 1) * layer.dilation_rate[0]
        instead = f"put LeftContext({before}) before it, and give it padding='valid'."
        if layer.padding == "causal":
            raise InputError(f"Layer {layer.name} takes zeros for what came before a chunk: {instead}")
        if layer.padding == "same":
            raise InputError(f"Layer {layer.name} looks ahead (padding='same'): {instead}")


def _tensor(name: str, shape: tuple[int | None, ...], dtype: str) -> keras.KerasTensor:
    return keras.KerasTensor((None, *shape), dtype, name=name)
