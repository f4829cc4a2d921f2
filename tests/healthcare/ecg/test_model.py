"""The classifier's probabilities: the mean of its members', with the odds put right."""

import keras
import numpy as np
import pytest

from lstm_apps.healthcare.ecg.model import beat_classifier

ODDS = (0.0, -1.5, 0.5, 0.0)


@pytest.fixture(scope="module")
def model():
    return beat_classifier(
        columns=5, mean=[0.0] * 5, std=[1.0] * 5, log_odds=ODDS, units=6, layers=1, dropout=0.0, members=3
    )


def test_odds_are_added_to_what_is_answered_and_not_to_what_is_learnt(model):
    beats = np.random.default_rng(0).normal(size=(2, 20, 5)).astype("float32")
    found = model.predict({"beats": beats}, verbose=0)
    weights = np.exp(found["member_logits"] + np.array(ODDS))
    expected = (weights / weights.sum(axis=-1, keepdims=True)).mean(axis=2)
    np.testing.assert_allclose(found["classes"], expected, atol=1e-6)


def test_they_are_kept_in_the_file(model, tmp_path):
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    beats = np.random.default_rng(0).normal(size=(2, 20, 5)).astype("float32")
    one, two = (m.predict({"beats": beats}, verbose=0)["classes"] for m in (model, again))
    np.testing.assert_array_equal(one, two)
