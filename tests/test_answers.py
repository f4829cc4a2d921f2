"""What `predict` answers, on a terminal and as a file."""

import json
from io import StringIO

import numpy as np
import pytest
import soundfile
from rich.console import Console

from lstm_apps import answers
from lstm_apps.errors import InputError
from lstm_apps.features.sound import Sound

INFO = {"application": "a", "unit": "", "disclaimer": ""}
TABLE = {"time": np.array(["2020-01-01"], "datetime64[s]"), "q50": np.array([np.nan])}
EVENTS = [{"word": "7", "time": 1.5}, {"word": "one, two", "time": 2.0}]


def printed(answer) -> str:
    console = Console(width=100, record=True, file=StringIO(), markup=False, emoji=False)  # as the CLI's
    console.print(answers.shown(answer, INFO))
    return console.export_text()


def cells(answer) -> list[list[str]]:
    lines = [line for line in printed(answer).splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]


def test_text_is_printed_as_it_is():
    assert printed("[b] two\nlines :bug:") == "[b] two\nlines :bug:\n"


def test_tables_events_and_values_have_cells():
    assert cells(TABLE) == [["2020-01-01T00:00:00", ""]]
    assert cells(EVENTS) == [["7", "1.500"], ["one, two", "2.000"]]
    assert "Nothing was found." in printed([])
    words = {"word": "[b]", "probabilities": {"[b]": 0.5, "[/b] :bug:": 0.25}}
    assert cells(words) == [["word", "[b]"], ["probabilities", "[b]: 0.5000, [/b] :bug:: 0.2500"]]
    assert cells({"word": None, "probability": 0.25}) == [["word", "unknown"], ["probability", "0.2500"]]


def test_json_is_strict():
    assert json.loads(answers.as_json(TABLE)) == {"time": ["2020-01-01T00:00:00"], "q50": [None]}
    assert json.loads(answers.as_json({"score": np.float32(0.5)})) == {"score": 0.5}
    with pytest.raises(InputError, match="infinite"):
        answers.as_json({"q50": np.array([np.inf])})
    with pytest.raises(InputError, match=r"--out answer\.wav"):
        answers.as_json(Sound(np.zeros(3, np.float32), 8000))


@pytest.mark.parametrize(
    ("answer", "name", "content"),
    [
        ("two\nlines", "a.txt", "two\nlines\n"),
        ("text", "a.json", '"text"\n'),
        (TABLE, "a.csv", "time,q50\r\n2020-01-01T00:00:00,\r\n"),
        (EVENTS, "a.csv", 'word,time\r\n7,1.5\r\n"one, two",2.0\r\n'),
        ({"label": "N"}, "a.json", '{"label": "N"}\n'),
    ],
)
def test_an_answer_is_written_by_the_ending_of_the_file(tmp_path, answer, name, content):
    answers.write(answer, tmp_path / name)
    assert (tmp_path / name).read_bytes().decode() == content
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_sound_is_written_as_it_is_and_never_beyond_full_scale(tmp_path):
    samples = np.array([0.0, 0.5, -0.5, 2.0], np.float32)
    answers.write(Sound(samples, 16000), tmp_path / "a.wav")
    found, rate = soundfile.read(tmp_path / "a.wav", dtype="float32")
    assert rate == 16000
    np.testing.assert_allclose(found, [0, 0.5, -0.5, 1], atol=1e-4)


@pytest.mark.parametrize(
    ("answer", "name", "message"),
    [
        (Sound(np.zeros(3, np.float32), 8000), "a.json", r"should end in one of \.wav"),
        (TABLE, "a.xlsx", r"\.csv or \.json"),
        ("text", "a.csv", r"\.txt or \.json"),
        ({"label": "N"}, "a.csv", r"should end in \.json"),
        ({"label": "N"}, "none/a.json", "no folder"),
        ({"q50": np.array([np.inf])}, "a.json", "infinite"),
    ],
)
def test_what_cannot_be_written_leaves_nothing(tmp_path, answer, name, message):
    with pytest.raises(InputError, match=message):
        answers.write(answer, tmp_path / name)
    assert list(tmp_path.iterdir()) == []
