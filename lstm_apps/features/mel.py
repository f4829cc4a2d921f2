"""Log-mel spectrogram."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

# Power below which a band counts as silent: about that of the last bit of 16.
FLOOR = 1e-6


@dataclass(frozen=True)
class LogMel:
    """Natural logarithm of the power in triangular bands of equal width in mel.

    A frame is the last `window` samples, one every `hop`: it is causal, so a stream of chunks gives the
    frames of the whole. Before the first sample there is silence. Scale
    and filters are those of Slaney's Auditory Toolbox (1998), as in `librosa.feature.melspectrogram`
    with `center=False`.
    """

    rate: int  # samples a second
    window: int  # samples, a multiple of hop
    hop: int  # samples
    bands: int
    low: float  # Hz
    high: float  # Hz

    def __post_init__(self) -> None:
        if min(self.rate, self.window, self.hop, self.bands) < 1:
            raise ValueError("rate, window, hop and bands are 1 at least")
        if self.window % self.hop:
            raise ValueError(f"A window of {self.window} samples is no multiple of the hop, {self.hop}.")

    @cached_property
    def dft(self) -> np.ndarray:
        """Real, then imaginary part of the windowed Fourier transform as one matrix, float32
        (window, 2 * bins), under a periodic Hann window; of the bins in any band."""
        n = np.arange(self.window)
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * n / self.window)
        wave = hann[:, None] * np.exp(-2j * np.pi * np.outer(n, self._bins) / self.window)
        return np.concatenate([wave.real, wave.imag], axis=1).astype(np.float32)

    @cached_property
    def filters(self) -> np.ndarray:
        """Weight in each band of the square of each column of `dft`, float32 (2 * bins, bands);
        triangles of equal area."""
        return np.tile(self._triangles[self._bins], (2, 1)).astype(np.float32)

    @cached_property
    def _bins(self) -> np.ndarray:
        return np.flatnonzero(self._triangles.any(axis=1))

    @cached_property
    def _triangles(self) -> np.ndarray:
        edges = _hertz(np.linspace(_mel(self.low), _mel(self.high), self.bands + 2))
        bins = np.arange(self.window // 2 + 1) * self.rate / self.window
        rise = (bins[:, None] - edges[:-2]) / np.diff(edges[:-1])
        fall = (edges[2:] - bins[:, None]) / np.diff(edges[1:])
        height = 2 / (edges[2:] - edges[:-2])
        return height * np.maximum(0, np.minimum(rise, fall))

    def __call__(self, waveform: np.ndarray) -> np.ndarray:
        """(..., samples) from -1 to 1 -> (..., samples // hop, bands)."""
        before = [(0, 0)] * (waveform.ndim - 1) + [(self.window - self.hop, 0)]
        padded = np.pad(np.asarray(waveform, np.float32), before)
        frames = np.lib.stride_tricks.sliding_window_view(padded, self.window, axis=-1)[..., :: self.hop, :]
        return np.log(np.square(frames @ self.dft) @ self.filters + FLOOR)


# Linear up to 1 kHz, logarithmic above, with 27 steps to a factor of 6.4.
_LINEAR_STEP, _BEND, _LOG_STEP = 200 / 3, 1000.0, np.log(6.4) / 27


def _mel(hertz: float) -> float:
    if hertz < _BEND:
        return hertz / _LINEAR_STEP
    return _BEND / _LINEAR_STEP + np.log(hertz / _BEND) / _LOG_STEP


def _hertz(mel: np.ndarray) -> np.ndarray:
    bend = _BEND / _LINEAR_STEP
    return np.where(mel < bend, mel * _LINEAR_STEP, _BEND * np.exp(_LOG_STEP * (mel - bend)))
