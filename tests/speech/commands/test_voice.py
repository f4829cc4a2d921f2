"""Other voices, slower and faster."""

import librosa
import numpy as np
import pytest

from lstm_apps.speech.commands.voice import at_tempi, in_voice


def at_tempo(samples, factor):
    (found,) = at_tempi(samples, [factor])
    return found


def sweep(seconds, rate=8000):
    """From 300 to 1,500 Hz, louder and softer."""
    t = np.arange(int(seconds * rate)) / rate
    phase = 2 * np.pi * (300 * t + 600 * t * t / seconds)
    return (0.3 * np.sin(phase) * (1 + 0.5 * np.sin(20 * t))).astype(np.float32)


@pytest.mark.parametrize("factor", [0.6, 0.93, 1.5])
def test_as_librosa_has_it(factor):
    sound = sweep(0.4)
    found, expected = at_tempo(sound, factor), librosa.effects.time_stretch(sound, rate=factor, n_fft=256)
    assert found.shape == expected.shape == (round(len(sound) / factor),)
    assert found.dtype == np.float32
    inside = slice(0, -256)  # at the end librosa looks less far
    np.testing.assert_allclose(found[inside], expected[inside], atol=1e-3)


@pytest.mark.parametrize("change", [at_tempo, in_voice])
def test_a_factor_of_one_is_the_sound_itself(change):
    sound = sweep(0.5)
    np.testing.assert_array_equal(change(sound, 1.0), sound)
    np.testing.assert_allclose(change(sound, 1.0 + 1e-9), sound, atol=1e-3)


@pytest.mark.parametrize("factor", [0.8, 1.25])
def test_another_voice_has_another_pitch_and_tempo(factor):
    time = np.arange(8000) / 8000
    tone = (np.sin(2 * np.pi * 400 * time) * np.hanning(8000)).astype(np.float32)
    found = in_voice(tone, factor)
    other = np.arange(round(8000 / factor)) / 8000
    expected = np.sin(2 * np.pi * 400 * factor * other) * np.hanning(len(other))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-3)


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
