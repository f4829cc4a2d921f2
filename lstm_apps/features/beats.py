"""Features of a heartbeat classifier: an ECG to beats, each with its shape and its place in the rhythm."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from lstm_apps.errors import InputError, first_line
from lstm_apps.features.options import Options
from lstm_apps.features.peaks import DELAY, PeakDetector
from lstm_apps.features.raw import as_array, is_file

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class BeatWindow:
    """What of the signal is seen of a beat, and how: resampled, and less its baseline."""

    before: float = 0.28  # seconds before the R peak
    after: float = 0.44  # seconds after it
    points: int = 64  # a second; each is the mean of the samples around it
    baseline: float = 0.6  # seconds to either side of a beat whose median is the baseline
    usual: int = 32  # beats before, by those of which that came least early a beat is measured
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
_LAGS = 3  # beats after which a rhythm may repeat itself
_LONG = 0.95  # quantile of the intervals before a beat that is called their long one


def beat_table(
    signal: np.ndarray, rate: float, peaks: np.ndarray, window: BeatWindow = DEFAULT_WINDOW
) -> np.ndarray:
    """What is known of each beat when the next one has come.

    Every patient is measured by his own heart: the usual beat is the median of those before that came least
    early (`usual_beat`); nothing but the interval to the next beat looks ahead.

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
    scale = np.maximum(usual_beat(heights, intervals, window.usual), 1e-9)[:, None]
    shape, template = shapes / scale, usual_beat(shapes, intervals, window.usual) / scale
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


def usual_beat(values: np.ndarray, intervals: np.ndarray, count: int) -> np.ndarray:
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
        before_each(after, window.usual, statistic) for statistic in (np.median, np.std, _long)
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
        10 * np.minimum(_unsteadiness(after, window.usual), window.ratio),
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
    changes = [np.abs(logs - np.concatenate([logs[:lag], logs])[: len(logs)]) for lag in range(1, _LAGS + 1)]
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
_OWN = (5, 6)  # of the rhythm
SEEN = WINDOW + RHYTHM - len(_OWN)
# A file reads so many beats at once, of which the first ones, but at the beginning, are there to warm up.
BEATS, WARM_UP = 128, 32
_SLOWEST = 3.0  # seconds between beats that a stream still keeps all usual beats of


def seen(table: np.ndarray) -> np.ndarray:
    """What the classifier reads of a table, (..., columns less shape and `_OWN`)."""
    width = (table.shape[-1] - RHYTHM) // 2
    return np.delete(table[..., width:], [width + i for i in _OWN], axis=-1)


@dataclass(frozen=True)
class BeatFeatures:
    """From an ECG to its beats, and from the classifier's outputs to their labels.

    The scaler and the log odds are in the model's graph; their numbers stand here too, to build it.
    """

    classes: tuple[str, ...]
    mean: tuple[float, ...]  # of each column that is seen over the training part
    std: tuple[float, ...]
    log_odds: tuple[float, ...]  # of each class, to be added to those that are learnt
    window: BeatWindow = DEFAULT_WINDOW

    kind: ClassVar[str] = "beats"
    options: ClassVar[Options] = {}

    @classmethod
    def fit(
        cls, classes: tuple[str, ...], tables: list[np.ndarray], log_odds: tuple[float, ...] | None = None
    ) -> Self:
        """Fit the scaler on the beats of the training part."""
        beats = seen(np.concatenate(tables))
        mean, std = beats.mean(0).tolist(), np.maximum(beats.std(0), 0.05).tolist()
        return cls(classes, tuple(mean), tuple(std), log_odds or (0.0,) * len(classes))

    def probabilities(self, run: Any, table: np.ndarray) -> np.ndarray:
        """(beats, classes) of all beats of a table, in stretches of `BEATS` that overlap by `WARM_UP`."""
        starts = range(0, max(1, len(table) - WARM_UP), BEATS - WARM_UP)
        stretches = np.zeros((len(starts), BEATS, len(self.mean)), np.float32)
        for stretch, start in zip(stretches, starts, strict=True):
            part = seen(table[start : start + BEATS])
            stretch[: len(part)] = part
        found = run({"beats": stretches})["classes"]
        parts = [found[0], *(f[WARM_UP:] for f in found[1:])]
        return np.concatenate(parts)[: len(table)]

    def predict(self, run: Any, raw: Any) -> dict[str, np.ndarray]:
        """What kind each beat is.

        Args:
            run: The model: named inputs to named outputs.
            raw: As `read_ecg`.

        Returns:
            "time" of each R peak (s), its "label" and the label's "probability"; the last beat, after
            which none is known, is left out.
        """
        signal, rate = read_ecg(raw)
        peaks = PeakDetector(rate).all(signal)
        if len(peaks) < 3:
            raise InputError(
                f"{len(signal) / rate:.1f} s of ECG with {len(peaks)} heartbeats; it takes three."
            )
        found = self.probabilities(run, beat_table(signal, rate, peaks, self.window))
        return {
            "time": peaks[:-1] / rate,
            "label": np.array(self.classes)[found.argmax(axis=1)],
            "probability": found.max(axis=1),
        }

    def stream(self, stream: Any) -> "BeatStream":
        """Labels while the heart beats; `stream` is the file's `Stream`."""
        return BeatStream(self, stream)

    def about(self) -> dict[str, Any]:
        return {"labels": list(self.classes)}

    def to_dict(self) -> dict:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict) -> Self:
        values = {k: tuple(v) for k, v in data.items() if k != "window"}
        features = cls(**values, window=BeatWindow(**data["window"]))
        read, known = len(features.mean), features.window.width + RHYTHM - len(_OWN)
        if read != known:
            raise InputError(
                f"The model reads {read} numbers of a beat, not {known}: another version made it; train anew."
            )
        return features


class BeatStream:
    """Beats of an ECG that goes on, each labelled when the next one has come."""

    def __init__(self, features: BeatFeatures, stream: Any):
        self._features, self._stream = features, stream
        self.reset()

    def reset(self) -> None:
        """Forget all that was pushed; the time is 0 again."""
        self._stream.reset()
        self._rate: float | None = None
        self._detector: PeakDetector | None = None
        self._peaks: list[int] = []
        self._signal = np.zeros(0)  # the last of it
        self._begin = 0  # its first sample, since the beginning

    def push(self, raw: Any) -> list[dict[str, Any]]:
        """Beats that the next piece of the ECG completes.

        Args:
            raw: (signal, rate), of any length but 0; the rate of the first piece is that of all. Where it is
                NaN the lead was off: its last value goes on, and so does the time.

        Returns:
            One dict a beat: "time" (s since the beginning), "label", "probability".
        """
        signal, rate = read_ecg(raw, last=self._signal[-1] if len(self._signal) else 0.0)
        if self._detector is None:
            self._rate, self._detector = rate, PeakDetector(rate)
        if rate != self._rate:
            raise InputError(f"The stream began at {self._rate} samples a second, this piece has {rate}.")
        self._signal = np.concatenate([self._signal, signal])
        found, usual = [], self._features.window.usual
        for peak in self._detector.push(signal):
            self._peaks.append(peak)
            # Of a beat from before the lead was off for long, the signal is gone.
            if len(self._peaks) >= 2 and self._peaks[-2] >= self._begin:
                found.append(self._label(rate))
            self._peaks = self._peaks[-usual - _LAGS - 1 :]
        keep = int((usual + _LAGS + 2) * _SLOWEST * rate)
        self._begin += max(0, len(self._signal) - keep)
        self._signal = self._signal[-keep:]
        return found

    def end(self) -> list[dict[str, Any]]:
        """Beats that are still to be told when nothing more comes."""
        if self._rate is None:
            return []
        return self.push((np.full(int(2 * DELAY * self._rate), self._signal[-1]), self._rate))

    def _label(self, rate: float) -> dict[str, Any]:
        peaks = np.array(self._peaks)
        known = peaks[peaks >= self._begin] - self._begin
        row = seen(beat_table(self._signal, rate, known, self._features.window)[-1])
        (classes,) = self._stream.push({"beats": row[None, None]})["classes"][0]
        return {
            "time": float(peaks[-2] / rate),
            "label": self._features.classes[int(classes.argmax())],
            "probability": float(classes.max()),
        }


def read_ecg(raw: Any, lead: int = 0, last: float | None = None) -> tuple[np.ndarray, float]:
    """One lead of an ECG, (samples,) float64, and its samples a second.

    Args:
        raw: The path of a WFDB record; or (signal, rate).
        lead: Which channel of the record.
        last: The sample before it, of a piece of a stream, in which any part may be NaN.

    Raises:
        InputError: No such record, NaN throughout, or a rate that cannot be.
    """
    if isinstance(raw, str | Path):
        signal, rate = _read_record(Path(raw), lead)
    elif isinstance(raw, tuple) and len(raw) == 2:
        signal, rate = as_array(raw[0], "An ECG"), raw[1]
    else:
        raise InputError("An ECG is the path of a WFDB record or a pair (signal, samples a second).")
    if signal.ndim != 1 or not signal.size or signal.dtype.kind not in "iuf":
        raise InputError(f"An ECG of shape {signal.shape} and {signal.dtype}, expected numbers (samples,).")
    if not isinstance(rate, int | float | np.number) or not 50 <= rate <= 5000:
        raise InputError(f"A rate of {rate} samples a second, expected 50 to 5,000.")
    signal = signal.astype(np.float64)
    bad = ~np.isfinite(signal)
    if bad.any():  # a lead came off for a moment
        if last is not None:
            before = np.maximum.accumulate(np.where(bad, 0, np.arange(1, len(signal) + 1)))
            signal = np.concatenate([[last], signal])[before]
        elif bad.mean() > 0.1:
            raise InputError(f"{bad.mean():.0%} of the ECG are not numbers.")
        else:
            signal[bad] = np.interp(np.flatnonzero(bad), np.flatnonzero(~bad), signal[~bad])
    return signal, float(rate)


def _read_record(path: Path, lead: int) -> tuple[np.ndarray, float]:
    try:
        import wfdb
    except ImportError as error:
        raise InputError("Reading WFDB records needs wfdb: pip install 'lstm-apps[ecg]'.") from error
    path = path.with_suffix("") if path.suffix in (".hea", ".dat", ".atr") else path
    if not path.name or not is_file(path.with_suffix(".hea")):
        raise InputError(f"There is no WFDB record {path}: {path.name}.hea is not there.")
    try:
        record = wfdb.rdrecord(str(path), channels=[lead])
    except Exception as error:  # wfdb raises whatever its parsing meets
        raise InputError(f"{path} is no WFDB record that can be read: {first_line(error)}") from error
    return record.p_signal[:, 0], record.fs
