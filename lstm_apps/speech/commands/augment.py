"""Augmentation of training words: random speed, gain and place in noise."""

import numpy as np
import soxr

# Ranges of random values; wider ones did not improve accuracy on new speakers.
SPEED = 0.2  # largest |ln(factor)|; it changes pitch, vocal tract and tempo
GAIN_DB = (-20.0, 10.0)
SNR_DB = (10.0, 60.0)  # of the noise around and below the words
HISS = (1e-5, 3e-4)  # standard deviation of the least noise of a recording


def words_in_noise(
    words: list[np.ndarray],
    rate: int,
    length: int,
    rng: np.random.Generator,
    tail: int = 0,
    speed: float = SPEED,
) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Place words one after the other at random in noise: as many as fit, and at least one if any is given.

    Args:
        words: (samples,) each.
        rate: Samples per second.
        length: Samples of the result.
        rng: Source of randomness.
        tail: Samples at the end without a word.
        speed: Largest |ln(factor)| of the speed.

    Returns:
        The waveform (length,) float32, and of each word its first sample and the one after its last.
    """
    room = length - tail
    words = [_at_another_speed(w, rate, rng, speed) for w in words]
    fitting = words[:1]
    for word in words[1:]:
        if sum(map(len, fitting)) + len(word) <= room:
            fitting.append(word)
    fitting = [w[:room] for w in fitting]
    waveform = np.zeros(length, np.float32)
    cuts = np.sort(rng.integers(0, room - sum(map(len, fitting)) + 1, len(fitting)))
    spans: list[tuple[int, int]] = []
    for word, cut in zip(fitting, cuts, strict=True):  # `cut` counts samples outside words
        begin = int(cut) + sum(b - a for a, b in spans)
        spans.append((begin, begin + len(word)))
        waveform[begin : begin + len(word)] = word
    loudness = float(np.sqrt(np.mean(np.square(np.concatenate(fitting))))) if fitting else 0.1
    gain = _decibels(rng.uniform(*GAIN_DB))
    around = loudness * gain * _decibels(-rng.uniform(*SNR_DB))
    hiss = np.float32(np.exp(rng.uniform(*np.log(HISS))))
    return waveform * gain + noise(length, rng) * (around + hiss), spans


def noise(length: int, rng: np.random.Generator) -> np.ndarray:
    """Noise between white and brown, (length,) float32 of standard deviation 1."""
    white = rng.standard_normal(length, dtype=np.float32)
    smooth = np.convolve(white, np.ones(8, np.float32) / 8, "same")
    share = rng.random(dtype=np.float32)
    mixed = share * white + (1 - share) * smooth
    return mixed / mixed.std()


def _at_another_speed(word: np.ndarray, rate: int, rng: np.random.Generator, speed: float) -> np.ndarray:
    factor = np.exp(rng.uniform(-speed, speed))
    if factor == 1:
        return word
    return soxr.resample(word, rate * factor, rate, quality="LQ").astype(np.float32)


def _decibels(amount: float) -> np.float32:
    return np.float32(10 ** (amount / 20))
