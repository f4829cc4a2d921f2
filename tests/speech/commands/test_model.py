"""The spotter's loss against all alignments, and its layers."""

import itertools

import keras
import numpy as np
import pytest

from lstm_apps.features.mel import LogMel
from lstm_apps.layers import LeftContext
from lstm_apps.models.frontend import SpecAugment
from lstm_apps.speech.commands.model import SpikeLoss, spotter

FRAMES, WORDS = 6, 3


def by_enumeration(log_probabilities, words):
    """The likelihood of `words`, each (number, first frame, end), over all choices of their frames."""
    total = 0.0
    for at in itertools.product(*(range(first, end) for _, first, end in words)):
        frames = dict(zip(at, (w for w, _, _ in words), strict=True))
        if len(frames) == len(words):
            total += np.exp(sum(log_probabilities[t, frames.get(t, 0)] for t in range(FRAMES)))
    return -np.log(total)


@pytest.mark.parametrize(
    "words", [[], [(2, 0, 6)], [(1, 2, 4)], [(3, 5, 6)], [(1, 0, 3), (2, 3, 6)], [(2, 0, 2), (2, 4, 6)]]
)
def test_loss_is_the_sum_over_all_alignments(words):
    logits = 2 * np.random.default_rng(len(words)).standard_normal((1, FRAMES, 1 + WORDS)).astype(np.float32)
    targets = np.zeros((1, 2, 3), np.int32)
    targets[0, : len(words)] = np.array(words).reshape(-1, 3)
    expected = by_enumeration(keras.ops.convert_to_numpy(keras.ops.log_softmax(logits))[0], words)
    assert float(SpikeLoss()(targets, logits)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("shape", [(2, 5), (2, 5, 3), (2, 5, 3, 4)])
def test_left_context_is_zeros_before(shape):
    x = np.random.default_rng(0).standard_normal(shape)
    found = keras.ops.convert_to_numpy(LeftContext(2)(x))
    assert found.shape == (2, 7, *shape[2:])
    np.testing.assert_array_equal(found[:, :2], 0)
    np.testing.assert_allclose(found[:, 2:], x, rtol=1e-6)


def small():
    spectrogram = LogMel(8000, 256, 128, bands=20, low=60.0, high=3800.0)
    return spotter(
        spectrogram=spectrogram,
        mean=np.zeros(20),
        variance=np.ones(20),
        words=3,
        units=6,
        layers=1,
        dropout=0.1,
        varied=1.0,
    )


def test_frames_look_at_nothing_that_comes_later():
    x = np.random.default_rng(0).normal(0, 0.1, (1, 40 * 128)).astype(np.float32)
    changed = x.copy()
    changed[:, 20 * 128 :] = 0.5
    model = small()
    before, after = (keras.ops.convert_to_numpy(model(a)["frames"]) for a in (x, changed))
    assert before.shape == (1, 40, 4)
    np.testing.assert_allclose(before[:, :20], after[:, :20], atol=1e-6)
    assert np.abs(before[:, 20:] - after[:, 20:]).max() > 1e-4


def test_probabilities_are_those_of_the_words_over_all_frames():
    x = np.random.default_rng(0).normal(0, 0.1, (1, 12 * 128)).astype(np.float32)
    outputs = small()(x)
    each = np.exp(keras.ops.convert_to_numpy(outputs["logits"])[0, :, 1:]).sum(axis=0)
    np.testing.assert_allclose(outputs["probabilities"][0], each / each.sum(), rtol=1e-4)


def test_augmentation_is_for_training_and_keeps_the_shape():
    x = np.random.default_rng(0).standard_normal((4, 30, 20)).astype(np.float32)
    layer = SpecAugment(seed=1)
    np.testing.assert_array_equal(layer(x), x)
    one, two = (keras.ops.convert_to_numpy(layer(x, training=True)) for _ in range(2))
    assert one.shape == x.shape
    assert np.abs(one - two).max() > 0.1
    only_masks = SpecAugment(warp=0.0, tilt=0.0, masks=1, time_mask=6, band_mask=6, seed=1)
    masked = keras.ops.convert_to_numpy(only_masks(x, training=True))
    assert (np.isclose(masked, x) | (masked == 0)).all()
    assert 0 < (masked == 0).mean() < 0.6


def test_a_share_of_the_examples_is_augmented():
    x = np.random.default_rng(0).standard_normal((400, 30, 20)).astype(np.float32)
    found = keras.ops.convert_to_numpy(SpecAugment(share=0.4, seed=1)(x, training=True))
    changed = np.abs(found - x).max(axis=(1, 2)) > 0
    assert changed.mean() == pytest.approx(0.4, abs=0.08)
    assert SpecAugment.from_config(SpecAugment(share=0.4).get_config()).share == 0.4
