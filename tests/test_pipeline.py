"""The whole way in three lines of Python, on a DataFrame as people have it."""

import json
from itertools import islice

import numpy as np
import pandas as pd
import pytest
from households import household
from matplotlib.figure import Figure

import lstm_apps
from lstm_apps.errors import InputError
from lstm_apps.forecasting import baselines
from lstm_apps.pipeline import Run, _as_file

SMALL = {"epochs": 1, "steps_per_epoch": 2, "units": 4, "verbose": 0}


def told(_):
    """Nobody listens."""


@pytest.fixture(scope="module")
def frame():
    times, values = household(80)
    return pd.DataFrame({"kw": values}, index=pd.DatetimeIndex(times, name="when"))


@pytest.fixture(scope="module")
def run(frame, tmp_path_factory):
    out = tmp_path_factory.mktemp("pipeline") / "run"
    with pytest.MonkeyPatch.context() as patch:  # the quick ones of the baselines will do here
        forecasts = baselines.forecasts
        patch.setattr(baselines, "forecasts", lambda *given: islice(forecasts(*given), 2))
        return lstm_apps.train("energy", frame, time="when", target="kw", out=out, progress=told, **SMALL)


@pytest.mark.slow
def test_a_frame_is_kept_in_the_run_and_its_index_is_a_column(run, frame):
    kept = pd.read_parquet(run.folder / "data.parquet")
    assert list(kept.columns) == ["when", "kw"]
    np.testing.assert_array_equal(kept["kw"], frame["kw"])
    assert run.config.columns == {"time": "when", "target": "kw"}
    written = json.loads((run.folder / "metrics.json").read_text())
    assert written["MASE"]["model"] == run.metrics["MASE"]["model"]
    assert (run.folder / "report.html").is_file()


@pytest.mark.slow
def test_a_run_predicts_what_its_files_answer(run, frame):
    files = run.export("onnx", progress=told)
    assert list(files["file"]) == ["model.onnx"]
    answer = run.predict(frame.reset_index())
    assert isinstance(answer, pd.DataFrame)
    assert list(answer.columns) == ["time", "q10", "q25", "q50", "q75", "q90"]
    served = lstm_apps.load(run.folder / "model.onnx").predict(frame.reset_index())
    np.testing.assert_allclose(answer["q50"], served["q50"], atol=1e-4)
    assert isinstance(served, pd.DataFrame)
    by_index = lstm_apps.load(run.folder / "model.onnx").predict(frame)  # its times are its index
    pd.testing.assert_frame_equal(by_index, served)
    as_dict = frame.reset_index().to_dict("list")
    assert isinstance(lstm_apps.load(run.folder / "model.onnx").predict(as_dict), dict)


@pytest.mark.slow
def test_a_run_shows_itself_and_plots(run):
    html = run._repr_html_()
    assert "energy" in html
    assert f"{run.metrics['MASE']['model']:.4f}" in html
    assert "data:image/png;base64," in html
    table = run.table()
    assert table.index[0] == "LSTM"
    assert table.loc["LSTM", "MASE"] == run.metrics["MASE"]["model"]
    for name in (None, "forecast", "loss"):
        assert isinstance(run.plot(name), Figure)
    with pytest.raises(InputError, match="Did you mean 'forecast'"):
        run.plot("forcast")
    with pytest.raises(InputError, match="no folds"):
        run.cross_validate(progress=told)


def test_a_refused_frame_touches_nothing(frame, tmp_path):
    """Neither another run's data nor a folder of the user's."""
    (tmp_path / "data.parquet").write_bytes(b"mine")
    with pytest.raises(InputError, match="is not empty and holds no run"):
        lstm_apps.train("energy", frame, time="when", target="kw", out=tmp_path, **SMALL)
    assert [(f.name, f.read_bytes()) for f in tmp_path.iterdir()] == [("data.parquet", b"mine")]
    with pytest.raises(InputError, match="no column 'kilowatt'"):
        lstm_apps.train("energy", frame, time="when", target="kilowatt", out=tmp_path / "new", **SMALL)
    assert not (tmp_path / "new").exists()


def test_frames_are_kept_as_people_have_them(frame, tmp_path):
    """Filtered, of several types, sparse, of periods; an index of numbers says nothing."""
    plain = frame.reset_index()
    forms = {
        "filtered": plain[plain["kw"] > 0].sample(frac=1, random_state=0),
        "named as a column": frame.assign(when=frame.index),
        "text": plain.assign(kw=[*plain["kw"][:-1], "n/a"]),
        "sparse": plain.astype({"kw": pd.SparseDtype(float)}),
        "periods": plain.assign(when=plain["when"].dt.to_period("h")),
    }
    for form, table in forms.items():
        kept = pd.read_parquet(_as_file(table, tmp_path / "kept.parquet"))
        assert list(kept.columns) == (["kw", "when"] if form == "named as a column" else ["when", "kw"]), form
        assert len(kept) == len(frame)
    for wrong in (pd.concat([plain, plain], axis=1), plain.assign(kw=[[1, 2]] * len(plain)), [1, 2]):
        with pytest.raises(InputError):
            _as_file(
                wrong.assign(kw=1j) if hasattr(wrong, "assign") and "kw" in wrong else wrong, tmp_path / "a"
            )


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("enrgy", {}, "Did you mean 'energy'"),
        ("energy", {"epoch": 3}, "Unknown option of a training 'epoch'. Did you mean 'epochs'"),
        ("energy", {"preset": "ful"}, "Did you mean 'full'"),
        ("energy", {"export": ["onx"]}, "Did you mean 'onnx'"),
        ("energy", {"export": "onx"}, "Did you mean 'onnx'"),
        ("energy", {"epochs": "1"}, "epochs is '1', expected a whole number"),
        ("energy", {"epochs": 1.5}, "epochs is 1.5, expected a whole number"),
        ("energy", {"dropout": "a"}, "dropout is 'a', expected a number"),
        ("energy", {"target": 3}, "target is 3, expected the name of a column"),
        ("energy", {"columns": "kw"}, "columns is 'kw', expected names by role"),
        ("energy", {"resume": True}, "Name the run to go on with"),
        ("energy", {"data": 3}, "data is a int, expected a path"),
        ("energy", {"data": "none.csv"}, "There is no file none.csv"),
    ],
)
def test_wrong_names_and_values_are_told_before_anything_is_done(tmp_path, monkeypatch, name, given, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message):
        lstm_apps.train(name, **given)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_path_and_no_name_is_told(tmp_path):
    for wrong in (None, ["model.onnx"], 3):
        with pytest.raises(InputError, match="expected its path"):
            lstm_apps.load(wrong)
        with pytest.raises(InputError, match="expected its path"):
            Run.open(wrong)
    with pytest.raises(InputError, match="called by a name"):
        Run(tmp_path).plot(3)
    with pytest.raises(InputError, match=r"no history\.csv"):
        Run(tmp_path).plot("loss")
