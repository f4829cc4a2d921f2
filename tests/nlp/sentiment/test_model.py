"""The linear model of hashed n-grams inside the text classifier, and the mean of its parts."""

import keras
import numpy as np
import pytest

import export
from lstm_apps.nlp.sentiment.model import _RATE, HashedNGrams, text_classifier

VOCABULARY = 50


def ngrams(**changed):
    layer = HashedNGrams(2, **changed)
    layer.build((None, None))
    rng = np.random.default_rng(0)
    layer.set_weights([rng.normal(size=w.shape) for w in layer.get_weights()])
    return layer


def values(x):
    return keras.ops.convert_to_numpy(x)


def test_a_text_is_the_sum_of_its_ngrams():
    layer = ngrams(longest=2)
    table, bias = layer.get_weights()
    alone = {p: (values(layer(np.array([[p]], np.int32)))[0] - bias) / _RATE for p in (3, 4)}
    for token, found in alone.items():  # a single token is its own bucket
        np.testing.assert_allclose(found, table[token], rtol=1e-4)
    pair = (values(layer(np.array([[3, 4]], np.int32)))[0] - bias) / _RATE * np.sqrt(3)
    rest = pair - alone[3] - alone[4]
    distance = np.abs(table - rest).max(axis=1)
    assert distance.min() < 1e-4  # a bucket,
    assert int(distance.argmin()) not in (3, 4)  # and another one
    back = values(layer(np.array([[4, 3]], np.int32)))
    assert np.abs(back - values(layer(np.array([[3, 4]], np.int32)))).max() > 0.1  # order counts


@pytest.mark.parametrize("length", [1, 2, 3, 10])
def test_padding_does_not_count(length):
    layer = ngrams()
    tokens = np.random.default_rng(length).integers(1, 4000, (5, length)).astype(np.int32)
    padded = np.pad(tokens, ((0, 0), (0, 7)))
    np.testing.assert_allclose(values(layer(padded)), values(layer(tokens)), rtol=1e-4, atol=1e-5)


def test_buckets_stay_in_the_table_for_the_largest_numbers():
    layer = ngrams()
    rng = np.random.default_rng(1)
    tokens = rng.integers(2**13 - 10, 2**13, (20_000, 3)).astype(np.int64)
    bucket = tokens[:, 0]
    buckets = []
    for n in (2, 3):  # in 64 bits, where nothing can overflow
        bucket = (bucket * 8191 + tokens[:, n - 1] + n * 7919) % layer.buckets
        buckets.append(bucket)
    assert (np.max(buckets) * 8191 + 2**13 + 3 * 7919) < 2**31
    table = layer.get_weights()[0]
    total = table[tokens].sum(axis=1) + table[buckets[0]] + table[buckets[1]]
    second = (tokens[:, 1] * 8191 + tokens[:, 2] + 2 * 7919) % layer.buckets
    expected = _RATE * (total + table[second]) / np.sqrt(6) + layer.get_weights()[1]
    np.testing.assert_allclose(values(layer(tokens.astype(np.int32))), expected, rtol=1e-3, atol=1e-3)


def test_more_buckets_than_integers_hold_are_refused():
    with pytest.raises(ValueError, match="buckets"):
        HashedNGrams(2, buckets=2**18 + 1)


def small():
    keras.utils.set_random_seed(0)
    model = text_classifier(
        vocabulary=VOCABULARY, units=4, layers=1, dropout=0.1, members=2, certainty=1.5, embedding=6
    )
    layer = model.get_layer("ngrams")
    layer.set_weights([np.random.default_rng(2).normal(0, 0.1, w.shape) for w in layer.get_weights()])
    return model


def tokens(length=12):
    found = np.random.default_rng(3).integers(1, VOCABULARY, (4, length)).astype(np.int32)
    found[1, 5:] = found[2, 1:] = 0
    return {"tokens": found}


def test_networks_weigh_as_much_as_ngrams():
    outputs = {k: values(v) for k, v in small()(tokens()).items()}
    scores = outputs["member_scores"]
    assert scores.shape == (4, 3)
    np.testing.assert_allclose(
        outputs["score"][:, 0], scores[:, :2].mean(axis=1) / 2 + scores[:, 2] / 2, rtol=1e-5
    )
    certain = (outputs["member_log_odds"] + 1.5 * scores) / 2
    np.testing.assert_allclose(
        outputs["log_odds"][:, 0], certain[:, :2].mean(axis=1) / 2 + certain[:, 2] / 2, rtol=1e-5
    )


@pytest.mark.parametrize("to", ["onnx", "tflite"])
def test_ngrams_are_the_same_in_a_file(tmp_path, to):
    model = small()
    model = keras.Model(model.input, {k: model.output[k] for k in ("log_odds", "score")})
    convert = {"onnx": export.to_onnx, "tflite": export.to_tflite}[to]
    report = convert(model, tmp_path / f"model.{to}", inputs=tokens(), right_padded=True)
    assert report.max_abs_error < 1e-5
