"""Synthetic training records: recordings with ectopic beats and rhythms that few patients show.

- Few patients have supraventricular ectopic beats, but their physiology is known: conduction and QRS complex
  are those of normal beats, the beat is premature, its P wave is hidden or changed, and a pause may follow.
  So any normal beat can be turned into one by moving it forward.
- In irregular rhythms normal beats are not ectopic: in atrial fibrillation intervals are random and mostly
  short; in sinus arrhythmia they follow the breath; in second-degree block some are twice as long.
"""

from dataclasses import replace

import numpy as np

from lstm_apps.healthcare.ecg.beat_table import before_each
from lstm_apps.healthcare.ecg.data import EcgRecord

SHARE, GO_ON = 0.05, 0.25  # chance that a normal beat is moved forward; chance that the next one is too
EARLY, PAUSE = (0.5, 0.85), (0.9, 1.3)  # intervals before and after, relative to the median
IRREGULAR = 0.009  # chance at each beat that an irregular rhythm begins
_EPISODE = (50, 300)  # its length in beats
# Intervals are relative to the median; spreads are standard deviations of their logarithm.
_TEMPO = (0.6, 1.1)  # mean interval of an episode, mostly faster
_FIBRILLATING = 0.22  # spread
_INTERVALS = (0.4, 1.8)  # shortest and longest, except of blocked beats
_BREATH, _DEPTH, _BREATHING = (2, 8), (0.05, 0.35), 0.03  # beats per breath, amplitude, spread
# Chance that conduction changes between every beat and every second one; spread.
_CHANGES, _BLOCKING = 0.22, 0.04
_REGULAR = (0.85, 1.15)  # intervals of a regular rhythm, relative to the median: only its beats are moved
_MEDIAN_OF = 16  # intervals before
# Seconds before the R peak where samples are cut out: the P wave is kept, or lost.
_BEFORE_P, _BEFORE_QRS = 0.22, 0.08
_PAUSE_AT = 0.25  # seconds before the R peak where samples of a pause are inserted
_KEPT = 0.12  # seconds after an R peak that are never cut
_SEAM = 0.04  # seconds to either side over which the ends of a cut are joined


def synthesize(record: EcgRecord, rng: np.random.Generator, irregular: float = IRREGULAR) -> EcgRecord:
    """A synthetic record: some N beats of a record become premature and S, some get an irregular rhythm.

    Args:
        record: A recording.
        rng: Source of randomness.
        irregular: Chance at each beat that an episode of an irregular rhythm begins.

    Returns:
        The record with another signal and other R peaks; as many beats as before.
    """
    wanted, early = _intervals(record, rng, irregular)
    signal, peaks = _with_intervals(record, wanted, rng)
    return replace(record, signal=signal, peaks=peaks, labels=np.where(early, "S", record.labels))


def fibrillation(beats: int, rng: np.random.Generator) -> np.ndarray:
    """(beats,) independent intervals of atrial fibrillation, relative to the median."""
    drawn = rng.uniform(*_TEMPO) * np.exp(rng.normal(0, _FIBRILLATING, beats))
    return np.clip(drawn, *_INTERVALS)


def sinus_arrhythmia(beats: int, rng: np.random.Generator) -> np.ndarray:
    """(beats,) intervals that follow the breath, relative to the median."""
    tempo = rng.uniform(*_TEMPO)
    breath = np.cumsum(2 * np.pi * tempo * rng.uniform(0.7, 1.3, beats) / rng.uniform(*_BREATH))
    drawn = tempo * np.exp(rng.uniform(*_DEPTH) * np.sin(breath) + rng.normal(0, _BREATHING, beats))
    return np.clip(drawn, *_INTERVALS)


def blocked_beats(beats: int, rng: np.random.Generator) -> np.ndarray:
    """(beats,) intervals of second-degree block, relative to the median: 1 or 2, for some beats each."""
    blocked = np.cumsum(rng.random(beats) < _CHANGES) % 2
    return (1 + blocked) * np.exp(rng.normal(0, _BLOCKING, beats))


RHYTHMS = (fibrillation, sinus_arrhythmia, blocked_beats)


def _intervals(record: EcgRecord, rng: np.random.Generator, chance: float) -> tuple[np.ndarray, np.ndarray]:
    """The synthetic intervals (beats - 1,) in samples, and which beats (beats,) are premature."""
    found = np.diff(record.peaks)
    wanted, early = found.copy(), np.zeros(len(record.peaks), bool)
    normal = record.labels == "N"
    factor, irregular = 1.0, iter(())
    medians = before_each(found, _MEDIAN_OF, np.median)
    for i in range(1, len(found)):  # neither the first beat nor the last one
        median = float(medians[i])
        regular = _REGULAR[0] * median < found[i - 1] < _REGULAR[1] * median
        if rng.random() < chance:
            irregular = iter(RHYTHMS[rng.integers(len(RHYTHMS))](int(rng.integers(*_EPISODE)), rng))
        if (drawn := next(irregular, None)) is not None:
            if regular and normal[i - 1] and normal[i]:
                wanted[i - 1] = median * drawn
        elif not (regular and normal[i - 1 : i + 2].all()):
            continue
        elif rng.random() < (GO_ON if early[i - 1] else SHARE):
            factor = factor if early[i - 1] else rng.uniform(*EARLY)
            early[i], wanted[i - 1] = True, factor * median
        elif early[i - 1]:
            wanted[i - 1] = rng.uniform(*PAUSE) * median
    return wanted, early


def _with_intervals(
    record: EcgRecord, wanted: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The signal with samples cut out and inserted between its beats, and its R peaks."""
    signal, rate, peaks = record.signal, record.rate, record.peaks
    seam = int(_SEAM * rate)
    parts, moved, at, shift = [], peaks.copy(), 0, 0
    for i in range(1, len(peaks)):
        change = int(wanted[i - 1] - (peaks[i] - peaks[i - 1]))
        if change < 0:
            end = peaks[i] - int((_BEFORE_P if rng.random() < 0.5 else _BEFORE_QRS) * rate)
            begin = max(peaks[i - 1] + int(_KEPT * rate), end + change)
            if begin < end:
                step = signal[end] - signal[begin]
                parts += [_ramped(signal[at:begin], seam, 0, step / 2)]
                parts += [_ramped(signal[end : peaks[i]], seam, -step / 2, 0)]
                at, shift = peaks[i], shift - (end - begin)
        elif change > 0:
            middle = peaks[i] - int(_PAUSE_AT * rate)
            hiss = rng.normal(0, np.std(np.diff(signal)) / 2, change)
            parts += [signal[at:middle], signal[middle] + hiss]
            at, shift = middle, shift + change
        moved[i] = peaks[i] + shift
    return np.concatenate([*parts, signal[at:]]), moved


def _ramped(part: np.ndarray, seam: int, begin: float, end: float) -> np.ndarray:
    """A part (samples,) with a ramp added at each end: from `begin` to 0 at the first `seam` samples, from 0
    to `end` at the last."""
    ramp = np.zeros(len(part))
    length = min(seam, len(part))
    ramp[:length] += np.linspace(begin, 0, length)
    ramp[len(part) - length :] += np.linspace(0, end, length)
    return part + ramp
