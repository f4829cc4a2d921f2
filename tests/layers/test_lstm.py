"""The layer is `keras.layers.LSTM` to the last digit, wherever that one can stand."""

import h5py
import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_apps.layers import LSTM, LSTMCell


def inputs(batch=3, time=7, features=4, seed=0):
    return np.random.default_rng(seed).normal(size=(batch, time, features)).astype("float32")


def pair(units=5, features=4, **arguments):
    """Ours and Keras's layer with the same weights."""
    ours, theirs = LSTM(units, **arguments), keras.layers.LSTM(units, use_cudnn=False, **arguments)
    for layer in (ours, theirs):
        layer.build((None, None, features))
    rng = np.random.default_rng(1)
    theirs.set_weights([rng.normal(size=w.shape).astype("float32") for w in theirs.get_weights()])
    ours.set_weights(theirs.get_weights())
    return ours, theirs


@settings(max_examples=20, deadline=None)
@given(
    st.integers(1, 4),
    st.integers(1, 9),
    st.integers(1, 5),
    st.integers(1, 6),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_equals_keras_for_any_shape(batch, time, features, units, sequences, backwards, bias):
    ours, theirs = pair(units, features, return_sequences=sequences, go_backwards=backwards, use_bias=bias)
    x = inputs(batch, time, features)
    np.testing.assert_allclose(ours(x), theirs(x), atol=1e-6)


@pytest.mark.parametrize(
    "arguments",
    [
        {"activation": "relu"},
        {"recurrent_activation": "hard_sigmoid"},
        {"return_state": True},
        {"unroll": True},
        {"return_sequences": True, "return_state": True, "go_backwards": True},
    ],
)
def test_equals_keras_for_its_arguments(arguments):
    ours, theirs = pair(**arguments)
    for a, b in zip(keras.tree.flatten(ours(inputs())), keras.tree.flatten(theirs(inputs())), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize("mask", ["right", "left", "gaps", "none valid"])
@pytest.mark.parametrize("sequences", [True, False])
def test_equals_keras_under_masks(mask, sequences):
    valid = {
        "right": [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]],
        "left": [[0, 0, 1, 1, 1], [1, 1, 1, 1, 1]],
        "gaps": [[1, 0, 1, 0, 1], [0, 1, 1, 0, 0]],
        "none valid": [[0, 0, 0, 0, 0], [1, 1, 0, 0, 0]],
    }[mask]
    ours, theirs = pair(return_sequences=sequences)
    x, valid = inputs(2, 5), np.array(valid, bool)
    np.testing.assert_allclose(ours(x, mask=valid), theirs(x, mask=valid), atol=1e-6)


@pytest.mark.parametrize("zero", [False, True])
def test_unrolled_backwards_under_a_mask_is_the_loop(zero):
    arguments = {"return_sequences": True, "go_backwards": True, "zero_output_for_mask": zero}
    looped, unrolled = LSTM(3, **arguments), LSTM(3, unroll=True, **arguments)
    x, valid = inputs(2, 5), np.array([[1, 1, 1, 0, 0], [0, 1, 0, 1, 1]], bool)
    for layer in (looped, unrolled):
        layer(x)
    unrolled.set_weights(looped.get_weights())
    np.testing.assert_allclose(unrolled(x, mask=valid), looped(x, mask=valid), atol=1e-6)


def test_equals_keras_in_its_gradients():
    import tensorflow as tf

    ours, theirs = pair()
    x = tf.constant(inputs())
    gradients = []
    for layer in (ours, theirs):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(layer(x) ** 2)
        gradients.append(tape.gradient(loss, [x, *layer.trainable_variables]))
    for a, b in zip(*gradients, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_weights_go_both_ways():
    ours, theirs = pair()
    theirs.set_weights(ours.get_weights())
    assert [w.shape for w in ours.get_weights()] == [(4, 20), (5, 20), (20,)]
    np.testing.assert_allclose(ours(inputs()), theirs(inputs()), atol=1e-6)


def test_stands_in_bidirectional():
    ours = keras.layers.Bidirectional(LSTM(5, return_sequences=True))
    theirs = keras.layers.Bidirectional(keras.layers.LSTM(5, return_sequences=True, use_cudnn=False))
    for layer in (ours, theirs):
        layer.build((None, None, 4))
    theirs.set_weights(ours.get_weights())
    valid = np.array([[1, 1, 1, 1, 0, 0, 0]] * 3, bool)
    np.testing.assert_allclose(ours(inputs(), mask=valid), theirs(inputs(), mask=valid), atol=1e-6)


def test_stands_in_time_distributed_and_its_cell_in_rnn():
    x = np.random.default_rng(0).normal(size=(2, 3, 7, 4)).astype("float32")
    ours, theirs = pair()
    np.testing.assert_allclose(
        keras.layers.TimeDistributed(ours)(x), keras.layers.TimeDistributed(theirs)(x), atol=1e-6
    )
    cells = [LSTMCell(5), LSTMCell(3, peephole=True)]
    stacked = keras.layers.RNN(cells)
    stacked.build((None, None, 4))
    one_by_one = [keras.layers.RNN(cell, return_sequences=True) for cell in cells]
    np.testing.assert_allclose(stacked(inputs()), one_by_one[1](one_by_one[0](inputs()))[:, -1], atol=1e-6)


def test_weights_of_a_keras_2_file(tmp_path):
    """The layout that Keras 2's `save_weights("x.h5")` leaves."""
    rng = np.random.default_rng(0)
    shapes = {"kernel:0": (4, 20), "recurrent_kernel:0": (5, 20), "bias:0": (20,)}
    names = [f"{way}_lstm/lstm_cell_1/{name}" for way in ("forward", "backward") for name in shapes]
    values = [rng.normal(size=shape).astype("float32") for shape in [*shapes.values()] * 2]
    with h5py.File(tmp_path / "old.h5", "w") as file:
        file.attrs["layer_names"] = [b"bidirectional"]
        file.attrs["backend"], file.attrs["keras_version"] = b"tensorflow", b"2.15.0"
        group = file.create_group("bidirectional")
        group.attrs["weight_names"] = [f"bidirectional/{name}".encode() for name in names]
        for name, value in zip(names, values, strict=True):
            group[f"bidirectional/{name}"] = value
    layers = LSTM(5), keras.layers.LSTM(5, use_cudnn=False)
    found = []
    for layer in layers:
        model = keras.Sequential([keras.Input((None, 4)), keras.layers.Bidirectional(layer)])
        model.load_weights(tmp_path / "old.h5")
        found.append(model(inputs()))
        for got, want in zip(model.get_weights(), values, strict=True):
            np.testing.assert_array_equal(got, want)
    np.testing.assert_allclose(*found, atol=1e-6)


def test_survives_a_keras_file_without_custom_objects(tmp_path):
    model = keras.Sequential(
        [
            keras.Input((None, 4)),
            keras.layers.Bidirectional(
                LSTM(5, return_sequences=True, forget_bias=2.0, recurrent_dropout=0.1)
            ),
            keras.layers.RNN(LSTMCell(3)),
        ]
    )
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(model(inputs()), again(inputs()))
    assert again.layers[0].forward_layer.cell.forget_bias == 2.0
    assert again.layers[0].forward_layer.cell.recurrent_dropout == 0.1


@pytest.mark.parametrize("forget_bias", [1.0, -2.0, 0.0])
def test_forget_bias_is_where_the_forget_gate_starts(forget_bias):
    layer = LSTM(3, forget_bias=forget_bias)
    layer.build((None, None, 2))
    expected = [0, 0, 0, *[forget_bias] * 3, 0, 0, 0, 0, 0, 0]
    np.testing.assert_array_equal(layer.cell.bias, np.array(expected, "float32"))


def test_gates_are_what_the_output_was_made_of():
    layer = LSTM(5, return_sequences=True)
    valid = np.array([[1, 1, 0, 1, 1, 0, 0]] * 3, bool)
    output = layer(inputs(), mask=valid)
    gates = {k: np.asarray(v) for k, v in layer.gates(inputs(), mask=valid).items()}
    assert list(gates) == ["forget", "input", "candidate", "output", "cell", "hidden"]
    np.testing.assert_allclose(gates["hidden"], output, atol=1e-6)
    np.testing.assert_array_equal(gates["cell"][:, 2], gates["cell"][:, 1])  # carried over the gap
    before = np.concatenate([np.zeros((3, 1, 5)), gates["cell"][:, :-1]], axis=1)
    cell = gates["forget"] * before + gates["input"] * gates["candidate"]
    np.testing.assert_allclose(gates["cell"][valid], cell[valid], atol=1e-6)
    shown = gates["output"] * np.tanh(gates["cell"])
    np.testing.assert_allclose(gates["hidden"][valid], shown[valid], atol=1e-6)


def test_stateful_goes_on_where_it_ended():
    x = inputs(time=10)
    whole, parts = pair(return_sequences=True)[0], LSTM(5, return_sequences=True, stateful=True)
    parts.build((3, None, 4))
    parts.set_weights(whole.get_weights())
    halves = np.concatenate([parts(x[:, :4]), parts(x[:, 4:])], axis=1)
    np.testing.assert_allclose(halves, whole(x), atol=1e-6)
    parts.reset_state()
    np.testing.assert_allclose(parts(x), whole(x), atol=1e-6)


def test_learns_in_mixed_precision():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        layer = LSTM(5)
        assert layer(inputs()).dtype == "float16"
        assert layer.cell.kernel.dtype == "float32"
    finally:
        keras.config.set_dtype_policy("float32")
