"""Graphs become files: written beside, checked in their runtime, renamed."""

import hashlib
import json
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from export import onnx, verify
from export.convert import Converted, Settings
from lstm_apps.errors import InputError, ModelFileError
from lstm_apps.runtime import attachments
from lstm_apps.runtime.engines import Engine, open_engine
from lstm_apps.runtime.metadata import GRAPHS, KEY, MAIN, STEP, VERSION, WHOLE
from lstm_apps.runtime.seal import sealed

Accept = Callable[[Engine], None]  # a ParityError of a file that is not to be written


class More(NamedTuple):
    """What files contain beside a model, and what they must pass."""

    metadata: Mapping[str, Any] | None = None  # see `lstm_apps.runtime.metadata`
    attachments: Mapping[str, bytes] | None = None  # binary parts of the preprocessing, by name
    accept: Accept | None = None


def write(
    graphs: Mapping[str, Converted],
    path: Path,
    settings: Settings,
    more: More,
) -> verify.ExportReport:
    """Write the files of a model; none appears, or changes, unless all have passed the check.

    Args:
        graphs: By name; one called `MAIN`, or those of a generator.
        path: The file; of a generator as ONNX that of each graph has the graph's name before its ending.
        settings: What was asked for.
        more: What the files contain beside the model, and must pass.
    """
    form, parts = settings.form, more.attachments or {}
    contents = _contents(graphs, path, settings)
    said = _said(graphs, contents, settings)
    with tempfile.TemporaryDirectory(prefix=f".{path.stem}-", dir=path.parent) as folder:

        def checked(added: Mapping[str, Any]) -> dict[str, Mapping[str, verify.Parity]]:
            for file, content in contents.items():
                first = file == next(iter(contents))
                stored = {"version": VERSION, **said[file], **added}
                if first and parts:
                    stored["attachments"] = attachments.table(parts)
                text = json.dumps(stored, ensure_ascii=False, allow_nan=False)
                whole = attachments.attached(form.with_metadata(content, KEY, text), parts if first else {})
                (Path(folder) / file.name).write_bytes(sealed(whole))
            beside = Path(folder) / next(iter(contents)).name
            try:
                engine = open_engine(beside)
                found = {name: graph.check(engine, name) for name, graph in graphs.items()}
            except ModelFileError as error:  # of a file that it does not know yet, and is gone then
                raise InputError(
                    f"The runtime of {form.NAME} does not take what the converter made of the model: "
                    + str(error).replace(f"{beside}: ", "")
                ) from error
            if more.accept is not None:
                more.accept(engine)
            return found

        outputs = checked({})
        parity = verify.worst(p for of_graph in outputs.values() for p in of_graph.values())
        examples = next(iter(graphs.values())).examples
        measured: dict[str, Any] = {"max_abs_error": parity.error, "tolerance": parity.tolerance}
        measured |= {"examples": examples, "outputs": _as_json(outputs)}
        checked({**(more.metadata or {}), "parity": measured})
        for file in contents:
            os.replace(Path(folder) / file.name, file)
    operators = {name: form.operators(graph.contents[0]) for name, graph in graphs.items()}
    counted = [form.operators(content) for content in contents.values()]
    return verify.ExportReport(
        path=next(iter(contents)),
        files=tuple(contents),
        size_bytes=sum(file.stat().st_size for file in contents),
        operators=sum(counted, Counter()),
        fused=any(_fused(form, o) for o in operators.values())
        and not any(o[loop] for o in counted for loop in form.LOOPS),
        max_abs_error=parity.error,
        tolerance=parity.tolerance,
        outputs=outputs,
    )


def _fused(form: Any, operators: Counter) -> bool:
    return any(operators[name] for name in form.FUSED_NAMES)


def _contents(graphs: Mapping[str, Converted], path: Path, settings: Settings) -> dict[Path, bytes]:
    """The models without metadata, by the files that they become."""
    form = settings.form
    if form is onnx and MAIN not in graphs:
        return {path.with_suffix(f".{name}.onnx"): graph.contents[0] for name, graph in graphs.items()}
    named = [
        (signature, content)
        for name, graph in graphs.items()
        for signature, content in zip(_signatures(name, graph), graph.contents, strict=True)
    ]
    if len(named) == 1:
        return {path: named[0][1]}
    return {path: form.joined([content for _, content in named], [name for name, _ in named])}


def _signatures(name: str, graph: Converted) -> list[str]:
    """What the forms of a graph are called in a TFLite file."""
    prefix = "" if name == MAIN else f"{name}_"
    lengths = [f"{prefix}length_{n}" for n in graph.lengths]
    return ["serving_default" if name == MAIN else name, *lengths]


def _said(
    graphs: Mapping[str, Converted], contents: Mapping[Path, bytes], settings: Settings
) -> dict[Path, dict[str, Any]]:
    """What each file says of what it is."""
    if MAIN in graphs:
        said = {"form": STEP, "states": graphs[MAIN].states} if settings.step else {"form": WHOLE}
        return dict.fromkeys(contents, said)
    if settings.form is not onnx:
        known: dict[str, Any] = {name: {"signatures": _signatures(name, g)} for name, g in graphs.items()}
        return {file: {"form": GRAPHS, "graphs": known} for file in contents}
    known = {
        name: {"file": file.name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, (file, content) in zip(graphs, contents.items(), strict=True)
    }
    return {
        file: {"form": GRAPHS, "graph": name, "graphs": known}
        for name, file in zip(graphs, contents, strict=True)
    }


def _as_json(outputs: Mapping[str, Mapping[str, verify.Parity]]) -> dict[str, Any]:
    """Graph -> output -> error and tolerance."""
    return {
        graph: {name: {"error": p.error, "tolerance": p.tolerance} for name, p in of_graph.items()}
        for graph, of_graph in outputs.items()
    }
