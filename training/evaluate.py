"""Measure a trained model and its baselines on the test part."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from lstm_apps.application import Application, Data
from lstm_apps.features import ModelFunction
from lstm_apps.metrics.bootstrap import Estimate, Metric, Scores
from training.run_folder import RunFolder, write_json


def evaluate(
    run: RunFolder,
    data: Data,
    model: ModelFunction,
    progress: Callable[[str], None] = print,
    predictions: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Score model and baselines and write `metrics.json`.

    Args:
        run: The run folder.
        data: Its data, from `run.load_data()`.
        model: The model, from named inputs to named outputs.
        progress: Told what is being scored.
        predictions: Takes what each baseline says of the test part, by name, for whoever wants it later.

    Returns:
        metric -> {"model", "interval", "reason", "baselines": {name: value or None}, "baseline_reasons":
        {name: reason}, "margin" (as of `margin`), "better", "meaning"}. A reason says why there is no
        value; a baseline with neither is one for which the metric means nothing.
    """
    app, features = run.application, run.features
    progress("scoring the model")
    scores = {**app.score(features, data, model), **app.score_stream(features, data, model)}
    _check_names("metrics of the model", scores, {m.name for m in app.metrics})
    progress("scoring baselines")
    baselines = {}
    for name, found in app.baseline_predictions(features, data):
        baselines[name] = app.score_baseline(features, data, name, found)
        progress(f"scored {name}")
        if predictions is not None:
            predictions[name] = found
    _check_names("baselines", baselines, set(app.baselines))
    metrics = {m.name: _row(m, scores, baselines) for m in app.metrics if m.name in scores}
    write_json(run.folder / "metrics.json", metrics)
    return metrics


def _check_names(what: str, found: Iterable[str], declared: set[str]) -> None:
    """TypeError for a name that the application does not declare: it would be left out without a word."""
    if unknown := sorted(set(found) - declared):
        raise TypeError(
            f"Of the {what}, {', '.join(unknown)} is not among those declared: {sorted(declared)}."
        )


def _row(metric: Metric, scores: Scores, baselines: dict[str, Scores]) -> dict[str, Any]:
    estimate = scores[metric.name]
    of_baselines = {name: s.get(metric.name) for name, s in baselines.items()}
    return {
        "model": estimate.value,
        "interval": estimate.interval,
        "reason": estimate.reason or None,
        "baselines": {name: e.value if e else None for name, e in of_baselines.items()},
        "baseline_reasons": {name: e.reason for name, e in of_baselines.items() if e and e.reason},
        "margin": margin(metric, scores, baselines),
        "better": metric.better,
        "meaning": metric.meaning,
    }


def margin(metric: Metric, model: Scores, baselines: dict[str, Scores]) -> dict[str, Any] | None:
    """By how much the model is better than the best baseline, below 0 where it is worse: {"over", "value",
    "interval"}. Its 95 % interval is that of the difference: both are scored on the same draws. None of a
    metric that is best at a number, and where the model or every baseline has no value."""
    ours = model[metric.name]
    sign = 1 if metric.better == "higher" else -1
    known = {name: scores[metric.name] for name, scores in baselines.items() if metric.name in scores}
    values = {name: sign * e.value for name, e in known.items() if e.value is not None}
    if isinstance(metric.better, float) or ours.value is None or not values:
        return None
    best = max(values, key=lambda name: values[name])
    theirs = known[best].draws
    draws = ours.draws - theirs if len(ours.draws) == len(theirs) else np.zeros(0)
    found = Estimate.over(sign * ours.value - values[best], sign * draws)
    return {"over": best, "value": found.value, "interval": found.interval}


def beaten(app: Application, metrics: dict[str, Any], metric: str) -> bool:
    """Whether the model is better than every baseline by `metric`; never where it has no value."""
    (found,) = (m for m in app.metrics if m.name == metric)
    row = metrics[metric]
    return row["model"] is not None and all(
        found.beats(row["model"], value) for value in row["baselines"].values() if value is not None
    )
