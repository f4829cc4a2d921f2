"""Slower and faster sound."""

import librosa
import numpy as np
import pytest

from lstm_apps.features.tempo import at_tempo


def sweep(seconds, rate=8000):
    """From 300 to 1,500 Hz, louder and softer."""
    t = np.arange(int(seconds * rate)) / rate
    phase = 2 * np.pi * (300 * t + 600 * t * t / seconds)
    return (0.3 * np.sin(phase) * (1 + 0.5 * np.sin(20 * t))).astype(np.float32)


@pytest.mark.parametrize("factor", [0.6, 0.93, 1.0, 1.5])
def test_as_librosa_has_it(factor):
    sound = sweep(0.4)
    found, expected = at_tempo(sound, factor), librosa.effects.time_stretch(sound, rate=factor, n_fft=256)
    assert found.shape == expected.shape == (round(len(sound) / factor),)
    assert found.dtype == np.float32
    inside = slice(0, -256)  # at the end librosa looks less far
    np.testing.assert_allclose(found[inside], expected[inside], atol=1e-3)


def test_a_tempo_of_one_is_the_sound_itself():
    sound = sweep(0.5)
    np.testing.assert_allclose(at_tempo(sound, 1.0), sound, atol=1e-3)


@pytest.mark.parametrize("factor", [0.6, 1.6])
def test_the_pitch_stays(factor):
    tone = np.sin(2 * np.pi * 440 * np.arange(8000) / 8000).astype(np.float32)
    slow = at_tempo(tone, factor)[1000:-1000]
    spectrum = np.abs(np.fft.rfft(slow * np.hanning(len(slow))))
    assert spectrum.argmax() * 8000 / len(slow) == pytest.approx(440, abs=8000 / len(slow))


def test_sound_shorter_than_a_window_is_sound_too():
    found = at_tempo(sweep(0.01), 0.5)
    assert found.shape == (160,)
    assert np.isfinite(found).all()
