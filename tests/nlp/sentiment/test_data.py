"""Tables of texts as people have them."""

import csv
import gzip
import json

import pytest

from lstm_apps.errors import InputError
from lstm_apps.nlp.sentiment.data import read_sentences

COLUMNS = {n: n for n in ("text", "score", "document", "source", "weight")} | {"target": "score"}


def table(path, *rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


def scores(path):
    return [s.score for s in read_sentences(path, COLUMNS)]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["positive", "Negative", "neutral"], [2, -2, 0]),
        (["pos", "NEG"], [2, -2]),
        (["1", "0", "1"], [2, -2, 2]),
        (["1", "0", "3"], [1, 0, 3]),  # scores, for there are others
        (["-3.5", "4"], [-3.5, 4]),
    ],
)
def test_labels_and_scores(tmp_path, labels, expected):
    rows = [{"text": f"text {i}", "score": label} for i, label in enumerate(labels)]
    assert scores(table(tmp_path / "a.csv", *rows)) == expected
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "a.json").write_text(json.dumps(rows))
    assert scores(tmp_path / "a.jsonl") == scores(tmp_path / "a.json") == expected


@pytest.mark.parametrize(
    ("stars", "expected"),
    [
        (["1", "2", "3", "4", "5"], [-4, -2, 0, 2, 4]),
        (["5.0", "2", "2"], [4, -2, -2]),
        (["1", "10"], [-4, 4]),
    ],
)
def test_stars_are_scores_and_a_note_says_so(tmp_path, stars, expected):
    path = table(tmp_path / "a.csv", *({"text": f"text {i}", "score": s} for i, s in enumerate(stars)))
    with pytest.warns(UserWarning, match="taken as stars, 1 as -4"):
        assert scores(path) == expected


@pytest.mark.parametrize(
    "others", [["0", "5"], ["1", "4.5", "5"], ["-1", "5"], ["1", "7"], ["positive", "5"]]
)
def test_other_numbers_beyond_4_are_no_stars(tmp_path, others):
    path = table(tmp_path / "a.csv", *({"text": f"text {i}", "score": s} for i, s in enumerate(others)))
    with pytest.raises(InputError, match="whole numbers from 1 to 5 or to 10"):
        scores(path)


def test_empty_texts_are_left_out_and_counted(tmp_path):
    path = table(tmp_path / "a.csv", *({"text": t, "score": "1.5"} for t in ("good", " ", "fine")))
    with pytest.warns(UserWarning, match="1 empty text"):
        assert scores(path) == [1.5, 1.5]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"text": "a", "score": "5"}, "not between"),
        ({"text": "a", "score": "nan"}, "not between"),
        ({"text": "a", "score": "fine"}, "no score"),
        ({"text": "a", "score": "1", "weight": "abc"}, "the weight 'abc'"),
        ({"text": "a", "score": "1", "weight": "nan"}, "the weight 'nan'"),
        ({"text": "a", "score": "1", "weight": "-1"}, "the weight '-1'"),
        ({"texts": "a", "score": "1"}, "no column 'text'"),
        ({"text": "a"}, "no column 'score'"),
        ({"text": "\ufffd \u2581\u0007", "score": "1"}, "holds no text"),  # nothing that a model could read
    ],
)
def test_what_is_no_table_of_texts_is_a_sentence(tmp_path, row, says):
    with pytest.raises(InputError, match=says):
        read_sentences(table(tmp_path / "a.csv", row), COLUMNS)


def test_files_that_are_none(tmp_path):
    with pytest.raises(InputError, match="no file"):
        read_sentences(tmp_path / "none.csv", COLUMNS)
    broken = tmp_path / "broken.json"
    damaged = bytearray(gzip.compress(b"text,score\n" + bytes(range(32, 127)) * 9))
    damaged[20:30] = b"0123456789"
    for content in (b"[{", b"[1, 2]", b"[" * 100_000, b"\xff\xfe{}", bytes(damaged)):
        broken.write_bytes(content)
        with pytest.raises(InputError):
            read_sentences(broken, COLUMNS)


def test_a_row_that_ends_early_is_told(tmp_path):
    (tmp_path / "a.csv").write_text("text,score\ngood,1\nbad\nfine,1\n")
    with pytest.raises(InputError, match="line 3: 1 fields, expected 2"):
        read_sentences(tmp_path / "a.csv", COLUMNS)


def test_json_lines_end_where_lines_of_json_end(tmp_path):
    rows = [{"text": "good\u2028film\u0085!", "score": 1, "document": 0}, {"text": "\u200b", "score": 1}]
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps(r, ensure_ascii=False) for r in rows), "utf-8")
    (found,) = read_sentences(tmp_path / "a.jsonl", COLUMNS)
    assert (found.text, found.document) == ("good film !", "0")


@pytest.mark.parametrize(
    ("text", "says"), [("a \ud83d film", "holds half a character"), ("a" * 1_000_001, "1,000,001 characters")]
)
def test_what_no_model_could_read_is_told_by_its_row(tmp_path, text, says):
    rows = [{"text": "good", "score": 1}, {"text": text, "score": 1}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(InputError, match=f"row 2: The text .*{says}"):
        read_sentences(tmp_path / "a.jsonl", COLUMNS)
