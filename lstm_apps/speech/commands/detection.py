"""Words in sound that goes on: what a spotter is scored on beside single recordings."""

from dataclasses import dataclass, replace

import numpy as np

from lstm_apps.features import ModelFunction
from lstm_apps.metrics.bootstrap import Estimate, Metric, Scores
from lstm_apps.speech.commands.augment import noise
from lstm_apps.speech.commands.data import Recording
from lstm_apps.speech.commands.features import KeywordFeatures, Spikes

HIT_RATE = Metric(
    "hit rate", "higher", "share of the words in a long recording that are found, once and right"
)
FALSE_ALARMS = Metric(
    "false alarms per hour", "lower", "words found in a long recording that are not spoken there"
)
PAUSE = (0.3, 2.5)  # seconds between words
SNR_DB = (15.0, 40.0)  # of the noise in a pause and below the word after it
NOISE_ALONE = 0.5  # share of the words' and pauses' time that follows as noise without a word
_MOST_WORDS = 500  # of a part, in a long recording: a model reads it at once
LATE = 0.5  # seconds after its end within which a word must be found


@dataclass(frozen=True)
class LongRecording:
    """Words with pauses in noise, then noise alone."""

    samples: np.ndarray  # (samples,) float32
    rate: int
    words: list[tuple[str, float, float]]  # word, begin and end in seconds

    @property
    def hours(self) -> float:
        return len(self.samples) / self.rate / 3600


def long_recording(recordings: list[Recording], rate: int, seed: int = 0) -> LongRecording:
    """Recordings in random order, each at its own loudness: all, or so many as a long one has."""
    rng = np.random.default_rng(seed)
    pieces, words, at = [], [], 0
    for i in rng.permutation(len(recordings))[:_MOST_WORDS]:
        word = recordings[i].read(rate)
        pause = int(rng.uniform(*PAUSE) * rate)
        loudness = float(np.sqrt(np.mean(np.square(word)))) or 1e-3
        piece = noise(pause + len(word), rng) * loudness * 10 ** (-rng.uniform(*SNR_DB) / 20)
        piece[pause:] += word
        pieces.append(piece)
        words.append((recordings[i].label, (at + pause) / rate, (at + len(piece)) / rate))
        at += len(piece)
    quiet = int(at * NOISE_ALONE)
    pieces.append(noise(quiet, rng) * np.std(np.concatenate(pieces)) * 10 ** (-SNR_DB[0] / 20))
    return LongRecording(np.concatenate(pieces).astype(np.float32), rate, words)


def spikes(features: KeywordFeatures, recording: LongRecording, run: ModelFunction) -> np.ndarray:
    """What the spotter says of each frame of it, (frames, 1 + words)."""
    whole = len(recording.samples) - len(recording.samples) % features.spectrogram.hop
    return run({"waveform": recording.samples[None, :whole]})["frames"][0]


def match(recording: LongRecording, found: list[dict]) -> tuple[int, int]:
    """Hits, and false alarms. A word is hit by the first of its name from its begin to `LATE` after its
    end; all else that is found is a false alarm."""
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
    """Hit rate and false alarms at the features' threshold."""
    hits, alarms = match(recording, Spikes(features).push(frames))
    return {
        HIT_RATE.name: Estimate(hits / len(recording.words)),
        FALSE_ALARMS.name: Estimate(alarms / recording.hours),
    }


def operating_points(
    features: KeywordFeatures, recording: LongRecording, frames: np.ndarray
) -> list[tuple[float, int, int]]:
    """Threshold, hits and false alarms, from low thresholds to high ones."""
    return [
        (t, *match(recording, Spikes(replace(features, threshold=t)).push(frames)))
        for t in np.linspace(0.1, 0.95, 18).tolist()
    ]


def best_threshold(features: KeywordFeatures, recording: LongRecording, frames: np.ndarray) -> float:
    """The threshold with the most hits less false alarms, the middle one where several are equal."""
    points = operating_points(features, recording, frames)
    most = max(hits - alarms for _, hits, alarms in points)
    best = [threshold for threshold, hits, alarms in points if hits - alarms == most]
    return best[len(best) // 2]
