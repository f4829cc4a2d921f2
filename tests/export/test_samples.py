"""What an export is compared and calibrated on: data of any kind, and what is made up."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from small_models import each_form, sequential

import export
from export import samples
from lstm_apps.errors import InputError
from lstm_apps.layers import LSTM

K = keras.layers
X = np.random.default_rng(0).normal(size=(6, 7, 4)).astype("float32")
Y = np.arange(6.0)


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 3

    def __getitem__(self, i):
        return X[2 * i : 2 * i + 2], Y[2 * i : 2 * i + 2]


def lists():
    for x in X:
        yield [x[None]]


DATA = {
    "array": lambda: X,
    "tensor": lambda: tf.constant(X),
    "list of one": lambda: [X],
    "by name": lambda: {"x": X},
    "function, as TFLite's": lambda: lists,
    "TFLite's own": lambda: tf.lite.RepresentativeDataset(lists),
    "generator": lists,
    "list of batches": lambda: list(lists()),
    "dicts": lambda: ({"x": x[None]} for x in X),
    "dataset of batches": lambda: tf.data.Dataset.from_tensor_slices(X).batch(4),
    "dataset of examples": lambda: tf.data.Dataset.from_tensor_slices(X),
    "dataset with targets": lambda: tf.data.Dataset.from_tensor_slices((X, Y)).batch(4),
    "dataset by name with targets": lambda: tf.data.Dataset.from_tensor_slices(({"x": X}, Y)).batch(2),
    "PyDataset": lambda: Batches(),
}


@pytest.mark.parametrize("kind", DATA)
def test_the_same_examples_in_any_form(kind):
    (found,) = samples.given(DATA[kind](), [keras.KerasTensor((None, 7, 4), "float32", name="x")]).values()
    np.testing.assert_array_equal(found, X)
    assert found.dtype == np.float32


def test_two_inputs_are_no_input_with_targets():
    tensors = [keras.KerasTensor((None, 7, 4), name="a"), keras.KerasTensor((None,), name="b")]
    for data in (tf.data.Dataset.from_tensor_slices((X, Y)), tf.data.Dataset.from_tensor_slices(((X, Y), Y))):
        found = samples.given(data.batch(4), tensors)
        np.testing.assert_array_equal(found["a"], X)
        np.testing.assert_array_equal(found["b"], Y)


@pytest.mark.parametrize("kind", ["function, as TFLite's", "generator", "dataset with targets"])
def test_a_file_is_calibrated_on_what_yields_batches(kind, tmp_path):
    keras.utils.set_random_seed(0)
    x = keras.Input((7, 4), name="x")
    model = keras.Model(x, K.Dense(3)(LSTM(8)(x)))
    found = [
        export.to_tflite(model, tmp_path / "m.tflite", quantize="int8", representative_data=DATA[k]())
        for k in ("array", kind)
    ]
    assert found[0].max_abs_error == found[1].max_abs_error


def test_numbers_that_the_input_cannot_hold_are_refused():
    ids = keras.KerasTensor((None, 3), "int32", name="ids")
    with pytest.raises(InputError, match="int32 does not"):
        samples.given(np.full((1, 3), 1.5), [ids])


def test_shapes_that_one_file_cannot_have_are_refused(tmp_path):
    model = sequential(LSTM(5), time=None)
    with pytest.raises(InputError, match=r"\(7, 4\) in inputs and \(5, 4\) in representative_data"):
        export.to_tflite(
            model, tmp_path / "m.tflite", quantize="int8", inputs=X, representative_data=X[:, :5]
        )


def made_up(model):
    return samples.made_up(model, model.inputs, 16)


def test_made_up_ids_are_known_and_right_padded():
    ids, floats = keras.Input((8,), dtype="int32", name="ids"), keras.Input((8,), name="floats")
    shared = keras.Sequential([K.Embedding(5, 3, mask_zero=True)])
    other = K.Embedding(9, 3)(floats)
    model = keras.Model([ids, floats], LSTM(2)(K.Concatenate()([shared(ids), other])))
    found = made_up(model)
    lengths = (found["ids"] > 0).sum(axis=1)
    assert lengths.tolist() == [8, 4, 1]
    assert all((row[:n] > 0).all() for row, n in zip(found["ids"], lengths, strict=True))
    assert found["ids"].max() == 4
    assert 0 <= found["floats"].min() < found["floats"].max() < 9
    assert found["floats"].dtype == np.float32
    assert (found["floats"] % 1 == 0).all()


def test_made_up_masks_and_masked_values_are_right_padded():
    x, valid = keras.Input((None, 2), name="x"), keras.Input((None,), dtype="bool", name="valid")
    model = keras.Model([x, valid], LSTM(2)(K.Masking(-1.0)(x), mask=valid))
    found = made_up(model)
    assert found["valid"].sum(axis=1).tolist() == [16, 8, 1]
    assert (found["x"] != -1).any(axis=-1).sum(axis=1).tolist() == [16, 8, 1]


@each_form
def test_right_padded_ids_are_checked_without_any_given(write, file, operator, tmp_path):
    ids = keras.Input((8,), dtype="int32", name="ids")
    model = keras.Model(ids, LSTM(4, return_sequences=True)(K.Embedding(20, 3, mask_zero=True)(ids)))
    assert write(model, tmp_path / file, right_padded=True).fused


@each_form
@pytest.mark.parametrize("lstm", [LSTM, K.LSTM])
def test_masks_that_are_not_right_padded_are_told(lstm, write, file, operator, tmp_path):
    ids = keras.Input((8,), dtype="int32", name="ids")
    x = K.Embedding(20, 3, mask_zero=True)(ids)
    model = keras.Model(ids, K.Bidirectional(lstm(4, name="reader"))(x))
    good, left, holes = [1, 2, 3, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1, 2, 3], [1, 0, 3, 4, 5, 0, 0, 0]
    for wrong in (left, holes):
        with pytest.raises(InputError, match="in example 1 of the inputs layer forward_reader"):
            write(model, tmp_path / file, inputs=np.array([good, wrong]), right_padded=True)
        assert not write(model, tmp_path / file, inputs=np.array([good, wrong])).fused


@each_form
def test_weights_and_outputs_that_are_no_numbers_are_named(write, file, operator, tmp_path):
    model = sequential(LSTM(5, name="reader"))
    for value, says in ((np.nan, "NaN"), (np.inf, "infinite")):
        model.layers[0].cell.kernel.assign(np.full((4, 20), value))
        with pytest.raises(InputError, match=f"weight .*reader.*kernel is {says}"):
            write(model, tmp_path / file)
    x = keras.Input((7, 4))
    with pytest.raises(InputError, match="output is NaN or infinite in Keras"):
        write(keras.Model(x, keras.ops.log(LSTM(2)(x) * 0)), tmp_path / file)


@each_form
def test_a_model_that_fails_on_its_inputs_is_a_sentence(write, file, operator, tmp_path):
    ids = keras.Input((8,), dtype="int32", name="ids")
    model = keras.Model(ids, LSTM(4)(K.Embedding(20, 3)(ids)))
    with pytest.raises(InputError, match=r"does not run on the inputs \(.*30.*\)\.$"):
        write(model, tmp_path / file, inputs=np.full((1, 8), 30))


@each_form
def test_integers_and_booleans_must_be_equal(write, file, operator, tmp_path):
    x = keras.Input((7, 4), name="x")
    h = LSTM(5)(x)
    outputs = {"class": keras.ops.argmax(h, -1), "up": h > 0, "sure": keras.ops.max(h, -1)}
    report = write(keras.Model(x, outputs), tmp_path / file, inputs=X, tolerance=10.0)
    assert report.fused
    from export import verify

    wanted = {"class": np.arange(10)}
    assert verify.tolerances_of(wanted, None, 10.0) == {"class": 1e-4}
    assert verify.check(lambda: wanted, wanted, {"class": 1e-4})["class"].error == 0
    with pytest.raises(export.ParityError, match=r"class differs in 10\.0% of its values"):
        verify.check(lambda: {"class": np.array([*range(9), 8])}, wanted, {"class": 1e-4})
