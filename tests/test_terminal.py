"""Tables for a terminal."""

from io import StringIO

from rich.console import Console

from lstm_apps.terminal import benchmark_table, folds_table, in_parts, metrics_table, without_value


def shown(table) -> list[list[str]]:
    """The cells of each row."""
    console = Console(width=200, record=True, file=StringIO(), markup=False, emoji=False)  # as the CLI's
    console.print(table)
    lines = [line for line in console.export_text().splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]


def test_folds_and_what_they_come_to_together():
    alone = {"folds": {"a": 0.5, "b": None}, "mean": 0.5}
    row = {**alone, "pooled": {"value": 0.25, "interval": (0.125, 0.5)}, "baselines": {"simple": alone}}
    assert shown(folds_table("F1", row)) == [
        ["a", "0.5000", "0.5000"],
        ["b", "", ""],
        ["mean", "0.5000", "0.5000"],
        ["pooled", "0.2500", ""],
        ["95 %", "0.1250 to 0.5000", ""],
    ]


def test_files_in_runtimes_have_the_first_metric_they_can():
    row = {"file": "m.onnx", "runtime": "here", "size_bytes": 2000, "fused": True}
    measured = {"median_ms": 1.0, "p95_ms": 2.0, "max_abs_error": 1e-7, "arena_bytes": None}
    rows = [
        {**row, **measured, "metrics": {"later": 0.1, "first": None, "second": 0.75}},
        {**row, "reason": "not here"},
    ]
    first, second = shown(benchmark_table(rows, ["first", "second", "later"]))
    assert first[1:] == ["here", "2 kB", "yes", "1.00 ms", "2.00 ms", "1.0e-07", "second 0.7500", ""]
    assert second[4] == "not measured"


def test_a_metric_without_a_value_has_an_empty_cell_and_a_sentence():
    row = {"model": None, "interval": None, "reason": "it has no unit", "better": "lower", "margin": None}
    row |= {"baselines": {"a": None, "b": None}, "baseline_reasons": {"a": "it has no unit"}}
    other = {**row, "model": 0.5, "reason": None, "baselines": {"a": 0.25, "b": None}}
    other["baseline_reasons"] = {"b": "it is constant"}
    metrics = {"MASE": row, "r": other}
    assert shown(metrics_table(metrics)) == [["LSTM", "", "0.5000"], ["a", "", "0.2500"], ["b", "", ""]]
    assert without_value(metrics) == [
        "MASE cannot be computed: it has no unit.",
        "r of b cannot be computed: it is constant.",
    ]
    of_before = {"r": {"model": 0.5, "baselines": {"a": None}}}
    assert without_value(of_before) == []


def test_metrics_are_in_as_many_tables_as_it_takes_to_fit_a_terminal():
    names = ["macro F1", "V sensitivity", "V predictivity", "macro F1 without record 232", "accuracy"]
    row = {"model": 0.5, "better": "higher", "baselines": {"gradient-boosted trees on summaries": 0.25}}
    metrics = dict.fromkeys(names, row)
    parts = in_parts(metrics, 80)
    assert [name for part in parts for name in part] == names
    for part in parts:
        console = Console(width=80, record=True, file=StringIO())
        console.print(metrics_table(part))
        text = console.export_text()
        assert "…" not in text
        assert all(f"{name} ↑" in text for name in part)
    assert len(in_parts(metrics, 200)) == 1
