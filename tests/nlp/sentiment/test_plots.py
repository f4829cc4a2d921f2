"""What the plots of a sentiment model say."""

import numpy as np

from lstm_apps.nlp.sentiment.features import PADDING, UNKNOWN, TextFeatures
from lstm_apps.nlp.sentiment.plots import word_effects


def test_a_words_effect_is_what_the_answer_loses_without_it():
    """Of a model that counts the tokens it knows: those of the word."""
    features = TextFeatures.fit(["a good film", "no bad book"] * 50, vocabulary=400, lengths=(64,))

    def run(inputs):
        known = np.isin(inputs["tokens"], [PADDING, UNKNOWN], invert=True)
        return {"log_odds": known.sum(axis=1, keepdims=True)}

    words = ["a", "good", "😀", "film"]  # the emoji is four bytes
    expected = [(word, len(features.processor.encode(word))) for word in words]
    assert word_effects(features, "A good 😀 Film", run) == expected
