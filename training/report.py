"""`report.html`: one file that shows what a training came to."""

import base64
import csv
import io
import os
from pathlib import Path
from typing import Any

import jinja2
import keras
import numpy as np
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator

from lstm_apps.application import MODEL, Application, Data, Plot
from lstm_apps.layers import LSTM
from lstm_apps.terminal import margin_of, without_value
from training.fit import model_function
from training.run_folder import RunFolder


def write_report(run: RunFolder, data: Data, model: keras.Model) -> Path:
    """Write the report of an evaluated run; returns its path."""
    app, features = run.application, run.features
    plots = [loss_curves(run.history_file)]
    plots += app.plots(features, data, model_function(run, model))
    plots += gate_maps(model, _one_input(app, features, data))
    return _write(
        run.folder / "report.html",
        "report.html.j2",
        app=app,
        summary=app.describe(run.features),
        metrics=run.metrics,
        baselines=next(iter(run.metrics.values()), {"baselines": ()})["baselines"],
        plots=plots,
        provenance=run.provenance,
        config=run.config.to_dict(),
        environment=run.environment,
        exports=run.exports,
        parameters=model.count_params(),
    )


def _one_input(app: Application, features: Any, data: Data) -> dict[str, np.ndarray]:
    """One example of the test part."""
    if app.outputs:
        return {name: array[-1:] for name, array in app.parity_inputs(features, data).items()}
    examples = app.examples(features, data.test)  # of a generator: input and target
    return examples.batch(np.array([len(examples) - 1]), None)[0]


def write_fold_report(
    folder: Path, app: Application, found: dict[str, Any], plots: list[Plot], run: RunFolder
) -> Path:
    """Write `cross-validation.html`; returns its path.

    Args:
        folder: Of the runs.
        app: The application.
        found: What `cross_validate` returns.
        plots: Of all folds pooled.
        run: Any of the folds, for what they have in common.
    """
    return _write(
        folder / "cross-validation.html",
        "folds.html.j2",
        app=app,
        summary=app.describe(run.features),
        found=found,
        model=MODEL,
        plots=plots,
        provenance={k: run.provenance[k] for k in ("source", "origin", "licence", "citation", "sha256")},
        config={k: v for k, v in run.config.to_dict().items() if k != "fold"},
        environment=run.environment,
    )


def _write(path: Path, template: str, *, plots: list[Plot], **values: Any) -> Path:
    """Fill a template, beside the file, and rename."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(margin_of=margin_of, without_value=without_value)
    shown = [(p.title, p.caption, _png(p.figure)) for p in plots]
    html = environment.get_template(template).render(plots=shown, **values)
    partial = path.with_suffix(".partial")
    partial.write_text(html, encoding="utf-8")
    os.replace(partial, path)
    return path


def loss_curves(history: Path) -> Plot:
    """Training and validation loss by epoch."""
    with history.open(newline="") as file:
        rows = list(csv.DictReader(file))
    epochs = [int(r["epoch"]) + 1 for r in rows]
    figure = Figure(figsize=(6, 3), layout="constrained")
    axis = figure.subplots()
    for column, label in (("loss", "training"), ("val_loss", "validation")):
        axis.plot(epochs, [float(r[column]) for r in rows], marker=".", label=label)
    best = min(rows, key=lambda r: float(r["val_loss"]))
    axis.axvline(int(best["epoch"]) + 1, color="grey", linewidth=0.8, linestyle=":", label="kept")
    axis.set(xlabel="epoch", ylabel="loss")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.legend()
    return Plot("loss", "Loss", "The model of the epoch with the lowest validation loss is kept.", figure)


def gate_maps(model: keras.Model, inputs: dict[str, np.ndarray]) -> list[Plot]:
    """For each LSTM layer of a functional model: what every gate did on one example. Of a layer that reads
    both ways the way forward."""
    plots = []
    for layer in model.layers:
        reader = layer.forward_layer if isinstance(layer, keras.layers.Bidirectional) else layer
        if not isinstance(reader, LSTM):
            continue
        read, *masks = keras.tree.flatten(keras.Model(model.inputs, layer.input)(inputs))
        gates = reader.gates(read, mask=masks[0] if masks else None)
        maps: dict[str, Any] = {name: keras.ops.convert_to_numpy(g)[0].T for name, g in gates.items()}
        order = maps["forget"].mean(axis=1).argsort()  # units that forget first on top
        figure = Figure(figsize=(10, 9), layout="constrained")
        axes = figure.subplots(len(maps), 1, sharex=True)
        for axis, (name, values) in zip(axes, maps.items(), strict=True):
            gate = name in ("forget", "input", "output")
            limit = 1.0 if gate else max(1e-6, float(np.abs(values).max()))
            shown = axis.imshow(
                values[order], aspect="auto", interpolation="nearest",
                cmap="viridis" if gate else "RdBu_r", vmin=0.0 if gate else -limit, vmax=limit,
            )  # fmt: skip
            axis.set_ylabel(name)
            figure.colorbar(shown, ax=axis, pad=0.01)
        axes[-1].set_xlabel("step")
        plots.append(
            Plot(
                f"gates-{layer.name}",
                f"Gates of {layer.name}",
                "Units (rows, those that forget fastest on top) over the steps of the last test example.",
                figure,
            )
        )
    return plots


def _png(figure: Figure) -> str:
    buffer = io.BytesIO()
    for text in figure.findobj(Text):
        text.set_parse_math(False)  # words and texts may have any signs
    figure.savefig(buffer, format="png", dpi=110)
    return base64.b64encode(buffer.getvalue()).decode()
