"""The fused path is the scan: outputs, states and every gradient, under any mask."""

import subprocess
import sys

import cudnn
import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_apps.layers import LSTM, kernels


def both(layer, x, state, mask, training=True):
    """Results and gradients by `scan` and by `fused`."""
    found = []
    for kernel in (kernels.scan, kernels.fused):
        inputs = [tf.constant(v) for v in (x, *state)]
        with kernels.use_kernel(kernel), tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs, h, c = layer(inputs[0], initial_state=inputs[1:], mask=mask, training=training)
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
    st.booleans(),
    st.integers(0, 99),
)
def test_fused_is_scan(batch, time, features, units, padding, backwards, bias, training, seed):
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
    for a, b in zip(*both(layer, x, (h, c), mask, training), strict=True):
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
                keras.layers.Bidirectional(LSTM(6, return_sequences=True, use_cudnn=False)),
                LSTM(4, use_cudnn=False),
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


@pytest.mark.parametrize("batch", [1, None])
def test_a_batch_of_one_cannot_be_halved(batch):
    layer = LSTM(4, return_sequences=True)
    x = np.random.default_rng(0).normal(size=(1, 5, 3)).astype("float32")

    @tf.function(input_signature=[tf.TensorSpec((batch, 5, 3))])
    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(layer(x, training=True) ** 2)
        return tape.gradient(loss, x)

    found = gradient(x)
    with kernels.use_kernel(kernels.scan):
        np.testing.assert_allclose(found, gradient.python_function(tf.constant(x)), atol=1e-6)


def test_compiled_is_for_inference_too():
    x = np.random.default_rng(0).normal(size=(3, 6, 4)).astype("float32")
    for layer in (LSTM(5), LSTM(5, peephole=True)):
        expected = layer(x)
        with kernels.use_kernel(kernels.compiled):
            np.testing.assert_allclose(layer(x), expected, atol=1e-6)


def test_the_plain_layer_keeps_its_model_from_being_compiled_as_a_whole():
    for arguments, able in (({}, False), ({"use_cudnn": False}, True), ({"layer_norm": True}, True)):
        assert LSTM(5, **arguments).supports_jit is able


@pytest.mark.parametrize("backwards", [False, True])
def test_a_gpu_takes_cudnn_with_its_packed_weights(monkeypatch, backwards):
    layer = LSTM(5, return_sequences=True, return_state=True, go_backwards=backwards)
    x = np.random.default_rng(0).normal(size=(3, 6, 4)).astype("float32")
    state = [np.random.default_rng(1).normal(size=(3, 5)).astype("float32")] * 2
    expected = layer(x, initial_state=state)
    cudnn.simulate(monkeypatch)
    for found, want in zip(layer(x, initial_state=state, training=True), expected, strict=True):
        np.testing.assert_allclose(found, want, atol=1e-6)


@pytest.mark.parametrize("arguments", [{"use_cudnn": False}, {"use_bias": False}, {"peephole": True}])
def test_what_cudnn_does_not_do_goes_without_it(monkeypatch, arguments):
    cudnn.simulate(monkeypatch)
    monkeypatch.setattr(tf.raw_ops, "CudnnRNNV3", None)
    LSTM(5, **arguments)(np.zeros((2, 3, 4), "float32"), training=True)
    LSTM(5)(np.zeros((2, 3, 4), "float32"), mask=np.ones((2, 3), bool), training=True)


@pytest.mark.parametrize(
    "arguments",
    [{}, {"activation": "relu"}, {"peephole": True}, {"recurrent_dropout": 0.1}, {"unroll": True}],
)
def test_cudnn_that_is_demanded_and_cannot_be_had_is_an_error_of_the_call(monkeypatch, arguments):
    if arguments:
        cudnn.simulate(monkeypatch)
    layer = LSTM(5, use_cudnn=True, **arguments)
    for training in (False, True):
        with pytest.raises(ValueError, match="use_cudnn='auto'"):
            layer(np.zeros((2, 3, 4), "float32"), training=training)


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("zero", [False, True])
@pytest.mark.parametrize("sequences", [False, True])
def test_cudnn_that_is_demanded_is_taken_and_repeats_the_last_output(monkeypatch, sequences, zero, backwards):
    flags = {"return_sequences": sequences, "zero_output_for_mask": zero, "go_backwards": backwards}
    layer = LSTM(5, use_cudnn=True, return_state=True, **flags)
    x = np.random.default_rng(0).normal(size=(3, 6, 4)).astype("float32")
    mask = np.arange(6) < np.array([[6], [4], [1]])
    with kernels.use_kernel(kernels.scan):
        expected = layer(x, mask=mask)
    cudnn.simulate(monkeypatch)
    monkeypatch.setattr(kernels, "fused", None)
    monkeypatch.setattr(kernels, "scan", None)
    for found, want in zip(layer(x, mask=mask), expected, strict=True):
        np.testing.assert_allclose(found, want, atol=1e-6)
    assert LSTM.from_config(layer.get_config()).use_cudnn is True


MIRRORED = """
import keras, numpy as np, sys, tensorflow as tf
from lstm_apps.layers import LSTM
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)

def weights(strategy):
    with strategy.scope():
        keras.utils.set_random_seed(0)
        layers = [keras.layers.Masking(), LSTM(4), keras.layers.Dense(1)]
        model = keras.Sequential([keras.Input((6, 3)), *layers])
        model.compile("sgd", "mse")
    x = np.random.default_rng(0).normal(size=(32, 6, 3)).astype("float32")
    x[::3, 4:] = 0
    model.fit(x, x[:, :1, 0], batch_size=8, epochs=2, shuffle=False, verbose=0)
    return model.get_weights()

alone = weights(tf.distribute.get_strategy())
mirrored = weights(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]))
for a, b in zip(alone, mirrored, strict=True):
    np.testing.assert_allclose(a, b, atol=1e-6)
print("the same")
"""


def test_two_replicas_learn_what_one_does():
    done = subprocess.run([sys.executable, "-c", MIRRORED], capture_output=True, text=True)
    assert done.stdout.strip().endswith("the same"), done.stderr[-2000:]


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
