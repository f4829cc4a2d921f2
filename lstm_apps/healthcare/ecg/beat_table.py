"""Heartbeats as numbers: the shape and the rhythm of each, measured by the patient's own heart."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class BeatWindow:
    """What of the signal is seen of a beat, and how: resampled, and less its baseline."""

    before: float = 0.28  # seconds before the R peak
    after: float = 0.44  # seconds after it
    points: int = 64  # a second; each is the mean of the samples around it
    baseline: float = 0.6  # seconds to either side of a beat whose median is the baseline
    reference_beats: int = 32  # beats before, by those of which that came least early a beat is measured
    # Logarithm of the ratio beyond which intervals say no more: an ectopic beat comes early and a pause makes
    # up for it; a longer one comes of a beat that the heart left out, or that was not found.
    ratio: float = 0.35

    def __post_init__(self) -> None:
        if min(self.before, self.after, self.baseline, self.ratio) <= 0 or min(self.points, self.usual) < 1:
            raise ValueError(f"{self} is nothing that a beat could be seen in")

    @property
    def width(self) -> int:
        """Points of a beat."""
        return int((self.before + self.after) * self.points)


DEFAULT_WINDOW = BeatWindow()
WINDOW = DEFAULT_WINDOW.width
# What a beat has beside its shape: rhythm and likeness to the usual beat.
RHYTHM = 11
LAGS = 3  # beats after which a rhythm may repeat itself
_LONG = 0.95  # quantile of the intervals before a beat that is called their long one


def beat_table(
    signal: np.ndarray, rate: float, peaks: np.ndarray, window: BeatWindow = DEFAULT_WINDOW
) -> np.ndarray:
    """What is known of each beat when the next one has come.

    Every patient is measured by his own heart: the usual beat is the median of those before that came least
    early (`reference_beat`); nothing but the interval to the next beat looks ahead.

    Args:
        signal: (samples,) of one lead, in any unit.
        rate: Samples a second.
        peaks: (beats,) samples of R peaks, ascending.
        window: What is seen of a beat.

    Returns:
        (beats - 1, 2 * window.width + RHYTHM) float32, of all but the last: the shape in units of the usual
        height, its difference from the usual shape, then the rhythm.
    """
    peaks = np.asarray(peaks)
    shapes = _windows(signal, rate, peaks[:-1] / rate, window)
    if not len(shapes):
        return np.zeros((0, 2 * window.width + RHYTHM), np.float32)
    intervals = np.diff(peaks) / rate  # in this order: equal ones stay equal wherever a stream begins
    heights = np.ptp(shapes, axis=1)
    scale = np.maximum(reference_beat(heights, intervals, window.reference_beats), 1e-9)[:, None]
    shape, template = shapes / scale, reference_beat(shapes, intervals, window.reference_beats) / scale
    rhythm = _rhythm(intervals, shape, template, window)
    return np.clip(np.concatenate([shape, shape - template, rhythm], axis=1), -6, 6).astype(np.float32)


def before_each(values: np.ndarray, count: int, statistic: Any) -> np.ndarray:
    """A statistic of the `count` values before each one along axis 0: of fewer at the beginning, and of the
    first one itself."""
    first = [statistic(values[: max(i, 1)], axis=0) for i in range(min(count, len(values)))]
    if len(values) <= count:
        return np.array(first)
    windows = np.lib.stride_tricks.sliding_window_view(values[:-1], count, axis=0)
    return np.concatenate([first, statistic(windows, axis=-1)])


def reference_beat(values: np.ndarray, intervals: np.ndarray, count: int) -> np.ndarray:
    """The usual value as of each beat: the median over the half of the `count` beats before it that came
    least early.

    Of all of them it would be none of the patient's beats where ectopic ones are as many as the others, as
    when every second one is.

    Args:
        values: (beats, ...), of each beat.
        intervals: (beats,), from each beat to the next.
        count: The first beats have fewer before them, the very first has itself.
    """
    before = intervals[np.maximum(0, np.arange(len(values)) - 1)]

    def half(intervals: np.ndarray) -> np.ndarray:
        kept = (intervals.shape[-1] + 1) // 2
        return np.argsort(-intervals, axis=-1, kind="stable")[..., :kept]

    first = [np.median(values[half(before[: max(i, 1)])], axis=0) for i in range(min(count, len(values)))]
    if len(values) <= count:
        return np.array(first)
    places = half(np.lib.stride_tricks.sliding_window_view(before[:-1], count))
    places += np.arange(len(places))[:, None]
    return np.concatenate([first, np.median(values[places], axis=1)])


def _rhythm(intervals: np.ndarray, shape: np.ndarray, template: np.ndarray, window: BeatWindow) -> np.ndarray:
    """(beats, RHYTHM): the intervals (s) before the last one, before and after each beat beside the usual of
    those before it; and its shape beside the usual one."""
    places = np.arange(len(shape))
    after = intervals[places]
    before, second = (intervals[np.maximum(0, places - back)] for back in (1, 2))
    usual, spread, long = (
        before_each(after, window.reference_beats, statistic) for statistic in (np.median, np.std, _long)
    )

    def ratio(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return 2 * np.clip(np.log(one / other), -window.ratio, window.ratio)

    def length(x: np.ndarray) -> np.ndarray:
        return np.abs(np.diff(x, axis=1)).sum(axis=1) + 1e-3

    one, other = (x - x.mean(axis=1, keepdims=True) for x in (shape, template))
    norms = np.sqrt((one * one).sum(axis=1) * (other * other).sum(axis=1))
    together = np.where(norms > 0, (one * other).sum(axis=1) / np.where(norms > 0, norms, 1), 0)
    columns = [
        ratio(before, usual),
        ratio(after, usual),
        ratio(before, long),
        ratio(before, after),
        ratio(before, second),
        usual - 0.8,
        5 * spread / usual,
        10 * np.minimum(_unsteadiness(after, window.reference_beats), window.ratio),
        2 * (1 - together),
        2 * np.log(length(shape) / length(template)),
        2 * np.ptp(shape, axis=1) - 2,
    ]
    return np.stack(columns, axis=1)


def _long(intervals: np.ndarray, axis: int) -> np.ndarray:
    """How long intervals get: in a steady rhythm hardly longer than the usual one, in others much."""
    return np.quantile(intervals, _LONG, axis=axis)


def _unsteadiness(intervals: np.ndarray, count: int) -> np.ndarray:
    """(beats,): by how much the logarithms of the last `count` intervals before each beat differ from those
    one, two or three before them: the median, of whichever is least. So a rhythm in twos or threes, where
    every second or third beat is ectopic, is steady, and atrial fibrillation is not."""
    logs = np.log(intervals)
    changes = [np.abs(logs - np.concatenate([logs[:lag], logs])[: len(logs)]) for lag in range(1, LAGS + 1)]
    return np.min([before_each(c, count, np.median) for c in changes], axis=0)


def _windows(signal: np.ndarray, rate: float, times: np.ndarray, window: BeatWindow) -> np.ndarray:
    """(beats, window.width): each point the mean of the samples around it, less the baseline."""
    total = np.concatenate([[0.0], np.cumsum(signal, dtype=np.float64)])
    at = times[:, None] + (np.arange(window.width) / window.points - window.before)
    edges = np.arange(len(total))
    half = 0.5 / window.points
    first, last = (at - half) * rate + 0.5, (at + half) * rate + 0.5
    shapes = (np.interp(last, edges, total) - np.interp(first, edges, total)) / (rate / window.points)
    return (
        shapes - _baselines(signal, np.rint(times * rate).astype(int), round(window.baseline * rate))[:, None]
    )


def _baselines(signal: np.ndarray, middles: np.ndarray, reach: int) -> np.ndarray:
    """(beats,): medians of the `reach` samples to either side of each, of fewer at the ends."""
    found = np.empty(len(middles))
    inside = (middles >= reach) & (middles + reach <= len(signal))
    if inside.any():
        around = np.lib.stride_tricks.sliding_window_view(signal, 2 * reach)
        found[inside] = np.median(around[middles[inside] - reach], axis=1)
    for i in np.flatnonzero(~inside):
        found[i] = np.median(signal[max(0, middles[i] - reach) : middles[i] + reach])
    return found


# The classifier reads how a beat differs from the usual one, and not what the patient himself is like, of
# which a few training patients teach nothing: the shape itself, the usual interval and its spread.
PATIENT_COLUMNS = (5, 6)  # of the rhythm
MODEL_COLUMNS = WINDOW + RHYTHM - len(PATIENT_COLUMNS)


def model_columns(table: np.ndarray) -> np.ndarray:
    """What the classifier reads of a table, (..., columns less shape and `PATIENT_COLUMNS`)."""
    width = (table.shape[-1] - RHYTHM) // 2
    return np.delete(table[..., width:], [width + i for i in PATIENT_COLUMNS], axis=-1)


def columns(window: BeatWindow = DEFAULT_WINDOW) -> list[dict[str, str]]:
    """What the classifier reads of a beat: "name" and "unit" of each column of `seen`.

    Intervals are from R peak to R peak; all columns are clipped to -6 to 6.
    """
    times = np.arange(window.width) / window.points - window.before
    shape = [(f"shape - shape of reference beat, {t:+.4f} s from the R peak", _HEIGHT) for t in times]
    rhythm = [(name, unit) for i, (name, unit) in enumerate(_RHYTHM_COLUMNS) if i not in PATIENT_COLUMNS]
    return [
        {"name": name.format(count=window.reference_beats), "unit": unit} for name, unit in shape + rhythm
    ]


_HEIGHT = "peak-to-peak height of the reference beat"
_RHYTHM_COLUMNS = (  # as `_rhythm` has them; 1: a number without a unit
    ("2 ln(interval before / median of the last {count} intervals)", "1"),
    ("2 ln(interval after / median of the last {count} intervals)", "1"),
    ("2 ln(interval before / 95 % quantile of the last {count} intervals)", "1"),
    ("2 ln(interval before / interval after)", "1"),
    ("2 ln(interval before / the interval before it)", "1"),
    ("median of the last {count} intervals - 0.8 s", "s"),
    ("5 standard deviation / median of the last {count} intervals", "1"),
    ("10 median |ln(interval / interval 1, 2 or 3 before)|, the least, of the last {count}", "1"),
    ("2 - 2 correlation of shape and shape of reference beat", "1"),
    ("2 ln(line length of shape / of shape of reference beat)", "1"),
    ("2 height of shape - 2", _HEIGHT),
)
