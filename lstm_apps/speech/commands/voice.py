"""Changes the voice and the tempo of speech."""

from collections.abc import Sequence

import numpy as np


def in_voice(samples: np.ndarray, factor: float) -> np.ndarray:
    """Sound played `factor` times as fast, which scales pitch, formants and tempo.

    Args:
        samples: (samples,) float32, nearly silent at both ends, because it is treated as periodic.
        factor: Over 0.

    Returns:
        (round(samples / factor),) float32.
    """
    if factor == 1:
        return samples
    length = round(len(samples) / factor)
    return (np.fft.irfft(np.fft.rfft(samples), length) * (length / len(samples))).astype(np.float32)


def at_tempi(samples: np.ndarray, factors: Sequence[float], window: int = 256) -> list[np.ndarray]:
    """Sound each of `factors` times as fast, with the same pitch and formants: the phase vocoder
    (Flanagan & Golden 1966), the same samples as `librosa.effects.time_stretch(samples, rate=factor,
    n_fft=window)`.

    Args:
        samples: (samples,) float32.
        factors: Over 0; 2 makes it half as long.
        window: Samples of a frame, a multiple of 4; about 30 ms suit voices.

    Returns:
        A list of (round(samples / factor),) float32, one for each factor.
    """
    if all(factor == 1 for factor in factors):
        return [samples for _ in factors]
    hop = window // 4
    hann = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)).astype(np.float32)
    padded = np.pad(samples, (window // 2, window))
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]
    spectra = np.fft.rfft(frames * hann)
    size, angle = np.abs(spectra), np.angle(spectra)
    # Phase advance of each frequency in a hop: its nominal one plus the measured deviation.
    nominal = (2 * np.pi * hop * np.arange(size.shape[1]) / window).astype(np.float32)
    deviation = np.diff(angle, axis=0) - nominal
    advance = nominal + deviation - 2 * np.pi * np.round(deviation / (2 * np.pi))

    def at(factor: float) -> np.ndarray:
        places = np.arange(0, len(spectra) - 1, factor)
        before = np.minimum(places.astype(int), len(spectra) - 2)
        share = (places - before)[:, None].astype(np.float32)
        sizes = (1 - share) * size[before] + share * size[before + 1]
        phase = angle[0] + np.cumsum(advance[before], axis=0) - advance[before]
        frames = np.fft.irfft(sizes * np.exp(np.complex64(1j) * phase), window).astype(np.float32) * hann
        sound, weight = (_overlapped(x, hop) for x in (frames, np.broadcast_to(hann**2, frames.shape)))
        inside = slice(window // 2, window // 2 + round(len(samples) / factor))
        return sound[inside] / np.maximum(weight[inside], 1e-3)

    return [samples if factor == 1 else at(factor) for factor in factors]


def _overlapped(frames: np.ndarray, hop: int) -> np.ndarray:
    """Overlap-add of frames (frames, window), each a hop after the one before: (samples,)."""
    many = frames.shape[1] // hop
    hops = np.zeros((len(frames) + many - 1, hop), np.float32)
    for i in range(many):
        hops[i : i + len(frames)] += frames[:, i * hop : (i + 1) * hop]
    return hops.ravel()
