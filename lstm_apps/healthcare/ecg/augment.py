"""Hearts to learn from: recordings to which happens what a few patients do not show.

- Few have supraventricular ectopic beats, and yet what makes one is known: it is conducted as the patient's
  normal beats are, its QRS complex is theirs, but it comes too early, its P wave is hidden or another one,
  and a pause may follow. So any normal beat of any patient can be made one.
- Normal beats are no ectopic ones where their rhythm is irregular: in atrial fibrillation they come at any
  time, mostly faster; in sinus arrhythmia with the breath; where the atrioventricular node blocks some, twice
  as long after the last one.
"""

from dataclasses import replace

import numpy as np

from lstm_apps.healthcare.ecg.beat_table import before_each
from lstm_apps.healthcare.ecg.data import EcgRecord

SHARE, GO_ON = 0.05, 0.25  # of the beats that may be brought forward; and then of the next one too
EARLY, PAUSE = (0.5, 0.85), (0.9, 1.3)  # intervals before and after, as parts of the usual one
IRREGULAR = 0.009  # chance at each beat that an irregular rhythm begins
_EPISODE = (50, 300)  # beats that it lasts
# Of all of them the intervals are parts of the usual one, and their spread that of their logarithm.
_TEMPO = (0.6, 1.1)  # what they are on the whole: faster for the most part
_FIBRILLATING = 0.22  # spread
_INTERVALS = (0.4, 1.8)  # the shortest and longest, but for those of blocked beats
_BREATH, _DEPTH, _BREATHING = (2, 8), (0.05, 0.35), 0.03  # beats to a breath, what it does, spread beside it
_CHANGES, _BLOCKING = (
    0.22,
    0.04,
)  # chance that every beat or every second one is conducted from now on; spread
_REGULAR = (0.85, 1.15)  # only beats of a regular rhythm are moved
_USUAL = 16  # beats before that make the usual interval
# Seconds before the R peak where the time that is missing is cut out: with the P wave kept, or gone.
_BEFORE_P, _BEFORE_QRS = 0.22, 0.08
_PAUSE_AT = 0.25  # seconds before the R peak where the time of a pause is put in
_KEPT = 0.12  # seconds after an R peak that are never cut
_SEAM = 0.04  # seconds to either side over which the ends of a cut meet


def synthesize(record: EcgRecord, rng: np.random.Generator, irregular: float = IRREGULAR) -> EcgRecord:
    """The record with some of its N beats brought forward, then labelled S, and some in irregular rhythms, of
    which one begins with the chance `irregular` at each beat; as many beats as before."""
    wanted, early = _intervals(record, rng, irregular)
    signal, peaks = _with_intervals(record, wanted, rng)
    return replace(record, signal=signal, peaks=peaks, labels=np.where(early, "S", record.labels))


def fibrillation(beats: int, rng: np.random.Generator) -> np.ndarray:
    """(beats,) intervals of which none tells of the next."""
    drawn = rng.uniform(*_TEMPO) * np.exp(rng.normal(0, _FIBRILLATING, beats))
    return np.clip(drawn, *_INTERVALS)


def sinus_arrhythmia(beats: int, rng: np.random.Generator) -> np.ndarray:
    """(beats,) intervals that get shorter and longer with the breath."""
    tempo = rng.uniform(*_TEMPO)
    breath = np.cumsum(2 * np.pi * tempo * rng.uniform(0.7, 1.3, beats) / rng.uniform(*_BREATH))
    drawn = tempo * np.exp(rng.uniform(*_DEPTH) * np.sin(breath) + rng.normal(0, _BREATHING, beats))
    return np.clip(drawn, *_INTERVALS)


def blocked_beats(beats: int, rng: np.random.Generator) -> np.ndarray:
    """(beats,) intervals of second-degree block: the usual one, or twice that, for some beats each."""
    blocked = np.cumsum(rng.random(beats) < _CHANGES) % 2
    return (1 + blocked) * np.exp(rng.normal(0, _BLOCKING, beats))


RHYTHMS = (fibrillation, sinus_arrhythmia, blocked_beats)


def _intervals(record: EcgRecord, rng: np.random.Generator, chance: float) -> tuple[np.ndarray, np.ndarray]:
    """Samples from each beat to the next as they should be, (beats - 1,), and which beats come early."""
    found = np.diff(record.peaks)
    wanted, early = found.copy(), np.zeros(len(record.peaks), bool)
    normal = record.labels == "N"
    factor, irregular = 1.0, iter(())
    usuals = before_each(found, _USUAL, np.median)
    for i in range(1, len(found)):  # neither the first beat nor the last one
        usual = float(usuals[i])
        regular = _REGULAR[0] * usual < found[i - 1] < _REGULAR[1] * usual
        if rng.random() < chance:
            irregular = iter(RHYTHMS[rng.integers(len(RHYTHMS))](int(rng.integers(*_EPISODE)), rng))
        if (drawn := next(irregular, None)) is not None:
            if regular and normal[i - 1] and normal[i]:
                wanted[i - 1] = usual * drawn
        elif not (regular and normal[i - 1 : i + 2].all()):
            continue
        elif rng.random() < (GO_ON if early[i - 1] else SHARE):
            factor = factor if early[i - 1] else rng.uniform(*EARLY)
            early[i], wanted[i - 1] = True, factor * usual
        elif early[i - 1]:
            wanted[i - 1] = rng.uniform(*PAUSE) * usual
    return wanted, early


def _with_intervals(
    record: EcgRecord, wanted: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The signal with time cut out and put in between its beats, and its R peaks."""
    signal, rate, peaks = record.signal, record.rate, record.peaks
    seam = int(_SEAM * rate)
    pieces, moved, at, shift = [], peaks.copy(), 0, 0
    for i in range(1, len(peaks)):
        change = int(wanted[i - 1] - (peaks[i] - peaks[i - 1]))
        if change < 0:
            end = peaks[i] - int((_BEFORE_P if rng.random() < 0.5 else _BEFORE_QRS) * rate)
            begin = max(peaks[i - 1] + int(_KEPT * rate), end + change)
            if begin < end:
                step = signal[end] - signal[begin]
                pieces += [_ramped(signal[at:begin], seam, 0, step / 2)]
                pieces += [_ramped(signal[end : peaks[i]], seam, -step / 2, 0)]
                at, shift = peaks[i], shift - (end - begin)
        elif change > 0:
            middle = peaks[i] - int(_PAUSE_AT * rate)
            hiss = rng.normal(0, np.std(np.diff(signal)) / 2, change)
            pieces += [signal[at:middle], signal[middle] + hiss]
            at, shift = middle, shift + change
        moved[i] = peaks[i] + shift
    return np.concatenate([*pieces, signal[at:]]), moved


def _ramped(part: np.ndarray, seam: int, begin: float, end: float) -> np.ndarray:
    """A part with a straight line added at the end that is cut: at its first samples, if it is `begin` that
    is not 0, else at its last."""
    ramp = np.zeros(len(part))
    length = min(seam, len(part))
    ramp[:length] += np.linspace(begin, 0, length)
    ramp[len(part) - length :] += np.linspace(0, end, length)
    return part + ramp
