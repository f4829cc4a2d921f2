"""The equations, against a textbook written out in numpy."""

import numpy as np
import pytest
from keras import activations, ops

from lstm_apps.layers.gates import Variant, lstm_gates


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_one_step_is_the_textbook_step():
    rng = np.random.default_rng(0)
    z, c, b = rng.normal(size=(2, 12)), rng.normal(size=(2, 3)), rng.normal(size=12)
    i, f, g, o = np.split(z + b, 4, axis=-1)
    cell = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    found = lstm_gates(
        ops.convert_to_tensor(z),
        ops.convert_to_tensor(c),
        Variant(ops.convert_to_tensor(b)),
        activations.tanh,
        activations.sigmoid,
    )
    np.testing.assert_allclose(found.forget, sigmoid(f), rtol=1e-6)
    np.testing.assert_allclose(found.input, sigmoid(i), rtol=1e-6)
    np.testing.assert_allclose(found.candidate, np.tanh(g), rtol=1e-6)
    np.testing.assert_allclose(found.output, sigmoid(o), rtol=1e-6)
    np.testing.assert_allclose(found.cell, cell, rtol=1e-6)
    np.testing.assert_allclose(found.hidden, sigmoid(o) * np.tanh(cell), rtol=1e-6)


@pytest.mark.parametrize(
    ("f", "i", "expected"), [(50.0, -50.0, 0.7), (-50.0, 50.0, 1.0), (-50.0, -50.0, 0.0)]
)
def test_forget_keeps_the_cell_and_input_replaces_it(f, i, expected):
    z = ops.convert_to_tensor([[i, f, 50.0, 0.0]])
    found = lstm_gates(z, ops.convert_to_tensor([[0.7]]), Variant(), activations.tanh, activations.sigmoid)
    np.testing.assert_allclose(found.cell, [[expected]], atol=1e-6)
