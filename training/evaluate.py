"""Measure a trained model and its baselines on the test part."""

from collections.abc import Callable
from typing import Any

import numpy as np

from lstm_apps.application import Application, Data, Estimate, Metric, Scores
from lstm_apps.features import Run as ModelRun
from training.run import Run, write_json


def evaluate(
    run: Run, data: Data, model: ModelRun, progress: Callable[[str], None] = print
) -> dict[str, Any]:
    """Score model and baselines and write `metrics.json`.

    Args:
        run: The run folder.
        data: Its data, from `run.load_data()`.
        model: The model, from named inputs to named outputs.
        progress: Told what is being scored.

    Returns:
        metric -> {"model", "interval", "baselines": {name: value or None}, "lead", "better", "meaning"};
        the lead as of `lead`.
    """
    app, features = run.application, run.features
    progress("scoring the model")
    scores = {**app.score(features, data, model), **app.score_stream(features, data, model)}
    progress("scoring baselines")
    baselines = {}
    for name, of_baseline in app.score_baselines(features, data):
        progress(f"scored {name}")
        baselines[name] = of_baseline
    metrics = {m.name: _row(m, scores, baselines) for m in app.metrics if m.name in scores}
    write_json(run.folder / "metrics.json", metrics)
    return metrics


def _row(metric: Metric, scores: Scores, baselines: dict[str, Scores]) -> dict[str, Any]:
    estimate: Estimate = scores[metric.name]
    return {
        "model": estimate.value,
        "interval": estimate.interval,
        "baselines": {
            name: s[metric.name].value if metric.name in s else None for name, s in baselines.items()
        },
        "lead": lead(metric, scores, baselines),
        "better": metric.better,
        "meaning": metric.meaning,
    }


def lead(metric: Metric, model: Scores, baselines: dict[str, Scores]) -> dict[str, Any] | None:
    """By how much the model is better than the best baseline, below 0 where it is worse: {"over", "value",
    "interval"}. Its 95 % interval is that of the difference: both are scored on the same draws. None of a
    metric that is best at a number, and where no baseline has it."""
    known = {
        name: scores[metric.name]
        for name, scores in baselines.items()
        if metric.name in scores and np.isfinite(scores[metric.name].value)
    }
    if isinstance(metric.better, float) or not known:
        return None
    sign = 1 if metric.better == "higher" else -1
    best = max(known, key=lambda name: sign * known[name].value)
    ours, theirs = model[metric.name], known[best]
    draws = ours.draws - theirs.draws if len(ours.draws) == len(theirs.draws) else np.zeros(0)
    found = Estimate.over(sign * (ours.value - theirs.value), sign * draws)
    return {"over": best, "value": found.value, "interval": found.interval}


def beaten(app: Application, metrics: dict[str, Any], metric: str) -> bool:
    """Whether the model is better than every baseline by `metric`."""
    (found,) = (m for m in app.metrics if m.name == metric)
    row = metrics[metric]
    return all(found.beats(row["model"], value) for value in row["baselines"].values() if value is not None)
