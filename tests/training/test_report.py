import re

import keras
import numpy as np

from lstm_apps.layers import LSTM
from training.evaluate import beaten
from training.report import gate_maps, write_report


def test_metrics_hold_model_and_every_baseline(small_run):
    metrics = small_run.metrics
    app = small_run.application
    assert list(metrics) == ["MASE", "WQL", "MAE", "coverage80"]
    for row in metrics.values():
        assert tuple(row["baselines"]) == app.baselines
        low, high = row["interval"]
        assert low <= row["model"] <= high


def test_beaten_means_better_than_every_baseline(small_run):
    app = small_run.application
    row = {"model": 0.5, "baselines": {"a": 0.6, "b": 0.7}}
    assert beaten(app, {"MASE": row}, "MASE")
    assert not beaten(app, {"MASE": {**row, "baselines": {"a": 0.6, "b": 0.4}}}, "MASE")
    coverage = {"model": 0.79, "baselines": {"a": 0.9, "b": 0.7}}
    assert beaten(app, {"coverage80": coverage}, "coverage80")  # closest to 0.8 is best
    assert not beaten(app, {"coverage80": {**coverage, "model": 0.95}}, "coverage80")


def test_report_is_one_file_with_pictures_tables_and_provenance(small_run):
    text = write_report(small_run, small_run.load_data(), small_run.load_model()).read_text()
    titles = re.findall(r"<h2>(.*?)</h2>", text)
    assert titles == [
        "Test part",
        "Loss",
        "Forecasts against what happened",
        "Calibration",
        "Gates of lstm_1_1",
        "Gates of lstm_2_1",
        "Gates of lstm_3_1",
        "Gates of lstm_4_1",
        "Gates of lstm_5_1",
        "Exported files",
        "Data",
        "Configuration",
        "Environment",
    ]
    assert text.count("data:image/png;base64,") == 8
    assert not re.search(r"(src|href)=.http", text)
    for name in small_run.application.baselines:
        assert name in text
    assert small_run.provenance["sha256"] in text


def test_gates_of_layers_that_read_both_ways():
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    x = keras.layers.Embedding(9, 4, mask_zero=True)(tokens)
    x = keras.layers.Bidirectional(LSTM(3, return_sequences=True), name="both")(x)
    model = keras.Model({"tokens": tokens}, x)
    (picture,) = gate_maps(model, {"tokens": np.array([[1, 2, 3, 0]])})
    assert picture.title == "Gates of both"
