"""Metrics, exports and answers as tables for a terminal."""

from typing import Any

from rich.table import Table
from rich.text import Text

from lstm_apps.application import MODEL


def in_parts(metrics: dict[str, Any], width: int = 80) -> list[dict[str, Any]]:
    """Metrics for as many tables as it takes for each to fit a terminal of so many columns."""
    parts: list[dict[str, Any]] = []
    first = max(map(len, ("on the test part", MODEL, *next(iter(metrics.values()))["baselines"]))) + 4
    room = 0
    for name, row in metrics.items():
        needed = max(len(head(name, row)), 7) + 3
        if needed > room or not parts:
            parts.append({})
            room = width - first
        parts[-1][name] = row
        room -= needed
    return parts


def head(name: str, row: dict[str, Any]) -> str:
    """A metric's name and which way is better."""
    return f"{name} {direction(row['better'])}"


def metrics_table(metrics: dict[str, Any]) -> Table:
    table = Table("on the test part", *(head(name, row) for name, row in metrics.items()))
    first = next(iter(metrics.values()))
    table.add_row(MODEL, *(figure(row["model"]) for row in metrics.values()), style="bold")
    for name in first["baselines"]:
        table.add_row(name, *(figure(row["baselines"][name]) for row in metrics.values()))
    table.columns[0].no_wrap = True
    return table


def figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def without_value(metrics: dict[str, Any]) -> list[str]:
    """A sentence for each metric that could not be computed: of the model, or of baselines for another
    reason."""
    found = []
    for name, row in metrics.items():
        reasons: dict[str, list[str]] = {}  # reason -> of whom; runs of before have none
        for who, reason in {MODEL: row.get("reason"), **row.get("baseline_reasons", {})}.items():
            if reason:
                reasons.setdefault(reason, []).append(who)
        for reason, who in reasons.items():
            of = "" if MODEL in who else f" of {', '.join(who)}"
            found.append(f"{name}{of} cannot be computed: {reason}.")
    return found


def interval(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else " to ".join(map(figure, interval))


def margin_of(margin: dict[str, Any]) -> str:
    """How far the model is ahead, or behind."""
    if margin["value"] == 0:
        return f"{MODEL} is level with {margin['over']}"
    sign, place = (-1, "behind") if margin["value"] < 0 else (1, "ahead of")
    by = f"{MODEL} is {place} {margin['over']} by {abs(margin['value']):.4f}"
    if margin["interval"] is None:
        return by
    low, high = sorted(sign * end for end in margin["interval"])
    return f"{by} ({low:.4f} to {high:.4f}{'' if low > 0 else ', which may be chance'})"


def direction(better: str | float) -> str:
    return {"lower": "↓", "higher": "↑"}.get(str(better), f"→ {better}")


def exports_table(rows: list[dict[str, Any]]) -> Table:
    metrics = list(dict.fromkeys(name for row in rows for name in row["metrics"]))[:3]
    table = Table("file", "size", "fused", "error", "latency", *metrics)
    table.caption = (
        "error: the largest, against Keras; latency: one example; metrics: through the file's runtime"
    )
    for row in rows:
        table.add_row(
            row["file"],
            f"{row['size_bytes'] / 1000:.0f} kB",
            "yes" if row["fused"] else "no",
            f"{row['max_abs_error']:.1e}",
            f"{row['latency_ms']:.2f} ms",
            *(figure(row["metrics"].get(m)) for m in metrics),
        )
    return table


def folds_table(metric: str, row: dict[str, Any]) -> Table:
    """A metric of a cross-validation, fold by fold."""
    table = Table(metric, MODEL, *row["baselines"])
    columns = [row, *row["baselines"].values()]
    for fold in row["folds"]:
        table.add_row(fold, *(figure(c["folds"][fold]) for c in columns))
    table.add_row("mean", *(figure(c["mean"]) for c in columns), style="bold")
    if "pooled" in row:
        pooled = [c.get("pooled", {"value": None, "interval": None}) for c in columns]
        table.add_row("pooled", *(figure(t["value"]) for t in pooled), style="bold")
        table.add_row("95 %", *(interval(t["interval"]) for t in pooled))
    return table


def benchmark_table(rows: list[dict[str, Any]], metrics: list[str]) -> Table:
    """Files in runtimes, each with the first of `metrics` of which it has a value."""
    table = Table(
        *["file", "runtime", "size", "fused", "median", "p95", "error", "metric", "memory"],
        title="Exported files",
    )
    for row in rows:
        size, fused = f"{row['size_bytes'] / 1e3:.0f} kB", "yes" if row["fused"] else "no"
        if "reason" in row:
            table.add_row(row["file"], row["runtime"], size, fused, Text("not measured", "dim"))
            continue
        metric = next((m for m in metrics if row["metrics"].get(m) is not None), None)
        table.add_row(
            row["file"],
            row["runtime"],
            size,
            fused,
            f"{row['median_ms']:.2f} ms",
            f"{row['p95_ms']:.2f} ms",
            f"{row['max_abs_error']:.1e}",
            f"{metric} {figure(row['metrics'][metric])}" if metric else "",
            f"{row['arena_bytes'] / 1e3:.0f} kB" if row["arena_bytes"] else "",
        )
    return table
