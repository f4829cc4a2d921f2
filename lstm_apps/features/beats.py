"""Features of a heartbeat classifier: an ECG to beats, each with its shape and its place in the rhythm."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from lstm_apps.errors import InputError, first_line
from lstm_apps.features.peaks import DELAY, PeakDetector

Arrays = dict[str, np.ndarray]

# A beat is seen from and to so many seconds around its R peak, at so many points a second.
BEFORE, AFTER, POINTS = 0.28, 0.44, 64
WINDOW = int((BEFORE + AFTER) * POINTS)  # points
BASELINE = 0.6  # seconds to either side of a beat whose median is the baseline
USUAL = 16  # beats before by which a beat is compared
# What a beat has beside its shape: rhythm and likeness to the usual beat.
RHYTHM = 9


def beat_table(signal: np.ndarray, rate: float, peaks: np.ndarray) -> np.ndarray:
    """What is known of each beat when the next one has come.

    Each beat is compared with the medians of the `USUAL` beats before it, so that every patient is
    measured by his own heart; nothing but the interval to the next beat looks ahead.

    Args:
        signal: (samples,) of one lead, in any unit.
        rate: Samples a second.
        peaks: (beats,) samples of R peaks, ascending.

    Returns:
        (beats - 1, 2 * WINDOW + RHYTHM) float32, of all but the last: the shape in units of the usual
        height, its difference from the usual shape, then the rhythm.
    """
    times = np.asarray(peaks) / rate
    shapes = _windows(signal, rate, times[:-1])
    height = np.ptp(shapes, axis=1)
    intervals = np.diff(times)  # from each beat to the next
    rows = []
    for i in range(len(shapes)):
        usual = slice(max(0, i - USUAL), max(i, 1))  # of the first beat, itself
        scale = max(float(np.median(height[usual])), 1e-9)
        shape, template = shapes[i] / scale, np.median(shapes[usual], axis=0) / scale
        before = intervals[max(0, i - 1)]
        interval = float(np.median(intervals[max(0, i - USUAL) : max(i, 1)]))
        rows.append(
            np.concatenate(
                [
                    shape,
                    shape - template,
                    _rhythm(before, intervals[i], interval, shape, template, intervals, i),
                ]
            )
        )
    return np.clip(np.array(rows, np.float32).reshape(-1, 2 * WINDOW + RHYTHM), -6, 6)


def _rhythm(
    before: float,
    after: float,
    usual: float,
    shape: np.ndarray,
    template: np.ndarray,
    intervals: np.ndarray,
    i: int,
) -> list[float]:
    second = intervals[max(0, i - 2)]
    energy = float(np.log((np.abs(np.diff(shape)).sum() + 1e-3) / (np.abs(np.diff(template)).sum() + 1e-3)))
    together = float(np.corrcoef(shape, template)[0, 1]) if shape.std() and template.std() else 0.0
    recent = intervals[max(0, i - USUAL) : max(i, 1)]
    return [
        2 * np.log(before / usual),
        2 * np.log(after / usual),
        2 * np.log(before / after),
        2 * np.log(before / second),
        usual - 0.8,
        5 * float(np.std(recent) / usual),
        2 * (1 - together),
        2 * energy,
        2 * float(np.ptp(shape)) - 2,
    ]


def _windows(signal: np.ndarray, rate: float, times: np.ndarray) -> np.ndarray:
    """(beats, WINDOW): each point the mean of the samples around it, less the baseline."""
    total = np.concatenate([[0.0], np.cumsum(signal, dtype=np.float64)])
    at = times[:, None] + (np.arange(WINDOW) / POINTS - BEFORE)
    edges = np.arange(len(total))
    first, last = (at - 0.5 / POINTS) * rate + 0.5, (at + 0.5 / POINTS) * rate + 0.5
    shapes = (np.interp(last, edges, total) - np.interp(first, edges, total)) / (rate / POINTS)
    reach = round(BASELINE * rate)
    for shape, time in zip(shapes, times, strict=True):
        middle = round(time * rate)
        shape -= np.median(signal[max(0, middle - reach) : middle + reach])
    return shapes


COLUMNS = 2 * WINDOW + RHYTHM
# The classifier reads how a beat differs from the usual one, and not what the patient himself is like, of
# which a few training patients teach nothing: the shape itself, usual interval and unsteadiness.
_OWN = (*range(WINDOW), 2 * WINDOW + 4, 2 * WINDOW + 5)
_SEEN = np.setdiff1d(np.arange(COLUMNS), _OWN)
SEEN = len(_SEEN)
# A file reads so many beats at once, of which the first ones, but at the beginning, are there to warm up.
BEATS, WARM_UP = 128, 32
_SLOWEST = 3.0  # seconds between beats that a stream still keeps `USUAL` beats of


def seen(table: np.ndarray) -> np.ndarray:
    """(..., SEEN), what the classifier reads of a table (..., COLUMNS)."""
    return table[..., _SEEN]


@dataclass(frozen=True)
class BeatFeatures:
    """From an ECG to its beats, and from the classifier's outputs to their labels.

    The scaler is in the model's graph; its numbers stand here too, to build it.
    """

    classes: tuple[str, ...]
    mean: tuple[float, ...]  # of each column that is seen over the training part
    std: tuple[float, ...]

    kind: ClassVar[str] = "beats"

    @classmethod
    def fit(cls, classes: tuple[str, ...], tables: list[np.ndarray]) -> Self:
        """Fit the scaler on the beats of the training part."""
        beats = seen(np.concatenate(tables))
        return cls(classes, tuple(beats.mean(0).tolist()), tuple(np.maximum(beats.std(0), 0.05).tolist()))

    def probabilities(self, run: Any, table: np.ndarray) -> np.ndarray:
        """(beats, classes) of all beats of a table, in stretches of `BEATS` that overlap by `WARM_UP`."""
        starts = range(0, max(1, len(table) - WARM_UP), BEATS - WARM_UP)
        stretches = np.zeros((len(starts), BEATS, SEEN), np.float32)
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
        found = self.probabilities(run, beat_table(signal, rate, peaks))
        return {
            "time": peaks[:-1] / rate,
            "label": np.array(self.classes)[found.argmax(axis=1)],
            "probability": found.max(axis=1),
        }

    def stream(self, stream: Any) -> "BeatStream":
        """Labels while the heart beats; `stream` is the file's `Stream`."""
        return BeatStream(self, stream)

    def to_dict(self) -> dict:
        return {"classes": self.classes, "mean": self.mean, "std": self.std}

    @classmethod
    def from_dict(cls, data: dict) -> Self:
        return cls(**{k: tuple(v) for k, v in data.items()})


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
            raw: (signal, rate), any length; the rate of the first piece is that of all.

        Returns:
            One dict a beat: "time" (s since the beginning), "label", "probability".
        """
        signal, rate = read_ecg(raw)
        if self._detector is None:
            self._rate, self._detector = rate, PeakDetector(rate)
        if rate != self._rate:
            raise InputError(f"The stream began at {self._rate} samples a second, this piece has {rate}.")
        self._signal = np.concatenate([self._signal, signal])
        found = []
        for peak in self._detector.push(signal):
            self._peaks.append(peak)
            if len(self._peaks) >= 2:
                found.append(self._label(rate))
            self._peaks = self._peaks[-USUAL - 3 :]
        keep = int((USUAL + 4) * _SLOWEST * rate)
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
        row = seen(beat_table(self._signal, rate, known)[-1])
        (classes,) = self._stream.push({"beats": row[None, None]})["classes"][0]
        return {
            "time": float(peaks[-2] / rate),
            "label": self._features.classes[int(classes.argmax())],
            "probability": float(classes.max()),
        }


def read_ecg(raw: Any, lead: int = 0) -> tuple[np.ndarray, float]:
    """One lead of an ECG, (samples,) float64, and its samples a second.

    Args:
        raw: The path of a WFDB record; or (signal, rate).
        lead: Which channel of the record.

    Raises:
        InputError: No such record, NaN throughout, or a rate that cannot be.
    """
    if isinstance(raw, str | Path):
        signal, rate = _read_record(Path(raw), lead)
    elif isinstance(raw, tuple) and len(raw) == 2:
        signal, rate = np.asarray(raw[0]), raw[1]
    else:
        raise InputError("An ECG is the path of a WFDB record or a pair (signal, samples a second).")
    if signal.ndim != 1 or not signal.size or signal.dtype.kind not in "iuf":
        raise InputError(f"An ECG of shape {signal.shape} and {signal.dtype}, expected numbers (samples,).")
    if not isinstance(rate, int | float | np.number) or not 50 <= rate <= 5000:
        raise InputError(f"A rate of {rate} samples a second, expected 50 to 5,000.")
    signal = signal.astype(np.float64)
    bad = ~np.isfinite(signal)
    if bad.mean() > 0.1:
        raise InputError(f"{bad.mean():.0%} of the ECG are not numbers.")
    if bad.any():  # a lead came off for a moment
        signal[bad] = np.interp(np.flatnonzero(bad), np.flatnonzero(~bad), signal[~bad])
    return signal, float(rate)


def _read_record(path: Path, lead: int) -> tuple[np.ndarray, float]:
    try:
        import wfdb
    except ImportError as error:
        raise InputError("Reading WFDB records needs wfdb: pip install 'lstm-apps[ecg]'.") from error
    path = path.with_suffix("") if path.suffix in (".hea", ".dat", ".atr") else path
    if not path.with_suffix(".hea").is_file():
        raise InputError(f"There is no WFDB record {path}: {path.name}.hea is not there.")
    try:
        record = wfdb.rdrecord(str(path), channels=[lead])
    except Exception as error:  # wfdb raises whatever its parsing meets
        raise InputError(f"{path} is no WFDB record that can be read: {first_line(error)}") from error
    return record.p_signal[:, 0], record.fs
