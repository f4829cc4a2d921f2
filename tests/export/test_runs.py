"""The export of a run: what stands in the files and in export.json."""

import pytest

from lstm_apps import runtime


def test_rows_say_what_was_measured(small_run):
    assert [row["file"] for row in small_run.exports] == ["model.onnx", "model.tflite"]
    for row in small_run.exports:
        assert row["fused"]
        assert row["max_abs_error"] <= row["tolerance"] == pytest.approx(1e-4 * small_run.features.std)
        assert row["size_bytes"] == (small_run.folder / row["file"]).stat().st_size
        assert row["latency_ms"] > 0
        for name, value in row["metrics"].items():  # the task's metrics, through that runtime
            assert value == pytest.approx(small_run.metrics[name]["model"], rel=1e-3)


@pytest.mark.parametrize("file", ["model.onnx", "model.tflite"])
def test_a_file_says_what_it_is(small_run, file):
    info = runtime.load(small_run.folder / file).info
    assert info["application"] == "energy"
    assert info["data"]["sha256"] == small_run.provenance["sha256"]
    assert info["metrics"]["MASE"] == small_run.metrics["MASE"]["model"]
    assert info["parity"]["max_abs_error"] <= info["parity"]["tolerance"]
    assert info["inputs"]["history"] == [None, 336]
    assert info["outputs"]["quantiles"] == [None, info["horizon"], len(info["quantiles"])]
    assert info["columns"] == {"time": "time", "target": "kilowatts"}
