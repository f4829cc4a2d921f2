"""Weights from and to torch.nn.LSTM: against torch where it is installed, and against numpy."""

import keras
import numpy as np
import pytest
import reference

from lstm_apps.layers import LSTM
from lstm_apps.layers.torch_weights import from_torch, to_torch


def layer(units=5, features=3, **arguments):
    made = LSTM(units, return_sequences=True, **arguments)
    made.build((None, None, features))
    rng = np.random.default_rng(0)
    made.set_weights([rng.normal(0, 0.5, w.shape) for w in made.get_weights()])
    return made


@pytest.mark.parametrize("arguments", [{}, {"use_bias": False}, {"projection_units": 2}], ids=str)
def test_there_and_back_is_the_same(arguments):
    one = layer(**arguments)
    state = to_torch(one.cell, layer=2, reverse=True)
    assert all(name.endswith("_l2_reverse") for name in state)
    for a, b in zip(from_torch(state, 2, reverse=True), one.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_two_biases_are_added():
    state = to_torch(layer().cell)
    state["bias_hh_l0"] = state["bias_hh_l0"] + 1
    x = np.random.default_rng(1).normal(size=(2, 4, 3))
    again = layer()
    again.set_weights(from_torch(state))
    np.testing.assert_allclose(again(x), reference.lstm(x, from_torch(state))[0], atol=1e-5)
    np.testing.assert_allclose(again.cell.bias, layer().cell.bias + 1, atol=1e-6)


def test_what_torch_has_not_is_refused():
    with pytest.raises(ValueError, match="no variant"):
        to_torch(layer(peephole=True).cell)
    with pytest.raises(ValueError, match="no weight_ih_l1"):
        from_torch(to_torch(layer().cell), layer=1)


@pytest.mark.parametrize("projection", [0, 2])
def test_answers_as_torch_does_stacked_and_bidirectional(projection):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    theirs = torch.nn.LSTM(3, 5, num_layers=2, bidirectional=True, batch_first=True, proj_size=projection)
    state = {name: tensor.numpy() for name, tensor in theirs.state_dict().items()}
    x = np.random.default_rng(0).normal(size=(2, 6, 3)).astype("float32")
    out = x
    for number in range(2):
        both = keras.layers.Bidirectional(LSTM(5, return_sequences=True, projection_units=projection or None))
        both.build(out.shape)
        both.forward_layer.set_weights(from_torch(state, number))
        both.backward_layer.set_weights(from_torch(state, number, reverse=True))
        out = both(out)
    with torch.no_grad():
        expected = theirs(torch.from_numpy(x))[0].numpy()
    np.testing.assert_allclose(out, expected, atol=1e-6)
