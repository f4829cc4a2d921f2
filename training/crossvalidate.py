"""Cross-validation: one training a fold, each tested on people that it does not know."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from lstm_apps import registry
from lstm_apps.application import MODEL, Fold
from lstm_apps.data import sources
from lstm_apps.errors import InputError
from training.config import Config
from training.evaluate import evaluate, margin
from training.fit import fit, model_function
from training.report import write_fold_report
from training.run_folder import RunFolder, write_json


def cross_validate(
    config: Config, folder: Path, progress: Callable[[str], None] = print, verbose: int = 2
) -> dict[str, Any]:
    """Train and evaluate one run a fold, `folder/<fold>`; write `cross-validation.json` and, as a report,
    `cross-validation.html`.

    Folds that are done already are taken as they are, one that was interrupted goes on.

    Args:
        config: What to train; its `fold` is not used.
        folder: Where the runs go.
        progress: Told what is being done.
        verbose: As `fit`.

    Returns:
        metric -> {"folds": {fold: value}, "mean", "baselines": {name: {"folds", "mean"}}}; each with
        "pooled": {"value", "interval"} where the application scores all folds as one, the model's with
        its "margin" as of `training.evaluate.margin`.

    Raises:
        InputError: The application has no folds on these data; a fold's folder holds another training.
    """
    app = registry.application(config.application)
    folds = app.folds(config.request)
    if len(folds) < 2:
        raise InputError(f"{app.name} has no folds on these data: cross-validation needs at least two.")
    sha256 = sources.find(config.data or app.dataset).provenance()["sha256"]
    for fold in folds:  # before hours are spent on the others
        if (run := RunFolder(folder / fold)).config_file.is_file():
            run.check_goes_on(replace(config, fold=fold))
            run.check_data(sha256)
    metrics: dict[str, Any] = {}
    known: dict[str, dict[str, Any]] = {}  # what baselines said, of folds that are done now
    for number, fold in enumerate(folds):
        progress(f"fold {fold}, {number + 1} of {len(folds)}")
        run = RunFolder(folder / fold)
        if not run.metrics:
            run = fit(replace(config, fold=fold), run.folder, run.config_file.is_file(), verbose)
            data = run.load_data()
            known[fold] = {}
            evaluate(run, data, model_function(run, run.load_model()), progress, known[fold])
        metrics[fold] = run.metrics
    found = {
        m.name: _over_folds({f: metrics[f].get(m.name, _NOTHING) for f in folds})
        for m in app.metrics
        if any(m.name in of_fold for of_fold in metrics.values())
    }
    progress("scoring the pooled folds")
    runs = [RunFolder(folder / fold) for fold in folds]
    parts = []
    for fold, run in zip(folds, runs, strict=True):
        data, features = run.load_data(), run.features
        said = known.get(fold) or dict(app.baseline_predictions(features, data))
        data = replace(data, train=None, validation=None)  # they need room, and are not needed any more
        parts.append(Fold(features, data, model_function(run, run.load_model()), said))
    pooled = dict(app.score_folds(parts))
    for name, scores in pooled.items():
        for metric, estimate in scores.items():
            row = found.setdefault(metric, {**_none(folds), "baselines": {}})
            if name != MODEL:
                row = row["baselines"].setdefault(name, _none(folds))
            row["pooled"] = {"value": estimate.value, "interval": estimate.interval}
            if estimate.reason:
                row["pooled"]["reason"] = estimate.reason
    if ours := pooled.pop(MODEL, None):
        for m in app.metrics:
            if m.name in ours:
                found[m.name]["pooled"]["margin"] = margin(m, ours, pooled)
    write_json(folder / "cross-validation.json", found)
    plots = app.plots_of_folds(parts)
    write_fold_report(folder, app, found, plots, runs[0])
    return found


def _none(folds: Sequence[str]) -> dict[str, Any]:
    """Of a metric that no fold has alone."""
    return {"folds": dict.fromkeys(folds), "mean": None}


# Of a metric that a fold does not have, such as the F1 of a class of which it has none.
_NOTHING: dict[str, Any] = {"model": None, "baselines": {}}


def _over_folds(rows: dict[str, dict[str, Any]]) -> dict[str, Any]:
    def over(values: dict[str, float | None]) -> dict[str, Any]:
        known = [v for v in values.values() if v is not None]
        return {"folds": values, "mean": float(np.mean(known)) if known else None}

    names = next(row["baselines"] for row in rows.values() if row is not _NOTHING)
    baselines = {name: over({f: row["baselines"].get(name) for f, row in rows.items()}) for name in names}
    model = over({f: row["model"] for f, row in rows.items()})
    return {**model, "baselines": {name: b for name, b in baselines.items() if b["mean"] is not None}}
