"""How near an example is to those learnt from: what a classifier of a closed set cannot say by itself."""

import keras
import numpy as np
from keras import ops

_SHRINKAGE = 0.1  # of the mean variance, added to each: directions that hardly vary must not decide alone
# Familiarity of the median right answer, and the share of them whose familiarity is below a half.
_MEDIAN, _FAR = 0.9, 0.02


@keras.saving.register_keras_serializable(package="lstm_apps")
class Familiarity(keras.layers.Layer):
    """From 0 to 1: how near a vector is to the nearest class of those learnt from, in Mahalanobis' distance
    with one covariance for all classes (Lee et al. 2018, arXiv:1807.03888).

    (batch, units) to (batch, 1). Nothing of it is trained; before `fit` it is 1.
    """

    def __init__(self, classes: int, **kwargs):
        super().__init__(**kwargs)
        self.classes = classes

    def build(self, input_shape):
        units = input_shape[-1]
        self.whitening = self._fixed("whitening", (units, units))
        self.means = self._fixed("means", (self.classes, units))
        self.slope = self._fixed("slope", ())
        self.offset = self._fixed("offset", (), 20.0)  # a sigmoid of which is 1

    def _fixed(self, name, shape, value=0.0):
        initializer = keras.initializers.Constant(value)
        return self.add_weight(name=name, shape=shape, initializer=initializer, trainable=False)

    def distances(self, x):
        """(batch, units) to (batch, 1): to the nearest class; about 1 within it."""
        # A product of matrices would be quantized in an integer file, and distances lose too much by that.
        white = ops.sum(x[:, :, None] * self.whitening, axis=1)  # (batch, units)
        apart = white[:, None] - self.means  # (batch, classes, units)
        nearest = -ops.max(-ops.mean(ops.square(apart), axis=-1), axis=-1, keepdims=True)
        return ops.sqrt(nearest + 1e-6)

    def call(self, x):
        return ops.sigmoid(self.offset - self.slope * self.distances(x))

    def fit(self, vectors: np.ndarray, classes: np.ndarray, right: np.ndarray) -> None:
        """Set the classes, and what is near.

        Args:
            vectors: (examples, units), of the training part.
            classes: (examples,) from 0, each at least once.
            right: (examples, units) of another part that were classified right.
        """
        means = np.stack([vectors[classes == c].mean(axis=0) for c in range(self.classes)])
        spread, directions = np.linalg.eigh(np.cov((vectors - means[classes]).T, ddof=0))
        shrunk = np.maximum(spread, 0) + _SHRINKAGE * max(float(spread.mean()), 1e-6)
        whitening = directions / np.sqrt(shrunk)
        self.whitening.assign(whitening)
        self.means.assign(means @ whitening)
        found = ops.convert_to_numpy(self.distances(ops.convert_to_tensor(right, "float32")))
        median, far = np.quantile(found, [0.5, 1 - _FAR])
        slope = np.log(_MEDIAN / (1 - _MEDIAN)) / max(float(far - median), 1e-2)
        self.slope.assign(slope)
        self.offset.assign(slope * far)

    def get_config(self):
        return {**super().get_config(), "classes": self.classes}
