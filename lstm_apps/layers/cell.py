"""One step of the LSTM as a Keras cell."""

import keras
from keras import ops

from lstm_apps.layers.gates import Gates, Variant, lstm_gates

# Arguments that `keras.layers.LSTMCell` does not have.
VARIANT_ARGUMENTS = (
    "peephole",
    "projection_units",
    "layer_norm",
    "coupled_gates",
    "zoneout",
    "cell_clip",
    "forget_bias",
)


@keras.saving.register_keras_serializable(package="lstm_apps")
class LSTMCell(keras.layers.LSTMCell):
    """One LSTM step, for `keras.layers.RNN` or for a loop of one's own.

    Takes every argument of `keras.layers.LSTMCell`. The plain cell holds its weights in its order
    and shapes (kernel, recurrent kernel, bias; blocks input, forget, candidate, output), so
    `a.set_weights(b.get_weights())` works both ways. The equations are those of
    `lstm_apps.layers.gates`; the variants combine.

    Args:
        units: Size of the cell, and of the hidden state unless it is projected.
        peephole: Whether the gates see the cell (Gers & Schmidhuber 2000). Weight "peephole"
            (3, units): of input, forget and output gate.
        projection_units: Size of the hidden state after a learnt projection (Sak, Senior &
            Beaufays 2014). Weight "projection" (units, projection_units).
        layer_norm: Whether each gate's sum is normalised over the units (Ba, Kiros & Hinton
            2016). Weight "gain", as long as the bias.
        coupled_gates: Whether the input gate is 1 - forget (CIFG: Greff et al. 2017). All weights
            then lack the input gate's block.
        zoneout: Chance with which, in training, a unit of h or c keeps its value over a step;
            otherwise the expectation of that is taken (Krueger et al. 2017).
        cell_clip: The cell is cut off at plus and minus this.
        forget_bias: Initial bias of the forget gate where `unit_forget_bias` is true: a number
            (1.0 after Jozefowicz et al. 2015), or "chrono:T" for dependencies up to T steps long
            (Tallec & Ollivier 2018), which sets the input gate's bias too.
        **kwargs: As `keras.layers.LSTMCell`.

    Call arguments:
        inputs: (batch, features).
        states: `[h, c]`, (batch, units) each; h (batch, projection_units) if projected.
        training: Whether dropout and zoneout are active.

    Returns:
        The output, which is h, and the new states `[h, c]`.

    Raises:
        ValueError: An argument out of range, or a combination that has no meaning.
    """

    def __init__(
        self,
        units,
        *args,
        peephole=False,
        projection_units=None,
        layer_norm=False,
        coupled_gates=False,
        zoneout=0.0,
        cell_clip=None,
        forget_bias=1.0,
        **kwargs,
    ):
        super().__init__(units, *args, **kwargs)
        self.peephole = bool(peephole)
        self.projection_units = projection_units
        self.layer_norm = bool(layer_norm)
        self.coupled_gates = bool(coupled_gates)
        self.zoneout = float(zoneout)
        self.cell_clip = cell_clip
        self.forget_bias = forget_bias
        self._check()
        self.output_size = projection_units or units
        self.state_size = [self.output_size, units]
        if self.recurrent_dropout or getattr(self, "dropout_mask_count", None):
            self.dropout_mask_count = 3 if self.coupled_gates else 4

    def _check(self) -> None:
        if self.projection_units is not None and self.projection_units < 1:
            raise ValueError(f"projection_units is {self.projection_units}, expected at least 1 or None.")
        if not 0 <= self.zoneout < 1:
            raise ValueError(f"zoneout is {self.zoneout}, expected 0 up to below 1.")
        if self.cell_clip is not None and not self.cell_clip > 0:
            raise ValueError(f"cell_clip is {self.cell_clip}, expected a number over 0 or None.")
        if self._chrono_steps() is not None and not (self.use_bias and self.unit_forget_bias):
            raise ValueError(
                f"forget_bias={self.forget_bias!r} sets biases: it needs use_bias and unit_forget_bias."
            )

    def _chrono_steps(self) -> float | None:
        """The T of "chrono:T", None for a plain number."""
        if not isinstance(self.forget_bias, str):
            return None
        kind, _, steps = self.forget_bias.partition(":")
        if kind != "chrono" or not steps.replace(".", "", 1).isdigit() or float(steps) <= 2:
            raise ValueError(
                f"forget_bias is {self.forget_bias!r}, expected a number or 'chrono:T' with T over 2."
            )
        return float(steps)

    @property
    def is_plain(self) -> bool:
        """Whether this is Keras's LSTM: what fused kernels and operators compute."""
        return self.is_classic and not (
            self.peephole or self.projection_units or self.layer_norm or self.coupled_gates
        )

    @property
    def is_classic(self) -> bool:
        """Whether activations are tanh and sigmoid, and neither zoneout nor a clip interferes."""
        activations = self.activation, self.recurrent_activation
        return (
            activations == (keras.activations.tanh, keras.activations.sigmoid)
            and not self.zoneout
            and self.cell_clip is None
        )

    def build(self, input_shape):
        keras.layers.Layer.build(self, input_shape)
        units, blocks = self.units, 3 if self.coupled_gates else 4
        self.kernel = self.add_weight(
            shape=(input_shape[-1], blocks * units),
            name="kernel",
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.recurrent_kernel = self.add_weight(
            shape=(self.output_size, blocks * units),
            name="recurrent_kernel",
            initializer=self.recurrent_initializer,
            regularizer=self.recurrent_regularizer,
            constraint=self.recurrent_constraint,
        )
        self.bias = self.peepholes = self.gain = self.projection = None
        if self.use_bias:
            self.bias = self.add_weight(
                shape=(blocks * units,),
                name="bias",
                initializer=self._initial_bias if self.unit_forget_bias else self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        if self.peephole:
            self.peepholes = self.add_weight(
                shape=(blocks - 1, units),
                name="peephole",
                initializer=self.kernel_initializer,
                regularizer=self.kernel_regularizer,
                constraint=self.kernel_constraint,
            )
        if self.layer_norm:
            self.gain = self.add_weight(shape=(blocks * units,), name="gain", initializer="ones")
        if self.projection_units:
            self.projection = self.add_weight(
                shape=(units, self.projection_units),
                name="projection",
                initializer=self.recurrent_initializer,
                regularizer=self.recurrent_regularizer,
                constraint=self.recurrent_constraint,
            )

    def _initial_bias(self, shape, dtype=None):
        """Blocks input (not if coupled), forget, candidate, output."""
        units, steps = self.units, self._chrono_steps()
        ingoing = self.bias_initializer((units,), dtype=dtype)
        if steps is None:
            forget = ops.full((units,), self.forget_bias, dtype=dtype)
        else:
            forget = ops.log(keras.random.uniform((units,), 1.0, steps - 1.0, dtype=dtype, seed=self.seed))
            ingoing = -forget
        rest = self.bias_initializer((2 * units,), dtype=dtype)
        return ops.concatenate([forget, rest] if self.coupled_gates else [ingoing, forget, rest])

    def gates(self, inputs, states, training=False) -> Gates:
        """All that one step computes. Arguments as for a call; see `gates.Gates`."""
        h, c = states
        z = _product(inputs, self.kernel, self.get_dropout_mask(inputs) if training else None)
        z = z + _product(h, self.recurrent_kernel, self.get_recurrent_dropout_mask(h) if training else None)
        step = lstm_gates(z, c, self._variant(), self.activation, self.recurrent_activation)
        if not self.zoneout:
            return step
        return step._replace(
            hidden=self._zone_out(h, step.hidden, training), cell=self._zone_out(c, step.cell, training)
        )

    def _variant(self) -> Variant:
        return Variant(
            self.bias, self.peepholes, self.gain, self.coupled_gates, self.cell_clip, self.projection
        )

    def _zone_out(self, old, new, training):
        if not training:
            return self.zoneout * old + (1 - self.zoneout) * new
        chance = keras.random.uniform(ops.shape(new), dtype=new.dtype, seed=self.seed_generator)
        return ops.where(chance < self.zoneout, old, new)

    def call(self, inputs, states, training=False):
        step = self.gates(inputs, states, training)
        return step.hidden, [step.hidden, step.cell]

    def get_config(self):
        return {**super().get_config(), **{name: getattr(self, name) for name in VARIANT_ARGUMENTS}}


def _product(x, kernel, mask):
    """`x @ kernel` under dropout: no mask, one for all gates, or (with recurrent dropout) one a gate."""
    if isinstance(mask, list):
        kernels = ops.split(kernel, len(mask), axis=-1)
        products = [ops.matmul(x * m, k) for m, k in zip(mask, kernels, strict=True)]
        return ops.concatenate(products, axis=-1)
    return ops.matmul(x if mask is None else x * mask, kernel)
