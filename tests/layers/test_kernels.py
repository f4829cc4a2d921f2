"""The fused path is the scan: outputs, states and every gradient, under any mask."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_apps.layers import LSTM, kernels


def both(layer, x, state, mask):
    """Results and gradients by `scan` and by `fused`."""
    found = []
    for kernel in (kernels.scan, kernels.fused):
        inputs = [tf.constant(v) for v in (x, *state)]
        with kernels.use_kernel(kernel), tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs, h, c = layer(inputs[0], initial_state=inputs[1:], mask=mask, training=True)
            loss = tf.reduce_sum(tf.sin(outputs)) + tf.reduce_sum(h * c) + tf.reduce_sum(c**2)
        found.append([outputs, h, c, *tape.gradient(loss, [*inputs, *layer.trainable_variables])])
    return found


@settings(max_examples=12, deadline=None)
@given(
    st.integers(1, 3),
    st.integers(1, 6),
    st.integers(1, 4),
    st.integers(1, 5),
    st.sampled_from(["none", "right", "left", "any"]),
    st.booleans(),
    st.booleans(),
    st.integers(0, 99),
)
def test_fused_is_scan(batch, time, features, units, padding, backwards, bias, seed):
    rng = np.random.default_rng(seed)
    layer = LSTM(units, return_sequences=True, return_state=True, go_backwards=backwards, use_bias=bias)
    lengths = rng.integers(0, time + 1, batch)[:, None]
    mask = {
        "none": None,
        "right": np.arange(time) < lengths,
        "left": np.arange(time) >= lengths,
        "any": rng.random((batch, time)) > 0.5,
    }[padding]
    x, h, c = (
        rng.normal(size=s).astype("float32")
        for s in ((batch, time, features), (batch, units), (batch, units))
    )
    for a, b in zip(*both(layer, x, (h, c), mask), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("jit", [True, False])
def test_training_with_fit_is_the_same_by_either(jit):
    x = np.random.default_rng(0).normal(size=(32, 9, 3)).astype("float32")
    y = x.sum(axis=(1, 2), keepdims=True)[:, 0]
    weights = []
    for kernel in (kernels.scan, kernels.automatic):
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [
                keras.Input((9, 3)),
                keras.layers.Masking(),
                keras.layers.Bidirectional(LSTM(6, return_sequences=True)),
                LSTM(4),
                keras.layers.Dense(1),
            ]
        )
        model.compile("sgd", "mse", jit_compile=jit)
        with kernels.use_kernel(kernel):
            model.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0)
        weights.append(model.get_weights())
    for a, b in zip(*weights, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_training_takes_the_fused_path_and_inference_the_scan(monkeypatch):
    taken = []
    for name in ("fused", "scan"):
        original = getattr(kernels, name)

        def spy(*args, name=name, original=original):
            taken.append(name)
            return original(*args)

        monkeypatch.setattr(kernels, name, spy)
    x = np.zeros((2, 3, 4), "float32")
    LSTM(5, dropout=0.1)(x, training=True)
    LSTM(5)(x, training=False)
    LSTM(5, recurrent_dropout=0.1)(x, training=True)
    LSTM(5, peephole=True)(x, training=True)
    LSTM(5, activation="relu")(x, training=True)
    assert taken == ["fused", "scan", "scan", "scan", "scan"]


def test_dropout_drops_the_same_inputs_at_every_step():
    layer = LSTM(5, dropout=0.5, return_sequences=True)
    layer.build((None, None, 8))
    found = []
    for kernel in (kernels.scan, kernels.fused):
        layer.cell.seed_generator.state.assign([7, 0])
        with kernels.use_kernel(kernel):
            found.append(layer(np.ones((2, 6, 8), "float32"), training=True))
    np.testing.assert_allclose(found[0], found[1], atol=1e-6)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
def test_other_precisions(policy):
    layer = LSTM(5, dtype=policy, return_sequences=True)
    x = np.random.default_rng(0).normal(size=(2, 6, 3))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.cast(layer(x, training=True), "float32"))
    assert layer(x, training=True).dtype == layer.compute_dtype
    for gradient in tape.gradient(loss, layer.trainable_variables):
        assert np.isfinite(gradient).all()


@pytest.mark.parametrize("zero", [True, False])
def test_masked_outputs_are_keras_own(zero):
    mask = np.array([[0, 1, 0, 1, 0], [0, 0, 0, 0, 0]], bool)
    ours = LSTM(5, return_sequences=True, zero_output_for_mask=zero)
    theirs = keras.layers.LSTM(5, return_sequences=True, zero_output_for_mask=zero, use_cudnn=False)
    x = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")
    theirs.build(x.shape)
    ours.build(x.shape)
    ours.set_weights(theirs.get_weights())
    state = [np.ones((2, 5), "float32")] * 2
    np.testing.assert_allclose(
        ours(x, mask=mask, initial_state=state, training=True),
        theirs(x, mask=mask, initial_state=state),
        atol=1e-6,
    )
