"""What one may expect of `keras.layers.LSTM` holds of ours: its numbers, its arguments, its files."""

import itertools
import json

import h5py
import keras
import numpy as np
import pytest
import reference
import tensorflow as tf

from lstm_apps.layers import LSTM

LAYERS = keras.layers
CONSTANT = {
    "kernel_initializer": keras.initializers.Constant(0.05),
    "recurrent_initializer": keras.initializers.Constant(0.1),
    "bias_initializer": keras.initializers.Constant(0.2),
}


def some(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def pair(x, units=3, **arguments):
    """Keras's layer and ours with the same weights, built for `x`."""
    theirs, ours = LAYERS.LSTM(units, use_cudnn=False, **arguments), LSTM(units, **arguments)
    for layer in (theirs, ours):
        layer.build(x.shape)
    theirs.set_weights([some(*w.shape, seed=i) for i, w in enumerate(theirs.get_weights())])
    ours.set_weights(theirs.get_weights())
    return theirs, ours


def same(found, expected, tolerance=2e-6):
    found, expected = keras.tree.flatten(found), keras.tree.flatten(expected)
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, atol=tolerance)


def by_hand(steps, units, forget):
    """h and c of a layer of `CONSTANT` weights, of which all units are alike, over two features of 1."""
    h = c = 0.0
    for _ in range(steps):
        z = 2 * 0.05 + units * 0.1 * h
        i, f, o = (1 / (1 + np.exp(-z - bias)) for bias in (0.2, forget, 0.2))
        g = np.tanh(z + 0.2)
        c = f * c + i * g
        h = o * np.tanh(c)
    return h, c


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("implementation", [1, 2])
@pytest.mark.parametrize(("unit_forget_bias", "forget"), [(True, 1.0), (False, 0.2)])
def test_constant_weights_give_what_the_equations_give_by_hand(
    training, implementation, unit_forget_bias, forget
):
    layer = LSTM(
        3,
        return_state=True,
        implementation=implementation,
        unit_forget_bias=unit_forget_bias,
        **CONSTANT,
    )
    output, h, c = layer(np.ones((2, 5, 2), "float32"), training=training)
    expected_h, expected_c = by_hand(5, 3, forget)
    np.testing.assert_allclose(output, np.full((2, 3), expected_h), atol=1e-6)
    np.testing.assert_allclose(h, output, atol=0)
    np.testing.assert_allclose(c, np.full((2, 3), expected_c), atol=1e-6)


def test_golden_numbers():
    """Of the same weights, worked out once: h after 1 and after 2 steps."""
    layer = LSTM(3, return_sequences=True, **CONSTANT)
    output = layer(np.ones((1, 2, 2), "float32"))
    np.testing.assert_allclose(output[0, :, 0], [0.095241, 0.175146], atol=2e-6)


SWITCHES = ["return_sequences", "return_state", "go_backwards", "unroll", "zero_output_for_mask"]


@pytest.mark.parametrize("training", [False, True])
def test_all_switches_under_a_mask(training):
    x = some(3, 4, 2)
    masks = None, np.array([[1, 1, 1, 0], [1, 0, 1, 1], [0, 0, 1, 1]], bool)
    for values in itertools.product([False, True], repeat=len(SWITCHES)):
        theirs, ours = pair(x, **dict(zip(SWITCHES, values, strict=True)))
        for mask in masks:
            if mask is not None and theirs.unroll and theirs.go_backwards:
                continue  # where Keras 3.15 is wrong, see `kernels.scan`
            same(ours(x, mask=mask, training=training), theirs(x, mask=mask))


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
def test_a_given_state_is_where_it_begins(training, backwards):
    x, state = some(2, 4, 2), [some(2, 3, seed=8), some(2, 3, seed=9)]
    theirs, ours = pair(x, go_backwards=backwards, return_sequences=True, return_state=True)
    same(ours(x, initial_state=state, training=training), theirs(x, initial_state=state))
    wanted, h, c = reference.lstm(x, theirs.get_weights(), h=state[0], c=state[1], go_backwards=backwards)
    same(ours(x, initial_state=state, training=training), [v.astype("float32") for v in (wanted, h, c)])


def test_a_state_that_is_returned_can_be_passed_on():
    x = some(2, 6, 2)
    _, layer = pair(x, return_sequences=True, return_state=True)
    for training in (False, True):
        first, *state = layer(x[:, :2], training=training)
        rest, *_ = layer(x[:, 2:], initial_state=state, training=training)
        whole, *_ = layer(x, training=training)
        same(np.concatenate([first, rest], axis=1), whole.numpy())


def test_states_pass_between_layers_of_a_functional_model():
    x, y = some(2, 5, 2), some(2, 4, 2, seed=1)
    found = []
    for make in (LAYERS.LSTM, LSTM):
        inputs = keras.Input((None, 2)), keras.Input((None, 2))
        _, *state = make(3, return_state=True)(inputs[0])
        model = keras.Model(inputs, make(3)(inputs[1], initial_state=state))
        model.set_weights([some(*w.shape, seed=i) for i, w in enumerate(model.get_weights())])
        found.append([model([x, y]), model.predict([x, y], verbose=0)])
    same(*found)


@pytest.mark.parametrize("training", [False, True])
def test_stateful(training):
    x = some(2, 6, 2)
    theirs, ours = pair(x, stateful=True)
    for part in (x[:, :2], x[:, 2:], x):
        same(ours(part, training=training), theirs(part))
    same([s.value for s in ours.states], [s.value for s in theirs.states])
    with pytest.raises(ValueError, match="batch size"):
        ours(x[:1])
    for layer in (ours, theirs):
        layer.reset_state()
    same(ours(x, training=training), theirs(x))
    with pytest.raises(ValueError, match="batch size must be static"):
        LSTM(3, stateful=True).build((None, 4, 2))


@pytest.mark.parametrize("merge", ["concat", "sum", "mul", "ave", None])
@pytest.mark.parametrize("training", [False, True])
def test_bidirectional(merge, training):
    x, found = some(2, 4, 2), []
    mask = np.array([[1, 1, 1, 0], [1, 1, 1, 1]], bool)
    state = [some(2, 3, seed=i) for i in range(4)]
    for make in (LAYERS.LSTM, LSTM):
        layer = LAYERS.Bidirectional(make(3, return_sequences=True, return_state=True), merge_mode=merge)
        layer.build(x.shape)
        layer.set_weights([some(*w.shape, seed=i) for i, w in enumerate(layer.get_weights())])
        outputs = layer(x, mask=mask, initial_state=state, training=training)
        found.append(outputs)
        assert [tuple(o.shape) for o in outputs] == [tuple(s) for s in layer.compute_output_shape(x.shape)]
    same(*found)


def test_bidirectional_and_stateful():
    x, found = some(2, 4, 2), []
    for make in (LAYERS.LSTM, LSTM):
        layer = LAYERS.Bidirectional(make(3, stateful=True))
        layer.build(x.shape)
        layer.set_weights([some(*w.shape, seed=i) for i, w in enumerate(layer.get_weights())])
        outputs = [layer(x), layer(x)]
        layer.reset_state()
        found.append([*outputs, layer(x)])
    same(*found)


def test_dropout_draws_by_its_seed_and_only_in_training():
    x = np.ones((2, 4, 6), "float32")
    for arguments in (
        {"dropout": 0.5},
        {"recurrent_dropout": 0.5},
        {"dropout": 0.3, "recurrent_dropout": 0.3},
    ):
        one, other = (LSTM(5, seed=7, **arguments) for _ in range(2))
        for layer in (one, other):
            layer.build(x.shape)
        other.set_weights(one.get_weights())
        plain = LSTM(5)
        plain.build(x.shape)
        plain.set_weights(one.get_weights()[:3])
        drawn = one(x, training=True)
        same(drawn, other(x, training=True))
        assert np.abs(drawn - one(x, training=True)).max() > 1e-4  # another draw each time
        same(one(x), plain(x))


def test_dropout_is_the_one_of_keras():
    x = np.ones((2, 4, 6), "float32")
    for arguments in (
        {"dropout": 0.5},
        {"recurrent_dropout": 0.5},
        {"dropout": 0.3, "recurrent_dropout": 0.3},
    ):
        theirs, ours = LAYERS.LSTM(5, seed=7, **arguments), LSTM(5, seed=7, **arguments)
        for layer in (theirs, ours):
            layer.build(x.shape)
        for mine, his in zip(ours.trainable_variables, theirs.trainable_variables, strict=True):
            mine.assign(his)
        same(ours(x, training=True), theirs(x, training=True))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16", "float64"])
def test_precisions(policy):
    x = some(2, 4, 2)
    theirs, ours = pair(x, dtype=policy, return_sequences=True, return_state=True)
    tolerance = {"mixed_float16": 2e-3, "float16": 2e-3, "mixed_bfloat16": 2e-2, "float64": 1e-12}[policy]
    for training in (False, True):
        same(ours(x, training=training), theirs(x), tolerance)


@pytest.mark.parametrize("dtype", ["int32", "float16", "float64", "bool"])
def test_inputs_of_another_type_are_cast_as_keras_does(dtype):
    x = (3 * some(2, 4, 2)).astype(dtype)
    theirs, ours = pair(x)
    for training in (False, True):
        same(ours(x, training=training), theirs(x))


@pytest.mark.parametrize("shape", [(2, 4), (2, 4, 2, 1)])
def test_inputs_of_other_ranks_are_refused_as_by_keras(shape):
    for make in (LAYERS.LSTM, LSTM):
        with pytest.raises(ValueError, match="expected ndim=3"):
            make(3)(np.zeros(shape, "float32"))


@pytest.mark.parametrize("training", [False, True])
def test_ragged_sequences_as_padded_and_masked_ones(training):
    ragged = tf.RaggedTensor.from_row_lengths(some(7, 2), [4, 1, 2])
    x, mask = ragged.to_tensor(), tf.sequence_mask([4, 1, 2])
    theirs, ours = pair(x)
    same(ours(x, mask=mask, training=training), theirs(x, mask=mask))
    for row, found in zip(ragged, ours(x, mask=mask, training=training), strict=True):
        same(ours(row[None])[0], found)


def test_regularizers_constraints_and_trainable():
    x = some(2, 4, 2)
    arguments = {
        "kernel_regularizer": "l2",
        "recurrent_regularizer": keras.regularizers.L1(0.1),
        "bias_regularizer": "l1",
        "activity_regularizer": keras.regularizers.L2(0.1),
        "kernel_constraint": "max_norm",
        "bias_constraint": "non_neg",
    }
    theirs, ours = pair(x, **arguments)
    for layer in (theirs, ours):
        layer(x)
    same(ours.losses, theirs.losses)
    assert len(ours.losses) == 4
    assert isinstance(ours.cell.kernel.constraint, keras.constraints.MaxNorm)
    assert isinstance(ours.cell.bias.constraint, keras.constraints.NonNeg)
    ours.trainable = False
    assert not ours.trainable_variables
    theirs.trainable = False
    assert len(ours.non_trainable_variables) == len(theirs.non_trainable_variables)


def test_what_keras_own_layer_says_of_itself():
    theirs, ours = pair(
        some(2, 4, 2), activation="relu", use_bias=False, dropout=0.1, kernel_regularizer="l2"
    )
    names = {n for n, v in vars(LAYERS.LSTM).items() if isinstance(v, property)}
    assert {"units", "use_bias", "kernel_regularizer"} <= names
    for name in names:
        mine, his = getattr(ours, name), getattr(theirs, name)
        assert mine == his or type(mine) is type(his)


ARGUMENTS = {
    "activation": "relu",
    "recurrent_activation": "hard_sigmoid",
    "use_bias": False,
    "kernel_initializer": "he_normal",
    "kernel_regularizer": "l2",
    "activity_regularizer": "l1",
    "kernel_constraint": "max_norm",
    "dropout": 0.1,
    "recurrent_dropout": 0.2,
    "seed": 3,
    "return_sequences": True,
    "go_backwards": True,
    "zero_output_for_mask": True,
    "use_cudnn": True,
    "name": "mine",
    "dtype": "mixed_bfloat16",
    "trainable": False,
}


@pytest.mark.parametrize("make", [LAYERS.LSTM, LSTM])
def test_every_argument_survives_its_config(make):
    """From Keras's config too: ours takes its arguments."""
    config = make(3, **ARGUMENTS).get_config()
    config = {"use_cudnn": True, **json.loads(json.dumps(config))}  # which Keras does not write down
    again = LSTM.from_config(config)
    theirs = {k: v for k, v in again.get_config().items() if k in config}
    assert theirs == config
    assert again.use_cudnn is True
    assert again.name == "mine"


def test_pickle_and_clone_and_file_keep_the_numbers(tmp_path):
    import pickle

    x = some(2, 4, 2)
    model = keras.Sequential([keras.Input((None, 2)), LSTM(3, return_sequences=True), LSTM(2)])
    copies = [pickle.loads(pickle.dumps(model)), keras.models.clone_model(model)]
    copies[1].set_weights(model.get_weights())
    for name in ("m.keras", "m.h5"):
        model.save(tmp_path / name)
        copies.append(keras.models.load_model(tmp_path / name))
    model.save_weights(tmp_path / "m.weights.h5")
    theirs = keras.Sequential([keras.Input((None, 2)), LAYERS.LSTM(3, return_sequences=True), LAYERS.LSTM(2)])
    theirs.load_weights(tmp_path / "m.weights.h5")
    for copy in (*copies, theirs):
        same(copy(x), model(x))


KERAS_2 = {
    "name": "lstm", "trainable": True, "dtype": "float32", "return_sequences": True, "return_state": False,
    "go_backwards": False, "stateful": False, "unroll": False, "time_major": False, "units": 3,
    "activation": "tanh", "recurrent_activation": "sigmoid", "use_bias": True,
    "kernel_initializer": {"class_name": "GlorotUniform", "config": {"seed": None}},
    "recurrent_initializer": {"class_name": "Orthogonal", "config": {"gain": 1.0, "seed": None}},
    "bias_initializer": {"class_name": "Zeros", "config": {}}, "unit_forget_bias": True,
    "kernel_regularizer": None, "recurrent_regularizer": None, "bias_regularizer": None,
    "activity_regularizer": None, "kernel_constraint": None, "recurrent_constraint": None,
    "bias_constraint": None, "dropout": 0.0, "recurrent_dropout": 0.0, "implementation": 2,
}  # fmt: skip


def keras_2_file(path, **changed):
    """A whole model as Keras 2's `model.save("x.h5")` leaves it."""
    config = {"batch_input_shape": [None, 4, 2], **KERAS_2, **changed}
    inputs = {"batch_input_shape": [None, 4, 2], "dtype": "float32", "sparse": False, "name": "x"}
    layers = [
        {"class_name": "InputLayer", "config": inputs},
        {"class_name": "LSTM", "config": config},
    ]
    weights = {"kernel:0": some(2, 12), "recurrent_kernel:0": some(3, 12), "bias:0": some(12)}
    names = [f"lstm/lstm_cell/{name}" for name in weights]
    with h5py.File(path, "w") as file:
        file.attrs["backend"], file.attrs["keras_version"] = "tensorflow", "2.15.0"
        model = {"class_name": "Sequential", "config": {"name": "old", "layers": layers}}
        file.attrs["model_config"] = json.dumps(model)
        group = file.create_group("model_weights")
        group.attrs["backend"], group.attrs["keras_version"] = "tensorflow", "2.15.0"
        group.attrs["layer_names"] = [b"lstm"]
        group.create_group("lstm").attrs["weight_names"] = [n.encode() for n in names]
        for name, value in zip(names, weights.values(), strict=True):
            group["lstm"][name] = value
    return list(weights.values())


def test_a_model_file_of_keras_2(tmp_path):
    weights = keras_2_file(tmp_path / "old.h5")
    model = keras.models.load_model(tmp_path / "old.h5", custom_objects={"LSTM": LSTM}, compile=False)
    assert isinstance(model.layers[0], LSTM)
    x = some(2, 4, 2)
    wanted, _, _ = reference.lstm(x, weights)
    np.testing.assert_allclose(model(x), wanted, atol=1e-6)


def test_time_in_front_is_one_sentence(tmp_path):
    keras_2_file(tmp_path / "old.h5", time_major=True)
    with pytest.raises(ValueError, match="time_major=True"):
        keras.models.load_model(tmp_path / "old.h5", custom_objects={"LSTM": LSTM}, compile=False)
    with pytest.raises(ValueError, match=r"lstm has time_major=True.*\(batch, time, features\)"):
        LSTM.from_config({**KERAS_2, "time_major": True})


def test_a_config_of_keras_2_is_not_changed_by_reading_it():
    config = {**KERAS_2, "batch_input_shape": [None, 4, 2]}
    assert LSTM.from_config(config).units == 3
    assert config["time_major"] is False
    assert config["batch_input_shape"] == [None, 4, 2]
