"""Features of a keyword spotter: sound to a waveform of its rate, and spikes to words."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from lstm_apps.errors import InputError
from lstm_apps.features.audio import Resampler, read_audio, read_samples
from lstm_apps.features.mel import LogMel
from lstm_apps.features.options import Option, Options
from lstm_apps.speech.commands.voice import at_tempi, in_voice

Arrays = dict[str, np.ndarray]
_SURER = 4  # exponent of the power mean of readings
_AT_ONCE = 32  # pieces whose readings one call of the model takes
# Sound in which no word can be, before any model is asked.
_SILENT = 1e-4  # root mean square of the loudest frame, of a full scale of 1
_STEADY = 2.0  # dB between the louder and the softer frames: hum and noise; words have over 3
_LOUD = 15.0  # dB below the loudest frames, within which a frame is one of sound
_TOO_LONG = 1.5  # times the longest word: so much sound is speech that goes on, or music


@dataclass(frozen=True)
class KeywordFeatures:
    """From sound to the spotter's waveform, and from its outputs to words.

    The spectrogram and the scaler are in the model's graph; their numbers stand here too, to build it.
    """

    words: tuple[str, ...]
    spectrogram: LogMel
    mean: tuple[float, ...]  # of each band over the training part
    variance: tuple[float, ...]
    clip: int  # samples of a clip with one word, its tail included: a multiple of the hop
    threshold: float = 0.5  # in a stream: probability of a frame from which a word counts as heard
    abstain: float = 0.5  # in a recording of one word: probability below which it is unknown
    tail: float = 0.2  # seconds after a word in a clip: a spotter answers a little after the word's end
    same_word: float = 0.3  # a word that spikes again within so many seconds is the same one
    known_speakers: bool = False  # whether those who will speak are those whom the model learns from
    # A recording of one word is read as by each of these voices at each of these tempi: factors.
    voices: tuple[float, ...] = (0.87, 1.0, 1.15)
    tempi: tuple[float, ...] = (0.85, 1.0, 1.2, 1.4, 1.7)

    kind: ClassVar[str] = "keywords"
    options: ClassVar[Options] = {
        "threshold": Option(float, "probability below which a recording's word is unknown")
    }

    def __post_init__(self) -> None:
        if not self.voices or not self.tempi or min(*self.voices, *self.tempi) <= 0 or not self.words:
            raise ValueError("without words, voices or tempi over 0")
        check_threshold(self.abstain)
        if self.clip <= self.tail_samples or self.tail < 0:
            raise ValueError(f"a clip of {self.clip} samples has no room for a word")

    @classmethod
    def fit(
        cls,
        words: tuple[str, ...],
        spectrogram: LogMel,
        recordings: Iterable[np.ndarray],
        longest: float,
        known_speakers: bool = False,
    ) -> Self:
        """Fit the scaler on recordings of the training part, for words of up to `longest` seconds. To
        understand speakers who are known takes no other voices: they cost accuracy."""
        frames = np.concatenate([spectrogram(samples) for samples in recordings])
        clip = -(-int((longest + 2 * cls.tail) * spectrogram.rate) // spectrogram.hop) * spectrogram.hop
        mean, variance = frames.mean(axis=0), np.maximum(frames.var(axis=0), 1e-3)
        found = cls(
            words,
            spectrogram,
            tuple(map(float, mean)),
            tuple(map(float, variance)),
            clip,
            known_speakers=known_speakers,
        )
        return found.as_spoken() if known_speakers else found

    def as_spoken(self) -> Self:
        """The same for recordings read once, in the voice and at the tempo that they have."""
        return replace(self, voices=(1.0,), tempi=(1.0,))

    @property
    def rate(self) -> int:
        """Samples a second."""
        return self.spectrogram.rate

    @property
    def tail_samples(self) -> int:
        """Samples at the end of a clip in which no word goes on."""
        return int(self.tail * self.rate)

    def begin(self, length: int) -> int:
        """The sample of its clip at which a recording of `length` samples begins; below 0 if it is too
        long."""
        return (self.clip - self.tail_samples - length) // 2

    def pieces(self, samples: np.ndarray) -> list[np.ndarray]:
        """The sound as it is, or, where it is longer than a clip has room for, in pieces that overlap by
        half."""
        room = self.clip - self.tail_samples
        if len(samples) <= room:
            return [samples]
        return [samples[s : s + room] for s in range(0, len(samples) - room + room // 2, room // 2)]

    def in_clip(self, piece: np.ndarray) -> np.ndarray:
        """(clip,) float32 with the piece in its middle, before the tail; what is too long loses its ends."""
        begin = self.begin(len(piece))
        kept = piece[max(0, -begin) :][: self.clip - self.tail_samples]
        before = max(0, begin)
        return np.pad(kept.astype(np.float32), (before, self.clip - before - len(kept)))

    def readings(self, piece: np.ndarray) -> np.ndarray:
        """(voices * tempi, clip): the piece as by each of `voices` at each of `tempi`."""
        window = self.spectrogram.window
        return np.stack(
            [
                self.in_clip(reading)
                for voice in self.voices
                for reading in at_tempi(in_voice(piece, voice), [t / voice for t in self.tempi], window)
            ]
        )

    def probabilities(self, run: Callable[[Arrays], Arrays], recordings: Sequence[np.ndarray]) -> np.ndarray:
        """Of each word being the one in each recording, (recordings, words); what they lack of 1 is the
        probability that it is none of them. Of its readings the power mean, in which surer ones count for
        more, because a speaker whom the model does not know may be better understood in another voice. Of a
        recording in several pieces the surest counts.

        Args:
            run: The model: named inputs to named outputs.
            recordings: (samples,) each.
        """
        of_recordings = [self.pieces(samples) for samples in recordings]
        pieces = [piece for of_recording in of_recordings for piece in of_recording]
        found: list[np.ndarray] = []
        for begin in range(0, len(pieces), _AT_ONCE):
            readings = np.stack([self.readings(piece) for piece in pieces[begin : begin + _AT_ONCE]])
            outputs = run({"waveform": readings.reshape(-1, self.clip)})
            of_word = _power_mean(outputs["probabilities"], readings)
            # Files of before know no other sounds than words.
            known = _power_mean(outputs["known"], readings) if "known" in outputs else 1.0
            found += list(known * of_word / of_word.sum(axis=1, keepdims=True))
        answers = iter(found)
        return np.stack(
            [max((next(answers) for _ in of_recording), key=np.max) for of_recording in of_recordings]
        )

    def predict(
        self, run: Callable[[Arrays], Arrays], raw: Any, *, threshold: float | None = None
    ) -> dict[str, Any]:
        """Which word is spoken in a recording of one.

        Args:
            run: The model: named inputs to named outputs.
            raw: As `read_audio`.
            threshold: Probability below which the word is unknown, instead of the features' own.

        Returns:
            "word", None where it is unknown, and then "reason"; "probability" of the likeliest word, the
            "threshold" it was compared with, and "probabilities" of all words, whose rest to 1 is that of
            none of them.
        """
        threshold = self.abstain if threshold is None else check_threshold(threshold)
        samples = read_audio(raw, self.rate)
        reason = self.no_word(samples)
        probabilities = np.zeros(len(self.words)) if reason else self.probabilities(run, [samples])[0]
        best = float(probabilities.max())
        if not reason and best < threshold:
            reason = f"no word is as likely as {threshold:.2f}; the nearest is " + repr(
                self.words[int(probabilities.argmax())]
            )
        return {
            "word": None if reason else self.words[int(probabilities.argmax())],
            "probability": best,
            "threshold": threshold,
            "reason": reason,
            "probabilities": dict(zip(self.words, map(float, probabilities), strict=True)),
        }

    def no_word(self, samples: np.ndarray) -> str:
        """Why sound cannot be a recording of one word, whatever a model says of it; "" where it can."""
        size = self.spectrogram.window
        if not np.ptp(samples):
            return "it is silent"
        if len(samples) < 8 * size:
            return ""  # too short to be looked at in frames
        frames = samples[: len(samples) - len(samples) % size].reshape(-1, size).astype(np.float64)
        level = np.sqrt(frames.var(axis=1))
        soft, loud = np.quantile(level, [0.05, 0.95])
        if level.max() < _SILENT:
            return "it is silent"
        if _decibels(loud / max(soft, 1e-12)) < _STEADY:
            return "it is as loud from its begin to its end, as hum and noise are and words are not"
        seconds = np.sum(level > loud * 10 ** (-_LOUD / 20)) * size / self.rate
        longest = (self.clip - self.tail_samples) / self.rate
        if seconds > _TOO_LONG * longest:
            return (
                f"it holds {seconds:.1f} s of sound, and a word takes up to {longest:.1f} s: give one word, "
                "or a stream to a step file"
            )
        return ""

    def stream(self, push: Any) -> "KeywordStream":
        """Words as they are spoken; `push` is the file's `Stream`."""
        return KeywordStream(self, push)

    def about(self) -> dict[str, Any]:
        room = self.clip - self.tail_samples
        return {
            "labels": list(self.words),
            "rate": self.rate,
            "known_speakers": self.known_speakers,
            "threshold": self.abstain,
            "stream_threshold": self.threshold,
            # Where a word lies in "waveform".
            "clip": {
                "samples": self.clip,
                "word_samples": room,
                "place": f"one word in the middle of samples 0 to {room - 1}, zeros before and after it; "
                f"samples {room} to {self.clip - 1} are zeros; mono, float32 from -1 to 1",
            },
        }

    def to_dict(self) -> dict:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict) -> Self:
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
        return cls(**{**values, "spectrogram": LogMel(**data["spectrogram"])})


def check_threshold(value: float) -> float:
    """The value, if it is a probability; otherwise an InputError."""
    if not 0 <= value <= 1:
        raise InputError(f"The threshold is a probability from 0 to 1, got {value:g}.")
    return value


def _power_mean(values: np.ndarray, readings: np.ndarray) -> np.ndarray:
    """(pieces * readings, n) of a model to (pieces, n)."""
    each = values.reshape(*readings.shape[:2], -1)
    return (each**_SURER).mean(axis=1) ** (1 / _SURER)


def _decibels(ratio: float) -> float:
    return float(20 * np.log10(max(ratio, 1e-12)))


class Spikes:
    """Words in a sequence of frames: a word is heard where its probability is the highest and over the
    threshold, once until another is, or until it was not for `same_word` seconds."""

    def __init__(self, features: KeywordFeatures):
        self._features = features
        self._frames = 0
        self._last: dict[int, float] = {}  # word -> when it was last over the threshold

    def push(self, frames: np.ndarray) -> list[dict[str, Any]]:
        """Words in the next frames, (frames, 1 + words): "word", "time" in seconds from the beginning,
        "probability"."""
        found = []
        hop = self._features.spectrogram.hop / self._features.rate
        for frame in frames:
            self._frames += 1
            time = self._frames * hop
            word = int(frame[1:].argmax())
            if frame[1 + word] < self._features.threshold:
                continue
            if time - self._last.get(word, -np.inf) > self._features.same_word:
                found.append(
                    {
                        "word": self._features.words[word],
                        "time": time,
                        "probability": float(frame[1 + word]),
                    }
                )
            self._last = {word: time}
        return found


class KeywordStream:
    """Words in sound that goes on, from a step file."""

    def __init__(self, features: KeywordFeatures, stream: Any):
        self._features, self._stream = features, stream
        self.reset()

    def reset(self) -> None:
        """Forget all that was pushed; the time is 0 again."""
        self._stream.reset()
        self._spikes = Spikes(self._features)
        self._rest = np.zeros(0, np.float32)
        self._resampler: Resampler | None = None

    def end(self) -> list[dict[str, Any]]:
        """Words that are still to be told when nothing more comes: silence follows."""
        rest = self._resampler.push(np.zeros(0, np.float32), last=True) if self._resampler else self._rest[:0]
        silence = np.zeros(2 * self._features.tail_samples, np.float32)
        self._resampler = None
        return self._hear(np.concatenate([rest, silence]))

    def push(self, raw: Any) -> list[dict[str, Any]]:
        """Words that the next piece of sound completes.

        Args:
            raw: As `read_audio`, of any length but 0; the rate of the first piece is that of all.

        Returns:
            One dict a word: "word", "time" (s since the beginning, when it was recognised), "probability".
        """
        samples, rate = read_samples(raw, self._features.rate)
        if self._resampler is None:
            self._resampler = Resampler(rate, self._features.rate)
        if rate != self._resampler.found:
            raise InputError(
                f"The stream began at {self._resampler.found:g} samples a second, this piece has {rate:g}."
            )
        return self._hear(self._resampler.push(samples))

    def _hear(self, samples: np.ndarray) -> list[dict[str, Any]]:
        """Words in samples at the model's rate."""
        samples = np.concatenate([self._rest, samples])
        whole = len(samples) - len(samples) % self._features.spectrogram.hop
        self._rest = samples[whole:]
        found = []
        size = self._stream.chunk or max(whole, 1)
        for begin in range(0, whole, size):
            chunk = samples[begin : begin + size]
            found += self._spikes.push(self._stream.push({"waveform": chunk[None]})["frames"][0])
        return found
