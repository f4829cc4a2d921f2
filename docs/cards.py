"""Write the figures of runs into the cards of their applications.

    python docs/cards.py RUN [RUN...]

A run goes between `<!-- metrics -->` and `<!-- /metrics -->` of docs/applications/NAME.md, a
cross-validation between `<!-- cross-validation -->` and `<!-- /cross-validation -->`.
"""

import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lstm_apps import registry
from lstm_apps.application import MODEL
from training.config import Config

CARDS = Path(__file__).parent / "applications"
ARROWS = {"lower": " ↓", "higher": " ↑"}
MARGIN = "margin over the best baseline"
_OF_A_COMMAND = ("data", "columns", "step", "fold", "epochs", "units", "seed", "mixed_precision")
_KEY = (
    "Brackets: 95 % interval. Margin: how much better the model is than the best baseline; negative: worse."
)


class CardError(ValueError):
    """A folder that is no evaluated run, or a card without the place for its figures."""


def update(folder: Path, cards: Path = CARDS) -> Path:
    """Write the figures of a run, or of a cross-validation, into the card of its application.

    Returns:
        The card.

    Raises:
        CardError: No evaluated run, no card, or no markers in it.
    """
    if (file := folder / "cross-validation.json").is_file():
        kind, found = "cross-validation", _read(file)
        names = list(dict.fromkeys(fold for row in found.values() for fold in row["folds"]))
        # Directions are in the folds: `cross-validation.json` has none.
        of_folds = [_read(folder / fold / "metrics.json") for fold in names]
        better = {m: row["better"] for metrics in of_folds for m, row in metrics.items()}
        config = _config(folder / names[0], fold=None)
        block = fold_tables(found, better)
    elif (file := folder / "metrics.json").is_file():
        kind, config, block = "metrics", _config(folder), run_table(_read(file))
    else:
        raise CardError(
            f"{folder} has no metrics.json and no cross-validation.json: `lstm-apps evaluate` it."
        )
    card = cards / f"{config['application']}.md"
    if not card.is_file():
        raise CardError(f"There is no card {card}.")
    action = "train" if kind == "metrics" else "cross-validate"
    write(card, kind, f"`{command(action, config)}`\n\n{block}")
    return card


def write(card: Path, kind: str, block: str) -> None:
    """Replace what is between the markers of `kind`."""
    begin, end = f"<!-- {kind} -->", f"<!-- /{kind} -->"
    text = card.read_text(encoding="utf-8")
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise CardError(f"{card} needs {begin} and {end}, once each.")
    before, rest = text.split(begin)
    card.write_text(f"{before}{begin}\n{block}\n{end}{rest.split(end)[1]}", encoding="utf-8")


def command(action: str, config: dict[str, Any]) -> str:
    """The command that made a run: the preset, and what was chosen otherwise."""
    preset = config["preset"]
    usual = Config.of(registry.application(config["application"]), preset).to_dict()
    words = [f"lstm-apps {action} {config['application']} --preset {preset}"]
    for name in _OF_A_COMMAND:
        value = config.get(name, usual[name])
        if value == usual[name]:
            continue
        if name == "columns":
            words += [f"--column {role}={column}" for role, column in value.items()]
        else:
            words.append(f"--{name.replace('_', '-')}" + ("" if value is True else f" {value}"))
    return " ".join(words)


def run_table(metrics: dict[str, Any]) -> str:
    """The table of a `metrics.json`: a column a metric, a row for the model, for each baseline, for the
    margin."""
    baselines = list(dict.fromkeys(name for row in metrics.values() for name in row["baselines"]))
    rows = [_bold(MODEL, [_cell(row["model"], row["interval"]) for row in metrics.values()])]
    for name in baselines:
        rows.append([name, *(figure(row["baselines"].get(name)) for row in metrics.values())])
    rows += _margins(row.get("margin") for row in metrics.values())
    heads = ["test part", *(head(name, row["better"]) for name, row in metrics.items())]
    return f"{table(heads, rows)}\n\n{_KEY}"


def fold_tables(found: dict[str, Any], better: dict[str, Any]) -> str:
    """The tables of a `cross-validation.json`: pooled over the folds where the application has that; by
    fold otherwise.

    Args:
        found: The file.
        better: Metric -> as in `metrics.json`.
    """
    pooled = {name: row for name, row in found.items() if "pooled" in row}
    parts = [_pooled_table(pooled, better), "", _KEY] if pooled else [_fold_table(found, better)]
    return "\n".join(parts)


def _pooled_table(found: dict[str, Any], better: dict[str, Any]) -> str:
    baselines = list(dict.fromkeys(name for row in found.values() for name in row["baselines"]))

    def cells(rows: Iterable[dict[str, Any]]) -> list[str]:
        pooled = [row.get("pooled", {"value": None, "interval": None}) for row in rows]
        return [_cell(p["value"], p["interval"]) for p in pooled]

    rows = [_bold(MODEL, cells(found.values()))]
    rows += [[b, *cells(row["baselines"].get(b, {}) for row in found.values())] for b in baselines]
    rows += _margins(row["pooled"].get("margin") for row in found.values())
    return table(["all folds, pooled", *(head(name, better.get(name)) for name in found)], rows)


def _fold_table(found: dict[str, Any], better: dict[str, Any]) -> str:
    """The first metric by fold; other metrics of the model in rows of their own."""
    primary, *others = found
    folds = list(found[primary]["folds"])

    def cells(row: dict[str, Any]) -> list[str]:
        return [*(figure(row["folds"].get(fold)) for fold in folds), figure(row["mean"])]

    rows = [_bold(MODEL, cells(found[primary]))]
    rows += [[f"{MODEL}, {head(name, better.get(name))}", *cells(found[name])] for name in others]
    rows += [[name, *cells(row)] for name, row in found[primary]["baselines"].items()]
    return table([f"{head(primary, better.get(primary))}, fold left out", *folds, "mean"], rows)


def head(name: str, better: str | float | None) -> str:
    """A metric's name and which way is better: an arrow, or the value to come near."""
    return f"{name} → {better:g}" if isinstance(better, float) else name + ARROWS.get(str(better), "")


def figure(value: float | None) -> str:
    """Three decimals up to 1, two below 10, none above; nothing for what is not known."""
    if value is None or value != value:
        return ""
    return f"{value:.{3 if abs(value) <= 1 else 2 if abs(value) < 10 else 0}f}"


def table(heads: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)


def _cell(value: float | None, interval: list[float] | None) -> str:
    return f"{figure(value)} ({' to '.join(map(figure, interval))})" if interval else figure(value)


def _bold(name: str, cells: list[str]) -> list[str]:
    return [f"**{name}**", *(re.sub(r"^\S+", r"**\g<0>**", cell) for cell in cells)]


def _margins(margins: Iterable[dict[str, Any] | None]) -> list[list[str]]:
    """The row of margins, if there are any."""
    cells = [_cell(margin["value"], margin["interval"]) if margin else "" for margin in margins]
    return [[MARGIN, *cells]] if any(cells) else []


def _config(folder: Path, **changed: Any) -> dict[str, Any]:
    return {**_read(folder / "config.json")["config"], **changed}


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CardError(f"{file} is not readable JSON: {error}") from error


def main(folders: list[str]) -> int:
    """Update the cards of runs; 2 where one is no run."""
    if not folders:
        print("usage: python docs/cards.py RUN [RUN...]", file=sys.stderr)
        return 2
    for folder in folders:
        try:
            print(update(Path(folder)))
        except CardError as error:
            print(error, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
