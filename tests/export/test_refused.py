"""What an export does not take, and files that would be wrong: a sentence, and no file."""

import keras
import numpy as np
import pytest
from small_models import FORMS, each_form, sequential

import export
from export import onnx, tflite, verify
from lstm_apps.errors import InputError
from lstm_apps.layers import LSTM


@each_form
def test_no_file_appears_that_fails_the_check(write, file, operator, tmp_path, monkeypatch):
    model = sequential(LSTM(5))
    good = write(model, tmp_path / file).path.read_bytes()
    form = {"m.onnx": onnx, "m.tflite": tflite}[file]
    right = form.weights

    def wrong(layer):
        found = right(layer)
        return found._replace(kernel=found.kernel * 1.01)

    monkeypatch.setattr(form, "weights", wrong)
    with pytest.raises(export.ParityError, match="off by up to"):
        write(model, tmp_path / f"new_{file}")
    with pytest.raises(export.ParityError):
        write(model, tmp_path / file)
    assert [p.name for p in tmp_path.iterdir()] == [file]
    assert (tmp_path / file).read_bytes() == good


def test_the_check_calls_twice(tmp_path, monkeypatch):
    """Without the reset a second call goes on where the first ended, and the check must see it."""
    monkeypatch.setattr(tflite, "_reset", lambda model, graph, lstm: [])
    with pytest.raises(export.ParityError):
        export.to_tflite(sequential(LSTM(5)), tmp_path / "m.tflite")


def test_a_nan_is_an_error_not_a_pass():
    with pytest.raises(export.ParityError):
        verify.check(
            lambda: {"output": np.full((1, 2), np.nan)}, {"output": np.zeros((1, 2))}, {"output": 1.0}
        )


@each_form
def test_names_and_places_are_checked_first(write, file, operator, tmp_path):
    model = sequential(LSTM(5))
    with pytest.raises(InputError, match="should end in"):
        write(model, tmp_path / "m.pt")
    with pytest.raises(InputError, match="There is no folder"):
        write(model, tmp_path / "none" / file)
    with pytest.raises(InputError, match="The inputs are"):
        write(model, tmp_path / file, inputs={"other": np.zeros((1, 7, 4))})
    with pytest.raises(InputError, match="no defined inputs"):
        write(keras.Sequential([LSTM(5)]), tmp_path / file)
    assert list(tmp_path.iterdir()) == []


@each_form
def test_what_no_form_has_is_refused(write, file, operator, tmp_path):
    with pytest.raises(InputError, match="int8"):
        write(sequential(LSTM(5)), tmp_path / file, quantize="int-8")
    if write is export.to_tflite:
        with pytest.raises(InputError, match="a whole one"):
            write(sequential(LSTM(5), time=None), tmp_path / file, lengths=("4",))
        for lengths, says in ((3, "a list of whole"), ("34", "a list of whole"), ((3, 3), "one twice")):
            with pytest.raises(InputError, match=says):
                write(sequential(LSTM(5), time=None), tmp_path / file, lengths=lengths)
        number = keras.Sequential([keras.Input(()), keras.layers.Reshape((1, 1)), LSTM(2)])
        with pytest.raises(InputError, match="axis 1"):
            write(number, tmp_path / file, lengths=(3,))
        with pytest.raises(InputError, match="no lengths"):
            write(sequential(LSTM(5, return_sequences=True)), tmp_path / file, step=True, lengths=(3,))
    assert list(tmp_path.iterdir()) == []


def test_a_model_with_a_loop_has_one_length(tmp_path):
    model, x = sequential(keras.layers.GRU(3), time=None), np.zeros((2, 8, 4), "float32")
    with pytest.raises(InputError, match="without loops"):
        export.to_tflite(model, tmp_path / "m.tflite", inputs=x, lengths=(4,))


def test_a_small_output_beside_a_large_one_must_be_right_too(tmp_path):
    x = keras.Input((7, 4))
    h = LSTM(5)(x)
    model = keras.Model(x, {"large": 1e4 * keras.layers.Dense(2)(h), "small": keras.ops.sigmoid(h)})
    expected = verify.tolerances_of({"large": np.array([-1e4, 1e4]), "small": np.array([-0.1, 0.1])})
    assert expected == {"large": pytest.approx(1.0), "small": pytest.approx(1e-5)}
    found = {"large": np.array([-1e4, 1e4]), "small": np.array([0.1, 0.1])}
    with pytest.raises(export.ParityError, match="small"):
        verify.check(lambda: found, {"large": found["large"], "small": np.array([-0.1, 0.1])}, expected)
    for write, file, _ in FORMS:
        assert write(model, tmp_path / file).max_abs_error < 0.1


def test_a_layer_that_its_weights_do_not_tell_is_refused_in_mixed_precision(tmp_path):
    class Remembers(keras.layers.Layer):
        factor = 1.0

        def call(self, x):
            return self.factor * x

    remembers = Remembers(dtype="mixed_float16")
    x = keras.Input((7, 4))
    model = keras.Model(x, remembers(LSTM(5)(x)))
    remembers.factor = 3.0
    with pytest.raises(export.ParityError, match="off by"):
        export.to_onnx(model, tmp_path / "m.onnx")


@each_form
def test_what_no_export_can_take_is_a_sentence(write, file, operator, tmp_path):
    model, x = sequential(LSTM(5)), np.zeros((2, 7, 4), "float32")
    a, b = keras.Input((7, 4), name="an x"), keras.Input((7, 4), name="x")
    number = sequential(LSTM(5), keras.layers.Dense(1), keras.layers.Reshape(()))
    stateful = keras.Sequential([keras.Input((7, 4), batch_size=2), LSTM(5, stateful=True)])
    for arguments, says in (
        ({"model": stateful}, "stateful"),
        ({"inputs": x[..., :2]}, "shape"),
        ({"inputs": x[0]}, "shape"),
        ({"inputs": x.tolist()}, "2 sample inputs"),
        ({"inputs": x.astype(str)}, "expected numbers"),
        ({"inputs": 3}, "shape"),
        ({"inputs": iter(())}, "used up"),
        ({"inputs": (x[:1] for _ in iter(int, 1))}, "more than 10000 batches"),
        ({"inputs": lambda n: n}, "fails without arguments"),
        ({"inputs": iter([x, x[:, :3]])}, "shape"),
        ({"path": 3}, "expected the name"),
        ({"tolerance": "1e-3"}, "number of 0 or more"),
        ({"tolerance": float("nan")}, "number of 0 or more"),
        ({"tolerance": -1}, "number of 0 or more"),
        ({"right_padded": "no"}, "True or False"),
        ({"quantize": ["int8"]}, "Unknown quantization"),
        ({"metadata": [1]}, "expected a dict"),
        ({"metadata": {"a": np.float32(1)}}, "JSON"),
        ({"step": 2.5}, "whole number"),
        ({"step": 4}, "two chunks"),
        ({"step": "x"}, "whole number"),
        ({"model": number, "step": 1}, "second axis"),
        ({"model": keras.Model(a, LSTM(5)(a))}, "other than letters"),
        ({"model": keras.Model(b, {"x": LSTM(5)(b)})}, "an input and an output"),
    ):
        with pytest.raises(InputError, match=says):
            write(**{"model": model, "path": tmp_path / file, **arguments})
    (tmp_path / file).mkdir()
    with pytest.raises(InputError, match="is a folder"):
        write(model, tmp_path / file)


@each_form
@pytest.mark.parametrize("chunk", [9, 16])
def test_a_step_that_forgets_is_found_whatever_its_length(write, file, operator, chunk, tmp_path):
    x = keras.Input((None, 4))
    h = keras.ops.cumsum(LSTM(5, return_sequences=True)(x), axis=1)  # knows nothing of the chunk before
    with pytest.raises(export.ParityError):
        write(keras.Model(x, h), tmp_path / file, step=chunk)


class InverseError(keras.layers.Layer):
    def call(self, x):
        return keras.ops.erfinv(0.9 * keras.ops.tanh(x))


@each_form
def test_an_operator_that_a_format_has_not_is_named_with_its_layer(write, file, operator, tmp_path):
    x = keras.Input((7, 4))
    model = keras.Model(x, InverseError(name="inverse")(LSTM(5)(x)))
    name = {"m.onnx": "ONNX", "m.tflite": "TFLite"}[file]
    with pytest.raises(InputError) as error:
        write(model, tmp_path / file)
    assert str(error.value) == (
        f"{name} has nothing for TensorFlow's Erfinv in layer inverse: export the model without it."
    )
    assert list(tmp_path.iterdir()) == []


class Peeks(keras.layers.Layer):
    def call(self, x):
        return x * float(keras.ops.convert_to_numpy(x).max())

    def compute_output_spec(self, x):
        return keras.KerasTensor(x.shape, x.dtype)


def test_what_tensorflow_makes_no_graph_of_is_a_sentence(tmp_path):
    x = keras.Input((7, 4), name="x")
    model = keras.Model(x, Peeks()(LSTM(2)(x)))
    forms = ((export.to_onnx, "m.onnx"), (export.to_tflite, "m.tflite"), (export.to_saved_model, "m"))
    for write, file in forms:
        with pytest.raises(InputError, match="TensorFlow can make no graph of the model"):
            write(model, tmp_path / file)


@pytest.mark.parametrize("name", ["_x", "-x", "class"])
def test_names_that_tensorflow_has_not(name, tmp_path):
    x = keras.Input((7, 4), name=name)
    model = keras.Model(x, LSTM(2)(x))
    export.to_onnx(model, tmp_path / "m.onnx")
    for write, file in ((export.to_saved_model, "m"), (export.to_tflite, "m.tflite")):
        with pytest.raises(InputError, match=f"'{name}' names an input"):
            write(model, tmp_path / file)


def test_a_file_that_its_runtime_does_not_take_is_a_sentence(tmp_path):
    x = keras.Input((6, 4))
    model = keras.Model(x, keras.ops.rfft(LSTM(6)(x))[0])  # LiteRT has it for powers of two
    with pytest.raises(InputError, match="The runtime of TFLite does not take") as error:
        export.to_tflite(model, tmp_path / "m.tflite")
    assert "\n" not in str(error.value)
    assert str(tmp_path) not in str(error.value)


def test_a_layer_that_cannot_be_built_anew_is_refused_in_mixed_precision(tmp_path):
    x = keras.Input((7, 4))
    twice = keras.layers.Lambda(lambda v: 2 * v, dtype="mixed_float16")
    half = keras.Model(x, twice(LSTM(5, dtype="mixed_float16")(x)))
    with pytest.raises(InputError, match="mixed precision"):
        export.to_onnx(half, tmp_path / "m.onnx")


def test_outputs_that_are_all_the_same_must_be_right_too():
    assert verify.tolerances_of({"one": np.array([[-1e-3]])}) == {"one": pytest.approx(1e-7)}
    assert verify.tolerances_of({"none": np.zeros((3, 1))}) == {"none": pytest.approx(1e-4)}


@pytest.mark.parametrize("to", [export.to_onnx, export.to_tflite])
def test_a_model_that_draws_random_numbers_in_inference_is_refused(tmp_path, to):
    """A file would draw them once, and answer as if they were weights."""
    x = keras.Input((6, 3), name="x")
    noisy = keras.layers.Lambda(lambda t: t + keras.random.normal((6, 3)))(x)
    model = keras.Model(x, keras.layers.LSTM(4)(noisy))
    ending = "onnx" if to is export.to_onnx else "tflite"
    with pytest.raises(InputError, match="draws random numbers in inference"):
        to(model, tmp_path / f"model.{ending}")
    assert list(tmp_path.iterdir()) == []
