"""The whole way in three lines: train and evaluate, export, predict. Notebooks and the command line use it.

>>> import lstm_apps
>>> run = lstm_apps.train("energy")
>>> run.export("onnx", "tflite")
>>> run.predict("last_two_weeks.csv")
"""

import base64
import html
import io
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from lstm_apps import registry, startup
from lstm_apps.application import MODEL, Application
from lstm_apps.errors import InputError, first_line, unknown_name
from lstm_apps.features.options import checked
from lstm_apps.features.tables.dialect import OPTIONS
from lstm_apps.features.tables.frame import with_index
from lstm_apps.runtime import is_table
from training.config import Config
from training.prepare import prepare
from training.run_folder import RunFolder

Progress = Callable[[str], None]


class Run(RunFolder):
    """A training and what came of it; its files are those of `training.run_folder.RunFolder`.

    In a notebook it shows itself: the metrics beside the baselines, and the loss by epoch.
    """

    def evaluate(self, progress: Progress = print) -> dict[str, Any]:
        """Score model and baselines on the test part; write `metrics.json` and `report.html`.

        Returns:
            As `training.evaluate.evaluate`.
        """
        startup.import_tensorflow()
        from training.evaluate import evaluate
        from training.fit import model_function

        data, model = self.load_data(), self.load_model()
        metrics = evaluate(self, data, model_function(self, model), progress)
        self.report(progress)
        return metrics

    def report(self, progress: Progress = print) -> Path:
        """Write `report.html` anew; returns its path."""
        from training.report import write_report

        progress("writing the report")
        return write_report(self, self.load_data(), self.load_model())

    def export(
        self, *formats: str, quantize: str | None = None, step: bool = False, progress: Progress = print
    ) -> Any:
        """Write the model as files, each checked against Keras on real test inputs.

        Args:
            *formats: "onnx", "tflite", "saved_model".
            quantize: As `export.to_onnx` and `export.to_tflite`; calibrated on training examples.
            step: A step of a stream instead of the whole.
            progress: Told what is being done.

        Returns:
            What was measured of each file, as a pandas DataFrame.
        """
        import pandas as pd

        check_formats(formats)
        startup.import_tensorflow()
        from export.runs import export_run

        if not self.metrics:
            self.evaluate(progress)  # the file contains its metrics
        rows = export_run(
            self, self.load_data(), self.load_model(), formats, progress, quantize=quantize, step=step
        )
        self.report(progress)
        shown = ("file", "runtime", "size_bytes", "fused", "max_abs_error", "latency_ms")
        return pd.DataFrame(rows)[list(shown)]

    def predict(self, raw: Any, **options: Any) -> Any:
        """The Keras model's answer for a raw input: a path, a text, a table, an array.

        Args:
            raw: As `lstm_apps.load(file).predict` takes it.
            **options: As there.

        Returns:
            What the exported file answers; a table of equally long columns as a pandas DataFrame.
        """
        startup.import_tensorflow()
        from training.fit import model_function

        features = self.features
        answer = features.predict(
            model_function(self, self.load_model()), raw, **checked(features.options, options)
        )
        if not is_table(answer):
            return answer
        import pandas as pd

        return pd.DataFrame(answer)

    def sample_input(self) -> Any:
        """A raw input of the test part, in the form that `predict` takes."""
        return self.application.sample_input(self.features, self.load_data())

    def plot(self, name: str | None = None) -> Any:
        """One of the report's plots by name, as a matplotlib figure; an unknown name is an InputError that
        lists them. Without a name, the first that the application draws."""
        from training.fit import model_function
        from training.report import loss_curves

        if name is not None and not isinstance(name, str):
            raise InputError(f"A plot is called by a name, got {name!r}.")
        if name == "loss":
            if not self.history_file.is_file():
                raise InputError(f"{self.folder} has no history.csv: it was not trained here.")
            return loss_curves(self.history_file).figure
        model = model_function(self, self.load_model())
        plots = {p.name: p.figure for p in self.application.plots(self.features, self.load_data(), model)}
        if name is None:
            name = next(iter(plots))
        if name not in plots:
            raise unknown_name("plot", name, ["loss", *plots])
        return plots[name]

    def cross_validate(self, progress: Progress = print) -> Any:
        """Train once for each fold (speakers, patients, ...) with this run's configuration, in its folder
        `folds`; goes on where it was interrupted.

        Returns:
            The mean over folds of each metric, of the model and of every baseline, as a pandas DataFrame;
            `folds/cross-validation.json` has all of it, `folds/cross-validation.html` the plots.
        """
        import pandas as pd

        from training.crossvalidate import cross_validate

        found = cross_validate(replace(self.config, fold=None), self.folder / "folds", progress)
        return pd.DataFrame(
            {
                m: {MODEL: row["mean"], **{n: b["mean"] for n, b in row["baselines"].items()}}
                for m, row in found.items()
            }
        )

    def table(self) -> Any:
        """The metrics on the test part, of the model and of every baseline, as a pandas DataFrame."""
        import pandas as pd

        return pd.DataFrame({m: {MODEL: row["model"], **row["baselines"]} for m, row in self.metrics.items()})

    def _repr_html_(self) -> str:
        app = self.application
        parts = [f"<h4>{html.escape(app.name)}: {html.escape(app.describe(self.features))}</h4>"]
        if self.metrics:
            parts.append(self.table().to_html(float_format="{:.4f}".format, na_rep=""))
        if self.history_file.is_file():
            buffer = io.BytesIO()
            self.plot("loss").savefig(buffer, format="png", dpi=90)
            parts.append(f'<img src="data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}">')
        if app.disclaimer:
            parts.append(f"<p>{html.escape(app.disclaimer)}</p>")
        parts.append(f"<p><code>{html.escape(str(self.folder))}</code></p>")
        return "\n".join(parts)


def train(
    name: str,
    data: Any = None,
    *,
    preset: str | None = None,
    columns: Mapping[str, str] | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    export: str | Sequence[str] = (),
    verbose: int = 1,
    progress: Progress = print,
    **chosen: Any,
) -> Run:
    """Train an application, score it and its baselines on the test part, write the report.

    Args:
        name: Of the application, see `lstm_apps.applications()`.
        data: A path, the name of a dataset, or a DataFrame, which is kept in the run folder; by default the
            application's own dataset.
        preset: "quick" (the default) or "full".
        columns: The names of your columns by role, such as {"target": "kw"}.
        out: The run folder, new or empty; by default a new one in `runs/`.
        resume: Go on with the interrupted run in `out`.
        export: Formats to export to afterwards: "onnx", "tflite", "saved_model".
        verbose: 1 shows a bar an epoch, 2 a line, 0 nothing.
        progress: Told what is being done after the training.
        **chosen: Fields of `training.config.Config` instead of the preset's, such as `epochs=5`; by its role
            a column of your table, such as `target="kw"`; how your table is written, such as
            `timezone="Europe/Berlin"` (see `lstm_apps.features.tables.dialect`).

    Raises:
        InputError: The data, a name or a value cannot be used.
    """
    app = registry.application(name)
    export = [export] if isinstance(export, str) else list(export)
    check_formats(export)
    if columns is not None and not isinstance(columns, Mapping):
        raise InputError(f"columns is {columns!r}, expected names by role, such as {{'target': 'kw'}}.")
    given = _sorted(app, dict(columns or {}), chosen)
    if resume and out is None:
        raise InputError("Name the run to go on with: --out in a terminal, out= in Python.")
    folder = Path(out) if out is not None else new_folder(name)
    with tempfile.TemporaryDirectory() as beside:
        frame = None
        if data is not None and not isinstance(data, str | Path):
            data = frame = _as_file(data, Path(beside) / RunFolder.TABLE)
        if data is not None:
            given["data"] = str(data)
        if resume:
            given |= {"preset": preset} if preset is not None else {}
            config = replace(RunFolder.open(folder).config, application=name, **given)
        else:
            config = Config.of(app, preset or "quick", **given)
        prepared = prepare(config, folder, resume)  # before anything is written
        if frame is not None:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(frame, folder / RunFolder.TABLE)
            config = replace(config, data=str((folder / RunFolder.TABLE).absolute()))
    startup.import_tensorflow()
    from training.fit import fit

    run = Run(fit(config, folder, resume, verbose, prepared).folder)
    run.evaluate(progress)
    if export:
        run.export(*export, progress=progress)
    return run


def _sorted(app: Application, columns: dict[str, str], chosen: Mapping[str, Any]) -> dict[str, Any]:
    """What was chosen, by name, as fields of a configuration; None is not chosen."""
    ours = {f.name for f in fields(Config)} - {"application", "preset", "data", "columns", "dialect"}
    found: dict[str, Any] = {}
    dialect: dict[str, Any] = {}
    for name, value in chosen.items():
        if value is None:
            continue
        if name in app.roles:
            if not isinstance(value, str):
                raise InputError(f"{name} is {value!r}, expected the name of a column.")
            columns[name] = value
        elif name in OPTIONS:
            dialect[name] = value
        elif name in ours:
            found[name] = value
        else:
            raise unknown_name("option of a training", name, {*ours, *OPTIONS, *app.roles})
    return {**found, **({"columns": columns} if columns else {}), **({"dialect": dialect} if dialect else {})}


def check_formats(formats: Iterable[str]) -> None:
    """InputError of a format that is none, before a long training and not after it."""
    known = ("onnx", "tflite", "saved_model")
    for name in formats:
        if name not in known:
            raise unknown_name("export format", str(name), known)


def new_folder(name: str) -> Path:
    """A run folder of now."""
    return Path("runs") / f"{name}-{datetime.now():%Y%m%d-%H%M%S}"


def _as_file(table: Any, file: Path) -> Path:
    """Write a DataFrame as Parquet, its index of times as a column; a run keeps it. What is no table, or
    cannot be kept, is an InputError."""
    import pandas as pd

    if not isinstance(table, pd.DataFrame):
        raise InputError(
            f"data is a {type(table).__name__}, expected a path, a dataset's name or a DataFrame."
        )
    if not table.columns.is_unique or table.columns.nlevels > 1:
        raise InputError("data has columns of one name, or of several levels: give each a name of its own.")
    table = with_index(table)
    table.columns = table.columns.map(str)
    for name, column in table.items():
        if isinstance(column.dtype, pd.SparseDtype):
            table[name] = column.sparse.to_dense()
        elif isinstance(column.dtype, pd.PeriodDtype):
            table[name] = column.dt.to_timestamp()
        elif column.dtype == object:  # cells of several types: text, as in a file
            known = column.notna()
            table[name] = column.where(known, None).map(lambda cell: None if cell is None else str(cell))
    try:
        table.to_parquet(file)
    except Exception as error:  # pyarrow raises many kinds for cells that no file holds
        raise InputError(f"data cannot be kept in the run: {first_line(error)}") from error
    return file
