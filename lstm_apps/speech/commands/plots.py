"""Plots of a keyword spotter."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from lstm_apps.application import Plot
from lstm_apps.speech.commands.detection import LongRecording, match, operating_points
from lstm_apps.speech.commands.features import KeywordFeatures, Spikes


def confusion(spoken: Sequence[str], predicted: Sequence[str], words: Sequence[str]) -> Plot:
    """Confusion matrix of words (recordings,) of the test part."""
    from sklearn.metrics import ConfusionMatrixDisplay

    side = min(12.0, 3 + 0.35 * len(words))
    figure = Figure(figsize=(side, side), layout="constrained")
    axis = figure.subplots()
    ConfusionMatrixDisplay.from_predictions(
        spoken,
        predicted,
        labels=list(words),
        ax=axis,
        cmap="Blues",
        colorbar=False,
        xticks_rotation="vertical",
    )
    axis.set(xlabel="predicted", ylabel="spoken")
    return Plot("words", "Words spoken and predicted", "Recordings of the test part.", figure)


def spikes_over_time(features: KeywordFeatures, recording: LongRecording, frames: np.ndarray) -> Plot:
    """Waveform and word probabilities (frames, 1 + words) of a long recording, over seconds."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    sound, probability = figure.subplots(2, 1, sharex=True)
    frame_times = (1 + np.arange(len(frames))) * features.spectrogram.hop / features.rate
    sound.plot(np.arange(len(recording.samples)) / recording.rate, recording.samples, linewidth=0.3)
    sound.set_ylabel("waveform, -1 to 1")
    for word, begin, end in recording.words:
        sound.axvspan(begin, end, alpha=0.2, color="C1", linewidth=0)
        sound.text(begin, sound.get_ylim()[1] * 0.8, word)
    probability.plot(frame_times, frames[:, 1:], linewidth=1)
    probability.axhline(features.threshold, color="grey", linestyle=":", linewidth=0.8)
    for event in Spikes(features).push(frames):
        probability.text(event["time"], event["probability"], event["word"])
    probability.set(ylabel="probability", xlabel="time, s", ylim=(0, 1.15))
    return Plot(
        "stream",
        "A stream of sound",
        "Words where they are spoken (shaded), and where they are detected.",
        figure,
    )


def detection_curve(features: KeywordFeatures, recording: LongRecording, frames: np.ndarray) -> Plot:
    """Hit rate over false alarms per hour, by threshold, from frames (frames, 1 + words)."""
    points = operating_points(features, recording, frames)
    hits, alarms = match(recording, Spikes(features).push(frames))
    figure = Figure(figsize=(6, 4), layout="constrained")
    axis = figure.subplots()
    axis.plot(
        [a / recording.hours for _, _, a in points],
        [h / len(recording.words) for _, h, _ in points],
        marker=".",
        label="thresholds from 0.1 to 0.95",
    )
    label = f"threshold {features.threshold:.2f}, chosen on validation"
    axis.plot(alarms / recording.hours, hits / len(recording.words), "o", color="C1", label=label)
    axis.set(xlabel="false alarms per hour", ylabel="hit rate", ylim=(0, 1.05))
    axis.legend(loc="lower right")
    return Plot(
        "false-alarms",
        "Hits and false alarms",
        "All words of the test part with pauses and noise, then noise alone.",
        figure,
    )
