"""Every application, from a small dataset in its layout to answers of its files."""

import csv
import json

import numpy as np
import pytest
import tensorflow as tf
from check_application import NO_PATHS, check_application
from recordings import word, write_recordings
from typer.testing import CliRunner
from wards import as_table, patient, write_ward

from lstm_apps import registry, runtime
from lstm_apps.cli import app
from lstm_apps.data.sources.synthetic_hearts import RATE, heart, write_records
from lstm_apps.errors import InputError
from lstm_apps.healthcare.vitals import baselines as vitals_baselines
from lstm_apps.healthcare.vitals import metrics as risk
from lstm_apps.healthcare.vitals import task as vitals
from training.config import Config
from training.crossvalidate import cross_validate

pytestmark = pytest.mark.slow


def test_every_application_is_checked_here():
    assert set(registry.applications()) == {"energy", "speech-commands", "sentiment", "ecg", "vitals"}


def test_energy(household_csv, tmp_path):
    bad = [
        *NO_PATHS,
        str(tmp_path),
        {"time": [], "kilowatts": []},
        {"time": ["x"], "kilowatts": [1.0]},
        {"time": 3, "kilowatts": 4},
    ]

    def forecast_steps(part):
        return range(part.begin, len(part.series))

    check_application("energy", household_csv, tmp_path, bad, forecast_steps)


def test_speech_commands(tmp_path):
    folder = write_recordings(tmp_path / "words")
    text = tmp_path / "text.wav"
    text.write_text("no sound")
    bad = [
        *NO_PATHS,
        str(text),
        str(tmp_path),
        np.zeros(0),
        np.full(100, np.nan),
        (word("up"), 0),
        (word("up"), "8000"),
        (word("up"), None),
        [100, 200, 300],
        word("up") * 30000,
    ]
    run = check_application("speech-commands", folder, tmp_path, bad, lambda part: {r.speaker for r in part})
    for file in ("model.step.onnx", "model.step.tflite"):
        stream = runtime.load(run.folder / file).stream()
        sound = np.concatenate([word("up"), np.zeros(3000, np.float32), word("hum")])
        whole = stream.push(sound)
        stream.reset()
        assert [e for chunk in np.array_split(sound, 37) for e in stream.push(chunk)] == whole
    recording = next(folder.glob("up_*.wav"))
    with pytest.raises(InputError, match="Unknown option"):
        runtime.load(run.folder / "model.step.onnx").predict(str(recording), threshold=0.5)
    whole = runtime.load(run.folder / "model.onnx")
    assert whole.predict(str(recording), threshold=1.0)["word"] is None
    assert whole.predict(str(recording), threshold=0.0)["word"] in ("up", "down", "hum")
    assert whole.info["threshold"] == whole.predict(str(recording))["threshold"] == run.features.abstain
    for file in ("model.onnx", "model.step.onnx"):
        said = CliRunner().invoke(app, ["predict", str(run.folder / file), str(recording), "--json"])
        assert json.loads(said.stdout) == runtime.load(run.folder / file).predict(str(recording))
        assert CliRunner().invoke(app, ["predict", str(run.folder / file), str(recording)]).exit_code == 0


def test_sentiment(tmp_path):
    rng = np.random.default_rng(0)
    good, bad, about = (
        ["good", "lovely", "great"],
        ["bad", "awful", "poor"],
        ["film", "book", "phone", "song"],
    )
    path = tmp_path / "reviews.csv"
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["text", "score", "document"])
        for i in range(120):
            words, score = (good, 2.5) if i % 2 else (bad, -2.0)
            # Signs of which matplotlib makes formulas, if it may.
            table.writerow([f"A {rng.choice(words)} {rng.choice(about)} for $$ {i} 😀", score, i // 4])
    refused = ["", "  \n", "a" * 10_000_000, "a\udcffb", [], path]
    run = check_application("sentiment", path, tmp_path, refused, lambda part: {s.document for s in part})
    answer = runtime.load(run.folder / "model.onnx").predict("A good film. A great book! " * 50)
    for file in ("model.onnx", "model.tflite"):
        said = CliRunner().invoke(app, ["predict", str(run.folder / file), "Отличный сервис", "--json"])
        unread = json.loads(said.stdout)
        assert (unread.pop("label"), unread.pop("reason")[:4]) == ("cannot read", "100%")
        assert unread == {"probability": None, "score": None, "unread": 1.0}
    assert answer["label"] in ("positive", "negative")
    served = tf.saved_model.load(str(run.folder / "model.saved_model")).signatures["serving_default"]
    texts = ["A lovely film, number 3.", "An awful 😀 book", "\N{ARABIC LETTER ALEF}\x07 song", "poor " * 99]
    found = served(text=tf.constant(texts))
    expected = [runtime.load(run.folder / "model.onnx").predict(text)["score"] for text in texts[:3]]
    np.testing.assert_allclose(found["score"][:3, 0], expected, atol=1e-4)
    # Of a longer sentence it reads the beginning, as in training.
    tokens = run.features.padded(run.features.processor.encode(texts))
    np.testing.assert_allclose(found["score"], run.load_model()({"tokens": tokens})["score"], atol=1e-4)


def test_ecg(tmp_path):
    folder = write_records(tmp_path / "hearts", records=6, beats=400)
    cut = tmp_path / "cut.hea"
    cut.write_text("nonsense")
    bad = [
        *NO_PATHS,
        str(cut),
        str(tmp_path),
        (np.zeros(5000), 250),
        (np.zeros(0), 250),
        (np.ones(99), 1),
        (np.ones(999), "250"),
        ([[1], [2, 3]], 250),
        (np.full(999, np.nan), 250),
    ]
    run = check_application("ecg", folder, tmp_path, bad, lambda part: {b.patient for b in part})
    assert "not a medical device" in runtime.load(run.folder / "model.onnx").info["disclaimer"]
    signal, _, _ = heart(beats=60, seed=9)
    expected = runtime.load(run.folder / "model.onnx").predict((signal, RATE))
    for file in ("model.step.onnx", "model.step.tflite"):
        stream = runtime.load(run.folder / file).stream()
        found = [beat for chunk in np.array_split(signal, 41) for beat in stream.push((chunk, RATE))]
        found += stream.end()
        assert len(found) >= 58
        np.testing.assert_allclose([b["time"] for b in found], expected["time"][: len(found)])
        assert [b["label"] for b in found] == expected["label"][: len(found)].tolist()
        np.testing.assert_allclose(
            [b["probability"] for b in found], expected["probability"][: len(found)], atol=1e-4
        )


@pytest.fixture
def few_draws(monkeypatch):
    monkeypatch.setattr(risk, "_DRAWS", 20)


def test_vitals(tmp_path, few_draws):
    path = write_ward(tmp_path / "ward.csv")
    table = as_table(patient("new", seed=99))
    bad = [
        *NO_PATHS,
        str(tmp_path),
        {"time": [], "variable": [], "value": []},
        {**table, "value": 3.0},
        {**table, "value": ["x"] * len(table["time"])},
        {**table, "value": [float("nan")] * len(table["time"])},
        {**table, "variable": ["mood"] * len(table["time"])},
    ]

    def patients(part):
        return {c.stay.patient for c in getattr(part, "courses", part)}

    chosen = {"epochs": 3, "steps_per_epoch": None, "units": 8}
    run = check_application("vitals", path, tmp_path, bad, patients, **chosen)
    assert run.metrics["AUROC"]["model"] > 0.6
    whole = runtime.load(run.folder / "model.onnx").predict(table)
    assert whole["alarm"].dtype == bool
    assert np.isfinite(whole["risk"]).sum() > 80
    # A stream gives the risks of the whole, except for the warm-up of windows.
    for file in ("model.step.onnx", "model.step.tflite"):
        stream = runtime.load(run.folder / file).stream()
        rows = patient("new", seed=99)
        found = [hour for i in range(0, len(rows), 45) for hour in stream.push(as_table(rows[i : i + 45]))]
        found += stream.end()
        assert [str(h["time"]) for h in found] == whole["time"].astype(str).tolist()
        assert [h["status"] for h in found] == whole["status"].tolist()
        np.testing.assert_allclose([h["risk"] for h in found][:72], whole["risk"][:72], atol=1e-5)
        np.testing.assert_allclose([h["risk"] for h in found], whole["risk"], atol=0.05)
        with pytest.raises(InputError, match="a stream is of one"):
            stream.push(as_table([*patient("a", 2), *patient("b", 2)]))
    one_row = tmp_path / "one.csv"
    one_row.write_text("time,variable,value\n2026-01-01T10:05,map,80\n")
    said = CliRunner().invoke(app, ["predict", str(run.folder / "model.onnx"), str(one_row), "--json"])
    assert json.loads(said.stdout) == {
        "patient": [""],
        "time": ["2026-01-01T11:00:00"],
        "risk": [None],
        "status": ["too little measured"],
        "alarm": [False],
        "reason": ["no heart rate yet, no oxygen saturation yet"],
    }
    assert CliRunner().invoke(app, ["predict", str(run.folder / "model.onnx"), str(path)]).exit_code == 0


def test_folds_of_vitals_are_scored_pooled(tmp_path, monkeypatch, few_draws):
    grids = vitals_baselines._grids()
    monkeypatch.setattr(vitals_baselines, "_grids", lambda: tuple(grid[:1] for grid in grids))
    monkeypatch.setattr(vitals, "FOLDS", 2)
    path = write_ward(tmp_path / "ward.csv")
    config = Config.of(registry.application("vitals"), "quick", data=str(path), epochs=1, units=4)
    found = cross_validate(config, tmp_path / "folds", progress=lambda _: None, verbose=0)
    auroc = found["AUROC"]
    assert set(auroc["folds"]) == {"1", "2"}
    low, high = auroc["pooled"]["interval"]
    assert low <= auroc["pooled"]["value"] <= high
    report = (tmp_path / "folds" / "cross-validation.html").read_text()
    for title in ("Reliability", "Alarms", "Subgroups"):  # of all folds' patients
        assert f"<h2>{title}</h2>" in report
    for baseline in registry.application("vitals").baselines:
        assert 0 <= auroc["baselines"][baseline]["pooled"]["value"] <= 1
