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


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("enrgy", {}, "Did you mean 'energy'"),
        ("energy", {"epoch": 3}, "Unknown option of a training 'epoch'. Did you mean 'epochs'"),
        ("energy", {"preset": "ful"}, "Did you mean 'full'"),
        ("energy", {"export": ["onx"]}, "Did you mean 'onnx'"),
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
