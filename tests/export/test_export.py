"""Exports: the fused operator of each runtime, checked against Keras."""

import threading
from functools import partial

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_models import FORMS, each_form, sequential, side_by_side, twice

import export
from export import benchmark
from lstm_apps.errors import InputError
from lstm_apps.layers import LSTM
from lstm_apps.runtime.engines import open_engine
from lstm_apps.runtime.stream import Stream

MODELS = {
    "last": lambda: sequential(LSTM(5)),
    "sequences": lambda: sequential(LSTM(5, return_sequences=True)),
    "stacked": lambda: sequential(LSTM(5, return_sequences=True), LSTM(3), keras.layers.Dense(2)),
    "backwards": lambda: sequential(LSTM(5, return_sequences=True, go_backwards=True)),
    "bidirectional": lambda: sequential(keras.layers.Bidirectional(LSTM(5, return_sequences=True))),
    "no bias": lambda: sequential(LSTM(5, use_bias=False)),
    "shared": lambda: twice(LSTM(5)),
    "shared, bidirectional": lambda: twice(keras.layers.Bidirectional(LSTM(5))),
    "side by side": lambda: side_by_side(
        keras.layers.Bidirectional(LSTM(5)), keras.layers.Bidirectional(LSTM(5))
    ),
    "open time": lambda: sequential(LSTM(5), time=None),
    "scaled": lambda: sequential(keras.layers.Normalization(axis=None, mean=2.0, variance=3.0), LSTM(5)),
}


@each_form
@pytest.mark.parametrize("name", MODELS)
def test_every_lstm_is_one_operator(write, file, operator, name, tmp_path):
    report = write(MODELS[name](), tmp_path / file)
    both = 1 if operator == "LSTM" else 2  # operators of a bidirectional layer
    many = {"stacked": 2, "shared": 2, "bidirectional": both, "shared, bidirectional": 2 * both}
    lstms = {**many, "side by side": 2 * both}.get(name, 1)
    assert report.operators[operator] == lstms
    assert report.fused
    assert not {"Loop", "Scan", "WHILE", "If"} & set(report.operators)
    assert not [op for op in report.operators if op.startswith("Flex")]
    assert report.max_abs_error <= report.tolerance
    assert report.path.stat().st_size == report.size_bytes


def test_only_directions_of_one_kind_are_joined(tmp_path):
    x = keras.Input((6, 4))
    alike, other = LSTM(3), LSTM(3, go_backwards=True)
    by_relu = LSTM(3, go_backwards=True, activation="relu")
    from_states = LSTM(3, go_backwards=True)(x, initial_state=[alike(x), alike(x)])
    outputs = keras.ops.concatenate([alike(x), by_relu(x), from_states])
    report = export.to_onnx(keras.Model(x, outputs), tmp_path / "m.onnx")
    assert report.operators["LSTM"] >= 3
    report = export.to_onnx(keras.Model(x, keras.ops.add(other(x), alike(x))), tmp_path / "m.onnx")
    assert report.operators["LSTM"] == 1


@each_form
def test_a_layer_that_runs_twice_has_two_states(write, file, operator, tmp_path):
    report = write(twice(LSTM(5, return_sequences=True, name="lstm")), tmp_path / file, step=True)
    states = {name for name in open_engine(report.path).inputs if name.startswith("lstm")}
    assert states == {"lstm_h", "lstm_c", "lstm_2_h", "lstm_2_c"}


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 12), st.integers(1, 5), st.integers(1, 9), st.integers(0, 9))
def test_any_shape_answers_as_keras_does(tmp_path, time, features, units, seed):
    keras.utils.set_random_seed(seed)
    model = sequential(LSTM(units, return_sequences=True), features=features, time=time)
    x = np.random.default_rng(seed).normal(size=(2, time, features)).astype("float32")
    for write, file, _ in FORMS:
        write(model, tmp_path / file, inputs=x)
        (found,) = open_engine(tmp_path / file).run({model.inputs[0].name: x}).values()
        np.testing.assert_allclose(found, model(x), atol=1e-5)


@each_form
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16"])
@pytest.mark.parametrize("layer", [LSTM, partial(LSTM, layer_norm=True), keras.layers.LSTM, keras.layers.GRU])
def test_a_model_of_mixed_precision_leaves_in_float32(write, file, operator, policy, layer, tmp_path):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = sequential(keras.layers.Bidirectional(layer(5)), keras.layers.Dense(2))
    finally:
        keras.config.set_dtype_policy(before)
    x = np.random.default_rng(0).normal(size=(3, 7, 4)).astype("float32")
    path = write(model, tmp_path / file, inputs=x).path
    engine = open_engine(path)
    (found,) = engine.run(dict.fromkeys(engine.inputs, x)).values()
    assert found.dtype == np.float32
    rough = {"mixed_float16": 0.01, "mixed_bfloat16": 0.05, "float16": 0.01}[policy]
    np.testing.assert_allclose(found, model(x).numpy().astype("float32"), atol=rough)


def test_onnx_takes_any_batch_and_any_length(tmp_path):
    model = sequential(LSTM(5), time=None)
    export.to_onnx(model, tmp_path / "m.onnx")
    engine = open_engine(tmp_path / "m.onnx")
    for batch, time in ((1, 1), (5, 3), (2, 40)):
        x = np.random.default_rng(0).normal(size=(batch, time, 4)).astype("float32")
        (found,) = engine.run({model.inputs[0].name: x}).values()
        np.testing.assert_allclose(found, model(x), atol=1e-5)


def counting_model():
    """A cell that adds 0.8 at each of 60 steps: it reaches 48, far over the converter's clip of 10."""
    layer = LSTM(1, return_sequences=True)
    model = sequential(layer, features=1, time=60)
    big = 30.0
    # blocks input, forget, candidate, output: the gates open, the candidate tanh(x)
    layer.set_weights(
        [
            np.array([[0, 0, 1, 0]], "float32"),
            np.zeros((1, 4), "float32"),
            np.array([big, big, 0, -3], "float32"),
        ]
    )
    return model, np.full((1, 60, 1), np.arctanh(0.8), "float32")


@each_form
def test_a_counting_cell_is_not_clipped(write, file, operator, tmp_path):
    model, x = counting_model()
    assert float(keras.ops.max(model.layers[0].gates(x)["cell"])) == pytest.approx(48, rel=1e-4)
    # The output saturates in tanh(c); what a clip of 10 would change shows when the cell counts down.
    x = np.concatenate([x[:, :30], -x[:, :30]], axis=1)
    report = write(model, tmp_path / file, inputs=x)
    assert report.fused
    (found,) = open_engine(tmp_path / file).run({model.inputs[0].name: x}).values()
    np.testing.assert_allclose(found, model(x), atol=1e-5)


def test_a_tflite_file_forgets_what_it_was_called_with(tmp_path):
    """With LiteRT's bare interpreter, which no code of ours could reset between calls."""
    from ai_edge_litert.interpreter import Interpreter

    model = sequential(LSTM(5, return_sequences=True))
    export.to_tflite(model, tmp_path / "m.tflite")
    call = Interpreter(str(tmp_path / "m.tflite")).get_signature_runner()
    x = np.random.default_rng(0).normal(size=(1, 7, 4)).astype("float32")
    (name,) = call.get_input_details()
    first, second = (next(iter(call(**{name: x}).values())).copy() for _ in range(2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(first, model(x), atol=1e-6)


def test_an_output_that_is_a_state_has_a_tensor_for_each_name(tmp_path):
    inputs = keras.Input((4, 2), name="x")
    model = keras.Model(inputs, LSTM(3, name="lstm")(inputs))
    export.to_tflite(model, tmp_path / "m.tflite", step=True)
    _, outputs = benchmark._tensor_names(tmp_path / "m.tflite")
    assert sorted(outputs) == ["lstm_c_next", "lstm_h_next", "output"]


def test_zeros_among_the_weights_are_not_taken_for_the_state(tmp_path):
    """The converter merges equal constants; the operator then overwrote a weight with its state."""
    layer = LSTM(1, return_sequences=True)
    model = sequential(layer, features=1)
    layer.set_weights(
        [np.array([[0, 0, 1, 0]], "float32"), np.zeros((1, 4), "float32"), np.array([9, 9, 0, -3], "float32")]
    )
    x = np.full((1, 7, 1), 10, "float32")
    assert export.to_tflite(model, tmp_path / "m.tflite", inputs=x).max_abs_error < 1e-6


def test_a_tflite_file_has_a_form_for_each_length(tmp_path):
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    x = keras.layers.Embedding(50, 8, mask_zero=True)(tokens)
    both_ways = keras.layers.Bidirectional(LSTM(6, return_sequences=True))(x)
    model = keras.Model(tokens, keras.layers.GlobalMaxPooling1D()(both_ways))
    inputs = np.random.default_rng(0).integers(1, 50, (5, 24)).astype(np.int32)
    inputs[0, 7:] = inputs[1, 1:] = 0
    how = {"inputs": {"tokens": inputs}, "right_padded": True}
    one = export.to_tflite(model, tmp_path / "one.tflite", **how)
    report = export.to_tflite(model, tmp_path / "four.tflite", lengths=(4, 8, 16), **how)
    assert report.fused
    assert report.operators["UNIDIRECTIONAL_SEQUENCE_LSTM"] == 4 * 2
    assert report.size_bytes < 4 * one.size_bytes
    engine = open_engine(report.path)
    for length in (4, 8, 16, 24, 8):  # in any order: none sees the call before
        found = engine.run({"tokens": inputs[:, :length]})["output"]
        np.testing.assert_allclose(found, model(inputs[:, :length]), atol=1e-6)
    with pytest.raises(InputError, match="the file takes 4, 8, 16, 24 steps"):
        engine.run({"tokens": inputs[:, :5]})
    with pytest.raises(InputError, match="shorter than the inputs"):
        export.to_tflite(model, tmp_path / "five.tflite", lengths=(24,), **how)
    assert not (tmp_path / "five.tflite").exists()


def test_ranges_and_length_are_those_of_the_representative_data(tmp_path):
    pressure = keras.layers.Normalization(axis=None, mean=1013.0, variance=25.0)
    model = sequential(pressure, LSTM(5), keras.layers.Dense(2), time=None)
    data = np.random.default_rng(0).normal(1013, 5, (60, 30, 4)).astype("float32")
    report = export.to_tflite(model, tmp_path / "m.tflite", quantize="int8", representative_data=data)
    ((_, time, _),) = open_engine(report.path).inputs.values()
    assert time == 30


def test_coupled_gates_of_any_activation_leave(tmp_path):
    model = sequential(LSTM(5, coupled_gates=True, recurrent_activation="softsign"))
    report = export.to_onnx(model, tmp_path / "m.onnx")
    assert not report.fused  # in the operator the input gate would be another
    assert export.to_onnx(sequential(LSTM(5, coupled_gates=True)), tmp_path / "m.onnx").fused


@each_form
def test_what_an_adapted_layer_knows_is_in_a_file_of_mixed_precision(write, file, operator, tmp_path):
    x = 5 + 3 * np.random.default_rng(0).normal(size=(64, 7, 4)).astype("float32")
    scale = keras.layers.Normalization()
    scale.adapt(x)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        inputs = keras.Input((7, 4))
        model = keras.Model(inputs, LSTM(5)(scale(inputs)))
    finally:
        keras.config.set_dtype_policy(before)
    engine = open_engine(write(model, tmp_path / file, inputs=x[:3]).path)
    assert list(engine.inputs) == [model.inputs[0].name]
    (found,) = engine.run({model.inputs[0].name: x[:3]}).values()
    np.testing.assert_allclose(found, model(x[:3]).numpy().astype("float32"), atol=0.01)


@each_form
def test_float64_leaves_in_float32(write, file, operator, tmp_path):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    try:
        model = sequential(LSTM(5), keras.layers.Dense(2))
    finally:
        keras.config.set_dtype_policy(before)
    assert write(model, tmp_path / file).fused


@each_form
def test_sequences_that_a_reshape_made_of_one(write, file, operator, tmp_path):
    x = keras.Input((4, 6, 3))
    h = LSTM(5)(keras.ops.reshape(x, (-1, 6, 3)))
    write(keras.Model(x, keras.ops.reshape(h, (-1, 4, 5))), tmp_path / file)


def test_an_export_leaves_the_layers_of_other_threads_alone(tmp_path):
    x = np.random.default_rng(0).normal(size=(2, 7, 4)).astype("float32")
    other = keras.layers.LSTM(3)
    expected, done = other(x).numpy(), threading.Event()
    seen = []

    def go_on():
        while not done.is_set():
            seen.append(np.abs(other(x).numpy() - expected).max())

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        export.to_tflite(sequential(LSTM(5)), tmp_path / "m.tflite")
    finally:
        done.set()
        thread.join()
    assert len(seen) > 3
    assert max(seen) < 1e-6


def test_axes_that_are_open_may_differ_in_size(tmp_path):
    x, y = keras.Input((None, 4), name="x"), keras.Input((None, 4), name="y")
    grown = [keras.ops.exp(0.1 * (r := keras.ops.relu(2.0 * z))) + r for z in (x, y)]
    model = keras.Model([x, y], [LSTM(5)(grown[0]), LSTM(5)(grown[1]), keras.ops.mean(grown[0], 1)])
    engine = open_engine(export.to_onnx(model, tmp_path / "m.onnx").path)
    inputs = {name: np.random.default_rng(0).normal(size=(2, n, 4)) for name, n in (("x", 9), ("y", 17))}
    for found, expected in zip(engine.run(inputs).values(), model(list(inputs.values())), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)


@each_form
@pytest.mark.parametrize("right_padded", [False, True])
@pytest.mark.parametrize("chunk", [1, 2])
def test_a_masked_step_repeats_the_output_of_the_chunk_before(
    write, file, operator, right_padded, chunk, tmp_path
):
    x = keras.Input((None, 4), name="x")
    model = keras.Model(x, LSTM(5, return_sequences=True)(keras.layers.Masking()(x)))
    padded = np.random.default_rng(0).normal(size=(1, 6, 4)).astype("float32")
    padded[:, 3:] = 0
    report = write(model, tmp_path / file, step=chunk, right_padded=right_padded, inputs=padded)
    (found,) = Stream(open_engine(report.path)).run({"x": padded}, chunk).values()
    np.testing.assert_allclose(found, model(padded), atol=1e-6)


def test_gelu_leaves_as_onnx(tmp_path):
    x = keras.Input((6, 4))
    for outputs in (keras.layers.Dense(3, activation="gelu")(LSTM(4)(x)), LSTM(4, activation="gelu")(x)):
        assert export.to_onnx(keras.Model(x, outputs), tmp_path / "m.onnx").max_abs_error < 1e-6
