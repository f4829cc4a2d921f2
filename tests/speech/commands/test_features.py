"""Clips of recordings, and words from spikes."""

import json
import warnings

import numpy as np
import pytest

from lstm_apps.errors import InputError
from lstm_apps.features import from_json, to_json
from lstm_apps.features.audio import read_audio
from lstm_apps.features.mel import LogMel
from lstm_apps.speech.commands.features import KeywordFeatures, Spikes

SPECTROGRAM = LogMel(8000, 256, 128, bands=20, low=60.0, high=3800.0)


def features(**changed):
    sounds = [np.random.default_rng(i).normal(0, 0.1, 4000).astype(np.float32) for i in range(3)]
    fitted = KeywordFeatures.fit(("no", "yes"), SPECTROGRAM, sounds, longest=0.5)
    return KeywordFeatures(**{**vars(fitted), **changed})


def test_the_scaler_is_that_of_the_recordings():
    frames = np.concatenate([SPECTROGRAM(np.random.default_rng(i).normal(0, 0.1, 4000)) for i in range(3)])
    np.testing.assert_allclose(features().mean, frames.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(features().variance, frames.var(axis=0), rtol=1e-3)


def test_json_round_trip():
    assert from_json(json.loads(json.dumps(to_json(features())))) == features()


@pytest.mark.parametrize("length", [1, 100, 4000, 5600, 5601, 9000, 30000])
def test_every_sample_stands_in_a_clip_with_a_tail_after_it(length):
    f = features()
    samples = np.arange(1, length + 1, dtype=np.float32)
    clips = np.stack([f.in_clip(chunk) for chunk in f.chunks(samples)])
    assert clips.shape[1] == f.clip
    assert f.clip % SPECTROGRAM.hop == 0
    room = f.clip - f.tail_samples
    assert set(samples) <= set(clips[:, :room].ravel())
    assert not clips[:, room:].any()


def test_what_is_too_long_for_a_clip_loses_its_ends():
    f = features()
    room = f.clip - f.tail_samples
    np.testing.assert_array_equal(f.in_clip(np.arange(room + 20.0))[:room], np.arange(10, room + 10))


def frames(*spikes, count=200):
    """(count, 3): probability 0.9 of a word at (frame, word)."""
    found = np.tile(np.array([0.98, 0.01, 0.01]), (count, 1))
    for at, word in spikes:
        found[at] = 0.05
        found[at, word] = 0.9
    return found


def test_a_word_is_detected_once():
    hop = SPECTROGRAM.hop / SPECTROGRAM.rate
    near = int(features().same_word / hop)
    found = Spikes(features()).push(frames((10, 2), (11, 2), (12 + near, 2), (100, 1), (101 + 2 * near, 1)))
    assert [e["word"] for e in found] == ["yes", "yes", "no", "no"]
    assert found[0]["time"] == pytest.approx(11 * hop)
    assert [e["word"] for e in Spikes(features()).push(frames((10, 2), (11, 2)))] == ["yes"]


def test_another_word_is_detected_at_once():
    assert [e["word"] for e in Spikes(features()).push(frames((10, 2), (12, 1), (14, 2)))] == [
        "yes",
        "no",
        "yes",
    ]


def test_the_threshold_counts():
    assert Spikes(features(threshold=0.95)).push(frames((10, 2))) == []


def test_chunks_give_what_the_whole_gives():
    whole = frames((10, 2), (30, 1), (31, 1), (90, 2))
    spikes = Spikes(features())
    assert spikes.push(whole[:30]) + spikes.push(whole[30:31]) + spikes.push(whole[31:]) == Spikes(
        features()
    ).push(whole)


def says(*probabilities):
    """A model that says so of every clip."""
    return lambda inputs: {"probabilities": np.tile(probabilities, (len(inputs["waveform"]), 1))}


def tone(seconds):
    return (0.3 * np.sin(2 * np.pi * 440 * np.arange(int(8000 * seconds)) / 8000)).astype(np.float32)


def test_variants_have_each_voice_at_each_tempo_where_the_word_was():
    f = features(voices=(0.8, 1.0), tempi=(1.0, 1.6))
    variants = f.variants(tone(0.4))
    np.testing.assert_array_equal(variants[2], f.in_clip(tone(0.4)))  # in its voice, at its tempo
    for variant, pitch, length in zip(variants, (352, 352, 440, 440), (3200, 2000, 3200, 2000), strict=True):
        loud = np.flatnonzero(np.abs(variant) > 0.05)
        assert np.ptp(loud) == pytest.approx(length, abs=200)
        assert loud.mean() == pytest.approx((f.clip - f.tail_samples) / 2, abs=50)
        spectrum = np.abs(np.fft.rfft(variant))
        assert spectrum.argmax() * 8000 / f.clip == pytest.approx(pitch, abs=5)


def scores_length(inputs):
    """A model that is surer of "yes" the longer there is sound in a clip."""
    share = (np.abs(inputs["waveform"]) > 0.05).mean(axis=1)
    return {"probabilities": np.stack([1 - share, share], axis=1)}


def test_the_answer_is_the_power_mean_of_the_variants():
    words = [tone(0.2), tone(0.5)]
    one, two, both = (
        features(voices=(1.0,), tempi=tempi).probabilities(scores_length, words)
        for tempi in [(1.0,), (1.6,), (1.0, 1.6)]
    )
    assert one[1, 1] > one[0, 1] > two[0, 1]
    mean = ((one**4 + two**4) / 2) ** (1 / 4)
    np.testing.assert_allclose(both, mean / mean.sum(axis=1, keepdims=True), atol=1e-6)
    alone, batch = (features().probabilities(scores_length, w) for w in (words[1:], words))
    np.testing.assert_allclose(alone, batch[1:])


def test_the_surest_chunk_of_a_long_recording_counts():
    def run(inputs):
        loud = np.abs(inputs["waveform"]).max(axis=1) > 0.05
        return {"probabilities": np.where(loud[:, None], [0.1, 0.9], [0.6, 0.4])}

    silence = np.zeros(20000, np.float32)
    long = np.concatenate([silence, tone(0.5), silence])
    assert len(features().chunks(long)) > 10
    found = features().probabilities(run, [silence[:4000], long, tone(0.3)])
    np.testing.assert_allclose(found, [[0.6, 0.4], [0.1, 0.9], [0.1, 0.9]])


def never(_):
    raise AssertionError("the model was called")


RNG = np.random.default_rng(0)
SECOND = np.arange(8000) / 8000
NO_WORDS = {
    "silent": np.zeros(4000),
    "a constant": np.full(4000, 0.5),
    "hardly any sound": 1e-5 * RNG.standard_normal(8000),
    "hum": 0.2 * np.sin(2 * np.pi * 60 * SECOND) + 0.05 * np.sin(2 * np.pi * 180 * SECOND),
    "a low hum": 0.2 * np.sin(2 * np.pi * 45 * SECOND),
    "a loud tone": np.sin(2 * np.pi * 1000 * SECOND),
    "noise": 0.1 * RNG.standard_normal(8000),
    "a sentence": np.tile(np.concatenate([0.1 * RNG.standard_normal(1600), np.zeros(400)]), 10),
}


@pytest.mark.parametrize("sound", NO_WORDS.values(), ids=NO_WORDS)
def test_what_cannot_be_a_word_is_unknown_without_the_model(sound):
    answer = features().predict(never, sound.astype(np.float32))
    assert (answer["word"], answer["probability"], answer["threshold"]) == (None, 0.0, 0.5)
    assert answer["reason"]
    assert set(answer["probabilities"].values()) == {0.0}


def spoken(seconds=0.5):
    """Sound that swells and fades, as words do."""
    time = np.arange(int(8000 * seconds))
    return (0.3 * np.sin(time / 4) * np.hanning(len(time))).astype(np.float32)


def knows(share, *probabilities):
    return lambda inputs: {
        **says(*probabilities)(inputs),
        "known": np.full((len(inputs["waveform"]), 1), share, np.float32),
    }


def test_a_word_below_the_threshold_is_unknown():
    f = features(abstain=0.6)
    answer = f.predict(knows(0.9, 0.2, 0.8), spoken())
    assert (answer["word"], answer["reason"], answer["threshold"]) == ("yes", "", 0.6)
    assert answer["probability"] == pytest.approx(0.72)
    assert answer["probabilities"] == pytest.approx({"no": 0.18, "yes": 0.72})
    for run in (knows(0.7, 0.2, 0.8), knows(1.0, 0.45, 0.55), says(0.45, 0.55)):
        unknown = f.predict(run, spoken())
        assert unknown["word"] is None
        assert "'yes'" in unknown["reason"]
        assert 0.5 < unknown["probability"] < 0.6
    assert f.predict(knows(0.7, 0.2, 0.8), spoken(), threshold=0.5)["word"] == "yes"
    assert f.predict(knows(1.0, 0.1, 0.9), spoken(), threshold=0.95)["word"] is None
    for threshold in (-0.1, 1.1, float("nan")):
        with pytest.raises(InputError, match="from 0 to 1"):
            f.predict(says(0.2, 0.8), spoken(), threshold=threshold)


def test_a_word_in_a_minute_of_silence_or_noise_is_one():
    for noise in (0.0, 0.001):
        minute = noise * np.random.default_rng(1).standard_normal(480_000)
        minute[200_000:204_000] += spoken()
        assert features().no_word(minute.astype(np.float32)) == ""


def test_a_click_is_no_word_and_no_hum():
    for noise in (0.0, 0.001):
        for length in (8000, 480_000):
            sound = noise * np.random.default_rng(1).standard_normal(length)
            sound[3000:3008] += 0.8
            reason = features().no_word(sound.astype(np.float32))
            assert "a click" in reason
            assert "equally loud" not in reason


def test_long_noise_is_equally_loud():
    for seconds in (1, 60, 600):
        noise = 0.1 * np.random.default_rng(2).standard_normal(8000 * seconds)
        assert "equally loud" in features().no_word(noise.astype(np.float32))


def test_an_array_without_its_rate_is_told():
    with pytest.warns(UserWarning, match="the model's 8,000 samples a second"):
        features().predict(says(0.2, 0.8), spoken())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        features().predict(says(0.2, 0.8), (spoken(), 8000))


def test_a_word_with_silence_or_noise_around_it_is_one():
    noise = 0.003 * np.random.default_rng(1).standard_normal(40000)
    for around in (np.zeros(40000), noise):
        around[20000:24000] += spoken()
        assert features().no_word(around.astype(np.float32)) == ""
    assert features().no_word(spoken(0.02)) == ""


def test_it_is_told_where_a_word_lies_in_the_clip():
    f = features()
    clip = f.about()["clip"]
    room = clip["word_samples"]
    placed = np.flatnonzero(f.in_clip(np.ones(1000, np.float32)))
    assert clip["samples"] == f.clip
    assert (placed[0], placed[-1]) == ((room - 1000) // 2, (room - 1000) // 2 + 999)
    assert f"0 to {room - 1}" in clip["place"]


class Recorder:
    """A stream that keeps what it is given."""

    chunk = 0

    def reset(self):
        self.samples = []

    def push(self, inputs):
        self.samples.append(inputs["waveform"][0])
        frames = inputs["waveform"].shape[1] // SPECTROGRAM.hop
        return {"frames": np.tile(np.array([1.0, 0, 0]), (1, frames, 1))}


@pytest.mark.parametrize("rate", [8000, 44100, 16000, 11025])
@pytest.mark.parametrize("size", [100, 441, 4410])
def test_chunks_at_any_rate_are_resampled_as_the_whole(rate, size):
    sound = 0.3 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate).astype(np.float32)
    recorder = Recorder()
    stream = features().stream(recorder)
    for begin in range(0, rate, size):
        stream.push((sound[begin : begin + size], rate))
    stream.end()
    answer = np.concatenate(recorder.samples)
    expected = read_audio((sound, rate), 8000)
    np.testing.assert_allclose(answer[: len(expected)], expected, atol=1e-6)
    assert not answer[len(expected) :].any()
    stream.push((sound, rate))
    with pytest.raises(InputError, match="began at"):
        stream.push((sound, rate + 1))
