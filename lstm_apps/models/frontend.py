"""From a waveform to the input of a speech model, inside the graph: log-mel spectrogram, SpecAugment,
scaler."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import keras
from keras import ops

from lstm_apps.features import mel
from lstm_apps.layers import LeftContext

_register = keras.saving.register_keras_serializable(package="lstm_apps")


@_register
class LogMel(keras.layers.Layer):
    """`lstm_apps.features.mel.LogMel` as a layer of two products: the same numbers.

    (batch, window - hop + samples) -> (batch, samples // hop, bands). A `LeftContext` of
    `window - hop` samples goes before it.
    """

    def __init__(self, spectrogram: mel.LogMel | dict, **kwargs: Any):
        super().__init__(**kwargs)
        self.spectrogram = spectrogram if isinstance(spectrogram, mel.LogMel) else mel.LogMel(**spectrogram)

    def call(self, waveform):
        hop, window = self.spectrogram.hop, self.spectrogram.window
        hops = waveform.shape[1] // hop if waveform.shape[1] is not None else ops.shape(waveform)[1] // hop
        blocks = ops.reshape(waveform[:, : hops * hop], (-1, hops, hop))
        many = window // hop  # blocks in a frame
        frames = ops.concatenate([blocks[:, i : hops - many + 1 + i] for i in range(many)], axis=-1)
        power = ops.matmul(ops.square(ops.matmul(frames, self.spectrogram.dft)), self.spectrogram.filters)
        return ops.log(power + mel.FLOOR)

    def get_config(self):
        return {**super().get_config(), "spectrogram": asdict(self.spectrogram)}


@_register
class SpecAugment(keras.layers.Layer):
    """Augmentation of a spectrogram as another speaker and microphone, with masks; in training only.

    (batch, time, bands) -> (batch, time, bands)

    Args:
        warp: Largest relative change of the band axis (vocal tract length perturbation, Jaitly & Hinton
            2013).
        tilt: Standard deviation of a smooth curve over bands that is added to every frame.
        masks: Number of time masks and of band masks, which set values to 0, the mean (Park et al. 2019).
        time_mask: Most steps of a time mask.
        band_mask: Most bands of a band mask.
        share: Share of the examples that are augmented, 0 to 1.
        seed: Of the random generator.
    """

    def __init__(
        self,
        warp: float = 0.2,
        tilt: float = 0.15,
        masks: int = 2,
        time_mask: int = 6,
        band_mask: int = 6,
        share: float = 1.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.warp, self.tilt, self.masks = warp, tilt, masks
        self.time_mask, self.band_mask = time_mask, band_mask
        self.share, self.seed = share, seed
        self.random = keras.random.SeedGenerator(seed)

    def call(self, x, training=False):
        if not training:
            return x
        changed = self._masked(self._tilted(self._warped(x)))
        if self.share == 1:  # nothing to draw
            return changed
        return ops.where(self._uniform(x, 0.0, 1.0)[:, :, None] < self.share, changed, x)

    def _warped(self, x):
        bands = x.shape[2]
        factor = self._uniform(x, 1 - self.warp, 1 + self.warp)
        place = ops.clip(ops.arange(bands, dtype="float32") * factor, 0.0, bands - 1.0)
        distance = ops.abs(place[:, :, None] - ops.arange(bands, dtype="float32"))
        return ops.einsum("btm,bnm->btn", x, ops.maximum(0.0, 1.0 - distance))  # linear interpolation

    def _tilted(self, x):
        waves = ops.cos(
            ops.arange(4, dtype="float32")[:, None] * ops.linspace(0.0, 3.1416, x.shape[2])
        )  # (4, bands)
        weights = keras.random.normal((ops.shape(x)[0], 4), 0.0, self.tilt, seed=self.random)
        return x + ops.matmul(weights, ops.cast(waves, x.dtype))[:, None]

    def _masked(self, x):
        time, bands = ops.shape(x)[1], x.shape[2]
        for _ in range(self.masks):
            x = x * self._mask(x, time, self.time_mask)[:, :, None]
            x = x * self._mask(x, bands, self.band_mask)[:, None, :]
        return x

    def _mask(self, x, size, longest):
        """(batch, size): 0 in one interval, 1 elsewhere."""
        steps = ops.cast(ops.arange(size), x.dtype)
        begin = self._uniform(x, 0.0, 1.0) * ops.cast(size, x.dtype)
        inside = (steps >= begin) & (steps < begin + self._uniform(x, 0.0, longest))
        return 1.0 - ops.cast(inside, x.dtype)

    def _uniform(self, x, low, high):
        return keras.random.uniform((ops.shape(x)[0], 1), low, high, seed=self.random)

    def get_config(self):
        names = ("warp", "tilt", "masks", "time_mask", "band_mask", "share", "seed")
        return {**super().get_config(), **{n: getattr(self, n) for n in names}}


def log_mel(waveform: Any, spectrogram: mel.LogMel, mean: Sequence[float], variance: Sequence[float]) -> Any:
    """The scaled log-mel spectrogram: (batch, samples) -> (batch, samples // hop, bands), causal.

    Args:
        waveform: A Keras tensor, -1 to 1.
        spectrogram: Its parameters.
        mean, variance: (bands,) over the training part.
    """
    context = LeftContext(spectrogram.window - spectrogram.hop, name="waveform_context")(waveform)
    frames = LogMel(spectrogram, name="log_mel")(context)
    return keras.layers.Normalization(mean=mean, variance=variance, name="scale")(frames)
