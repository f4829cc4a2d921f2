"""The tensors of a Keras model as named, flat inputs and outputs."""

import keyword
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cached_property
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from export import samples, verify
from export.trace import masks_seen_by, safe_name
from lstm_apps.errors import InputError, first_line
from lstm_apps.features import Arrays
from lstm_apps.runtime.engines import Engine
from lstm_apps.runtime.metadata import MAIN

_NAME = re.compile(r"[A-Za-z0-9_.-]+")


class Signature:
    """Names, shapes and a flat call of a Keras model.

    Args:
        model: A functional or sequential model that has been built.
        inputs: Sample inputs, as `samples.given` takes them; by default three random examples in which
            sizes that the model leaves open are `open_size`.
        right_padded: Whether all masks are of right-padded sequences; checked on the samples.

    Attributes:
        chunk: Steps in a chunk of a stream; None: it is none.
    """

    open_size = 16  # of axes that the model leaves open, in inputs made up
    chunk: int | None = None
    # What to say of a file that differs from Keras, beside by how much.
    hint = ""

    def __init__(self, model: keras.Model, inputs: Any, right_padded: bool = False):
        model = functional(model)
        self.right_padded = right_padded
        own = model
        self.model = model = in_float32(own)
        # The inputs' names, shapes and types.
        self.tensors = [
            keras.KerasTensor(t.shape, t.dtype, name=o.name)
            for t, o in zip(model.inputs, own.inputs, strict=True)
        ]
        output, tensor = model.output, keras.KerasTensor
        if isinstance(output, dict) and all(isinstance(t, tensor) for t in output.values()):
            self.output_names = [str(name) for name in sorted(output)]
        else:
            self.output_names = [f"output_{i}" for i in range(len(model.outputs))]
            if len(model.outputs) == 1:
                self.output_names = ["output"]
        for name in (*self.input_names, *self.output_names):
            if not _NAME.fullmatch(name):
                raise InputError(
                    f"{name!r} names an input or output; not all runtimes take other than letters, digits, "
                    "_, . and -."
                )
        if both := sorted({*self.input_names} & {*self.output_names}):
            raise InputError(f"{both[0]!r} names an input and an output: a file tells them apart by name.")
        self._made_up = inputs is None
        if inputs is None:
            self.inputs = samples.made_up(model, self.tensors, self.open_size)
        else:
            self.inputs = samples.given(inputs, self.tensors)
        if model is not own:  # a layer may hold more than its weights say
            expected = self._by_keras(self.inputs.values())
            given = list(map(tf.constant, self.inputs.values()))
            theirs = own.call(keras.tree.pack_sequence_as(own.input, given), training=False)
            wanted = {n: _widened(keras.ops.convert_to_numpy(t)) for n, t in self._outputs(theirs).items()}
            verify.check(lambda: expected, wanted, verify.tolerances_of(wanted, "float16"))

    def check_arguments(self) -> None:
        """InputError if an input has a name that no signature of TensorFlow can have."""
        for name in self.input_names:
            if safe_name(name) != name or keyword.iskeyword(name):
                raise InputError(
                    f"{name!r} names an input; TensorFlow's signatures take no name that is a word of "
                    "Python's or begins with other than a letter or digit."
                )

    @property
    def input_names(self) -> list[str]:
        return [t.name for t in self.tensors]

    @property
    def examples(self) -> int:
        """How many examples the sample inputs hold."""
        return len(next(iter(self.inputs.values())))

    def cut(self, length: int) -> Arrays:
        """The sample inputs with so many steps; a longer length than they have is an InputError."""
        if any(a.ndim < 2 for a in self.inputs.values()):
            raise InputError("lengths are of axis 1, which not all inputs have.")
        steps = min(a.shape[1] for a in self.inputs.values())
        if isinstance(length, bool) or not isinstance(length, int | np.integer) or not 0 < length < steps:
            raise InputError(
                f"Length {length}, expected a whole one, shorter than the inputs, which have {steps} steps."
            )
        return {name: a[:, :length] for name, a in self.inputs.items()}

    def call(self, *flat: tf.Tensor) -> dict[str, tf.Tensor]:
        """The model in inference on inputs in the order of `input_names`, its weights constants."""
        with frozen(self.model.variables):
            inputs = keras.tree.pack_sequence_as(self.model.input, list(flat))
            # Not the model itself, which insists on the length it was built with.
            output = self.model.call(inputs, training=False)
        return self._outputs(output)

    def _outputs(self, output: Any) -> dict[str, tf.Tensor]:
        if isinstance(output, dict) and set(output) == set(self.output_names):
            return {name: output[name] for name in self.output_names}
        return dict(zip(self.output_names, keras.tree.flatten(output), strict=True))

    def expected(self) -> Arrays:
        """What Keras computes for the sample inputs."""
        return self._expected

    @cached_property
    def _expected(self) -> Arrays:
        return self._by_keras(self.inputs[n] for n in self.input_names)

    def _by_keras(self, inputs: Iterable[np.ndarray]) -> Arrays:
        try:
            with masks_seen_by(_check_padding) if self.right_padded else nullcontext():
                tensors = Signature.call(self, *map(tf.constant, inputs))
        except InputError:
            raise
        except Exception as error:  # whatever a layer says of what it was not made for
            made_up, instead = (" made up for it", ": give real ones, inputs=") if self._made_up else ("", "")
            says = re.sub(r"\{\{.*?\}\}\s*", "", first_line(error))
            raise InputError(f"The model does not run on the inputs{made_up} ({says}){instead}.") from error
        found = {n: keras.ops.convert_to_numpy(t) for n, t in tensors.items()}
        for name, array in found.items():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise InputError(self._not_finite(name))
        return found

    def _not_finite(self, output: str) -> str:
        for variable in self.model.variables:
            value = keras.ops.convert_to_numpy(variable)
            if value.dtype.kind == "f" and not np.isfinite(value).all():
                wrong = "NaN" if np.isnan(value).any() else "infinite"
                return (
                    f"The model's weight {variable.path} is {wrong}: train it again, or load other weights."
                )
        return (
            f"The model's {output} is NaN or infinite in Keras, on the inputs that the file would be "
            "compared on: give others, inputs=."
        )

    def run(self, engine: Engine, graph: str = MAIN) -> Arrays:
        """What an exported file computes for them."""
        return engine.run(self.inputs, graph)

    def calls(self, engine: Engine) -> Iterator[Arrays]:
        """The inputs of every single call that the sample inputs take."""
        for i in range(self.examples):
            yield {name: a[i : i + 1] for name, a in self.inputs.items()}

    def specs(self, shape: Callable[[Any], tuple[int | None, ...]]) -> list[tf.TensorSpec]:
        """Specs of the inputs; `shape` gives each one's from the Keras tensor."""
        return [tf.TensorSpec(shape(t), t.dtype, name=t.name) for t in self.tensors]

    def static_shape(self, tensor: Any) -> tuple[int, ...]:
        """A tensor's shape with batch one, open sizes as in the sample inputs."""
        sample = self.inputs[tensor.name].shape
        return (1, *(s if d is None else d for d, s in zip(tensor.shape[1:], sample[1:], strict=True)))


def functional(model: Any) -> keras.Model:
    """The model, where it is one that can be exported; otherwise an InputError."""
    if isinstance(model, keras.Sequential) and model.built:
        model = keras.Model(model.inputs, model.outputs)
    if isinstance(model, keras.Sequential) or not getattr(model, "inputs", None):
        raise InputError(
            "The model has no defined inputs; build it as a functional or sequential model, with "
            "keras.Input, before exporting it: keras.Model(x, model(x)) with x = keras.Input(...) is one."
        )
    for layer in model._flatten_layers():
        if getattr(layer, "stateful", False):
            raise InputError(
                f"Layer {layer.name} is stateful, and a file forgets: build the model with stateful=False "
                "and give it the weights of this one; with step=True its file passes the states on."
            )
    return model


def _check_padding(layer: Any, mask: Any) -> None:
    """InputError if a step that is masked comes before one that is not."""
    if mask is None:
        return
    valid = keras.ops.convert_to_numpy(mask).astype(bool)
    wrong = (valid[:, 1:] & ~valid[:, :-1]).any(axis=1)
    if wrong.any():
        raise InputError(
            f"right_padded=True, but in example {int(wrong.argmax())} of the inputs layer {layer.name} has a "
            "masked step before a valid one: pad on the right, or leave right_padded out."
        )


def _widened(array: np.ndarray) -> np.ndarray:
    """Floats of any width as float32."""
    return array if array.dtype.kind in "iubOSU" else array.astype("float32")


def in_float32(model: keras.Model) -> keras.Model:
    """The model with all arithmetic in float32, its own weights. Of mixed precision, in which GPUs train,
    runtimes have only a part, and their float16 is not TensorFlow's; float64 their LSTMs do not have."""
    others = "float16", "bfloat16", "float64"
    names = (*others, *(f"mixed_{name}" for name in others))  # of types and of policies
    if not any(layer.compute_dtype in others for layer in model._flatten_layers()):
        return model

    def widened(config: Any) -> Any:
        if isinstance(config, dict):
            return {key: widened(value) for key, value in config.items()}
        if isinstance(config, list | tuple):
            return type(config)(map(widened, config))
        return "float32" if isinstance(config, str) and config in names else config

    known = {type(layer).__name__: type(layer) for layer in model._flatten_layers()}
    try:
        with keras.saving.custom_object_scope(known):
            wide = type(model).from_config(widened(model.get_config()))
    except (TypeError, ValueError) as error:
        raise InputError(
            "The model is of mixed precision, and a layer of it, such as a Lambda, cannot be built anew in "
            "float32 as exports have it: build the model so."
        ) from error
    wide.set_weights(model.get_weights())
    for layer in wide._flatten_layers():
        if hasattr(layer, "finalize_state"):  # what an adapted layer makes of its weights
            layer.finalize_state()
    return wide


@contextmanager
def frozen(variables: Iterable[keras.Variable]) -> Iterator[None]:
    """Inside the `with` block, `variables` are constants of the graph that is traced."""
    with tf.init_scope():
        values = [(v, v.numpy()) for v in variables]
    with keras.StatelessScope(state_mapping=[(v, tf.constant(value)) for v, value in values]):
        yield


class Weights(NamedTuple):
    """The weights of an LSTM layer as numbers, in four blocks: input, forget, candidate, output."""

    kernel: np.ndarray  # (features, 4 * units)
    recurrent_kernel: np.ndarray  # (hidden, 4 * units)
    bias: np.ndarray  # (4 * units,)
    peephole: np.ndarray | None  # (3, units): of input, forget and output gate
    gain: np.ndarray | None  # (4 * units,): of layer normalisation
    projection: np.ndarray | None  # (units, hidden)


def weights(layer) -> Weights:
    """A layer's weights, inside `Signature.call`.

    Coupled gates get an input gate of their own, with the forget gate's weights negated:
    sigmoid(-z) = 1 - sigmoid(z).
    """
    cell = layer.cell
    bias = tf.zeros(cell.kernel.shape[-1]) if cell.bias is None else cell.bias
    tensors = cell.kernel, cell.recurrent_kernel, bias, cell.peepholes, cell.gain, cell.projection
    numbers: list[Any] = [
        None if t is None else tf.get_static_value(keras.ops.cast(t, "float32")) for t in tensors
    ]
    found = Weights(*numbers)
    if not cell.coupled_gates:
        return found

    def with_input_gate(w: np.ndarray, sign: int = -1) -> np.ndarray:
        return np.concatenate([sign * w[..., : layer.units], w], axis=-1)

    return found._replace(
        kernel=with_input_gate(found.kernel),
        recurrent_kernel=with_input_gate(found.recurrent_kernel),
        bias=with_input_gate(found.bias),
        peephole=None if found.peephole is None else np.stack([-found.peephole[0], *found.peephole]),
        gain=None if found.gain is None else with_input_gate(found.gain, 1),
    )
