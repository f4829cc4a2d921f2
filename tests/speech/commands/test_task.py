"""Which recordings are trained on, and baselines against plain definitions."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from recordings import write_recordings

from lstm_apps.application import Data, Request
from lstm_apps.errors import InputError
from lstm_apps.features.mel import LogMel
from lstm_apps.speech.commands import task as commands
from lstm_apps.speech.commands.augment import words_in_noise
from lstm_apps.speech.commands.baselines import warping_distances
from lstm_apps.speech.commands.data import Recording
from lstm_apps.speech.commands.features import KeywordFeatures
from lstm_apps.speech.commands.task import SPEECH_COMMANDS, RecordingExamples


def recordings(speakers, takes=50):
    return [
        Recording(Path(f"{word}_{speaker}_{take}.wav"), word, speaker, take, 8000, 0.5)
        for word in ("one", "two")
        for speaker in speakers
        for take in range(takes)
    ]


def split(records, fold=None, official=False, folder=Path()):
    return SPEECH_COMMANDS._split(folder, records, fold, official)


def test_the_official_split_tests_on_the_first_five_takes():
    (train, validation, test), how = split(recordings("ab"), official=True)
    assert {r.take for r in test} == set(range(5))
    assert {r.take for r in validation} == set(range(5, 10))
    assert {r.take for r in train} == set(range(10, 50))
    assert "official" in how


def test_a_fold_is_a_speaker_that_no_other_part_knows():
    parts, _ = split(recordings("abc"), fold="b")
    assert {r.speaker for r in parts[2]} == {"b"}
    assert len(parts[2]) == 100
    assert {r.speaker for part in parts[:2] for r in part} == {"a", "c"}
    with pytest.raises(InputError, match="Unknown speaker"):
        split(recordings("abc"), fold="d")


def test_many_speakers_are_split_by_speaker_and_unnamed_ones_are_not_invented():
    parts, how = split(recordings("abcdefgh"))
    assert how == "by speaker"
    speakers = [{r.speaker for r in part} for part in parts]
    assert sum(map(len, speakers)) == 8  # nobody is in two parts
    nameless = [Recording(r.file, r.label, "", r.take, r.rate, r.seconds) for r in recordings("abcdefgh")]
    parts, how = split(nameless)
    assert "0 named speakers" in how
    elsewhere = [replace(r, file=Path("/elsewhere") / r.file) for r in nameless]
    again, _ = split(elsewhere, folder=Path("/elsewhere"))
    assert [[r.file.name for r in part] for part in again] == [[r.file.name for r in part] for part in parts]
    with pytest.raises(InputError, match="no speakers to learn from"):
        split(recordings("a"), fold="a")


def test_lists_of_a_folder_are_followed(tmp_path):
    (tmp_path / "testing_list.txt").write_text("one_a_0.wav\ntwo_b_3.wav\nturn left/a_0.wav\n")
    (tmp_path / "validation_list.txt").write_text("one_a_1.wav\n")
    records = [
        Recording(tmp_path / r.file, r.label, r.speaker, r.take, r.rate, r.seconds)
        for r in recordings("ab", takes=4)
    ]
    records.append(Recording(tmp_path / "turn left" / "a_0.wav", "turn left", "a", 0, 8000, 0.5))
    parts, _ = split(records, folder=tmp_path)
    assert [sorted(r.file.name for r in part) for part in parts[1:]] == [
        ["one_a_1.wav"],
        ["a_0.wav", "one_a_0.wav", "two_b_3.wav"],
    ]
    assert len(parts[0]) == len(records) - 4


def test_lists_of_other_recordings_leave_a_part_empty(tmp_path):
    write_recordings(tmp_path, speakers=2, takes=2)
    for part in ("validation", "testing"):
        (tmp_path / f"{part}_list.txt").write_text("of/another/folder.wav\n")
    with pytest.raises(InputError, match="validation part has no recording"):
        SPEECH_COMMANDS.load(Request(str(tmp_path)))


def test_a_recording_longer_than_its_clip_has_a_window_in_it(tmp_path):
    import soundfile

    soundfile.write(tmp_path / "one_a_0.wav", np.full(8000 * 5, 0.1), 8000)
    sounds = [np.random.default_rng(0).normal(0, 0.1, 4000)]
    features = KeywordFeatures.fit(("one",), LogMel(8000, 256, 128, 20, 60.0, 3800.0), sounds, longest=0.5)
    record = Recording(tmp_path / "one_a_0.wav", "one", "a", 0, 8000, 5.0)
    _, targets, _ = RecordingExamples(features, [record]).batch(np.array([0]), None)
    _, first, end = targets["logits"][0, 0]
    assert first < min(end, features.clip // features.spectrogram.hop)


def test_words_are_scored_with_all_variants_and_as_spoken(tmp_path):
    import soundfile

    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(3000) / 8000)
    soundfile.write(tmp_path / "two_a_0.wav", tone, 8000)
    features = KeywordFeatures.fit(
        ("one", "two"), LogMel(8000, 256, 128, 20, 60.0, 3800.0), [tone], longest=0.5
    )
    data = Data([], [], [Recording(tmp_path / "two_a_0.wav", "two", "a", 0, 8000, 3000 / 8000)], {})

    def run(inputs):  # surely "two" at the tempo it has, and surely "one" at any other
        length = np.array([np.ptp(np.flatnonzero(np.abs(w) > 0.01)) for w in inputs["waveform"]])
        two = np.where(np.abs(length - 3000) < 100, 0.9, 0.1)
        return {"probabilities": np.stack([1 - two, two], axis=1)}

    scores = SPEECH_COMMANDS.score(features, data, run)
    assert {name: estimate.value for name, estimate in scores.items()} == {
        "accuracy": 0.0,
        "accuracy as spoken": 1.0,
    }
    known = SPEECH_COMMANDS.score(features.as_spoken(), data, run)
    assert {name: estimate.value for name, estimate in known.items()} == {"accuracy": 1.0}


@pytest.mark.parametrize(("fold", "known"), [(None, True), ("speaker1", False)])
def test_other_voices_are_for_speakers_who_are_not_known(tmp_path, fold, known):
    folder = write_recordings(tmp_path, speakers=3, takes=4)
    data = SPEECH_COMMANDS.load(Request(str(folder), fold=fold))
    features = SPEECH_COMMANDS.fit_features(data)
    assert features.known_speakers is features.about()["known_speakers"] is known
    assert len(features.variants(data.test[0].read(8000))) == (1 if known else 15)


@pytest.mark.parametrize(("speed", "spread"), [(0.0, 0.0), (0.2, 0.115)])
def test_words_are_at_another_speed_where_they_should(speed, spread):
    rng, word = np.random.default_rng(0), np.sin(np.arange(2000)).astype(np.float32)
    spans = [words_in_noise([word], 8000, 6000, rng, speed=speed)[1][0] for _ in range(300)]
    factors = [np.log((end - begin) / len(word)) for begin, end in spans]
    assert np.std(factors) == pytest.approx(spread, abs=0.01)  # of a uniform draw


@pytest.mark.parametrize(("known", "share"), [(True, 0.2), (False, 1.0)])
def test_of_known_speakers_most_examples_are_as_they_speak(known, share, monkeypatch):
    features = KeywordFeatures(
        ("one", "two"),
        LogMel(8000, 256, 128, 20, 60.0, 3800.0),
        (0.0,) * 20,
        (1.0,) * 20,
        6400,
        known_speakers=known,
    )
    model = SPEECH_COMMANDS.build(features, units=4, layers=1, dropout=0.0)
    assert model.get_layer("augment").share == share
    monkeypatch.setattr(Recording, "read", lambda self, rate: np.ones(2000, np.float32))
    examples = SPEECH_COMMANDS.examples(features, [Recording(Path("one_a_0.wav"), "one", "a", 0, 8000, 0.25)])
    speeds = []
    monkeypatch.setattr(commands, "words_in_noise", lambda *a: (speeds.append(a[-1]), ([0.0], [(0, 9)]))[1])
    examples.batch(np.zeros(300, int), np.random.default_rng(0))
    assert np.mean([speed > 0 for speed in speeds]) == pytest.approx(share, abs=0.1)


def test_files_without_speakers_have_no_folds(tmp_path):
    import soundfile

    for word in ("yes", "no"):
        (tmp_path / word).mkdir()
        for name in "xyz":
            soundfile.write(tmp_path / word / f"{name}.wav", np.full(4000, 0.1), 8000)
    assert SPEECH_COMMANDS.folds(Request(str(tmp_path))) == ()


def by_definition(a, b):
    """Symmetric dynamic time warping, cell by cell."""
    best = np.full((len(a) + 1, len(b) + 1), np.inf)
    best[0, 0] = 0
    for i in range(len(a)):
        for j in range(len(b)):
            before = min(best[i, j], best[i, j + 1], best[i + 1, j])
            best[i + 1, j + 1] = np.linalg.norm(a[i] - b[j]) + before
    return best[-1, -1] / (len(a) + len(b))


def test_warping_distances():
    rng = np.random.default_rng(0)
    known = [rng.normal(size=(length, 3)) for length in (4, 7, 5)]
    asked = rng.normal(size=(6, 3))
    expected = [by_definition(k, asked) for k in known]
    np.testing.assert_allclose(warping_distances(known, asked), expected, rtol=1e-4)
