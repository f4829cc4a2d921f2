"""From an ECG, as a recording or a stream, to the labels of its beats."""

import warnings
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self

import numpy as np

from lstm_apps.errors import InputError
from lstm_apps.features.options import Option, Options
from lstm_apps.healthcare.ecg.beat_table import (
    DEFAULT_WINDOW,
    LAGS,
    PATIENT_COLUMNS,
    RHYTHM,
    BeatWindow,
    beat_table,
    columns,
    model_columns,
)
from lstm_apps.healthcare.ecg.files import read_ecg
from lstm_apps.healthcare.ecg.peaks import DELAY, PeakDetector
from lstm_apps.healthcare.ecg.quality import Reading, is_noise, read

# Beats of a window that a file reads at once, and how many of them overlap with the window before.
BEATS, WARM_UP = 128, 32
UNREADABLE = "unreadable"  # the label of a segment whose beats get none
_SHORTEST = 3.0  # seconds of a recording
_SLOWEST = 3.0  # seconds between beats up to which a stream keeps all beats of the reference


@dataclass(frozen=True)
class BeatFeatures:
    """From an ECG to the columns of its beats, and from class probabilities to labels.

    The scaler and the log odds are in the model's graph; mean, std and log odds stand here too, to build it.
    """

    classes: tuple[str, ...]
    mean: tuple[float, ...]  # of each of `model_columns` over the training part
    std: tuple[float, ...]
    log_odds: tuple[float, ...]  # added to those that each class has learnt
    window: BeatWindow = DEFAULT_WINDOW

    kind: ClassVar[str] = "beats"
    options: ClassVar[Options] = {
        "lead": Option(
            str, "the lead to read, by its name (II, V1, ...) or its number among the channels, from 0"
        ),
        "rate": Option(float, "samples per second, of a file that has no times"),
    }

    @classmethod
    def fit(
        cls, classes: tuple[str, ...], tables: list[np.ndarray], log_odds: tuple[float, ...] | None = None
    ) -> Self:
        """Fit the scaler.

        Args:
            classes: Names of the classes.
            tables: The table (beats, columns) of each training record.
            log_odds: (classes,), by default 0.
        """
        beats = model_columns(np.concatenate(tables))
        mean, std = beats.mean(0).tolist(), np.maximum(beats.std(0), 0.05).tolist()
        return cls(classes, tuple(mean), tuple(std), log_odds or (0.0,) * len(classes))

    def probabilities(self, run: Any, table: np.ndarray) -> np.ndarray:
        """(beats, classes) of a table (beats, columns), in windows of `BEATS` that overlap by `WARM_UP`."""
        starts = range(0, max(1, len(table) - WARM_UP), BEATS - WARM_UP)
        windows = np.zeros((len(starts), BEATS, len(self.mean)), np.float32)
        for window, start in zip(windows, starts, strict=True):
            part = model_columns(table[start : start + BEATS])
            window[: len(part)] = part
        found = run({"beats": windows})["classes"]
        parts = [found[0], *(f[WARM_UP:] for f in found[1:])]
        return np.concatenate(parts)[: len(table)]

    def predict(
        self, run: Any, raw: Any, lead: str | None = None, rate: float | None = None
    ) -> dict[str, np.ndarray]:
        """The class of each beat, and which segments cannot be read.

        Args:
            run: The model: named inputs to named outputs.
            raw, lead, rate: See `read_ecg`.

        Returns:
            A row for each beat and each unreadable segment, by time; arrays (rows,): "time" of the R peak or
            the beginning of the segment (s); "label", `UNREADABLE` of a segment; "probability" of the label,
            NaN of a segment; "end" of a segment (s), NaN of a beat; "note": why a segment is unreadable, or
            that beats around this one may be missing or false. The last beat before a segment and at the end
            is left out, because the next beat is not known.

        Raises:
            InputError: No ECG, none of it is readable, or fewer than three beats.
        """
        signal, rate = read_ecg(raw, lead, rate)
        reading = read(signal, rate)
        peaks = np.concatenate([np.zeros(0, np.int64), *reading.runs])
        _check(reading, rate, len(peaks))
        _warn(reading, rate)
        ends = np.cumsum([len(run) for run in reading.runs]) - 1
        known = np.delete(np.arange(len(peaks)), ends)  # whose next beat is known
        found = self.probabilities(run, beat_table(reading.signal, rate, peaks, self.window))[known]
        beats, gaps = peaks[known], reading.unreadable
        time = np.array([*beats, *(g.begin for g in gaps)]) / rate
        order = np.argsort(time, kind="stable")
        none = np.full(len(gaps), np.nan)
        columns = {
            "time": time,
            "label": np.array([*np.array(self.classes)[found.argmax(axis=1)], *[UNREADABLE] * len(gaps)]),
            "probability": np.concatenate([found.max(axis=1), none]),
            "end": np.array([*[np.nan] * len(beats), *(g.end / rate for g in gaps)]),
            "note": np.array([*_doubts(reading, beats), *(g.reason for g in gaps)]),
        }
        return {name: values[order] for name, values in columns.items()}

    def stream(self, stream: Any) -> "BeatStream":
        """Labels while the ECG arrives; `stream` is the file's `Stream`. Beats in noise are `UNREADABLE`;
        flat and saturated segments and disagreeing detectors are found in recordings only."""
        return BeatStream(self, stream)

    def about(self) -> dict[str, Any]:
        return {"labels": list(self.classes), "columns": columns(self.window)}

    def to_dict(self) -> dict:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict) -> Self:
        values = {k: tuple(v) for k, v in data.items() if k != "window"}
        features = cls(**values, window=BeatWindow(**data["window"]))
        read, known = len(features.mean), features.window.width + RHYTHM - len(PATIENT_COLUMNS)
        if read != known:
            raise InputError(
                f"The model reads {read} numbers of a beat, not {known}: another version made it; train anew."
            )
        return features


def _check(reading: Reading, rate: float, beats: int) -> None:
    """Raise an InputError where fewer than three beats are readable."""
    seconds, gaps = len(reading.signal) / rate, _shares(reading, rate)
    if seconds < _SHORTEST:
        raise InputError(f"{seconds:.1f} s of ECG are too short: it takes three heartbeats to label any.")
    if sum(g.end - g.begin for g in reading.unreadable) == len(reading.signal):
        raise InputError(f"None of the {seconds:.1f} s of ECG can be read: {gaps}.")
    if beats < 3:
        but = f" ({gaps} cannot be read)" if gaps else ""
        raise InputError(f"{seconds:.1f} s of ECG with {beats} heartbeats{but}; it takes three.")


def _warn(reading: Reading, rate: float) -> None:
    """Warn of hum that is removed, of unreadable segments, and of doubtful beats."""
    seconds = len(reading.signal) / rate
    if reading.hum:
        warnings.warn(f"Mains hum of {reading.hum} Hz is taken out of the ECG.", stacklevel=3)
    if reading.unreadable:
        warnings.warn(
            f"Of {seconds:.1f} s of ECG some cannot be read: {_shares(reading, rate)}.", stacklevel=3
        )
    if reading.doubtful:
        doubtful = sum(d.end - d.begin for d in reading.doubtful) / rate
        warnings.warn(
            f"In {doubtful:.0f} of {seconds:.0f} s of ECG a second QRS detector finds other beats: some may "
            "be missing or false there, as the notes say; another lead may be better.",
            stacklevel=3,
        )


def _shares(reading: Reading, rate: float) -> str:
    """Seconds that are unreadable, by reason, as text."""
    seconds: Counter[str] = Counter()
    for gap in reading.unreadable:
        seconds[gap.reason] += (gap.end - gap.begin) / rate  # type: ignore[assignment]
    return "; ".join(f"{s:.1f} s {reason}" for reason, s in seconds.items())


def _doubts(reading: Reading, beats: np.ndarray) -> list[str]:
    """The note of each beat (beats,)."""
    notes = [""] * len(beats)
    for doubt in reading.doubtful:
        first, last = np.searchsorted(beats, [doubt.begin, doubt.end])
        notes[first:last] = [doubt.reason] * (last - first)
    return notes


class BeatStream:
    """Beats of a continuous ECG; each has its label when the next one is detected."""

    def __init__(self, features: BeatFeatures, stream: Any):
        self._features, self._stream = features, stream
        self.reset()

    def reset(self) -> None:
        """Forget all samples; the time is 0 again."""
        self._stream.reset()
        self._rate: float | None = None
        self._detector: PeakDetector | None = None
        self._peaks: list[int] = []
        self._signal = np.zeros(0)  # the last of it
        self._begin = 0  # its first sample, since the beginning

    def push(self, raw: Any) -> list[dict[str, Any]]:
        """The beats that the next chunk of the ECG completes.

        Args:
            raw: (signal, rate): (samples,) of any length but 0, and samples per second, those of the first
                chunk for all. NaN means that the lead is off: its last value and the time go on.

        Returns:
            A dict for each beat: "time" (s since the beginning), "label", "probability". In noise the
            label is `UNREADABLE` and the probability NaN.

        Raises:
            InputError: As `read_ecg`, or another rate.
        """
        signal, rate = read_ecg(raw)
        signal = _held(signal, self._signal[-1] if len(self._signal) else 0.0)
        if self._detector is None:
            self._rate, self._detector = rate, PeakDetector(rate)
        if rate != self._rate:
            raise InputError(f"The stream began at {self._rate} samples a second, this chunk has {rate}.")
        self._signal = np.concatenate([self._signal, signal])
        found, count = [], self._features.window.reference_beats
        for peak in self._detector.push(signal):
            self._peaks.append(peak)
            # Of a beat from before the lead was off for long, the signal is gone.
            if len(self._peaks) >= 2 and self._peaks[-2] >= self._begin:
                found.append(self._label(rate))
            self._peaks = self._peaks[-count - LAGS - 1 :]
        keep = int((count + LAGS + 2) * _SLOWEST * rate)
        self._begin += max(0, len(self._signal) - keep)
        self._signal = self._signal[-keep:]
        return found

    def end(self) -> list[dict[str, Any]]:
        """The last beats, when no more samples arrive."""
        if self._rate is None:
            return []
        return self.push((np.full(int(2 * DELAY * self._rate), self._signal[-1]), self._rate))

    def _label(self, rate: float) -> dict[str, Any]:
        peaks = np.array(self._peaks)
        known = peaks[peaks >= self._begin] - self._begin
        if is_noise(self._signal[: known[-1] + 1], rate):
            return {"time": float(peaks[-2] / rate), "label": UNREADABLE, "probability": float("nan")}
        row = model_columns(beat_table(self._signal, rate, known, self._features.window)[-1])
        (classes,) = self._stream.push({"beats": row[None, None]})["classes"][0]
        return {
            "time": float(peaks[-2] / rate),
            "label": self._features.classes[int(classes.argmax())],
            "probability": float(classes.max()),
        }


def _held(signal: np.ndarray, last: float) -> np.ndarray:
    """The signal (samples,) with its last value, at the beginning `last`, wherever values are missing."""
    missing = ~np.isfinite(signal)
    before = np.maximum.accumulate(np.where(missing, 0, np.arange(1, len(signal) + 1)))
    return np.concatenate([[last], signal])[before]
