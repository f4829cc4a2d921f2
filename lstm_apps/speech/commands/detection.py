"""Keyword detection in a long recording: hit rate and false alarms."""

from dataclasses import dataclass, replace

import numpy as np

from lstm_apps.features import ModelFunction
from lstm_apps.metrics.bootstrap import Estimate, Metric, Scores
from lstm_apps.speech.commands.augment import noise
from lstm_apps.speech.commands.data import Recording
from lstm_apps.speech.commands.features import KeywordFeatures, Spikes

HIT_RATE = Metric("hit rate", "higher", "share of the words in a long recording that are detected")
FALSE_ALARMS = Metric(
    "false alarms per hour", "lower", "detections in a long recording where the word is not spoken"
)
PAUSE = (0.3, 2.5)  # seconds between words
SNR_DB = (15.0, 40.0)  # of the noise in a pause and under the word after it
NOISE_ALONE = 0.5  # duration of the noise at the end, relative to words and pauses
_MOST_WORDS = 500  # in a long recording, because the model reads it at once
LATE = 0.5  # seconds after its end within which a word must be detected


@dataclass(frozen=True)
class LongRecording:
    """Words with pauses in noise, then noise alone."""

    samples: np.ndarray  # (samples,) float32
    rate: int  # samples per second
    words: list[tuple[str, float, float]]  # word, begin and end in seconds

    @property
    def hours(self) -> float:
        """Its duration in hours."""
        return len(self.samples) / self.rate / 3600


def long_recording(recordings: list[Recording], rate: int, seed: int = 0) -> LongRecording:
    """Concatenate recordings in random order, each at its own loudness, at most `_MOST_WORDS`, at `rate`
    samples per second."""
    rng = np.random.default_rng(seed)
    chunks, words, at = [], [], 0
    for i in rng.permutation(len(recordings))[:_MOST_WORDS]:
        word = recordings[i].read(rate)
        pause = int(rng.uniform(*PAUSE) * rate)
        loudness = float(np.sqrt(np.mean(np.square(word)))) or 1e-3
        chunk = noise(pause + len(word), rng) * loudness * 10 ** (-rng.uniform(*SNR_DB) / 20)
        chunk[pause:] += word
        chunks.append(chunk)
        words.append((recordings[i].label, (at + pause) / rate, (at + len(chunk)) / rate))
        at += len(chunk)
    quiet = int(at * NOISE_ALONE)
    chunks.append(noise(quiet, rng) * np.std(np.concatenate(chunks)) * 10 ** (-SNR_DB[0] / 20))
    return LongRecording(np.concatenate(chunks).astype(np.float32), rate, words)


def spikes(features: KeywordFeatures, recording: LongRecording, run: ModelFunction) -> np.ndarray:
    """The model's probabilities of each frame, (frames, 1 + words); column 0 is the blank."""
    whole = len(recording.samples) - len(recording.samples) % features.spectrogram.hop
    return run({"waveform": recording.samples[None, :whole]})["frames"][0]


def match(recording: LongRecording, found: list[dict]) -> tuple[int, int]:
    """Number of hits and of false alarms. A word is hit by the first detection of it between its beginning
    and `LATE` after its end; every other detection is a false alarm."""
    waiting = list(recording.words)
    hits = 0
    for event in found:
        for word in waiting:
            if word[0] == event["word"] and word[1] <= event["time"] <= word[2] + LATE:
                waiting.remove(word)
                hits += 1
                break
    return hits, len(found) - hits


def score(features: KeywordFeatures, recording: LongRecording, frames: np.ndarray) -> Scores:
    """Hit rate and false alarms of frames (frames, 1 + words) at the features' threshold."""
    hits, alarms = match(recording, Spikes(features).push(frames))
    return {
        HIT_RATE.name: Estimate(hits / len(recording.words)),
        FALSE_ALARMS.name: Estimate(alarms / recording.hours),
    }


def operating_points(
    features: KeywordFeatures, recording: LongRecording, frames: np.ndarray
) -> list[tuple[float, int, int]]:
    """Threshold, hits and false alarms, by rising threshold."""
    return [
        (t, *match(recording, Spikes(replace(features, threshold=t)).push(frames)))
        for t in np.linspace(0.1, 0.95, 18).tolist()
    ]


def best_threshold(features: KeywordFeatures, recording: LongRecording, frames: np.ndarray) -> float:
    """The threshold of the largest hits minus false alarms, the middle one of equal ones."""
    points = operating_points(features, recording, frames)
    most = max(hits - alarms for _, hits, alarms in points)
    best = [threshold for threshold, hits, alarms in points if hits - alarms == most]
    return best[len(best) // 2]
