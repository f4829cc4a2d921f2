"""Texts to tokens, the same in the runtime and in TensorFlow, and scores to answers."""

import base64
import json
import random
import time
from importlib.metadata import distributions

import numpy as np
import pandas
import pytest

from lstm_apps.errors import InputError
from lstm_apps.features import from_json, to_json
from lstm_apps.nlp.sentiment.features import PADDING, UNKNOWN, TextFeatures, _repeats
from lstm_apps.nlp.sentiment.legibility import alphabet, has_words, without_markup

SENTENCE = "the film was good bad awful lovely and not very a story with music about love people"
WORDS = SENTENCE.split()


@pytest.fixture(scope="module")
def features():
    rng = random.Random(0)
    texts = [" ".join(rng.choices(WORDS, k=12)) + "." for _ in range(400)]
    return TextFeatures.fit(texts, vocabulary=400, lengths=(8, 16))


def real_lines(count):
    """Lines that people wrote: of what the packages here say of themselves."""
    told = (d.metadata.get_payload() or d.metadata.get("Description") or "" for d in distributions())
    lines = sorted({line.strip() for text in told for line in text.splitlines()})
    return random.Random(2).sample(lines, count)


def odd_strings(count):
    """Odd strings: emoji, right to left, control characters, combining marks, any code point; and words."""
    rng = random.Random(1)
    alphabets = [
        "abc XYZ .,!? 0123",
        "😀👩‍👩‍👧‍👦🏳️‍🌈❤️",
        "שלום مرحبا",
        "\u200f\u202e\u0007\u200b\ufeff\t",
        "e\u0301 n\u0303 \ufb01 \u00bd \u2167 \uff46\uff55\uff4c\uff4c",  # combining, ligature, full width
        "日本語 中文 한국어",
    ]
    for _ in range(count):
        kind = rng.randrange(len(alphabets) + 2)
        if kind < len(alphabets):
            yield "".join(rng.choices(alphabets[kind], k=rng.randrange(1, 40)))
        elif kind == len(alphabets):
            yield " ".join(rng.choices(WORDS, k=rng.randrange(1, 20)))
        else:
            points = (rng.randrange(1, 0x10FFFF) for _ in range(rng.randrange(1, 20)))
            yield "".join(chr(p) for p in points if not 0xD800 <= p < 0xE000)


@pytest.mark.slow
def test_tensorflow_text_finds_the_same_tokens():
    text = pytest.importorskip("tensorflow_text")
    lines = real_lines(5000)
    features = TextFeatures.fit(lines[:2500], vocabulary=4000, lengths=(16,))
    tokenizer = text.SentencepieceTokenizer(model=base64.b64decode(features.sentencepiece))
    strings = [*lines, *odd_strings(5000), "", " ", "a" * 1_000_000]
    for begin in range(0, len(strings), 500):
        part = strings[begin : begin + 500]
        assert tokenizer.tokenize(part).to_list() == features.processor.encode(part)


def test_a_text_is_read_at_once_where_it_fits_and_else_by_sentences(features):
    short = "The film was good. Bad?"
    assert features.parts(short) == [features.processor.encode(short)]
    sentences = ["The film was good, the story was bad.", "Music was very good!", "And the film?"]
    assert len(features.processor.encode(" ".join(sentences))) > features.length
    assert features.parts(" ".join(sentences)) == features.processor.encode(sentences)
    parts = features.parts("good " * 40)
    assert all(1 <= len(p) <= features.length for p in parts)
    assert [token for part in parts for token in part] == features.processor.encode(("good " * 40).strip())


def test_padding_stands_at_the_end(features):
    padded = features.padded([[5, 6], [7, 8, 9]], 4)
    np.testing.assert_array_equal(padded, [[5, 6, PADDING, PADDING], [7, 8, 9, PADDING]])
    assert UNKNOWN != PADDING


def test_a_long_text_is_the_mean_of_its_sentences(features):
    def run(inputs):
        length = (inputs["tokens"] != PADDING).sum(axis=1, keepdims=True).astype(np.float32)
        return {"log_odds": length, "score": -length}

    texts = ["The film was good. " + "And not very bad. " * 5, "The story"]
    lengths = [[len(p) for p in features.parts(t)] for t in texts]
    assert len(lengths[0]) == 6
    found = features.scores(run, texts)
    np.testing.assert_allclose(found[:, 0], [np.mean(n) for n in lengths])
    np.testing.assert_allclose(found[:, 1], [-np.mean(n) for n in lengths])
    answer = features.predict(run, texts[0])
    assert (answer["label"], answer["score"], answer["reason"]) == ("positive", -4.0, "")


@pytest.mark.parametrize("bad", ["", " \n\t", None, 3, ["a"], "x" * 1_000_001])
def test_what_is_no_text_is_refused(features, bad):
    with pytest.raises(InputError):
        features.parts(bad)


def test_json_round_trip(features):
    assert from_json(json.loads(json.dumps(to_json(features)))) == features


def test_too_little_text_is_told():
    with pytest.raises(InputError, match="too little text"):
        TextFeatures.fit([], vocabulary=100, lengths=(8,))


def answer_by_length(inputs):
    """A model that is the surer the more tokens there are."""
    count = (inputs["tokens"] != PADDING).sum(axis=1, keepdims=True).astype(np.float32)
    return {"log_odds": count - 4, "score": count / 8}


def test_parts_of_like_lengths_are_one_batch(features):
    shapes = []

    def run(inputs):
        shapes.append(inputs["tokens"].shape)
        return answer_by_length(inputs)

    sentences = [[5] * n for n in (3, 12, 8, 16, 1, 9)]
    np.testing.assert_array_equal(
        features.part_scores(run, sentences)[:, 1], [n / 8 for n in (3, 12, 8, 16, 1, 9)]
    )
    assert shapes == [(3, 8), (3, 16)]


def test_a_list_of_texts_and_a_file_are_answered(features, tmp_path):
    texts = ["The film was good.", "Awful!"]
    one_by_one = [features.predict(answer_by_length, text) for text in texts]
    batch = features.predict(answer_by_length, texts)
    for name, values in batch.items():
        assert values.tolist() == [answer[name] for answer in one_by_one]
    for other in (np.array(texts), np.array(texts, object), pandas.Series(texts, index=[7, 3])):
        again = features.predict(answer_by_length, other)
        assert {k: v.tolist() for k, v in again.items()} == {k: v.tolist() for k, v in batch.items()}
    with_empty = features.predict(answer_by_length, pandas.Series(["", texts[0], " "]))
    assert with_empty["label"].tolist() == ["cannot read", one_by_one[0]["label"], "cannot read"]
    file = tmp_path / "text.txt"
    file.write_text(texts[0], encoding="utf-8")
    assert features.predict(answer_by_length, file) == one_by_one[0]
    with pytest.raises(InputError, match="is a table"):
        features.predict(answer_by_length, tmp_path / "reviews.csv")
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="no text in UTF-8"):
        features.predict(answer_by_length, file)


UNREADABLE = {
    "Cyrillic": "Отличный сервис",
    "Greek": "Καλημέρα κόσμε",
    "Chinese": "这个酒店很好",
    "Arabic": "خدمة ممتازة",
    "Hebrew": "שירות מצוין",
    "Hindi": "नमस्ते दुनिया",
    "half": "the film хороший",
    "emoji": "👍",
    "emojis": "😡😡 😡",
    "full width": "☆☆☆",
    "digits": "12345",
    "a rating": "10/10",
    "punctuation": "!!! ???",
    "dots": "...",
    "gibberish": "xqzv wrtpk qqlkjh",
    "markup alone": "<p class='good'></p>",
}


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_read_is_told_and_not_judged(features, text):
    def never(_):
        raise AssertionError("the model was called")

    if text != UNREADABLE["markup alone"]:
        answer = features.predict(never, text)
        assert (answer["label"], answer["probability"], answer["score"]) == ("cannot read", None, None)
        assert answer["reason"]
        assert answer["unread"] == features.unread(text)
    answer = features.predict(never, [text, ""])
    assert answer["label"].tolist() == ["cannot read", "cannot read"]
    assert np.isnan(answer["probability"]).all()


def test_a_character_is_known_from_ten_texts_or_a_token():
    texts = ["the film"] * 3 + ["dr\u00e9"] * 6 + ["\N{HEAVY BLACK HEART}"] * 10
    assert alphabet(texts, ["\u2581the", "x"]) == "ehtx\N{HEAVY BLACK HEART}"


def test_the_share_of_characters_that_were_not_learnt(features):
    assert features.unread("the film") == 0
    assert features.unread("film \u0436\u0437\u0444") == pytest.approx(3 / 7)
    assert features.unread("film \N{THUMBS UP SIGN}") == pytest.approx(1 / 5)
    assert features.predict(answer_by_length, "film \N{THUMBS UP SIGN}")["label"] != "cannot read"


def test_of_a_list_each_text_is_judged_by_itself(features):
    texts = ["The film was good.", "Отличный", "Awful.", ""]
    answer = features.predict(answer_by_length, texts)
    assert (answer["label"] == "cannot read").tolist() == [False, True, False, True]
    assert np.isnan(answer["score"]).tolist() == [False, True, False, True]
    assert answer["unread"].tolist() == [0, 1, 0, 1]
    with pytest.raises(InputError, match="Text 2 of 2"):
        features.predict(answer_by_length, ["good", None])


def test_of_markup_the_text_is_read(features):
    for marked, plain in {
        "<div class='love'>Awful.</div>": "Awful.",
        '<a href="good.html" title="a > b">bad</a> &amp; awful': "bad & awful",
        "good<br/>film": "good film",
        "&lt;b&gt;terrible&amp;": "terrible&",
        "&lt;p class=&quot;love&quot;&gt;bad &amp;amp; awful": "bad & awful",
        "I &lt;3 it": "I <3 it",
        "<style>p { love: 1 }</style><!-- love --><p>bad": "bad",
    }.items():
        assert without_markup(marked).split() == plain.split()
        assert features.parts(marked) == features.parts(plain)
    for text in ("I <3 it", "a < b > c", "<- this", "x<y", "a & b; c", "AT&T; R&D"):
        assert without_markup(text) == text


@pytest.mark.parametrize("text", ["<script>" * 100_000, "<a " * 300_000, "<a '" * 200_000, "<!--" * 200_000])
def test_broken_markup_takes_no_time(text):
    begun = time.monotonic()
    without_markup(text)
    assert time.monotonic() - begun < 2


@pytest.mark.parametrize(("text", "words"), [(":-)", True), ("<3", True), ("(8", True), ("42 :", False)])
def test_emoticons_are_words(text, words):
    assert has_words(text) is words


def test_an_older_file_knows_the_characters_of_its_tokens(features):
    old = {k: v for k, v in to_json(features).items() if k in ("kind", "sentencepiece", "lengths")}
    read = from_json(old)
    assert read.predict(answer_by_length, "Отличный")["label"] == "cannot read"
    assert read.predict(answer_by_length, "good film") == features.predict(answer_by_length, "good film")


@pytest.mark.parametrize(
    ("token", "repeats"), [("!!", True), ("haha", True), ("|--|--|", True), ("good", False), ("lol", False)]
)
def test_tokens_that_repeat_themselves_are_not_used(token, repeats):
    assert _repeats(token) is repeats
