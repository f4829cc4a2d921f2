"""The LSTM over a sequence, as a Keras layer."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from lstm_apps.layers import kernels
from lstm_apps.layers.cell import LSTMCell
from lstm_apps.layers.gates import Gates


@keras.saving.register_keras_serializable(package="lstm_apps")
class LSTM(keras.layers.RNN):
    """Long short-term memory over a sequence, with its gates open to inspection and export.

    Takes every argument of `keras.layers.LSTM` and those of `LSTMCell`. The plain layer holds
    Keras's weights in its order and shapes (`a.set_weights(b.get_weights())` works both ways), and
    every layer can stand where Keras's can: functional and sequential models,
    `keras.layers.Bidirectional`, `.keras` files.

    Args:
        units: Size of the cell, and of the hidden state unless it is projected.
        peephole, projection_units, layer_norm, coupled_gates, zoneout, cell_clip, forget_bias:
            As `LSTMCell`.
        use_cudnn: "auto" takes cuDNN in training where a GPU and this layer allow it; True always, and a
            call fails where they do not, as Keras's; False never.
        **kwargs: As `keras.layers.LSTM`.

    Call arguments:
        sequences: (batch, time, features).
        mask: (batch, time) of booleans; the state passes over a step that is False.
        initial_state: `[h, c]`, each (batch, units), h (batch, projection_units) if it is
            projected; zeros by default.
        training: Whether dropout and zoneout are active, and the fast kernel is taken: `fit` says True; a
            loop of one's own must, by `model(x, training=True)`, or trains at the speed of Keras's loop.
            Both have derivatives of every order, by tapes and eagerly forward, and they are the same
            numbers; `lstm_apps.layers.gradient` says what TensorFlow refuses.

    Returns:
        (batch, units), or (batch, time, units) with `return_sequences`; followed by h and c with
        `return_state`. With a projection its size stands for that of `units`.

    Example:

    >>> layer = LSTM(8, return_sequences=True)
    >>> layer(np.zeros((2, 5, 3), "float32")).shape
    TensorShape([2, 5, 8])
    >>> layer.gates(np.zeros((2, 5, 3), "float32"))["forget"].shape
    TensorShape([2, 5, 8])
    """

    def __init__(
        self,
        units,
        activation="tanh",
        recurrent_activation="sigmoid",
        use_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        unit_forget_bias=True,
        kernel_regularizer=None,
        recurrent_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        recurrent_constraint=None,
        bias_constraint=None,
        dropout=0.0,
        recurrent_dropout=0.0,
        seed=None,
        return_sequences=False,
        return_state=False,
        go_backwards=False,
        stateful=False,
        unroll=False,
        use_cudnn="auto",
        peephole=False,
        projection_units=None,
        layer_norm=False,
        coupled_gates=False,
        zoneout=0.0,
        cell_clip=None,
        forget_bias=1.0,
        implementation=2,
        **kwargs,
    ):
        cell = LSTMCell(
            units,
            activation=activation,
            recurrent_activation=recurrent_activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            unit_forget_bias=unit_forget_bias,
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            seed=seed,
            peephole=peephole,
            projection_units=projection_units,
            layer_norm=layer_norm,
            coupled_gates=coupled_gates,
            zoneout=zoneout,
            cell_clip=cell_clip,
            forget_bias=forget_bias,
            implementation=implementation,
            dtype=kwargs.get("dtype"),
            trainable=kwargs.get("trainable", True),
            name="lstm_cell",
        )
        super().__init__(
            cell,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            unroll=unroll,
            activity_regularizer=activity_regularizer,
            **kwargs,
        )
        self.input_spec = keras.layers.InputSpec(ndim=3)
        if use_cudnn not in ("auto", True, False):
            raise ValueError(f"use_cudnn is {use_cudnn!r}, expected 'auto', True or False.")
        self.use_cudnn = use_cudnn
        # As Keras: cuDNN cannot be inside what XLA compiles. On a CPU the plain layer compiles itself,
        # and is faster in a model that is not compiled as a whole.
        self.supports_jit = not (cell.is_plain and use_cudnn)

    def inner_loop(self, sequences, initial_state, mask, training=False):
        if isinstance(mask, list | tuple):
            mask = mask[0]
        return kernels.run(self, sequences, initial_state, mask, training)

    def gates(self, x, mask=None, initial_state=None) -> dict[str, Any]:
        """What every gate did at every step, without dropout, computed in the precision of the weights.

        Args:
            x: (batch, time, features).
            mask: (batch, time) of booleans, or None. At a masked step the gates are what they
                would have been; cell and hidden state are those carried over it.
            initial_state: `[h, c]`, each (batch, units), h as "hidden"; by default zeros, or the layer's own
                state if it is stateful (which stays as it is).

        Returns:
            "forget", "input", "candidate", "output", "cell", "hidden", each (batch, time, units),
            "hidden" with `projection_units` (batch, time, projection_units); in the order the layer
            runs: backwards in time with `go_backwards`, as its output is.
        """
        x = ops.cast(ops.convert_to_tensor(x), self.variable_dtype)
        if len(x.shape) != 3:
            raise ValueError(f"gates takes (batch, time, features), got {tuple(x.shape)}.")
        if not self.built:
            self.build(x.shape)
        if initial_state is None:
            stateful = self.stateful and self.states is not None
            initial_state = self.states if stateful else self.get_initial_state(x.shape[0])
        state = [ops.cast(ops.convert_to_tensor(s), self.variable_dtype) for s in initial_state]
        mask = ops.ones(x.shape[:2], "bool") if mask is None else ops.cast(mask, "bool")
        steps = ops.swapaxes(x, 0, 1), ops.swapaxes(mask, 0, 1)  # (time, batch, ...)
        if self.go_backwards:
            steps = tuple(ops.flip(s, axis=0) for s in steps)

        def step(before, at_t):
            x_t, valid = at_t
            now = self.cell.gates(x_t, [before.hidden, before.cell])
            return now._replace(
                hidden=tf.where(valid[:, None], now.hidden, before.hidden),
                cell=tf.where(valid[:, None], now.cell, before.cell),
            )

        h, c = state
        zero = tf.zeros_like(c)
        before = Gates(zero, zero, zero, zero, cell=c, hidden=h)
        sequence = tf.scan(step, steps, before)  # each (time, batch, units)
        return {name: ops.swapaxes(g, 0, 1) for name, g in sequence._asdict().items()}

    def get_config(self):
        rnn = super().get_config()
        del rnn["cell"]
        cell = self.cell.get_config()
        for key in ("name", "trainable", "dtype"):
            del cell[key]
        return {
            **cell,
            **rnn,
            "activity_regularizer": keras.regularizers.serialize(self.activity_regularizer),
            "use_cudnn": self.use_cudnn,
        }

    @classmethod
    def from_config(cls, config):
        """A layer from its own config, or from that of Keras's, of Keras 2 too."""
        config = dict(config)
        if config.pop("time_major", False):
            raise ValueError(
                f"The config of {config.get('name', 'an LSTM')} has time_major=True, which Keras 3 does not "
                "know: set it to False and give the layer (batch, time, features)."
            )
        config.pop("batch_input_shape", None)  # the layer sees the shape of what it is called on
        return cls(**config)


def _of_cell(name: str) -> property:
    return property(lambda layer: getattr(layer.cell, name))


# What `keras.layers.LSTM` says of its cell.
_WEIGHTS = [
    f"{weight}_{what}"
    for weight in ("kernel", "recurrent", "bias")
    for what in ("initializer", "regularizer", "constraint")
]
for _name in (
    "units",
    "activation",
    "recurrent_activation",
    "use_bias",
    "unit_forget_bias",
    "dropout",
    "recurrent_dropout",
    *_WEIGHTS,
):
    setattr(LSTM, _name, _of_cell(_name))
