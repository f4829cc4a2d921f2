"""Features of a keyword spotter: sound to waveforms, and spikes to words."""

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from lstm_apps.errors import InputError
from lstm_apps.features.audio import Resampler, read_audio, read_samples
from lstm_apps.features.mel import LogMel
from lstm_apps.features.options import Option, Options
from lstm_apps.speech.commands.voice import at_tempi, in_voice

Arrays = dict[str, np.ndarray]
_POWER = 4  # exponent of the power mean over variants
_BATCH = 32  # chunks for one call of the model, with all their variants
# Rules by which sound is no word, whatever the model returns.
_SILENT = 1e-4  # root mean square of the loudest frame, of a full scale of 1
_STEADY = 2.0  # dB between loud and soft frames, less of which is hum or noise; words have over 3
_STANDS_OUT = 6.0  # dB above the soft frames, from which single frames are not of the same noise
_BRIEF = 0.1  # seconds; the loudest sound of a word lasts longer, a click does not
_LOUD = 15.0  # dB below the loud frames, within which a frame counts as sound
_TOO_LONG = 1.5  # times the longest word: more sound is running speech or music


@dataclass(frozen=True)
class KeywordFeatures:
    """From sound to the model's waveform, and from its outputs to words.

    The spectrogram and the scaler are in the model's graph; their numbers stand here too, to build it.
    """

    words: tuple[str, ...]
    spectrogram: LogMel
    mean: tuple[float, ...]  # of each band over the training part
    variance: tuple[float, ...]
    clip: int  # samples of a clip with one word, its tail included: a multiple of the hop
    threshold: float = 0.5  # of a stream: probability of a frame from which a word is detected
    abstain: float = 0.5  # of a recording of one word: probability below which it is unknown
    tail: float = 0.2  # seconds after a word in a clip, because the model answers a little after its end
    same_word: float = 0.3  # seconds within which another spike of a word is the same one
    known_speakers: bool = False  # whether the users are the training speakers
    # Test-time augmentation of a recording of one word: factors of voice and of tempo.
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
        """Fit the scaler.

        Args:
            words: The closed set of words.
            spectrogram: Of the model.
            recordings: Of the training part, (samples,) each at the rate of the spectrogram.
            longest: Seconds of the longest word.
            known_speakers: Whether the users are the training speakers; then test-time augmentation, which
                would cost accuracy, is off.
        """
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
        """The same without test-time augmentation."""
        return replace(self, voices=(1.0,), tempi=(1.0,))

    @property
    def rate(self) -> int:
        """Samples per second."""
        return self.spectrogram.rate

    @property
    def tail_samples(self) -> int:
        """Samples at the end of a clip that contain no word."""
        return int(self.tail * self.rate)

    def begin(self, length: int) -> int:
        """The sample of its clip at which a recording of `length` samples begins; below 0 if too long."""
        return (self.clip - self.tail_samples - length) // 2

    def chunks(self, samples: np.ndarray) -> list[np.ndarray]:
        """Sound (samples,) as one chunk, or, if a clip has no room for it, as chunks that overlap by half."""
        room = self.clip - self.tail_samples
        if len(samples) <= room:
            return [samples]
        return [samples[s : s + room] for s in range(0, len(samples) - room + room // 2, room // 2)]

    def in_clip(self, chunk: np.ndarray) -> np.ndarray:
        """(clip,) float32 with the chunk (samples,) in the middle, before the tail; a longer one is cut."""
        begin = self.begin(len(chunk))
        kept = chunk[max(0, -begin) :][: self.clip - self.tail_samples]
        before = max(0, begin)
        return np.pad(kept.astype(np.float32), (before, self.clip - before - len(kept)))

    def variants(self, chunk: np.ndarray) -> np.ndarray:
        """(voices * tempi, clip) float32: the chunk (samples,) in each of `voices` at each of `tempi`."""
        window = self.spectrogram.window
        return np.stack(
            [
                self.in_clip(variant)
                for voice in self.voices
                for variant in at_tempi(in_voice(chunk, voice), [t / voice for t in self.tempi], window)
            ]
        )

    def probabilities(self, run: Callable[[Arrays], Arrays], recordings: Sequence[np.ndarray]) -> np.ndarray:
        """Probability of each word in each recording.

        Test-time augmentation: the power mean over variants, in which confident ones count for more, because
        the model may recognise a new speaker better in another voice. Of several chunks the most confident
        one counts.

        Args:
            run: The model: named inputs to named outputs.
            recordings: (samples,) each, at the model's rate.

        Returns:
            (recordings, words); a row's sum is below 1 by the probability that it is none of them.
        """
        of_recordings = [self.chunks(samples) for samples in recordings]
        chunks = [chunk for of_recording in of_recordings for chunk in of_recording]
        found: list[np.ndarray] = []
        for begin in range(0, len(chunks), _BATCH):
            variants = np.stack([self.variants(chunk) for chunk in chunks[begin : begin + _BATCH]])
            outputs = run({"waveform": variants.reshape(-1, self.clip)})
            of_word = _power_mean(outputs["probabilities"], variants)
            # Older files have no output "known".
            known = _power_mean(outputs["known"], variants) if "known" in outputs else 1.0
            found += list(known * of_word / of_word.sum(axis=1, keepdims=True))
        rows = iter(found)
        return np.stack(
            [max((next(rows) for _ in of_recording), key=np.max) for of_recording in of_recordings]
        )

    def predict(
        self, run: Callable[[Arrays], Arrays], raw: Any, *, threshold: float | None = None
    ) -> dict[str, Any]:
        """Recognise the word in a recording of one word.

        Args:
            run: The model: named inputs to named outputs.
            raw: A sound file, a pair (array, rate), or an array at the model's rate, of which a warning
                says so; see `read_audio`.
            threshold: Probability below which the word is unknown; by default `abstain`.

        Returns:
            "word", None where it is unknown; "reason", why it is, else ""; "probability" of the likeliest
            word; the "threshold"; and "probabilities", word -> probability, whose sum is below 1 by the
            probability of none of them.

        Raises:
            InputError: As `read_audio`, or a threshold that is no probability.
        """
        threshold = self.abstain if threshold is None else check_threshold(threshold)
        if not isinstance(raw, str | Path | tuple):
            warnings.warn(
                f"An array alone is taken at the model's {self.rate:,} samples a second; of another "
                "rate give (array, rate).",
                stacklevel=2,
            )
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
        """Why sound (samples,) is no recording of one word, by rules without the model; else ""."""
        size = self.spectrogram.window
        if not np.ptp(samples):
            return "it is silent"
        if len(samples) < 8 * size:
            return ""  # too short for statistics of frames
        frames = samples[: len(samples) - len(samples) % size].reshape(-1, size).astype(np.float64)
        level = np.sqrt(frames.var(axis=1))
        soft, loud = np.quantile(level, [0.05, 0.95])
        if level.max() < _SILENT:
            return "it is silent"
        # Of a long recording a word may be a small share.
        brief = max(1, round(_BRIEF * self.rate / size))
        peak, loud_part = float(level.max()), float(np.sort(level)[-brief:][0])
        if _decibels(loud_part / max(soft, 1e-12)) >= _STANDS_OUT:
            loud = max(loud, loud_part)
        if _decibels(loud / max(soft, 1e-12)) < _STEADY:
            if _decibels(peak / max(soft, 1e-12)) >= _STANDS_OUT:
                return f"nothing stands out in it but a click of less than {_BRIEF:g} s, too short for a word"
            return "it is equally loud from beginning to end, as hum and noise are and words are not"
        seconds = np.sum(level > loud * 10 ** (-_LOUD / 20)) * size / self.rate
        longest = (self.clip - self.tail_samples) / self.rate
        if seconds > _TOO_LONG * longest:
            return (
                f"it holds {seconds:.1f} s of sound, and a word takes up to {longest:.1f} s: give one word, "
                "or a stream to a step file"
            )
        return ""

    def stream(self, push: Any) -> "KeywordStream":
        """Words while sound arrives; `push` is the file's `Stream`."""
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


def _power_mean(values: np.ndarray, variants: np.ndarray) -> np.ndarray:
    """The power mean over variants, of outputs (chunks * variants, n): (chunks, n)."""
    each = values.reshape(*variants.shape[:2], -1)
    return (each**_POWER).mean(axis=1) ** (1 / _POWER)


def _decibels(ratio: float) -> float:
    return float(20 * np.log10(max(ratio, 1e-12)))


class Spikes:
    """Detects words in a sequence of frames: where a word's probability is the highest and over the
    threshold. It is detected again only after another word, or after `same_word` seconds below the
    threshold."""

    def __init__(self, features: KeywordFeatures):
        self._features = features
        self._frames = 0
        self._last: dict[int, float] = {}  # word -> time when it was last over the threshold

    def push(self, frames: np.ndarray) -> list[dict[str, Any]]:
        """Words in the next frames (frames, 1 + words): "word", "time" (s since the beginning) and
        "probability" of each."""
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
    """Words in a stream of sound, from a step file."""

    def __init__(self, features: KeywordFeatures, stream: Any):
        self._features, self._stream = features, stream
        self.reset()

    def reset(self) -> None:
        """Forget all sound; the time is 0 again."""
        self._stream.reset()
        self._spikes = Spikes(self._features)
        self._rest = np.zeros(0, np.float32)
        self._resampler: Resampler | None = None

    def end(self) -> list[dict[str, Any]]:
        """The last words, when no more sound arrives."""
        rest = self._resampler.push(np.zeros(0, np.float32), last=True) if self._resampler else self._rest[:0]
        silence = np.zeros(2 * self._features.tail_samples, np.float32)
        self._resampler = None
        return self._detect(np.concatenate([rest, silence]))

    def push(self, raw: Any) -> list[dict[str, Any]]:
        """Words in the next chunk of sound.

        Args:
            raw: See `read_audio`, of any length but 0; the rate of the first chunk is that of all.

        Returns:
            A dict for each word: "word", "time" of its detection (s since the beginning), "probability".

        Raises:
            InputError: As `read_audio`, or another rate.
        """
        samples, rate = read_samples(raw, self._features.rate)
        if self._resampler is None:
            self._resampler = Resampler(rate, self._features.rate)
        if rate != self._resampler.found:
            raise InputError(
                f"The stream began at {self._resampler.found:g} samples a second, this chunk has {rate:g}."
            )
        return self._detect(self._resampler.push(samples))

    def _detect(self, samples: np.ndarray) -> list[dict[str, Any]]:
        """Words in samples (samples,) at the model's rate."""
        samples = np.concatenate([self._rest, samples])
        whole = len(samples) - len(samples) % self._features.spectrogram.hop
        self._rest = samples[whole:]
        found = []
        size = self._stream.chunk or max(whole, 1)
        for begin in range(0, whole, size):
            chunk = samples[begin : begin + size]
            found += self._spikes.push(self._stream.push({"waveform": chunk[None]})["frames"][0])
        return found
