"""Folders of words in the layouts that people have."""

import numpy as np
import pytest
import soundfile
from recordings import RATE, word, write_recordings

from lstm_apps.errors import InputError
from lstm_apps.speech.commands.data import list_recordings


def test_files_named_word_speaker_number(tmp_path):
    found = list_recordings(write_recordings(tmp_path, speakers=2, takes=3))
    assert len(found) == 18
    assert {(r.label, r.speaker, r.take) for r in found} == {
        (w, s, t) for w in ("up", "down", "hum") for s in ("speaker0", "speaker1") for t in range(3)
    }
    assert (found[0].rate, found[0].read(16000).dtype) == (RATE, np.float32)
    assert len(found[0].read(16000)) == pytest.approx(2 * found[0].seconds * RATE, abs=2)


def test_a_folder_a_word(tmp_path):
    for name in ("yes/0a7c_nohash_1.wav", "yes/anna_b_2.wav", "no/x.wav", "_background_noise_/hum.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / name, word("up"), RATE)
    found = {(r.label, r.speaker, r.take) for r in list_recordings(tmp_path)}
    assert found == {("yes", "0a7c", 1), ("yes", "anna_b", 2), ("no", "", 0)}


def test_what_is_no_recording_is_told(tmp_path):
    with pytest.raises(InputError, match="no folder"):
        list_recordings(tmp_path / "none")
    with pytest.raises(InputError, match="0 recordings"):
        list_recordings(tmp_path)
    soundfile.write(tmp_path / "nameless.wav", word("up"), RATE)
    with pytest.raises(InputError, match="neither its word nor its speaker"):
        list_recordings(tmp_path)
    (tmp_path / "nameless.wav").rename(tmp_path / "up_anna_0.wav")
    with pytest.raises(InputError, match="1 words"):
        list_recordings(tmp_path)
    (tmp_path / "down_anna_0.wav").write_text("text")
    with pytest.raises(InputError, match=r"down_anna_0.wav is no sound file"):
        list_recordings(tmp_path)
    soundfile.write(tmp_path / "down_anna_0.wav", np.zeros(0), RATE)
    with pytest.raises(InputError, match="no word"):
        list_recordings(tmp_path)


def test_a_click_is_no_word_and_a_bad_recording_is_named(tmp_path):
    write_recordings(tmp_path, speakers=2, takes=2)
    soundfile.write(tmp_path / "up_zoe_0.wav", np.full(8000, np.nan), RATE, subtype="FLOAT")
    (bad,) = (r for r in list_recordings(tmp_path) if r.speaker == "zoe")
    with pytest.raises(InputError, match=r"up_zoe_0\.wav: .*NaN"):
        bad.read(RATE)
    soundfile.write(tmp_path / "up_zoe_0.wav", np.zeros(100), RATE)
    with pytest.raises(InputError, match=r"up_zoe_0\.wav holds 0\.0"):
        list_recordings(tmp_path)


def test_a_file_named_as_its_word_names_no_speaker(tmp_path):
    for label in ("yes", "no"):
        (tmp_path / label).mkdir()
        soundfile.write(tmp_path / label / f"{label}_1.wav", word("up"), RATE)
    assert [r.speaker for r in list_recordings(tmp_path)] == ["", ""]


def test_a_recording_made_anew_is_read_anew(tmp_path):
    first, *_ = list_recordings(write_recordings(tmp_path, speakers=1, takes=1))
    before = first.read(RATE)
    assert first.read(RATE) is before
    soundfile.write(first.file, np.zeros(4000), RATE)
    assert not first.read(RATE).any()
    first.file.unlink()
    with pytest.raises(InputError, match="not there"):
        first.read(RATE)


def test_a_speaker_is_one_whether_or_not_files_name_the_word_of_their_folder(tmp_path):
    """Else each word would have speakers of its own, and who is tested on would be trained on."""
    for label in ("yes", "no"):
        (tmp_path / label).mkdir()
        for name in (f"{label}_anna_0.wav", f"{label}_b_nohash_1.wav", "anna_1.wav"):
            soundfile.write(tmp_path / label / name, word("up"), RATE)
    assert {r.speaker for r in list_recordings(tmp_path)} == {"anna", "b"}


def test_files_that_lie_too_deep_are_told(tmp_path):
    folder = write_recordings(tmp_path, speakers=2, takes=2)
    (folder / "up" / "more").mkdir(parents=True)
    soundfile.write(folder / "up" / "more" / "anna_0.wav", word("up"), RATE)
    with pytest.warns(UserWarning, match=r"1 sound files, as .*anna_0\.wav, lie too deep"):
        assert len(list_recordings(folder)) == 12
