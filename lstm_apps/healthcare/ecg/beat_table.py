"""Columns of a heartbeat: its shape and rhythm, relative to the patient's own reference beat."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class BeatWindow:
    """Which samples around an R peak make a beat, and how they are normalised."""

    before: float = 0.28  # seconds before the R peak
    after: float = 0.44  # seconds after it
    points: int = 64  # per second; each is the mean of the samples around it
    baseline: float = 0.6  # seconds to either side of a beat; their median, the baseline, is subtracted
    reference_beats: int = 32  # beats before, from which the reference beat and the median interval are made
    # Log ratios of intervals are clipped here: an ectopic beat is early and followed by a pause; a longer
    # interval comes from a dropped or undetected beat.
    ratio: float = 0.35

    def __post_init__(self) -> None:
        if (
            min(self.before, self.after, self.baseline, self.ratio) <= 0
            or min(self.points, self.reference_beats) < 1
        ):
            raise ValueError(f"{self} is no window of a beat")

    @property
    def width(self) -> int:
        """Points of a beat."""
        return int((self.before + self.after) * self.points)


DEFAULT_WINDOW = BeatWindow()
WINDOW = DEFAULT_WINDOW.width
# Columns beside the shape: rhythm and similarity to the reference beat.
RHYTHM = 11
LAGS = 3  # beats after which a rhythm may repeat
_LONG = 0.95  # quantile that stands for the long intervals before a beat


def beat_table(
    signal: np.ndarray, rate: float, peaks: np.ndarray, window: BeatWindow = DEFAULT_WINDOW
) -> np.ndarray:
    """The columns of each beat, known when the next one is detected.

    A beat is compared with the patient's reference beat, the median of the least premature beats before it
    (`reference_beat`). The table is causal but for the interval to the next beat.

    Args:
        signal: (samples,) of one lead, in any unit.
        rate: Samples per second.
        peaks: (beats,) samples of R peaks, ascending.
        window: Which samples make a beat.

    Returns:
        (beats - 1, 2 * window.width + RHYTHM) float32, of all but the last: the shape in units of the
        reference beat's height, its difference from the reference beat, then the rhythm.
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
    """(beats, ...): a statistic of the `count` values before each one along axis 0; of fewer at the
    beginning, and for the first one of itself."""
    first = [statistic(values[: max(i, 1)], axis=0) for i in range(min(count, len(values)))]
    if len(values) <= count:
        return np.array(first)
    windows = np.lib.stride_tricks.sliding_window_view(values[:-1], count, axis=0)
    return np.concatenate([first, statistic(windows, axis=-1)])


def reference_beat(values: np.ndarray, intervals: np.ndarray, count: int) -> np.ndarray:
    """(beats, ...): the reference of each beat, the median over the less premature half of the `count` beats
    before it.

    The median of all of them would resemble no beat of the patient where every second one is ectopic.

    Args:
        values: (beats, ...), of each beat.
        intervals: (beats,), from each beat to the next.
        count: Beats before; the first beats have fewer, the very first has itself.
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
    """(beats, RHYTHM), see `_RHYTHM_COLUMNS`: the intervals (s) around each beat relative to those before it,
    and its shape relative to the reference beat (`template`)."""
    places = np.arange(len(shape))
    after = intervals[places]
    before, second = (intervals[np.maximum(0, places - back)] for back in (1, 2))
    median, spread, long = (
        before_each(after, window.reference_beats, statistic) for statistic in (np.median, np.std, _long)
    )

    def ratio(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return 2 * np.clip(np.log(one / other), -window.ratio, window.ratio)

    def length(x: np.ndarray) -> np.ndarray:
        return np.abs(np.diff(x, axis=1)).sum(axis=1) + 1e-3

    one, other = (x - x.mean(axis=1, keepdims=True) for x in (shape, template))
    norms = np.sqrt((one * one).sum(axis=1) * (other * other).sum(axis=1))
    correlation = np.where(norms > 0, (one * other).sum(axis=1) / np.where(norms > 0, norms, 1), 0)
    columns = [
        ratio(before, median),
        ratio(after, median),
        ratio(before, long),
        ratio(before, after),
        ratio(before, second),
        median - 0.8,
        5 * spread / median,
        10 * np.minimum(_unsteadiness(after, window.reference_beats), window.ratio),
        2 * (1 - correlation),
        2 * np.log(length(shape) / length(template)),
        2 * np.ptp(shape, axis=1) - 2,
    ]
    return np.stack(columns, axis=1)


def _long(intervals: np.ndarray, axis: int) -> np.ndarray:
    """The long intervals: in a steady rhythm close to the median, in others far above it."""
    return np.quantile(intervals, _LONG, axis=axis)


def _unsteadiness(intervals: np.ndarray, count: int) -> np.ndarray:
    """(beats,): the median absolute difference of log intervals one, two or three beats apart, whichever is
    least, over the last `count` intervals. Bigeminy and trigeminy are steady, atrial fibrillation is not."""
    logs = np.log(intervals)
    changes = [np.abs(logs - np.concatenate([logs[:lag], logs])[: len(logs)]) for lag in range(1, LAGS + 1)]
    return np.min([before_each(c, count, np.median) for c in changes], axis=0)


def _windows(signal: np.ndarray, rate: float, times: np.ndarray, window: BeatWindow) -> np.ndarray:
    """(beats, window.width): each point is the mean of the samples around it, minus the baseline."""
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
    """(beats,): medians of the `reach` samples to either side of each of `middles`, of fewer at the ends."""
    found = np.empty(len(middles))
    inside = (middles >= reach) & (middles + reach <= len(signal))
    if inside.any():
        around = np.lib.stride_tricks.sliding_window_view(signal, 2 * reach)
        found[inside] = np.median(around[middles[inside] - reach], axis=1)
    for i in np.flatnonzero(~inside):
        found[i] = np.median(signal[max(0, middles[i] - reach) : middles[i] + reach])
    return found


# The model gets how a beat differs from the reference beat, not what is specific to the patient, because a
# few training patients teach nothing about it: the shape itself, the median interval and its spread.
PATIENT_COLUMNS = (5, 6)  # among those of the rhythm
MODEL_COLUMNS = WINDOW + RHYTHM - len(PATIENT_COLUMNS)


def model_columns(table: np.ndarray) -> np.ndarray:
    """The columns that the model reads: of a table (..., columns) all but the shape and `PATIENT_COLUMNS`."""
    width = (table.shape[-1] - RHYTHM) // 2
    return np.delete(table[..., width:], [width + i for i in PATIENT_COLUMNS], axis=-1)


def columns(window: BeatWindow = DEFAULT_WINDOW) -> list[dict[str, str]]:
    """Name and unit of each column of `model_columns`.

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
