"""Baselines of sentiment, on texts that leave no doubt."""

import numpy as np
import pytest
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from lstm_apps.nlp.sentiment import baselines
from lstm_apps.nlp.sentiment.data import Sentence


def sentences(*scored):
    return [Sentence(text, score, text) for text, score in scored]


TRAIN = sentences(
    *((f"a {word} {thing}", score) for thing in ("film", "book", "song") for word, score in
      (("wonderful", 3.0), ("lovely", 2.0), ("dreadful", -3.0), ("dull", -2.0), ("blue", 0.0)))
)  # fmt: skip
TEST = sentences(("what a wonderful phone", 3.0), ("lovely, and wonderful", 3.0), ("a dull car", -2.0))


@pytest.fixture(scope="module")
def found():
    return dict(baselines.predictions(TRAIN, TRAIN, [TEST, []]))


@pytest.mark.parametrize("name", baselines.NAMES)
def test_words_of_training_are_known_elsewhere(found, name):
    (positive, scores), (of_nothing, _) = found[name]
    np.testing.assert_array_equal(positive, [s.score > 0 for s in TEST])
    assert scores[:2].min() > scores[2]
    assert len(of_nothing) == 0


def test_vader_is_vader(found):
    analyzer = SentimentIntensityAnalyzer()
    expected = [analyzer.polarity_scores(s.text)["compound"] for s in TEST]
    np.testing.assert_array_equal(found["VADER"][0][1], expected)


def test_vaders_threshold_is_the_one_that_suits_validation():
    """Where people call "good" no praise, it is none."""
    validation = sentences(("it is good", -1.0), ("it is wonderful", 1.0), ("it is awful", -1.0))
    (((positive, _),)) = dict(
        baselines.predictions(TRAIN, validation, [sentences(("good", 0), ("wonderful", 0))])
    )["VADER"]
    np.testing.assert_array_equal(positive, [False, True])
