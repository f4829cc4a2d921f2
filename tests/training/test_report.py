import json
import re
import shutil
from dataclasses import replace

import keras
import numpy as np
import pytest
from matplotlib.figure import Figure

from lstm_apps.layers import LSTM
from lstm_apps.metrics.bootstrap import Estimate, Metric, proportion
from lstm_apps.terminal import margin_of
from training.evaluate import beaten, evaluate, margin
from training.report import _png, gate_maps, write_report
from training.run_folder import RunFolder, read_json, write_json


def test_metrics_hold_model_and_every_baseline(small_run):
    metrics = small_run.metrics
    app = small_run.application
    assert list(metrics) == ["MASE", "WQL", "MAE", "coverage80"]
    for row in metrics.values():
        assert tuple(row["baselines"]) == app.baselines
        low, high = row["interval"]
        assert low <= row["model"] <= high
    for name in ("MASE", "WQL", "MAE"):
        ahead = metrics[name]["margin"]
        best = min(metrics[name]["baselines"].values())
        assert ahead["value"] == pytest.approx(best - metrics[name]["model"])
        assert ahead["interval"][0] <= ahead["value"] <= ahead["interval"][1]
    assert metrics["coverage80"]["margin"] is None


def test_beaten_means_better_than_every_baseline(small_run):
    app = small_run.application
    row = {"model": 0.5, "baselines": {"a": 0.6, "b": 0.7}}
    assert beaten(app, {"MASE": row}, "MASE")
    assert not beaten(app, {"MASE": {**row, "baselines": {"a": 0.6, "b": 0.4}}}, "MASE")
    coverage = {"model": 0.79, "baselines": {"a": 0.9, "b": 0.7}}
    assert beaten(app, {"coverage80": coverage}, "coverage80")  # closest to 0.8 is best
    assert not beaten(app, {"coverage80": {**coverage, "model": 0.95}}, "coverage80")


HIGHER, LOWER = (Metric("m", better, "") for better in ("higher", "lower"))


def test_a_margin_is_over_the_best_baseline_and_has_the_interval_of_the_difference():
    rng = np.random.default_rng(0)
    ours = rng.random(500) < 0.8
    theirs = ours & (rng.random(500) < 0.95)  # never right where ours is wrong
    scores = {"m": proportion(ours)}
    baselines = {"worse": {"m": proportion(ours & False)}, "good": {"m": proportion(theirs)}, "none": {}}
    found = margin(HIGHER, scores, baselines)
    assert found["over"] == "good"
    assert found["value"] == pytest.approx(ours.mean() - theirs.mean())
    low, high = found["interval"]
    assert 0 < low < found["value"] < high < 0.07
    # The two intervals by themselves would say nothing: they overlap.
    assert proportion(theirs).interval[1] > proportion(ours).interval[0]
    assert margin_of(found) == f"LSTM is ahead of good by {found['value']:.4f} ({low:.4f} to {high:.4f})"
    behind = margin(LOWER, scores, baselines)  # as if it counted mistakes
    assert behind["over"] == "worse"
    assert behind["value"] < behind["interval"][1] < 0
    assert margin_of(behind).startswith(f"LSTM is behind worse by {ours.mean():.4f} (")


def test_a_margin_of_nothing_is_none():
    scores = {"m": proportion(np.arange(50) % 3 > 0)}
    found = margin(HIGHER, scores, {"same": scores})
    assert (found["value"], found["interval"]) == (0, (0, 0))
    assert margin_of(found) == "LSTM is level with same"


def test_where_no_margin_can_be_told():
    scores = {"m": Estimate(0.5)}
    assert margin(HIGHER, scores, {"a": {"m": Estimate(0.4)}})["interval"] is None
    assert margin(HIGHER, scores, {"a": {"m": Estimate(float("nan"))}}) is None
    assert margin(Metric("m", 0.8, ""), scores, {"a": scores}) is None
    assert margin(HIGHER, scores, {"a": {}}) is None
    assert margin(HIGHER, {"m": Estimate(None, reason="why")}, {"a": scores}) is None
    partly = margin(HIGHER, scores, {"a": {"m": Estimate(None, reason="why")}, "b": {"m": Estimate(0.75)}})
    assert partly == {"over": "b", "value": -0.25, "interval": None}


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), -np.inf])
def test_what_is_no_number_is_no_value_and_has_a_reason(value):
    for found in (Estimate(value, (0.0, 1.0)), Estimate.over(value, [0.0, 1.0])):
        assert (found.value, found.interval, len(found.draws)) == (None, None, 0)
        assert found.reason == f"it comes out as {value}"
    assert Estimate.over(value, [], "of nothing").reason == "of nothing"
    assert Estimate.over(1.0, [0.0, np.inf, np.nan, 2.0], "of nothing").interval == (0.05, 1.95)
    assert proportion(np.zeros(0, bool)).value is None


@pytest.mark.slow
def test_a_report_without_mase(small_run, tmp_path):
    """That of a series that repeats itself: every column of MASE is null."""
    folder = shutil.copytree(small_run.folder, tmp_path / "run")
    run = RunFolder.open(folder)
    app, data = run.application, run.load_data()
    repeated = np.resize(data.train.values[:24], len(data.train.values))
    data = replace(data, train=replace(data.train, values=repeated))
    metrics = evaluate(run, data, lambda inputs: {"quantiles": np.ones((len(inputs["history"]), 24, 5))})
    text = (folder / "metrics.json").read_text()
    assert json.loads(text, parse_constant=pytest.fail) == json.loads(json.dumps(metrics))
    row = metrics["MASE"]
    assert row["model"] is row["interval"] is row["margin"] is None
    assert set(row["baselines"].values()) == {None}
    assert "has no error" in row["reason"]
    assert set(row["baseline_reasons"].values()) == {row["reason"]}
    assert metrics["MAE"]["reason"] is None
    assert not beaten(app, metrics, "MASE")
    assert (
        f"<li>MASE cannot be computed: {row['reason']}.</li>"
        in write_report(run, data, run.load_model()).read_text()
    )


def test_json_is_strict(tmp_path):
    write_json(tmp_path / "a.json", {"a": 1.0})
    for value in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="not JSON compliant"):
            write_json(tmp_path / "a.json", {"a": value})
    assert read_json(tmp_path / "a.json") == {"a": 1.0}


def test_report_is_one_file_with_pictures_tables_and_provenance(small_run):
    text = write_report(small_run, small_run.load_data(), small_run.load_model()).read_text()
    titles = re.findall(r"<h2>(.*?)</h2>", text)
    assert titles == [
        "Test part",
        "Loss",
        "Forecasts and measured values",
        "Calibration",
        "Gates of lstm_1_1",
        "Gates of lstm_2_1",
        "Exported files",
        "Data",
        "Configuration",
        "Environment",
    ]
    assert text.count("data:image/png;base64,") == 5
    assert not re.search(r"(src|href)=.http", text)
    for name in small_run.application.baselines:
        assert name in text
    assert f"<b>MASE</b>: {margin_of(small_run.metrics['MASE']['margin'])}." in text
    assert small_run.provenance["sha256"] in text


def test_gates_of_layers_that_read_both_ways():
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    x = keras.layers.Embedding(9, 4, mask_zero=True)(tokens)
    x = keras.layers.Bidirectional(LSTM(3, return_sequences=True), name="both")(x)
    model = keras.Model({"tokens": tokens}, x)
    (plot,) = gate_maps(model, {"tokens": np.array([[1, 2, 3, 0]])})
    assert plot.title == "Gates of both"


def test_signs_of_formulas_in_pictures_are_signs():
    figure = Figure()
    axis = figure.subplots()
    axis.text(0, 0, "cheap $$ 5")
    axis.set(xticks=[0, 1], title="$_$")
    axis.set_xticklabels(["$1_2_3$", r"$\frac$"])
    assert _png(figure)
