"""SavedModels: whole, with preprocessing, checked, and never half written."""

import os
import subprocess
import sys

import cudnn
import keras
import numpy as np
import pytest
import tensorflow as tf

import export
from export import verify
from export.saved_model import SavedModelEngine
from lstm_apps.errors import InputError
from lstm_apps.layers import LSTM
from lstm_apps.nlp.sentiment.features import TextFeatures


def model(layer=LSTM, **arguments) -> keras.Model:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((None, 2), name="x")
    hidden = keras.layers.Bidirectional(layer(5, **arguments))(keras.layers.Masking()(inputs))
    return keras.Model(inputs, {"score": keras.layers.Dense(1)(hidden)})


def served(path):
    return tf.saved_model.load(str(path)).signatures["serving_default"]


@pytest.mark.parametrize("arguments", [{}, {"layer_norm": True, "projection_units": 3}], ids=str)
def test_answers_as_keras_does_for_any_batch_and_length(arguments, tmp_path):
    keras_model = model(**arguments)
    report = export.to_saved_model(keras_model, tmp_path / "m")
    assert report.max_abs_error <= report.tolerance
    assert report.size_bytes == sum(f.stat().st_size for f in (tmp_path / "m").rglob("*") if f.is_file())
    for batch, time in ((1, 3), (4, 30)):
        x = np.random.default_rng(0).normal(size=(batch, time, 2)).astype("float32")
        np.testing.assert_allclose(
            served(tmp_path / "m")(x=tf.constant(x))["score"], keras_model(x)["score"], atol=1e-6
        )


def numbers(line: tf.Tensor) -> dict[str, tf.Tensor]:
    """Sequences from lines of text like "1,2 3,4", padded with zeros."""
    words = tf.strings.split(line).to_tensor("0,0")
    return {"x": tf.strings.to_number(tf.strings.split(words, ",").to_tensor())}


def test_preprocessing_is_in_the_graph(tmp_path):
    lines = np.array(["1,2 3,-1 0.5,2", "-1,1"])
    keras_model = model()
    export.to_saved_model(keras_model, tmp_path / "m", preprocess=numbers, inputs={"line": lines})
    x = np.array([[[1, 2], [3, -1], [0.5, 2]], [[-1, 1], [0, 0], [0, 0]]], "float32")
    found = served(tmp_path / "m")(line=tf.constant(lines))["score"]
    np.testing.assert_allclose(found, keras_model(x)["score"], atol=1e-6)


def test_a_model_leaves_from_where_there_is_a_gpu(tmp_path, monkeypatch):
    keras_model = model(keras.layers.LSTM, use_bias=True)
    x = np.random.default_rng(0).normal(size=(2, 6, 2)).astype("float32")
    expected = keras_model(x)["score"]
    cudnn.simulate(monkeypatch)
    report = export.to_saved_model(keras_model, tmp_path / "m", inputs=x)
    assert not [name for name in report.operators if "Cudnn" in name]
    np.testing.assert_allclose(served(tmp_path / "m")(x=tf.constant(x))["score"], expected, atol=1e-6)


def test_what_was_there_stays_until_the_check_has_passed(tmp_path, monkeypatch):
    first = model()
    export.to_saved_model(first, tmp_path / "m")
    with monkeypatch.context() as patch:
        patch.setattr(verify, "RELATIVE_TOLERANCE", {None: -1.0})
        with pytest.raises(export.ParityError):
            export.to_saved_model(model(zoneout=0.3), tmp_path / "m")
    x = np.ones((1, 4, 2), "float32")
    np.testing.assert_allclose(
        served(tmp_path / "m")(x=tf.constant(x))["score"], first(x)["score"], atol=1e-6
    )
    export.to_saved_model(model(peephole=True), tmp_path / "m")
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


def test_no_folder_of_other_things_is_replaced(tmp_path):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "letters.txt").write_text("dear")
    with pytest.raises(InputError, match="is no SavedModel"):
        export.to_saved_model(model(), tmp_path / "m")
    with pytest.raises(InputError, match="no folder"):
        export.to_saved_model(model(), tmp_path / "none" / "m")
    with pytest.raises(InputError, match="raw ones by name"):
        export.to_saved_model(model(), tmp_path / "n", preprocess=numbers)
    assert (tmp_path / "m" / "letters.txt").read_text() == "dear"


def test_a_model_that_takes_strings(tmp_path):
    vectorize = keras.layers.TextVectorization(output_sequence_length=6)
    vectorize.adapt(["a b c", "d e f"])
    text = keras.Input((1,), dtype="string", name="text")
    keras_model = keras.Model(text, LSTM(4)(keras.layers.Embedding(10, 3)(vectorize(text))))
    for arguments in ({}, {"inputs": np.ones((2, 1))}):
        with pytest.raises(InputError, match="strings"):
            export.to_saved_model(keras_model, tmp_path / "m", **arguments)
    with pytest.raises(InputError, match=r"Input 'text' takes strings.* preprocess\.$"):
        export.to_saved_model(keras_model, tmp_path / "m")
    for write, file in ((export.to_onnx, "m.onnx"), (export.to_tflite, "m.tflite")):
        for arguments in ({}, {"inputs": np.array([["a b"]])}):
            with pytest.raises(InputError, match="'text' is of type string"):
                write(keras_model, tmp_path / file, **arguments)
    texts = np.array([["a b"], ["d x"], ["f"]], dtype=object)
    export.to_saved_model(keras_model, tmp_path / "m", inputs=texts[:2])
    (found,) = SavedModelEngine(tmp_path / "m").run({"text": texts}).values()
    np.testing.assert_allclose(found, keras_model(tf.constant(texts)), atol=1e-6)


K = keras.layers
TABLES = {  # what makes numbers of integers -> whether ONNX and TFLite can, too
    "lookup": (lambda x: K.Embedding(6, 3)(K.IntegerLookup(vocabulary=[10, 20, 30])(x)), True),
    "lookup, one hot": (lambda x: K.IntegerLookup(vocabulary=[10, 20], output_mode="one_hot")(x), True),
    "hashing": (lambda x: K.Embedding(5, 3)(K.Hashing(5)(x)), False),
    "several unknown": (
        lambda x: K.Embedding(9, 3)(K.IntegerLookup(vocabulary=[10, 20], num_oov_indices=3)(x)),
        True,
    ),
    "ranges": (lambda x: K.Embedding(3, 3)(K.Discretization([8.0, 20.0])(x)), True),
    "categories": (lambda x: K.CategoryEncoding(40, output_mode="one_hot")(x), True),
}


@pytest.mark.parametrize("kind", TABLES)
def test_tables_leave_with_the_model(kind, tmp_path):
    numbers, everywhere = TABLES[kind]
    x = keras.Input((6,), dtype="int64", name="x")
    keras_model = keras.Model(x, LSTM(4)(numbers(x)))
    ids = np.array([[10, 20, 30, 5, 10, 10], [30, 39, 0, 20, 5, 20]])
    export.to_saved_model(keras_model, tmp_path / "m")  # with ids made up
    np.testing.assert_allclose(served(tmp_path / "m")(x=ids)["output"], keras_model(ids), atol=1e-6)
    for write, file in ((export.to_onnx, "m.onnx"), (export.to_tflite, "m.tflite")):
        if everywhere:
            assert write(keras_model, tmp_path / file, inputs=ids).fused
        else:
            with pytest.raises(InputError, match=r"has nothing for TensorFlow's .* in layer "):
                write(keras_model, tmp_path / file, inputs=ids)


@pytest.mark.slow
def test_a_process_that_knows_no_tokenizer_can_open_one_that_takes_text(tmp_path):
    pytest.importorskip("tensorflow_text")
    from lstm_apps.models.tokenizer import Tokenizer

    words = ["a good film", "a bad film", "good music", "bad food and music"]
    vocabulary = TextFeatures.fit(words * 20, vocabulary=300, lengths=(8,)).sentencepiece
    tokens = keras.Input((8,), dtype="int32", name="tokens")
    keras_model = keras.Model(tokens, keras.layers.Dense(2)(LSTM(4)(keras.layers.Embedding(300, 3)(tokens))))
    tokenizer = Tokenizer(vocabulary, 8, 0, 1)
    export.to_saved_model(keras_model, tmp_path / "m", preprocess=tokenizer, inputs={"text": np.array(words)})
    script = (
        "import sys; from pathlib import Path; from export.saved_model import SavedModelEngine; "
        "print(SavedModelEngine(Path(sys.argv[1])).inputs)"
    )
    done = subprocess.run([sys.executable, "-c", script, tmp_path / "m"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "tokens" in done.stdout


def test_a_folder_that_cannot_be_replaced_stays(tmp_path, monkeypatch):
    model = keras.Sequential([keras.Input((5, 3)), LSTM(4)])
    export.to_saved_model(model, tmp_path / "m")
    replace, calls = os.replace, []

    def fail_once(source, target):
        calls.append(target)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail_once)
    with pytest.raises(OSError, match="No space"):
        export.to_saved_model(model, tmp_path / "m")
    assert (tmp_path / "m" / "saved_model.pb").is_file()
