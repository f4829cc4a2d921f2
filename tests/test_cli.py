"""The command line: what people see, and what they see when something is wrong."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from households import household, write_csv

from lstm_apps import registry
from lstm_apps.__main__ import main
from lstm_apps.features.options import Option
from lstm_apps.features.sound import Sound


@pytest.fixture
def cli(monkeypatch, capsys, tmp_path):
    """Runs a command in an empty folder; returns exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["lstm-apps", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        captured = capsys.readouterr()
        return end.value.code or 0, captured.out, captured.err

    return run


def test_list(cli):
    code, out, _ = cli("list", "--json")
    assert code == 0
    (energy,) = (row for row in json.loads(out) if row["name"] == "energy")
    assert (energy["domain"], energy["metric"]) == ("forecasting", "MASE")
    assert "gradient-boosted trees" in energy["baselines"]
    assert "energy" in cli("list")[1]


def test_data(cli):
    assert "CC BY 4.0" in " ".join(cli("data")[1].split())  # lines break anywhere
    code, out, _ = cli("data", "get", "household-power")
    assert code == 0
    assert out.strip().endswith(".csv.gz")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "enrgy"], "Unknown application 'enrgy'. Did you mean 'energy'?"),
        (["train", "energy", "--preset", "ful"], "Did you mean 'full'"),
        (["train", "energy", "--export", "onx"], "Did you mean 'onnx'"),
        (["train", "energy", "--data", "none.csv"], "There is no file none.csv"),
        (["train", "energy", "--step", "soon"], "no time step"),
        (["train", "energy", "--epochs", "0"], "epochs is 0"),
        (["train", "energy", "--column", "text"], "expected ROLE=NAME"),
        (["train", "energy", "--column", "text=a"], "Unknown column role of energy 'text'"),
        (["train", "energy", "--fold", "anna"], "energy has no folds"),
        (["train", "ecg", "--data", "none", "--step", "1h"], "no time series"),
        (["train", "ecg", "--data", "none"], "There is no folder none"),
        (["train", "speech-commands", "--data", "none"], "There is no folder none"),
        (["train", "sentiment", "--data", "none.csv"], "There is no file none.csv"),
        (["train", "speech-commands", "--skip", "1"], "speech-commands takes no --skip"),
        (["train", "energy", "--timezone", "Europe/Berln"], "Did you mean Europe/Berlin?"),
        (["train", "energy", "--resume"], "--out"),
        (["train", "energy", "--resume", "--out", "none"], "no run folder"),
        (["data", "get", "houshold-power"], "Did you mean 'household-power"),
        (["evaluate", "none"], "no run folder"),
        (["export", "none", "--format", "onnx"], "no run folder"),
        (["export", "none", "--format", "tflit"], "Did you mean 'tflite'"),
        (["predict", "none.onnx", "a.csv"], "There is no file none.onnx"),
        (["nonsense"], "nonsense"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(cli, tmp_path, arguments, message):
    code, _, error = cli(*arguments)
    assert code == 2
    assert message in error
    assert "Traceback" not in error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, v: (t, v, ("when", "kilowatts")), "no column 'time'; it has: when, kilowatts"),
        (lambda t, v: (np.r_[t[:1], t[:-1]], v), "line 3: 1 repeated time"),
        (lambda t, v: (t, np.where(np.arange(len(v)) % 2, v, np.nan)), "are not measured"),
        (lambda t, v: (t, np.full_like(v, 1.0)), "constant"),
        (lambda t, v: (t[:300], v[:300]), "needs at least"),
        (lambda t, v: (t, ["high"] * len(v)), "expected a number"),
    ],
)
def test_bad_series_are_refused_before_anything_is_written(cli, tmp_path, change, message):
    times, values, *header = change(*household(80))
    write_csv(tmp_path / "house.csv", times, values, *header)
    code, _, error = cli("train", "energy", "--data", "house.csv", "--out", "run")
    assert code == 2
    assert message in error
    assert error.count("\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["house.csv"]


def test_bad_files_are_refused_before_what_takes_long_is_imported(tmp_path):
    times, values = household(80)
    write_csv(tmp_path / "text.csv", times, ["high", *values[1:]])
    table = write_csv(tmp_path / "time.csv", times, values)
    table.write_text(table.read_text().replace("2020-01-07T00:00:00", "yesterday"))
    write_csv(tmp_path / "short.csv", times[:300], values[:300])
    write_csv(tmp_path / "flat.csv", times, np.full_like(values, 1.0))
    (tmp_path / "skip.csv").write_text("Meter 4711\ntime,kilowatts\n2020-01-01,1\n")
    code = """
import sys
from lstm_apps.cli import app
from lstm_apps.errors import InputError
for arguments in (["--data", f] for f in ("text.csv", "time.csv", "short.csv", "flat.csv", "skip.csv")):
    try:
        app(["train", "energy", *arguments, "--out", "run"], standalone_mode=False)
    except InputError as error:
        print(error)
slow = {"tensorflow", "keras", "statsforecast", "sklearn", "matplotlib"} & set(sys.modules)
print("imported:", *slow)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    *sentences, imported = done.stdout.splitlines()
    assert len(sentences) == 5
    assert imported == "imported:"
    assert not (tmp_path / "run").exists()


def test_predict(cli, small_run, tmp_path):
    path = write_csv(tmp_path / "house.csv", *household(20))
    code, out, _ = cli("predict", small_run.folder / "model.onnx", path, "--json")
    answer = json.loads(out)
    assert code == 0
    assert answer["time"][0] == "2020-01-26T00:00:00"
    assert len(answer["q50"]) == 24
    code, out, _ = cli("predict", small_run.folder / "model.tflite", path)
    assert code == 0
    assert "2020-01-26T00:00:00" in out


def test_what_needs_more_than_the_runtime_says_so(cli, monkeypatch):
    def lacking(name):
        def app():
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

        return app

    monkeypatch.setattr("lstm_apps.cli.app", lacking("scipy.stats"))
    code, _, error = cli("list")
    assert code == 2
    assert "pip install 'lstm-apps[train]'" in error
    monkeypatch.setattr("lstm_apps.cli.app", lacking("training.none"))  # a mistake of ours
    with pytest.raises(ModuleNotFoundError):
        cli("list")


def test_predict_hands_over_the_options_of_the_application(cli, monkeypatch):
    model = SimpleNamespace(
        predict=lambda raw, **options: {"text": raw, **options},
        info={"disclaimer": ""},
        options={"lead": Option(str, "which lead to read")},
    )
    monkeypatch.setattr("lstm_apps.runtime.load", lambda file: model)
    code, out, _ = cli("predict", "a.onnx", "some words", "--lead", "II", "--json")
    assert (code, json.loads(out)) == (0, {"text": "some words", "lead": "II"})
    code, out, _ = cli("predict", "a.onnx", "some words", "--out", "answer.json")
    assert (code, out, Path("answer.json").read_text()) == (0, "", '{"text": "some words"}\n')
    model.predict = lambda raw: Sound(np.zeros(8, np.float32), 8000)
    code, _, error = cli("predict", "a.onnx", "some words")
    assert (code, error) == (2, "Error: The answer is sound: write it by --out answer.wav.\n")
    code, _, error = cli("predict", "a.onnx", "some words", "--leed", "II")
    assert (code, error) == (2, "Error: Unknown option 'leed'. Did you mean 'lead'?\n")


def test_an_empty_input_is_no_folder(cli, small_run):
    code, _, error = cli("predict", small_run.folder / "model.onnx", " ")
    assert code == 2
    assert "INPUT is empty" in error


def test_predict_tells_that_a_file_is_not_there(cli, small_run, monkeypatch):
    model = SimpleNamespace(predict=lambda raw: {"text": raw}, info={"disclaimer": ""}, options={})
    monkeypatch.setattr("lstm_apps.runtime.load", lambda file: model)
    code, out, err = cli("predict", small_run.folder / "model.onnx", "review.txt", "--json")
    assert (code, json.loads(out)) == (0, {"text": "review.txt"})
    assert "no file review.txt" in err
    _, _, err = cli("predict", small_run.folder / "model.onnx", "Not bad. Not at all.", "--json")
    assert "no file" not in err


def test_predict_tells_what_it_filled(cli, small_run, tmp_path):
    times, values = household(20)
    values[-30:-20] = np.nan
    path = write_csv(tmp_path / "house.csv", times, values)
    code, out, error = cli("predict", small_run.folder / "model.onnx", path, "--json")
    assert code == 0
    assert json.loads(out)
    assert "10 of the last 336 values" in error


@pytest.mark.slow
def test_train_export_predict_on_ones_own_series(cli, tmp_path):
    """Quarter hours under other column names, from the file to the forecast."""
    times, values = household(70, "15min")
    path = write_csv(tmp_path / "house.csv", times, values, ("when", "watts"))
    code, out, _ = cli(
        "train", "energy", "--data", path, "--time", "when", "--target", "watts", "--step", "1h",
        "--epochs", "1", "--units", "8", "--out", "run", "--export", "onnx,tflite",
    )  # fmt: skip
    assert code == 0
    assert "gradient-boosted trees" in out
    names = {p.name for p in (tmp_path / "run").iterdir()}
    for made in ("config.json", "model.keras", "history.csv", "metrics.json", "report.html", "tensorboard"):
        assert made in names
    assert {"model.onnx", "model.tflite", "export.json"} <= names
    code, out, _ = cli("predict", "run/model.tflite", path, "--json")
    assert code == 0
    assert json.loads(out)["time"][0] == "2020-03-16T00:00:00"
    code, _, error = cli("train", "energy", "--data", path, "--out", "run")
    assert code == 2
    assert "holds a run already" in error
    code, _, error = cli("train", "energy", "--resume", "--out", "run", "--units", "9")
    assert code == 2
    assert "another units" in error


@pytest.mark.slow
def test_interrupted_training_tells_how_to_go_on(cli, tmp_path, monkeypatch):
    import training.fit

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    path = write_csv(tmp_path / "house.csv", *household(80))
    monkeypatch.setattr(training.fit, "compiled", interrupted)
    code, _, error = cli("train", "energy", "--data", path, "--out", "run")
    assert code == 130
    assert "lstm-apps train energy --resume --out run" in error
    folder = "runs of a name that no line of a terminal is long enough for, but to copy [from]"
    code, _, error = cli("train", "energy", "--data", path, "--out", folder, "--export", "onnx")
    assert f"lstm-apps train energy --resume --out '{folder}' --export onnx\n" in error
    monkeypatch.setattr(type(registry.application("energy")), "load", interrupted)
    code, _, error = cli("train", "energy", "--data", path, "--out", "other")
    assert (code, (tmp_path / "other").exists()) == (130, False)
    assert "nothing is kept" in error


def test_a_file_in_the_way_is_a_sentence(cli, tmp_path):
    path = write_csv(tmp_path / "house.csv", *household(80))
    (tmp_path / "notes.txt").write_text("mine")
    code, _, error = cli("train", "energy", "--data", path, "--out", "notes.txt/run")
    assert code == 2
    assert next(line for line in error.splitlines() if "notes.txt" in line).startswith("Error: ")
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.slow
def test_an_export_that_fails_its_check_is_a_sentence_and_leaves_what_was(
    cli, small_run, tmp_path, monkeypatch
):
    import export.runs

    folder = shutil.copytree(small_run.folder, tmp_path / "run")
    before = (folder / "model.tflite").read_bytes()
    monkeypatch.setitem(export.runs.RELATIVE_TOLERANCE, None, 1e-30)
    code, _, error = cli("export", "run", "--format", "tflite")
    assert code == 1
    (sentence,) = (line for line in error.splitlines() if line.startswith("Error"))
    assert "off by up to" in sentence
    assert (folder / "model.tflite").read_bytes() == before


def test_a_missing_file_is_one_sentence(cli, small_run, tmp_path):
    code, _, error = cli("predict", small_run.folder / "model.onnx", tmp_path / "house.csv")
    assert code == 2
    assert "There is no file" in error
    assert "words themselves" not in error
