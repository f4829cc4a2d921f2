"""What a causal layer sees of the past: the steps before its input."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="lstm_apps")
class LeftContext(keras.layers.Layer):
    """Puts the last `steps` steps before the first one: zeros, for nothing came before.

    A convolution, or any other layer that looks at a window, is causal after it: as many steps come out
    as go in, and none knows a later one. In a stream an exporter puts the end of the chunk before there,
    by `prepend`, so that chunks give what the whole gives.

    (batch, time, ...) -> (batch, steps + time, ...)
    """

    def __init__(self, steps: int, **kwargs):
        super().__init__(**kwargs)
        self.steps = steps

    def call(self, x):
        return self.prepend(x)

    def prepend(self, x):
        """`x` with what came before it."""
        return ops.pad(x, [[0, 0], [self.steps, 0], *([0, 0] for _ in x.shape[2:])])

    def compute_output_shape(self, input_shape):
        batch, time, *rest = input_shape
        return (batch, None if time is None else time + self.steps, *rest)

    def get_config(self):
        return {**super().get_config(), "steps": self.steps}
