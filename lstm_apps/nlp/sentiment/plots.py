"""Plots of a sentiment model."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from lstm_apps.application import Plot
from lstm_apps.features import ModelFunction
from lstm_apps.nlp.sentiment.features import UNKNOWN, TextFeatures


def scores_against_people(people: np.ndarray, model: np.ndarray) -> Plot:
    """Scatter plot of the model's scores (texts,) over those of people (texts,)."""
    figure = Figure(figsize=(5, 5), layout="constrained")
    axis = figure.subplots()
    axis.plot([-4, 4], [-4, 4], color="grey", linewidth=0.8)
    axis.scatter(people, model, s=3, alpha=0.3)
    axis.axhline(0, color="grey", linewidth=0.5, linestyle=":")
    axis.axvline(0, color="grey", linewidth=0.5, linestyle=":")
    axis.set(xlabel="score by people", ylabel="score by the model", aspect="equal")
    return Plot(
        "scores", "Scores", "Sentences of the test part; the class is wrong in two of the corners.", figure
    )


def saliency(features: TextFeatures, texts: Sequence[str], run: ModelFunction) -> Plot:
    """Occlusion saliency of words: the change of the log odds when a word becomes unknown, of each text."""
    figure = Figure(figsize=(10, 0.7 * len(texts) + 0.5), layout="constrained")
    axis = figure.subplots()
    axis.set_axis_off()
    for row, text in enumerate(texts):
        x = 0.0
        for word, effect in word_effects(features, text, run):
            strength = float(np.clip(effect / 3, -1, 1))
            colour = (1 - max(0, strength), 1 - abs(strength), 1 - max(0, -strength))
            axis.text(x, -row, word, family="monospace", fontsize=9, backgroundcolor=(*colour, 0.6))
            x += len(word) + 1
    axis.set(xlim=(0, 110), ylim=(-len(texts), 1))
    return Plot(
        "words",
        "Effect of words",
        "Blue: without the word the text is less positive; red: less negative. One word at a time is "
        "replaced by an unknown token, in sentences of the test part.",
        figure,
    )


def word_effects(features: TextFeatures, text: str, run: ModelFunction) -> list[tuple[str, float]]:
    """Each word of a sentence, and how much the log odds fall when the word becomes unknown."""
    tokens = features.processor.encode(text)[: features.length]
    names = [features.processor.id_to_piece(p) for p in tokens]
    starts = [i for i, name in enumerate(names) if name.startswith("▁") or i == 0]
    spans = list(zip(starts, [*starts[1:], len(tokens)], strict=True))
    without = [[UNKNOWN if a <= i < b else p for i, p in enumerate(tokens)] for a, b in spans]
    log_odds = run({"tokens": features.padded([tokens, *without])})["log_odds"][:, 0]
    words = [features.processor.decode(tokens[a:b]) for a, b in spans]  # byte tokens as their character
    return list(zip(words, (log_odds[0] - log_odds[1:]).tolist(), strict=True))
