"""One step of the LSTM as a Keras cell."""

import keras
from keras import ops

from lstm_apps.layers.gates import Gates, lstm_gates


@keras.saving.register_keras_serializable(package="lstm_apps")
class LSTMCell(keras.layers.LSTMCell):
    """One LSTM step, for `keras.layers.RNN` or for a loop of one's own.

    Takes every argument of `keras.layers.LSTMCell` and holds its weights in its order and shapes
    (kernel, recurrent kernel, bias; blocks input, forget, candidate, output), so
    `a.set_weights(b.get_weights())` works both ways. The equations are those of
    `lstm_apps.layers.gates`.

    Args:
        units: Size of the cell and of the hidden state.
        forget_bias: Initial bias of the forget gate where `unit_forget_bias` is true. The default
            1.0 is the recommendation of Jozefowicz et al. (2015).
        **kwargs: As `keras.layers.LSTMCell`.

    Call arguments:
        inputs: (batch, features).
        states: `[h, c]`, each (batch, units).
        training: Whether dropout is active.

    Returns:
        The output (batch, units) and the new states `[h, c]`.
    """

    def __init__(self, units, *args, forget_bias=1.0, **kwargs):
        super().__init__(units, *args, **kwargs)
        self.forget_bias = float(forget_bias)

    def build(self, input_shape):
        super().build(input_shape)
        if self.use_bias and self.unit_forget_bias:  # Keras has just put 1.0 there
            is_forget = ops.repeat(ops.convert_to_tensor([0.0, 1.0, 0.0, 0.0]), self.units)
            self.bias.assign(self.bias + (self.forget_bias - 1.0) * is_forget)

    def gates(self, inputs, states, training=False) -> Gates:
        """All that one step computes. Arguments as for a call; see `gates.Gates`."""
        h, c = states
        z = _product(inputs, self.kernel, self.get_dropout_mask(inputs) if training else None)
        z = z + _product(h, self.recurrent_kernel, self.get_recurrent_dropout_mask(h) if training else None)
        return lstm_gates(z, c, self.bias, self.activation, self.recurrent_activation)

    def call(self, inputs, states, training=False):
        step = self.gates(inputs, states, training)
        return step.hidden, [step.hidden, step.cell]

    def get_config(self):
        return {**super().get_config(), "forget_bias": self.forget_bias}


def _product(x, kernel, mask):
    """`x @ kernel` under dropout: no mask, one for all gates, or (with recurrent dropout) one a gate."""
    if isinstance(mask, list):
        kernels = ops.split(kernel, 4, axis=-1)
        products = [ops.matmul(x * m, k) for m, k in zip(mask, kernels, strict=True)]
        return ops.concatenate(products, axis=-1)
    return ops.matmul(x if mask is None else x * mask, kernel)
