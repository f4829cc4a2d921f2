"""Features of a keyword spotter: sound to a waveform of its rate, and spikes to words."""

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self

import numpy as np

from lstm_apps.errors import InputError
from lstm_apps.features.audio import Resampler, read_audio, read_samples
from lstm_apps.features.mel import LogMel
from lstm_apps.features.tempo import at_tempo

Arrays = dict[str, np.ndarray]
_AT_ONCE = 128  # clips that are read by one call of the model


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
    threshold: float = 0.5  # probability of a frame from which a word counts as heard
    tail: float = 0.2  # seconds after a word in a clip: a spotter answers a little after the word's end
    same_word: float = 0.3  # a word that spikes again within so many seconds is the same one
    tempi: tuple[float, ...] = (1.0, 1.4, 1.8)  # at which a recording of one word is read

    kind: ClassVar[str] = "keywords"

    @classmethod
    def fit(
        cls, words: tuple[str, ...], spectrogram: LogMel, recordings: Iterable[np.ndarray], longest: float
    ) -> Self:
        """Fit the scaler on recordings of the training part, for words of up to `longest` seconds."""
        frames = np.concatenate([spectrogram(samples) for samples in recordings])
        clip = -(-int((longest + 2 * cls.tail) * spectrogram.rate) // spectrogram.hop) * spectrogram.hop
        mean, variance = frames.mean(axis=0), np.maximum(frames.var(axis=0), 1e-3)
        return cls(words, spectrogram, tuple(map(float, mean)), tuple(map(float, variance)), clip)

    @property
    def rate(self) -> int:
        """Samples a second."""
        return self.spectrogram.rate

    @property
    def tail_samples(self) -> int:
        """Samples at the end of a clip in which no word goes on."""
        return int(self.tail * self.rate)

    def begin(self, length: int) -> int:
        """The sample of its clip at which a recording of `length` samples begins."""
        return max(0, (self.clip - self.tail_samples - length) // 2)

    def clips(self, samples: np.ndarray) -> np.ndarray:
        """(clips, clip) float32: the sound in the middle of one clip, or, where it is longer, in clips
        that overlap by half."""
        room = self.clip - self.tail_samples
        if len(samples) <= room:
            before = self.begin(len(samples))
            return np.pad(samples, (before, self.clip - before - len(samples)))[None]
        starts = np.arange(0, len(samples) - room + room // 2, room // 2)
        padded = np.pad(samples, (0, int(starts[-1]) + self.clip - len(samples)))
        return np.stack([padded[s : s + self.clip] for s in starts])

    def hurried(self, clip: np.ndarray, tempo: float) -> np.ndarray:
        """(clip,) with its word `tempo` times as fast, 1 or more, in the same place; the pitch stays."""
        if tempo == 1:
            return clip
        faster = at_tempo(clip, tempo, self.spectrogram.window)
        before = int((self.clip - self.tail_samples) / 2 * (1 - 1 / tempo))
        return np.pad(faster, (before, self.clip - before - len(faster)))

    def probabilities(self, run: Callable[[Arrays], Arrays], recordings: Sequence[np.ndarray]) -> np.ndarray:
        """Of each word being the one in each recording, (recordings, words). Each clip is read at all
        `tempi`, because who speaks slowly is understood better when hurried, and the mean is taken; of a
        recording of several clips the surest counts.

        Args:
            run: The model: named inputs to named outputs.
            recordings: (samples,) each.
        """
        parts = [self.clips(samples) for samples in recordings]
        clips = np.concatenate(parts)
        found = []
        for begin in range(0, len(clips), _AT_ONCE):
            some = clips[begin : begin + _AT_ONCE]
            readings = np.stack([self.hurried(clip, tempo) for clip in some for tempo in self.tempi])
            each = run({"waveform": readings})["probabilities"]
            found.append(each.reshape(len(some), len(self.tempi), -1).mean(axis=1))
        of_parts = np.split(np.concatenate(found), np.cumsum([len(part) for part in parts])[:-1])
        return np.stack([part[part.max(axis=1).argmax()] for part in of_parts])

    def predict(self, run: Callable[[Arrays], Arrays], raw: Any) -> dict[str, Any]:
        """Which word is spoken in a recording of one.

        Args:
            run: The model: named inputs to named outputs.
            raw: As `read_audio`.

        Returns:
            "word", its "probability", and "probabilities" of all words.
        """
        samples = read_audio(raw, self.rate)
        if not np.ptp(samples):
            warnings.warn("The recording is silent throughout: the answer means nothing.", stacklevel=2)
        (probabilities,) = self.probabilities(run, [samples])
        return {
            "word": self.words[int(probabilities.argmax())],
            "probability": float(probabilities.max()),
            "probabilities": dict(zip(self.words, map(float, probabilities), strict=True)),
        }

    def stream(self, push: Any) -> "KeywordStream":
        """Words as they are spoken; `push` is the file's `Stream`."""
        return KeywordStream(self, push)

    def about(self) -> dict[str, Any]:
        return {"labels": list(self.words), "rate": self.rate}

    def to_dict(self) -> dict:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict) -> Self:
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
        return cls(**{**values, "spectrogram": LogMel(**data["spectrogram"])})


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
