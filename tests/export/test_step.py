"""A step of a stream: names of its states, what can be streamed, and the sentence where it cannot."""

import keras
import numpy as np
import pytest
from small_models import each_form, sequential

import export
from lstm_apps.errors import InputError
from lstm_apps.layers import LSTM, LeftContext
from lstm_apps.runtime.engines import open_engine
from lstm_apps.runtime.stream import Stream

K = keras.layers
X = np.random.default_rng(0).normal(size=(2, 12, 4)).astype("float32")
NAMES = {
    "_lstm": "layer_lstm",
    "my lstm": "my_lstm",
    "größe": "gr__e",
    "a\\b:0": "a_b_0",
}


@each_form
@pytest.mark.parametrize("name", NAMES)
def test_a_layer_may_have_any_name_that_keras_accepts(name, write, file, operator, tmp_path):
    model = sequential(LSTM(3, return_sequences=True, name=name), K.Dense(2, name=f"{name} head"), time=None)
    assert write(model, tmp_path / file, inputs=X).fused
    engine = open_engine(write(model, tmp_path / file, inputs=X, step=True).path)
    states = {n for n in engine.inputs if f"{n}_next" in engine.outputs}
    assert states == {f"{NAMES[name]}_h", f"{NAMES[name]}_c"}
    (name,) = engine.inputs.keys() - states
    np.testing.assert_allclose(Stream(engine, 2).run({name: X})["output"], model.call(X), atol=1e-6)


@each_form
def test_states_have_names_of_their_own(write, file, operator, tmp_path):
    x = keras.Input((None, 4), name="a_b_h")
    h = LSTM(3, return_sequences=True, name="a b")(x)
    h = LSTM(3, return_sequences=True, name="a_b")(h)
    model = keras.Model(x, {"a_b_c_next": h, "out": K.Dense(2)(h)})
    report = write(model, tmp_path / file, inputs=X, step=True)
    engine = open_engine(report.path)
    assert set(engine.inputs) == {"a_b_h", "a_b_2_h", "a_b_2_c", "a_b_3_h", "a_b_3_c"}
    found = Stream(engine, 2).run({"a_b_h": X})
    np.testing.assert_allclose(found["a_b_c_next"], model(X)["a_b_c_next"], atol=1e-6)


@each_form
@pytest.mark.parametrize("lstm", [LSTM, K.LSTM], ids=["ours", "keras"])
def test_a_layer_that_runs_backwards_is_told_alone(lstm, write, file, operator, tmp_path):
    model = sequential(K.Bidirectional(lstm(3, return_sequences=True, name="reader")))
    with pytest.raises(InputError) as error:
        write(model, tmp_path / file, step=True)
    assert str(error.value) == "Layer backward_reader runs backwards in time: it cannot be streamed."
    assert keras.config.is_traceback_filtering_enabled()


REFUSED = {
    "GRU": (lambda x: K.GRU(3, return_sequences=True, name="g")(x), "Layer g is a GRU"),
    "SimpleRNN": (lambda x: K.SimpleRNN(3, return_sequences=True, name="g")(x), "Layer g is a SimpleRNN"),
    "RNN": (lambda x: K.RNN(K.GRUCell(3), return_sequences=True, name="g")(x), "Layer g is a RNN"),
    "causal": (lambda x: K.Conv1D(3, 3, padding="causal", dilation_rate=2)(x), r"LeftContext\(4\)"),
    "same": (lambda x: K.SeparableConv1D(3, 3, padding="same")(x), r"looks ahead .*LeftContext\(2\)"),
}


@each_form
@pytest.mark.parametrize("kind", REFUSED)
def test_what_forgets_or_looks_ahead_is_named(kind, write, file, operator, tmp_path):
    layer, says = REFUSED[kind]
    x = keras.Input((None, 4))
    model = keras.Model(x, LSTM(3, return_sequences=True)(layer(x)))
    with pytest.raises(InputError, match=says):
        write(model, tmp_path / file, step=3)


@each_form
def test_what_else_forgets_has_a_hint(write, file, operator, tmp_path):
    x = keras.Input((None, 4))
    model = keras.Model(x, K.GlobalMaxPooling1D()(LSTM(3, return_sequences=True)(x)))
    with pytest.raises(export.ParityError, match="only LSTM and LeftContext layers remember"):
        write(model, tmp_path / file, step=True)


@each_form
def test_a_stateful_model_is_told_what_to_do(write, file, operator, tmp_path):
    model = keras.Sequential([keras.Input((7, 4), batch_size=1), LSTM(3, stateful=True, name="reader")])
    for step in (False, True):
        with pytest.raises(InputError, match=r"Layer reader is stateful.*stateful=False"):
            write(model, tmp_path / file, step=step)


@each_form
@pytest.mark.parametrize("step", [1, 3])
def test_layers_inside_each_step_keep_no_state(step, write, file, operator, tmp_path):
    x = keras.Input((12, 5, 4), name="x")
    for inside in (LSTM(3), K.Bidirectional(K.LSTM(2))) if step == 1 else (K.GRU(3),):
        h = LeftContext(1)(K.TimeDistributed(inside)(x))
        model = keras.Model(x, LSTM(3, return_sequences=True, name="along")(K.Conv1D(3, 2)(h)))
        data = np.random.default_rng(0).normal(size=(2, 12, 5, 4)).astype("float32")
        report = write(model, tmp_path / file, step=step, inputs=data)
        states = {n for n in open_engine(report.path).inputs if n != "x"}
        assert {"along_h", "along_c"} < states
        assert len(states) == 3
