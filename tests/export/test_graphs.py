"""A generator from training to its files: graphs by name, partners, attachments, equal tokens."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import reverser

import export
from export.runs import export_run
from lstm_apps import registry, runtime
from lstm_apps.errors import InputError, ModelFileError, ParityError
from lstm_apps.runtime.engines import open_engine
from training.config import Config
from training.fit import model_function

EXAMPLES = Path(__file__).parents[2] / "examples"
FILES = ("model.encoder.onnx", "model.decoder.onnx", "model.tflite")


@pytest.fixture(scope="module")
def run(made_once, trained):
    """A reverser, trained for a moment, and its files."""
    registry._APPLICATIONS["reverser"] = "reverser:REVERSER"
    registry._FEATURES["words"] = "reverser:WordFeatures"
    words = made_once(
        "words", lambda folder: (folder / "words.json").write_text(json.dumps(reverser.words()))
    )
    config = Config.of(reverser.REVERSER, "quick", data=str(words / "words.json"), units=24)
    yield trained("reverser", config, ["onnx", "tflite"])
    del registry._APPLICATIONS["reverser"], registry._FEATURES["words"]


@pytest.fixture(scope="module")
def written(run):
    """Words of the test part, and what Keras writes for each."""
    words = run.load_data().test
    return dict(zip(words, run.features.greedy(model_function(run, run.load_model()), words), strict=True))


def test_the_files_are_one_a_graph_in_onnx_and_one_in_tflite(run):
    assert sorted(f.name for f in run.folder.glob("model.*[xe]") if f.suffix != ".keras") == sorted(FILES)
    onnx, tflite = run.exports
    assert onnx["fused"]
    assert tflite["fused"]
    assert (onnx["equal_tokens"], tflite["equal_tokens"]) == (1, 1)
    assert set(onnx["graphs"]) == {"encoder", "decoder"}
    assert onnx["graphs"]["decoder"]["outputs"]["logits"]["error"] < 1e-4
    assert onnx["metrics"] == tflite["metrics"] == {"exact": run.metrics["exact"]["model"]}


@pytest.mark.parametrize("file", FILES)
def test_any_file_answers_as_keras_does(run, written, file):
    model = runtime.load(run.folder / file)
    for word, letters in written.items():
        assert model.predict(word) == {"text": "".join(reverser.LETTERS[i - 3] for i in letters)}
    assert model.engine.attachments == {"alphabet": b"abcdef"}
    assert len(model.predict("abcde", max_length=2)["text"]) <= 2
    with pytest.raises(InputError, match="Did you mean 'max_length'"):
        model.predict("abc", max_lenght=2)


@pytest.mark.parametrize(
    ("program", "files"),
    [
        ("generate_onnx.py", ["model.encoder.onnx", "model.decoder.onnx"]),
        ("generate_litert.py", ["model.tflite"]),
    ],
)
def test_bare_programs_write_what_the_runtime_writes(run, program, files):
    model, letters = runtime.load(run.folder / "model.encoder.onnx"), reverser.LETTERS
    for word in run.load_data().test[:3]:
        tokens = [3 + letters.index(letter) for letter in word]
        command = [sys.executable, str(EXAMPLES / program), *(str(run.folder / f) for f in files)]
        command += map(str, (reverser.BEGIN, reverser.END, *tokens))
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found = [int(t) for t in done.stdout.split()]
        wanted = model.predict(word)["text"]
        assert "".join(letters[t - 3] for t in found[: len(wanted)]) == wanted


def test_what_a_file_is_stands_in_its_metadata(run):
    encoder = open_engine(run.folder / "model.encoder.onnx").metadata
    assert (encoder["form"], encoder["graph"]) == ("graphs", "encoder")
    assert encoder["graphs"]["decoder"]["file"] == "model.decoder.onnx"
    tflite = open_engine(run.folder / "model.tflite")
    assert tflite.metadata["graphs"] == {n: {"signatures": [n]} for n in ("encoder", "decoder")}
    assert set(tflite.graphs) == {"encoder", "decoder"}
    assert set(tflite.graphs["decoder"].inputs) == {"token", "h", "c", "memory", "valid"}
    with pytest.raises(InputError, match="Did you mean 'encoder'"):
        tflite.run({}, graph="encoderr")


def test_a_missing_or_foreign_partner_is_one_sentence(run, tmp_path):
    encoder, decoder = (tmp_path / f"chat.{name}.onnx" for name in ("encoder", "decoder"))
    shutil.copy(run.folder / "model.encoder.onnx", encoder)
    with pytest.raises(ModelFileError, match=r"its decoder is not beside it: .*chat.decoder.onnx"):
        runtime.load(encoder)
    shutil.copy(run.folder / "model.decoder.onnx", decoder)
    assert runtime.load(encoder).predict("ab") == runtime.load(decoder).predict("ab")  # renamed together
    token = keras.Input((1,), dtype="int32", name="token")
    other = keras.Model(token, keras.layers.Embedding(9, 2)(token))
    export.to_onnx({"encoder": other, "decoder": other}, tmp_path / "other.onnx")
    shutil.copy(tmp_path / "other.decoder.onnx", decoder)
    with pytest.raises(ModelFileError, match=r"chat.decoder.onnx is not the decoder that chat.encoder.onnx"):
        runtime.load(encoder)


@pytest.mark.parametrize(("name", "quantize"), [("onnx", "int8"), ("tflite", "int8")])
def test_integer_files_are_scored_in_the_task(run, name, quantize):
    rows = export_run(run, run.load_data(), run.load_model(), [name], lambda _: None, quantize=quantize)
    row = next(r for r in rows if r["file"] == f"model.int8.{name}")
    assert 0 <= row["equal_tokens"] <= 1
    assert abs(row["metrics"]["exact"] - run.metrics["exact"]["model"]) < 0.35
    assert runtime.load(run.folder / row["files"][0]).predict("abc")["text"] is not None


def test_a_file_that_writes_other_tokens_is_refused(run, monkeypatch):
    """Tensors may be as near as they like."""
    greedy = reverser.WordFeatures.greedy
    keras_kind = type(model_function(run, run.load_model()))

    def other(self, function, words):
        found = greedy(self, function, words)
        return found if isinstance(function, keras_kind) else [[*letters, 3] for letters in found]

    monkeypatch.setattr(reverser.WordFeatures, "greedy", other)
    before = (run.folder / "model.tflite").read_bytes()
    with pytest.raises(ParityError, match=r"Of 50 test inputs .* writes other tokens than Keras for 50"):
        export_run(run, run.load_data(), run.load_model(), ["tflite"], lambda _: None)
    assert (run.folder / "model.tflite").read_bytes() == before


def test_bytes_are_found_from_the_end_and_damage_is_told(run, tmp_path):
    content = (run.folder / "model.tflite").read_bytes()
    place = content.rindex(b"abcdef")
    (tmp_path / "model.tflite").write_bytes(content[:place] + b"abcdeg" + content[place + 6 :])
    with pytest.raises(ModelFileError, match="damaged"):
        runtime.load(tmp_path / "model.tflite")


def test_wrong_graphs_are_told(tmp_path):
    x = keras.Input((4,), name="x")
    model = keras.Model(x, keras.layers.Dense(2)(x))
    for graphs, more, message in (
        ({}, {}, "no graph"),
        ({"a b": model}, {}, "expected letters"),
        ({"main": model}, {}, "expected letters"),
        ({"a": model, "b": model}, {"step": True}, "without step"),
        ({"a": model, "b": model}, {"inputs": np.zeros((1, 4))}, "a dict by graph: a, b"),
        ({"a": model, "b": model}, {"inputs": {"c": np.zeros((1, 4))}}, "Unknown graph 'c'"),
    ):
        with pytest.raises(InputError, match=message):
            export.to_tflite(graphs, tmp_path / "model.tflite", **more)
    assert list(tmp_path.iterdir()) == []
