"""Sound of any rate, type and number of channels becomes the same waveform."""

import warnings

import numpy as np
import pytest
import soundfile

from lstm_apps.errors import InputError
from lstm_apps.features import audio
from lstm_apps.features.audio import read_audio

TONE = 0.5 * np.sin(2 * np.pi * 440 * np.arange(16000) / 16000).astype(np.float32)


@pytest.mark.parametrize("dtype", ["int16", "int32", "uint8", "float64"])
def test_types_have_the_same_scale(dtype):
    scaled = {"int16": TONE * 2**15, "int32": TONE * 2.0**31, "uint8": TONE * 128 + 128, "float64": TONE}
    found = read_audio(scaled[dtype].astype(dtype), 16000)
    np.testing.assert_allclose(found, TONE, atol=0.01 if dtype == "uint8" else 1e-4)
    assert found.dtype == np.float32


def test_channels_are_averaged():
    stereo = np.stack([TONE, 0 * TONE], axis=1)
    np.testing.assert_allclose(read_audio(stereo, 16000), TONE / 2, atol=1e-6)


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000])
def test_rates_are_changed(rate):
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)
    found = read_audio((tone, rate), 16000)
    assert len(found) == 16000
    np.testing.assert_allclose(found[1000:-1000], TONE[1000:-1000], atol=0.01)


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg"])
def test_files(tmp_path, ending):
    path = tmp_path / f"tone.{ending}"
    soundfile.write(path, np.stack([TONE, TONE], axis=1), 16000)
    found = read_audio(str(path), 16000)
    np.testing.assert_allclose(found, TONE, atol=0.1 if ending == "ogg" else 1e-3)


@pytest.mark.parametrize("ending", ["wav", "aiff", "mp3"])
def test_a_file_that_is_cut_off_is_told(tmp_path, ending):
    path = tmp_path / f"tone.{ending}"
    soundfile.write(path, TONE, 16000)
    whole = path.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_audio(path, 16000)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.warns(UserWarning, match=r"cut off: [2-5].% of its sound"):
        assert 4000 < len(read_audio(path, 16000)) < 9000


def test_a_header_without_a_size_promises_nothing(tmp_path):
    path = tmp_path / "piped.wav"
    soundfile.write(path, TONE, 16000)
    whole = path.read_bytes()
    at = whole.index(b"data") + 4
    path.write_bytes(whole[:at] + b"\xff" * 4 + whole[at + 4 :])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(read_audio(path, 16000)) == 16000


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (np.zeros(0), "shape"),
        (np.zeros((3, 4, 5)), "shape"),
        (np.zeros((2, 100)), "channels"),
        (np.array([0.0, np.nan]), "NaN"),
        (np.array(["a"]), "numbers"),
        ((TONE, 3), "rate"),
        ((TONE, float("nan")), "rate"),
        ((TONE, "8000"), "rate"),
        ((TONE, None), "rate"),
        ("nothing.wav", "no sound file"),
        ("x" * 300, "no sound file"),
        ([100, 200], "int64"),
        (TONE * 30000, "expected -1 to 1"),
        ([[1.0], [1.0, 2.0]], "array"),
    ],
)
def test_what_is_no_sound_is_refused(raw, message):
    with pytest.raises(InputError, match=message):
        read_audio(raw, 8000)


def test_files_that_are_no_sound_are_refused(tmp_path):
    text = tmp_path / "text.wav"
    text.write_text("no sound at all " * 100)
    whole = tmp_path / "whole.flac"
    soundfile.write(whole, TONE, 16000)
    cut = tmp_path / "cut.flac"
    cut.write_bytes(whole.read_bytes()[:30])
    for path in (text, cut):
        with pytest.raises(InputError, match="no sound file that can be read"):
            read_audio(path, 8000)


def test_what_is_wrong_with_a_file_names_it(tmp_path, recwarn):
    header, bad = tmp_path / "header.wav", tmp_path / "bad.wav"
    soundfile.write(header, TONE, 16000)
    header.write_bytes(header.read_bytes()[:44])  # it promises more
    soundfile.write(bad, np.full(100, np.nan), 16000, subtype="FLOAT")
    for path, message in ((header, r"header\.wav holds no sound"), (bad, r"bad\.wav: .*NaN")):
        with pytest.raises(InputError, match=message):
            read_audio(path, 8000)
    assert not recwarn


def test_what_is_too_long_is_told_before_it_is_read(tmp_path, monkeypatch):
    soundfile.write(tmp_path / "long.wav", np.zeros(6 * 3600 * 10), 1000, subtype="PCM_U8")
    monkeypatch.setattr(audio, "_LONGEST", 60)
    monkeypatch.setattr(soundfile, "read", lambda *a, **k: pytest.fail("it was read"))
    with pytest.raises(InputError, match=r"long\.wav: 0\.1 hours of sound"):
        read_audio(tmp_path / "long.wav", 1000)
    with pytest.raises(InputError, match=r"^0\.1 hours of sound"):
        read_audio(np.zeros(6 * 3600 * 10), 1000)


def test_sound_too_short_for_the_rate_is_told():
    with pytest.raises(InputError, match="none at 8000"):
        read_audio((np.zeros(2), 44100), 8000)


def test_channels_that_cancel_each_other_are_a_sentence():
    sound = 0.3 * np.sin(np.arange(8000) / 7)
    for left, right in ((sound, -sound), (sound, -0.97 * sound)):
        with pytest.raises(InputError, match="2 channels of the sound cancel each other"):
            read_audio((np.stack([left, right], axis=1).astype(np.float32), 8000), 8000)
    assert read_audio((np.zeros((8000, 2), np.float32), 8000), 8000).max() == 0
    one_sided = read_audio((np.stack([sound, 0 * sound], axis=1).astype(np.float32), 8000), 8000)
    np.testing.assert_allclose(one_sided, sound / 2, atol=1e-6)
