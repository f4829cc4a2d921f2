"""Detection of inputs unlike the training examples, which a closed-set classifier cannot give by itself."""

from typing import Any

import keras
import numpy as np
from keras import ops

_SHRINKAGE = 0.1  # of the mean variance, added to each, so that directions of little variance do not dominate
# Of correctly classified examples: the median familiarity, and the share with a familiarity below 0.5.
_MEDIAN, _FAR = 0.9, 0.02


@keras.saving.register_keras_serializable(package="lstm_apps")
class Familiarity(keras.layers.Layer):
    """Familiarity, 0 to 1, of a vector: a sigmoid of its Mahalanobis distance to the nearest class mean, with
    one covariance for all classes (Lee et al. 2018, arXiv:1807.03888).

    (batch, units) -> (batch, 1). Its weights are not trained but set by `fit`; before that it is 1.

    Args:
        classes: Number of classes.
    """

    def __init__(self, classes: int, **kwargs: Any):
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

    def distances(self, x: Any) -> Any:
        """(batch, units) -> (batch, 1): distance to the nearest class mean, about 1 within a class."""
        # Not a matrix product: an integer file would quantize it, and distances would lose too much.
        white = ops.sum(x[:, :, None] * self.whitening, axis=1)  # (batch, units)
        apart = white[:, None] - self.means  # (batch, classes, units)
        nearest = -ops.max(-ops.mean(ops.square(apart), axis=-1), axis=-1, keepdims=True)
        return ops.sqrt(nearest + 1e-6)

    def call(self, x):
        return ops.sigmoid(self.offset - self.slope * self.distances(x))

    def fit(self, vectors: np.ndarray, classes: np.ndarray, right: np.ndarray) -> None:
        """Set class means, covariance and the sigmoid.

        Args:
            vectors: (examples, units) of the training part.
            classes: (examples,) integers from 0, each class at least once.
            right: (examples, units) of correctly classified examples of another part.
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
