"""Every variant, alone and combined, against plain numpy."""

import keras
import numpy as np
import pytest
import reference
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_apps.layers import LSTM, LSTMCell

ALONE = [
    {"peephole": True},
    {"projection_units": 3},
    {"layer_norm": True},
    {"coupled_gates": True},
    {"zoneout": 0.3},
    {"cell_clip": 0.2},
    {"use_bias": False},
]
variants = st.fixed_dictionaries(
    {},
    optional={
        "peephole": st.booleans(),
        "projection_units": st.sampled_from([1, 3, 7]),
        "layer_norm": st.booleans(),
        "coupled_gates": st.booleans(),
        "zoneout": st.sampled_from([0.0, 0.4]),
        "cell_clip": st.sampled_from([None, 0.2, 3.0]),
        "use_bias": st.booleans(),
        "go_backwards": st.booleans(),
    },
)


def built(units=5, features=4, seed=0, dtype="float32", **arguments):
    """A layer with weights that are far from their initial values."""
    layer = LSTM(units, return_sequences=True, return_state=True, dtype=dtype, **arguments)
    layer.build((None, None, features))
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.normal(0, 0.7, w.shape) for w in layer.get_weights()])
    return layer


def inputs(batch=3, time=6, features=4, seed=0):
    return np.random.default_rng(seed).normal(size=(batch, time, features)).astype("float32")


@settings(max_examples=40, deadline=None)
@given(variants, st.integers(1, 3), st.integers(1, 7), st.integers(1, 6), st.integers(0, 99), st.booleans())
def test_any_combination_is_what_the_papers_say(variant, batch, time, units, seed, masked):
    layer = built(units, seed=seed, **variant)
    x = inputs(batch, time, seed=seed)
    rng = np.random.default_rng(seed)
    mask = rng.random((batch, time)) > 0.3 if masked else None
    state = [rng.normal(size=(batch, n)) for n in layer.cell.state_size]
    found = layer(x, initial_state=[s.astype("float32") for s in state], mask=mask)
    expected = reference.lstm(x, layer.get_weights(), mask=mask, h=state[0], c=state[1], **variant)
    gates = layer.gates(x, mask=mask, initial_state=[s.astype("float32") for s in state])
    np.testing.assert_allclose(gates["hidden"], expected[0], atol=2e-5)
    np.testing.assert_allclose(found[1], expected[1], atol=2e-5)
    np.testing.assert_allclose(found[2], expected[2], atol=2e-5)
    if mask is None:  # Keras repeats its last output at a masked step; before the first it gives zeros
        np.testing.assert_allclose(found[0], expected[0], atol=2e-5)


@pytest.mark.parametrize("variant", ALONE, ids=str)
def test_a_sequence_is_its_steps(variant):
    layer, x = built(**variant), inputs()
    states = [np.zeros((3, n), "float32") for n in layer.cell.state_size]
    for t in range(x.shape[1]):
        output, states = layer.cell(x[:, t], states)
        np.testing.assert_allclose(output, layer(x)[0][:, t], atol=1e-6)


@pytest.mark.parametrize("variant", [{}, *ALONE], ids=str)
def test_gradients_are_finite_differences(variant):
    layer = built(3, features=2, dtype="float64", **variant)
    x = tf.constant(inputs(2, 4, 2).astype("float64"))
    direction = np.random.default_rng(1)

    def loss():
        return tf.reduce_sum(tf.sin(layer(x)[0])) + tf.reduce_sum(layer(x)[2] ** 2)

    with tf.GradientTape() as tape:
        value = loss()
    gradients = tape.gradient(value, layer.trainable_variables)
    for variable, gradient in zip(layer.trainable_variables, gradients, strict=True):
        start, step = variable.numpy(), direction.normal(size=variable.shape)
        sides = []
        for epsilon in (1e-6, -1e-6):
            variable.assign(start + epsilon * step)
            sides.append(float(loss()))
        variable.assign(start)
        slope = float(np.sum(gradient * step))
        assert slope == pytest.approx((sides[0] - sides[1]) / 2e-6, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("variant", ALONE, ids=str)
def test_survives_a_keras_file_and_bidirectional(variant, tmp_path):
    layer = keras.layers.Bidirectional(LSTM(5, return_sequences=True, **variant))
    model = keras.Sequential([keras.Input((None, 4)), layer])
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(model(inputs()), again(inputs()))
    assert model.output_shape == (None, None, 2 * variant.get("projection_units", 5))


def test_weight_shapes():
    every = built(peephole=True, projection_units=3, layer_norm=True)
    assert [w.shape for w in every.get_weights()] == [(4, 20), (3, 20), (20,), (3, 5), (20,), (5, 3)]
    coupled = built(peephole=True, layer_norm=True, coupled_gates=True)
    assert [w.shape for w in coupled.get_weights()] == [(4, 15), (5, 15), (15,), (2, 5), (15,)]


def test_zoneout_keeps_units_in_training_and_expects_otherwise():
    layer = LSTM(400, zoneout=0.25, return_sequences=True)
    x = inputs(2, 5)
    gates = layer(x, training=True).numpy()
    kept = np.mean(gates[:, 1:] == gates[:, :-1], axis=(0, 2))
    np.testing.assert_allclose(kept, 0.25, atol=0.06)
    first = gates[:, 1] == gates[:, 0]
    assert not (first == (gates[:, 2] == gates[:, 1])).all()  # drawn anew at each step
    np.testing.assert_array_equal(layer(x), layer(x))


def test_chrono_forget_biases_reach_as_far_as_asked():
    layer = LSTM(2000, forget_bias="chrono:100", seed=1, recurrent_initializer="zeros")
    layer.build((None, None, 2))
    i, f, g, o = np.split(layer.cell.bias.numpy(), 4)
    np.testing.assert_allclose(i, -f)
    assert not np.any(g)
    assert not np.any(o)
    times = np.exp(f)  # uniform over 1 to 99
    assert 1 <= times.min() < 3
    assert 97 < times.max() <= 99
    assert times.mean() == pytest.approx(50, rel=0.05)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"projection_units": 0}, "projection_units is 0"),
        ({"zoneout": 1.0}, "zoneout is 1.0"),
        ({"cell_clip": 0.0}, "cell_clip is 0.0"),
        ({"forget_bias": "chrono:2"}, "T over 2"),
        ({"forget_bias": "long"}, "expected a number or 'chrono:T'"),
        ({"forget_bias": "chrono:50", "use_bias": False}, "needs use_bias"),
    ],
)
def test_what_has_no_meaning_is_refused(arguments, message):
    for layer in (LSTM, LSTMCell):
        with pytest.raises(ValueError, match=message):
            layer(5, **arguments)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16", "bfloat16"])
@pytest.mark.parametrize(
    "variant", [{}, {"peephole": True, "layer_norm": True, "projection_units": 3}], ids=str
)
def test_low_precision_stays_finite(policy, variant):
    # The default, orthogonal, does not exist in bfloat16.
    layer = built(dtype=policy, recurrent_initializer="glorot_uniform", **variant)
    x = tf.constant(10 * inputs())
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.cast(layer(x, training=True)[0], "float32") ** 2)
    for tensor in (loss, *tape.gradient(loss, layer.trainable_variables)):
        assert np.isfinite(tf.cast(tensor, "float32")).all()


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_gates_of_mixed_precision_are_those_of_its_weights(policy):
    layer = built(dtype=policy, layer_norm=True)
    exact = built(layer_norm=True)
    exact.set_weights(layer.get_weights())
    for name, gate in layer.gates(inputs()).items():
        np.testing.assert_array_equal(gate, exact.gates(inputs())[name])


@pytest.mark.parametrize("coupled", [False, True])
@pytest.mark.parametrize("arguments", [{"dropout": 0.5}, {"dropout": 0.5, "recurrent_dropout": 0.5}], ids=str)
def test_dropout_has_a_mask_for_each_gate_that_there_is(coupled, arguments):
    layer = LSTM(8, coupled_gates=coupled, implementation=1, seed=0, **arguments)
    x = np.random.default_rng(0).normal(size=(2, 5, 4)).astype("float32")
    assert np.isfinite(layer(x, training=True)).all()
    assert layer.cell.dropout_mask_count == (3 if coupled else 4)


def test_gates_take_what_the_layer_takes():
    with pytest.raises(ValueError, match="batch, time, features"):
        LSTM(3).gates(np.zeros((7, 4)))


def test_regularizers_and_constraints_reach_the_weights_that_share_their_initializers():
    layer = LSTM(
        4,
        peephole=True,
        projection_units=2,
        kernel_regularizer="l2",
        recurrent_regularizer="l1",
        kernel_constraint="non_neg",
        recurrent_constraint="non_neg",
    )
    layer.build((None, 5, 3))
    assert len(layer.losses) == 4  # kernel, peepholes, recurrent kernel, projection
    for weight in (layer.cell.peepholes, layer.cell.projection):
        assert weight.regularizer is not None
        assert weight.constraint is not None
