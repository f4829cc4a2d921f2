"""What an application must say of itself, and what is told where it does not."""

from types import SimpleNamespace

import numpy as np
import pytest
import reverser

from lstm_apps.application import Data
from lstm_apps.metrics.bootstrap import Estimate
from training.evaluate import evaluate


def test_an_application_that_lacks_a_declaration_is_told_which(monkeypatch):
    reverser.REVERSER.check_declared()
    monkeypatch.delattr(reverser.Reverser, "layout")
    with pytest.raises(TypeError, match="Reverser has no 'layout'"):
        reverser.REVERSER.check_declared()


def test_outputs_must_be_those_of_the_model(monkeypatch):
    monkeypatch.setattr(reverser.Reverser, "outputs", ("probabilites",))
    for output in ({"probabilities": None}, [None]):
        with pytest.raises(TypeError, match="declares the outputs"):
            reverser.REVERSER.check_outputs(SimpleNamespace(output=output))
    reverser.REVERSER.check_outputs(SimpleNamespace(output={"probabilites": None, "more": None}))


@pytest.mark.parametrize(
    ("scores", "baselines", "message"),
    [
        ({"exakt": Estimate(1.0)}, ["the word itself"], "metrics of the model, exakt"),
        ({"exact": Estimate(1.0)}, ["another"], "baselines, another is not among those declared"),
    ],
)
def test_names_that_are_not_declared_are_not_left_out_without_a_word(tmp_path, scores, baselines, message):
    class Told(reverser.Reverser):
        def score(self, features, data, run):
            return scores

        def baseline_predictions(self, features, data):
            yield from ((name, data.test) for name in baselines)

    run = SimpleNamespace(application=Told(), features=None, folder=tmp_path)
    with pytest.raises(TypeError, match=message):
        evaluate(run, Data([], [], ["ab"], {}), lambda inputs: inputs, progress=lambda _: None)
    assert list(tmp_path.iterdir()) == []


def test_parity_inputs_are_spread_over_the_test_part():
    features = reverser.WordFeatures(reverser.LETTERS.encode())
    words = reverser.words(40)
    inputs = reverser.REVERSER.parity_inputs(features, Data([], [], words, {}))
    assert inputs["source"].shape == (16, reverser.LONGEST)
    np.testing.assert_array_equal(inputs["source"][0], features.encode(words[0])[0])
    np.testing.assert_array_equal(inputs["source"][-1], features.encode(words[-1])[0])
