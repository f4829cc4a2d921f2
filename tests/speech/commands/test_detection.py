"""What counts as a hit in sound that goes on, and what as a false alarm."""

import numpy as np
import pytest
from recordings import write_recordings

from lstm_apps.features.mel import LogMel
from lstm_apps.speech.commands import detection
from lstm_apps.speech.commands.data import list_recordings
from lstm_apps.speech.commands.detection import (
    LATE,
    LongRecording,
    best_threshold,
    match,
    operating_points,
    score,
)
from lstm_apps.speech.commands.features import KeywordFeatures

RATE, FRAME = 8000, 128
WORDS = ("no", "yes")
RECORDING = LongRecording(np.zeros(RATE * 20, np.float32), RATE, [("yes", 1.0, 1.5), ("no", 4.0, 4.4)])
SPECTROGRAM = LogMel(RATE, 2 * FRAME, FRAME, bands=20, low=60.0, high=3800.0)
FEATURES = KeywordFeatures(WORDS, SPECTROGRAM, (0.0,) * 20, (1.0,) * 20, 40 * FRAME)


def test_a_long_recording_is_not_longer_than_a_model_reads_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(detection, "_MOST_WORDS", 4)
    recordings = list_recordings(write_recordings(tmp_path, speakers=2, takes=2))
    assert len(recordings) == 12
    assert len(detection.long_recording(recordings, RATE).words) == 4


def event(word, time):
    return {"word": word, "time": time, "probability": 0.9}


@pytest.mark.parametrize(
    ("events", "hits", "alarms"),
    [
        ([], 0, 0),
        ([event("yes", 1.2), event("no", 4.4 + LATE)], 2, 0),
        ([event("yes", 1.2), event("yes", 1.4)], 1, 1),  # one event a word
        ([event("no", 1.2)], 0, 1),  # another word than is spoken
        ([event("yes", 0.9)], 0, 1),  # before it begins
        ([event("yes", 1.6 + LATE)], 0, 1),  # too late
    ],
)
def test_hits_and_false_alarms(events, hits, alarms):
    assert match(RECORDING, events) == (hits, alarms)


def frames(*spikes):
    """(frames, 3) with a probability of a word at seconds."""
    found = np.tile(np.array([1.0, 0, 0]), (20 * RATE // FRAME, 1))
    for word, time, probability in spikes:
        row = np.zeros(3)
        row[1 + WORDS.index(word)] = probability
        found[round(time * RATE / FRAME)] = row
    return found


# Both words, the second one unsure; a false alarm that is less sure still.
SPIKES = frames(("yes", 1.4, 0.9), ("no", 4.3, 0.6), ("yes", 8.0, 0.3))


def test_a_higher_threshold_finds_less():
    points = operating_points(FEATURES, RECORDING, SPIKES)
    assert points[0][1:] == (2, 1)
    assert points[-1][1:] == (0, 0)
    assert [p[1] for p in points] == sorted((p[1] for p in points), reverse=True)
    assert [p[2] for p in points] == sorted((p[2] for p in points), reverse=True)


def test_the_best_threshold_lies_between_words_and_false_alarms():
    assert 0.3 < best_threshold(FEATURES, RECORDING, SPIKES) <= 0.6


def test_scores():
    found = score(FEATURES, RECORDING, SPIKES)  # at a threshold of 0.5
    assert found["hit rate"].value == 1
    assert found["false alarms per hour"].value == 0
    found = score(KeywordFeatures(**{**vars(FEATURES), "threshold": 0.2}), RECORDING, SPIKES)
    assert found["false alarms per hour"].value == pytest.approx(3600 / 20)
