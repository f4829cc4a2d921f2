"""The same words in another voice, slower or faster."""

import numpy as np


def in_voice(samples: np.ndarray, factor: float) -> np.ndarray:
    """Sound played `factor` times as fast: pitch, formants and tempo, as of a smaller body.

    Args:
        samples: (samples,) float32, silent at both ends or nearly so, for it is taken to go round.
        factor: Over 0.

    Returns:
        (round(samples / factor),) float32.
    """
    if factor == 1:
        return samples
    length = round(len(samples) / factor)
    return (np.fft.irfft(np.fft.rfft(samples), length) * (length / len(samples))).astype(np.float32)


def at_tempo(samples: np.ndarray, factor: float, window: int = 256) -> np.ndarray:
    """Sound `factor` times as fast, its pitch and formants as they were: the phase vocoder (Flanagan &
    Golden 1966), the same samples as `librosa.effects.time_stretch(samples, rate=factor, n_fft=window)`.

    Args:
        samples: (samples,) float32.
        factor: Over 0; 2 makes it half as long.
        window: Samples that are looked at together, a multiple of 4; some 30 ms do for voices.

    Returns:
        (round(samples / factor),) float32.
    """
    if factor == 1:
        return samples
    hop = window // 4
    hann = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)).astype(np.float32)
    padded = np.pad(samples, (window // 2, window))
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]
    spectra = np.fft.rfft(frames * hann)
    size, angle = np.abs(spectra), np.angle(spectra)
    at = np.arange(0, len(spectra) - 1, factor)
    before = np.minimum(at.astype(int), len(spectra) - 2)
    share = (at - before)[:, None].astype(np.float32)
    size = (1 - share) * size[before] + share * size[before + 1]
    # How far each frequency turns in a hop: by its own, and by what is seen beyond that.
    turn = (2 * np.pi * hop * np.arange(size.shape[1]) / window).astype(np.float32)
    beyond = angle[before + 1] - angle[before] - turn
    turns = turn + beyond - 2 * np.pi * np.round(beyond / (2 * np.pi))
    phase = angle[:1] + np.concatenate([np.zeros_like(angle[:1]), np.cumsum(turns[:-1], axis=0)])
    frames = np.fft.irfft(size * np.exp(np.complex64(1j) * phase), window).astype(np.float32) * hann
    sound, weight = (_overlapped(x, hop) for x in (frames, np.broadcast_to(hann**2, frames.shape)))
    inside = slice(window // 2, window // 2 + round(len(samples) / factor))
    return sound[inside] / np.maximum(weight[inside], 1e-3)


def _overlapped(frames: np.ndarray, hop: int) -> np.ndarray:
    """The sum of frames, each a hop after the one before."""
    many = frames.shape[1] // hop
    hops = np.zeros((len(frames) + many - 1, hop), np.float32)
    for i in range(many):
        hops[i : i + len(frames)] += frames[:, i * hop : (i + 1) * hop]
    return hops.ravel()
