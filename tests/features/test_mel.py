"""The log-mel spectrogram against librosa's, and the same numbers in every place."""

import keras
import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_apps.features.mel import FLOOR, LogMel
from lstm_apps.models.frontend import log_mel

SPECTROGRAM = LogMel(8000, 256, 128, bands=40, low=60.0, high=3800.0)


def sound(samples=8000, batch=2):
    return np.random.default_rng(0).normal(0, 0.1, (batch, samples)).astype(np.float32)


@pytest.mark.parametrize(("rate", "window", "hop"), [(8000, 256, 128), (16000, 512, 256), (16000, 480, 160)])
def test_as_librosa_has_it(rate, window, hop):
    spectrogram = LogMel(rate, window, hop, bands=32, low=50.0, high=0.45 * rate)
    x = sound()
    power = librosa.feature.melspectrogram(
        y=np.pad(x, ((0, 0), (window - hop, 0))), sr=rate, n_fft=window, hop_length=hop, center=False,
        n_mels=32, fmin=50.0, fmax=0.45 * rate,
    )  # fmt: skip
    expected = np.log(power + FLOOR).transpose(0, 2, 1)
    np.testing.assert_allclose(spectrogram(x), expected, atol=1e-3)
    assert spectrogram(x).shape == (2, 8000 // hop, 32)


def test_the_layer_has_the_same_numbers():
    waveform = keras.Input((None,))
    model = keras.Model(waveform, log_mel(waveform, SPECTROGRAM, np.full(40, -5.0), np.full(40, 4.0)))
    np.testing.assert_allclose(model(sound()), (SPECTROGRAM(sound()) + 5) / 2, atol=1e-4)


@settings(max_examples=20, deadline=None)
@given(cut=st.integers(1, 30), rest=st.integers(0, 127))
def test_no_frame_knows_a_later_sample(cut, rest):
    x = sound(4000, 1)
    changed = x.copy()
    changed[:, cut * 128 + rest :] = 1.0
    np.testing.assert_array_equal(SPECTROGRAM(x)[:, :cut], SPECTROGRAM(changed)[:, :cut])


def test_a_window_that_is_no_multiple_of_the_hop_is_refused():
    with pytest.raises(ValueError, match="no multiple"):
        LogMel(8000, 200, 128, 40, 60.0, 3800.0)
