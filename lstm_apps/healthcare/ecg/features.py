"""From an ECG to the labels of its beats, as a recording or as it comes in."""

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

# A file reads so many beats at once, of which the first ones, but at the beginning, are there to warm up.
BEATS, WARM_UP = 128, 32
UNREADABLE = "unreadable"  # the label of a stretch without a verdict on its beats
_SHORTEST = 3.0  # seconds of a recording
_SLOWEST = 3.0  # seconds between beats that a stream still keeps all usual beats of


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
    options: ClassVar[Options] = {
        "lead": Option(
            str, "the lead to read, by its name (II, V1, ...) or its number among the channels, from 0"
        ),
        "rate": Option(float, "samples a second, of a file that has no times"),
    }

    @classmethod
    def fit(
        cls, classes: tuple[str, ...], tables: list[np.ndarray], log_odds: tuple[float, ...] | None = None
    ) -> Self:
        """Fit the scaler on the beats of the training part."""
        beats = model_columns(np.concatenate(tables))
        mean, std = beats.mean(0).tolist(), np.maximum(beats.std(0), 0.05).tolist()
        return cls(classes, tuple(mean), tuple(std), log_odds or (0.0,) * len(classes))

    def probabilities(self, run: Any, table: np.ndarray) -> np.ndarray:
        """(beats, classes) of all beats of a table, in stretches of `BEATS` that overlap by `WARM_UP`."""
        starts = range(0, max(1, len(table) - WARM_UP), BEATS - WARM_UP)
        stretches = np.zeros((len(starts), BEATS, len(self.mean)), np.float32)
        for stretch, start in zip(stretches, starts, strict=True):
            part = model_columns(table[start : start + BEATS])
            stretch[: len(part)] = part
        found = run({"beats": stretches})["classes"]
        parts = [found[0], *(f[WARM_UP:] for f in found[1:])]
        return np.concatenate(parts)[: len(table)]

    def predict(
        self, run: Any, raw: Any, lead: str | None = None, rate: float | None = None
    ) -> dict[str, np.ndarray]:
        """What kind each beat is, and which stretches cannot be read.

        Args:
            run: The model: named inputs to named outputs.
            raw: As `read_ecg`.
            lead: As `read_ecg`.
            rate: As `read_ecg`.

        Returns:
            A row a beat and a row a stretch that cannot be read, by time: "time" of the R peak, or where
            the stretch begins (s); "label", `UNREADABLE` of a stretch; the label's "probability", NaN of a
            stretch; "end" of a stretch (s), NaN of a beat; and a "note": why a stretch cannot be read, or
            that some beats around this one may be missing or false. The last beat before a stretch and at the
            end, after which none is known, is left out.

        Raises:
            InputError: It is no ECG, none of it can be read, or it has hardly any beats.
        """
        signal, rate = read_ecg(raw, lead, rate)
        reading = read(signal, rate)
        peaks = np.concatenate([np.zeros(0, np.int64), *reading.runs])
        _check(reading, rate, len(peaks))
        _tell(reading, rate)
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
        """Labels while the heart beats; `stream` is the file's `Stream`. Beats in noise are told as such;
        flat and saturated stretches, and that two detectors disagree, are not: a recording tells them."""
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
    """InputError where hardly any beats can be read."""
    seconds, gaps = len(reading.signal) / rate, _shares(reading, rate)
    if seconds < _SHORTEST:
        raise InputError(f"{seconds:.1f} s of ECG are too short: it takes three heartbeats to label any.")
    if sum(g.end - g.begin for g in reading.unreadable) == len(reading.signal):
        raise InputError(f"None of the {seconds:.1f} s of ECG can be read: {gaps}.")
    if beats < 3:
        but = f" ({gaps} cannot be read)" if gaps else ""
        raise InputError(f"{seconds:.1f} s of ECG with {beats} heartbeats{but}; it takes three.")


def _tell(reading: Reading, rate: float) -> None:
    """What a person must know of an ECG that can be read in part, or of whose beats some are in doubt."""
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
    """Seconds that cannot be read, by reason."""
    seconds: Counter[str] = Counter()
    for gap in reading.unreadable:
        seconds[gap.reason] += (gap.end - gap.begin) / rate  # type: ignore[assignment]
    return "; ".join(f"{s:.1f} s {reason}" for reason, s in seconds.items())


def _doubts(reading: Reading, beats: np.ndarray) -> list[str]:
    """The note of each beat."""
    notes = [""] * len(beats)
    for doubt in reading.doubtful:
        first, last = np.searchsorted(beats, [doubt.begin, doubt.end])
        notes[first:last] = [doubt.reason] * (last - first)
    return notes


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
            One dict a beat: "time" (s since the beginning), "label", "probability". Where the last seconds
            are noise the label is `UNREADABLE` and the probability NaN.
        """
        signal, rate = read_ecg(raw)
        signal = _held(signal, self._signal[-1] if len(self._signal) else 0.0)
        if self._detector is None:
            self._rate, self._detector = rate, PeakDetector(rate)
        if rate != self._rate:
            raise InputError(f"The stream began at {self._rate} samples a second, this piece has {rate}.")
        self._signal = np.concatenate([self._signal, signal])
        found, usual = [], self._features.window.reference_beats
        for peak in self._detector.push(signal):
            self._peaks.append(peak)
            # Of a beat from before the lead was off for long, the signal is gone.
            if len(self._peaks) >= 2 and self._peaks[-2] >= self._begin:
                found.append(self._label(rate))
            self._peaks = self._peaks[-usual - LAGS - 1 :]
        keep = int((usual + LAGS + 2) * _SLOWEST * rate)
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
    """The signal with its last value, at the beginning `last`, wherever values are missing."""
    missing = ~np.isfinite(signal)
    before = np.maximum.accumulate(np.where(missing, 0, np.arange(1, len(signal) + 1)))
    return np.concatenate([[last], signal])[before]
