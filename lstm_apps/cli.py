"""The commands of `lstm-apps`. Each is a few lines over `training`, `export` and `runtime`."""

import json
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.text import Text

from lstm_apps import __version__, answers, pipeline, registry, runtime, startup
from lstm_apps.data import sources
from lstm_apps.errors import InputError
from lstm_apps.features.options import parsed
from lstm_apps.features.raw import is_file, is_folder
from lstm_apps.features.sound import Sound
from lstm_apps.features.tables.dialect import OPTIONS
from lstm_apps.terminal import (
    benchmark_table,
    exports_table,
    folds_table,
    in_parts,
    margin_of,
    metrics_table,
    without_value,
)

app = typer.Typer(
    help="Train LSTMs on sequence data; ship them as one ONNX or TFLite file.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # an input error is a sentence, any other a plain traceback
)
# Names and paths may have any signs: brackets are no markup.
out = Console(markup=False, emoji=False)
err = Console(markup=False, emoji=False, stderr=True)

# What `quickstart` makes, and what the README shows.
QUICKSTART = "energy"


def _version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True)] = False,
) -> None:
    pass


@app.command("list")
def list_applications(as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """All applications: what they do, on which data, measured how, against what."""
    rows: list[dict[str, Any]] = []
    for name in registry.applications():
        a = registry.application(name)
        rows.append(
            {
                "name": a.name,
                "domain": a.domain,
                "task": a.summary,
                "dataset": a.dataset,
                "metric": a.metrics[0].name,
                "baselines": list(a.baselines),
                "own data": a.layout,
                "disclaimer": a.disclaimer,
            }
        )
    if as_json:
        print(json.dumps(rows, indent=2, allow_nan=False))
        return
    for row in rows:
        out.print(Text.assemble((row["name"], "bold"), f" ({row['domain']}): {row['task']}"))
        out.print(f"    metric {row['metric']}, dataset {row['dataset']}", highlight=False)
        out.print(f"    against {', '.join(row['baselines'])}", highlight=False)
        out.print(f"    own data: {row['own data']}", highlight=False)
        if row["disclaimer"]:
            out.print(f"    {row['disclaimer']}", highlight=False)


def _about(option: str) -> str:
    text = OPTIONS[option].help
    return f"{text[0].upper()}{text[1:]}."


datasets = typer.Typer(help="The datasets, and how to fetch one.", invoke_without_command=True)
app.add_typer(datasets, name="data")


@datasets.command("get")
def get_data(name: Annotated[str, typer.Argument(help="A dataset.")]) -> None:
    """The path of a dataset, fetched if need be."""
    if not sources.source(name).present:
        err.print(f"Fetching {name} ...")
    print(sources.get(name))


@datasets.callback()
def list_data(context: typer.Context) -> None:
    """All datasets, their origin and licence; `get` fetches one."""
    if context.invoked_subcommand:
        return
    for s in sources.SOURCES.values():
        out.print(Text.assemble((s.name, "bold"), f": {s.summary}"))
        out.print(f"    {s.origin}; {s.licence}; {'here' if s.present else 'to be fetched'}", highlight=False)


# What must be said of a table that leaves it open, see `lstm_apps.features.tables.dialect`.
_Skip = Annotated[int | None, typer.Option(help=_about("skip"))]
_Decimal = Annotated[str | None, typer.Option(help=_about("decimal"))]
_Dayfirst = Annotated[bool | None, typer.Option("--dayfirst/--no-dayfirst", help=_about("dayfirst"))]
_Timezone = Annotated[str | None, typer.Option(help=_about("timezone"))]
_Missing = Annotated[list[str] | None, typer.Option(help=_about("missing"))]
_Series = Annotated[str | None, typer.Option(help=_about("series"))]
_Start = Annotated[str | None, typer.Option(help=_about("start"))]


@app.command()
def train(
    name: Annotated[str, typer.Argument(metavar="APP", help="See `lstm-apps list`.")],
    data: Annotated[str | None, typer.Option(help="Your own file or folder, or a dataset's name.")] = None,
    time: Annotated[str | None, typer.Option(help="Column of times in your file.")] = None,
    target: Annotated[str | None, typer.Option(help="Column to forecast in your file.")] = None,
    column: Annotated[
        list[str] | None, typer.Option(metavar="ROLE=NAME", help="Any other column: --column text=review.")
    ] = None,
    step: Annotated[str | None, typer.Option(help="Average the series into steps: 15min, 1h, 1d.")] = None,
    skip: _Skip = None,
    decimal: _Decimal = None,
    dayfirst: _Dayfirst = None,
    timezone: _Timezone = None,
    missing: _Missing = None,
    series: _Series = None,
    start: _Start = None,
    fold: Annotated[
        str | None, typer.Option(help="Test on this speaker, patients, ...; see `lstm-apps cross-validate`.")
    ] = None,
    preset: Annotated[str | None, typer.Option(help="quick (default) or full.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Instead of the preset's.")] = None,
    units: Annotated[int | None, typer.Option(help="LSTM units, instead of the preset's.")] = None,
    seed: Annotated[int | None, typer.Option()] = None,
    mixed_precision: Annotated[bool | None, typer.Option(help="float16 arithmetic, for a GPU.")] = None,
    folder: Annotated[
        Path | None, typer.Option("--out", help="Run folder; by default a new one in runs/.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the interrupted run in --out.")
    ] = False,
    formats: Annotated[str | None, typer.Option("--export", help="Export afterwards: onnx,tflite.")] = None,
) -> None:
    """Train an application, score it and its baselines on the test part, write the report."""
    wanted = _formats(formats)
    columns = dict(_role_and_name(c) for c in column or ())
    if folder is None and not resume:
        folder = pipeline.new_folder(name)
    chosen: dict[str, Any] = {
        "time": time,
        "target": target,
        "step": step,
        "fold": fold,
        "epochs": epochs,
        "units": units,
    }
    chosen |= {"seed": seed, "mixed_precision": mixed_precision, "skip": skip, "decimal": decimal}
    chosen |= {"dayfirst": dayfirst, "timezone": timezone, "missing": missing or None, "series": series}
    how: dict[str, Any] = {"preset": preset, "columns": columns, "resume": resume, "export": wanted}
    _show(_train(name, data, folder, **how, **chosen, start=start))


@app.command("cross-validate")
def cross_validate(
    name: Annotated[str, typer.Argument(metavar="APP", help="See `lstm-apps list`.")],
    data: Annotated[str | None, typer.Option(help="Your own file or folder, or a dataset's name.")] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(metavar="ROLE=NAME", help="A column of your file: --column text=review."),
    ] = None,
    preset: Annotated[str, typer.Option(help="quick or full.")] = "full",
    epochs: Annotated[int | None, typer.Option(help="Instead of the preset's.")] = None,
    folder: Annotated[Path | None, typer.Option("--out", help="Folder of the runs, old or new.")] = None,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Train once for every fold, each tested on people it does not know; goes on where it was interrupted."""
    from training.config import Config

    task = registry.application(name)
    named = dict(map(_role_and_name, column or ())) or None
    config = Config.of(task, preset, data=data, columns=named, epochs=epochs)
    folder = folder or pipeline.new_folder(name)
    startup.import_tensorflow()
    from training.crossvalidate import cross_validate as validated

    try:
        found = validated(config, folder, err.print, verbose=1 if out.is_terminal else 2)
    except KeyboardInterrupt:
        _tell(f"\nInterrupted. The same command goes on with --out {shlex.quote(str(folder))}")
        raise typer.Exit(130) from None
    if as_json:
        print(json.dumps(found, indent=1, allow_nan=False))
        return
    for metric, row in found.items():
        out.print(folds_table(metric, row))
        if ahead := row.get("pooled", {}).get("margin"):
            out.print(f"{metric}, pooled: {margin_of(ahead)}.")
        if reason := row.get("pooled", {}).get("reason"):
            out.print(f"{metric}, pooled, cannot be computed: {reason}.")
    if task.disclaimer:
        out.print(task.disclaimer)
    out.print(f"Report: {folder / 'cross-validation.html'}", soft_wrap=True, highlight=False)


@app.command()
def evaluate(folder: Annotated[Path, typer.Argument(metavar="RUN")]) -> None:
    """Score a trained run and its baselines on the test part again, and write the report anew."""
    run = pipeline.Run.open(folder)
    with _progress() as progress:
        run.evaluate(progress)
    _show(run)


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(metavar="RUN")],
    formats: Annotated[list[str], typer.Option("--format", help="onnx, tflite, saved_model; once for each.")],
    quantize: Annotated[
        str | None, typer.Option(help="onnx: int8; tflite: dynamic, int8, int16x8 (with --step).")
    ] = None,
    step: Annotated[bool, typer.Option("--step", help="A step of a stream instead of the whole.")] = False,
) -> None:
    """Export a run; no file appears that does not compute what Keras computes."""
    wanted = _formats(",".join(formats))
    run = pipeline.Run.open(folder)
    with _progress() as progress:
        run.export(*wanted, quantize=quantize, step=step, progress=progress)
    _show(run)


@app.command()
def benchmark(
    folder: Annotated[Path, typer.Argument(metavar="RUN")],
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Run every exported file in every runtime there is: parity, the task's metric, latency."""
    run = pipeline.Run.open(folder)
    if not run.exports:
        raise InputError(f"{folder} has no exported file; `lstm-apps export` writes one.")
    startup.import_tensorflow()
    from export.benchmark import benchmark as measured

    data, model = run.load_data(), run.load_model()
    rows = []
    with err.status("measuring") as status:
        for row in measured(run, data, model):
            rows.append(row)
            status.update(f"measured {row['file']} in {row['runtime']}")
    if as_json:
        print(json.dumps(rows, indent=1, allow_nan=False))
        return
    out.print(benchmark_table(rows, [m.name for m in run.application.metrics]))
    for row in rows:
        if "reason" in row:
            out.print(f"{row['file']} in {row['runtime']}: {row['reason']}", highlight=False)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def predict(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="An exported .onnx or .tflite file.")],
    raw: Annotated[
        str, typer.Argument(metavar="INPUT", help="What the application takes: a file, a folder, a text.")
    ],
    as_json: Annotated[bool, typer.Option("--json")] = False,
    to: Annotated[
        Path | None, typer.Option("--out", help="Write the answer: .json, .csv, .txt; sound as .wav.")
    ] = None,
) -> None:
    """What an exported file answers. An application may have options of its own: --name VALUE."""
    model = runtime.load(file)
    options = parsed(model.options, context.args)
    if not raw.strip():
        raise InputError("INPUT is empty, expected what the application takes: a file, a folder, a text.")
    path = Path(raw)
    there = is_file(path) or is_folder(path)
    answer = model.predict(path if there else raw, **options)
    if not there and path.suffix and len(raw.split()) == 1:
        _tell(f"There is no file {raw}: the words themselves are taken as the input.")
    if to is not None:
        answers.write(answer, to)
    elif as_json:
        print(answers.as_json(answer))
    elif isinstance(answer, Sound):
        raise InputError("The answer is sound: write it by --out answer.wav.")
    else:
        out.print(answers.shown(answer, model.info))
        return
    if model.info["disclaimer"]:
        err.print(model.info["disclaimer"])


@app.command()
def quickstart(
    folder: Annotated[
        Path | None, typer.Option("--out", help="Run folder; by default a new one in runs/.")
    ] = None,
) -> None:
    """The whole way in a few minutes: train, evaluate, export, check, predict in both runtimes."""
    begun = time.monotonic()
    task = registry.application(QUICKSTART)
    out.print(Text.assemble((task.name, "bold"), f": {task.summary}."))
    run = _train(QUICKSTART, None, folder or pipeline.new_folder("quickstart"), export=["onnx", "tflite"])
    from training.evaluate import beaten

    raw = run.sample_input()
    onnx, tflite = (runtime.load(run.folder / file) for file in ("model.onnx", "model.tflite"))
    first, second = onnx.predict(raw), tflite.predict(raw)
    out.print(answers.shown(first, onnx.info))
    names = [n for n, v in first.items() if v.dtype.kind == "f"]
    apart = max(float(np.abs(first[n] - second[n]).max()) for n in names)
    out.print(f"ONNX Runtime and LiteRT agree to {apart:.1e} on these.")
    _show(run)
    for metric in task.metrics[:2]:
        if run.metrics[metric.name]["model"] is None:
            continue  # it is told why
        verdict = "beats" if beaten(task, run.metrics, metric.name) else "does NOT beat"
        out.print(f"{metric.name}: the LSTM {verdict} every baseline.")
    out.print(f"{time.monotonic() - begun:.0f} s in all.")


def _tell(line: str) -> None:
    """A line to copy from, as it is."""
    err.print(line, soft_wrap=True, highlight=False)


def _train(name: str, data: str | None, folder: Path | None, **how: Any) -> pipeline.Run:
    """Train as `pipeline.train`; a person who interrupts it is told how to go on."""
    try:
        with _progress() as progress:
            # Bars for people, a line an epoch for log files.
            verbose = 1 if out.is_terminal else 2
            return pipeline.train(name, data, out=folder, verbose=verbose, progress=progress, **how)
    except KeyboardInterrupt:
        assert folder is not None  # or there was nothing to interrupt
        again = f"lstm-apps train {name} --resume --out {shlex.quote(str(folder))}"
        if how.get("export"):
            again += f" --export {','.join(how['export'])}"
        if (folder / "config.json").is_file():
            _tell(f"\nInterrupted. Go on with: {again}")
        else:
            _tell("\nInterrupted before the training began: nothing is kept.")
        raise typer.Exit(130) from None


@contextmanager
def _progress() -> Iterator[pipeline.Progress]:
    """A line on stderr that says what is being done, from the first time that it is told."""
    status = err.status("")

    def tell(text: str) -> None:
        status.update(text)
        status.start()

    try:
        yield tell
    finally:
        status.stop()


def _show(run) -> None:
    """What a run came to: against its baselines, in each runtime, and where the report is."""
    for part in in_parts(run.metrics, out.width) if run.metrics else ():
        out.print(metrics_table(part))
    for name, row in run.metrics.items():
        if row.get("margin"):  # runs of before have none
            out.print(f"{name}: {margin_of(row['margin'])}.")
    for sentence in without_value(run.metrics):
        out.print(sentence)
    if run.exports:
        out.print(exports_table(run.exports))
    if run.application.disclaimer:
        out.print(run.application.disclaimer)
    out.print(f"Report: {run.folder / 'report.html'}", soft_wrap=True, highlight=False)


def _formats(text: str | None) -> list[str]:
    """The names in "onnx,tflite"."""
    names = [n.strip() for n in text.split(",")] if text else []
    pipeline.check_formats(names)
    return names


def _role_and_name(text: str) -> tuple[str, str]:
    role, found, name = text.partition("=")
    if not found:
        raise InputError(f"--column {text}: expected ROLE=NAME, as in text=review.")
    return role, name
