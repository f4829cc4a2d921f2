"""What is like the examples learnt from, and what is not."""

import keras
import numpy as np
import pytest

from lstm_apps.speech.commands.familiarity import Familiarity

RNG = np.random.default_rng(0)
MEANS = np.array([[0.0, 0, 0], [4, 0, 0]])
SPREAD = np.array([1.0, 0.1, 3.0])


def drawn(count):
    classes = np.arange(count) % 2
    return (MEANS[classes] + SPREAD * RNG.standard_normal((count, 3))).astype(np.float32), classes


@pytest.fixture
def layer():
    layer = Familiarity(2)
    layer.build((None, 3))
    layer.fit(*drawn(4000), drawn(2000)[0])
    return layer


def test_before_it_is_fitted_all_is_familiar():
    np.testing.assert_allclose(Familiarity(2)(RNG.standard_normal((5, 3))), 1, atol=1e-6)


def test_what_was_learnt_is_familiar_and_one_in_fifty_is_half_so(layer):
    found = keras.ops.convert_to_numpy(layer(drawn(4000)[0]))
    assert found.shape == (4000, 1)
    assert np.median(found) == pytest.approx(0.9, abs=0.02)
    assert (found < 0.5).mean() == pytest.approx(0.02, abs=0.01)


def test_far_is_measured_in_spreads_from_the_nearest_class(layer):
    points = np.array([[0, 0, 0], [4, 0, 0], [4, 0, 6], [4, 6, 0], [-6, 0, 0]], np.float32)
    first, second, along, across, beside = keras.ops.convert_to_numpy(layer(points))[:, 0]
    assert min(first, second) > 0.95
    assert along > 0.3  # two spreads away
    assert max(across, beside) < 0.05


def test_config_round_trip(layer):
    again = Familiarity.from_config(layer.get_config())
    again.build((None, 3))
    again.set_weights(layer.get_weights())
    x = drawn(10)[0]
    np.testing.assert_array_equal(again(x), layer(x))
    assert not layer.trainable_variables
