"""The figures in the applications' cards are those of the runs."""

import importlib.util
import json
from pathlib import Path

import pytest

from lstm_apps import registry

DOCS = Path(__file__).parents[2] / "docs"
spec = importlib.util.spec_from_file_location("cards", DOCS / "cards.py")
assert spec is not None
assert spec.loader is not None
cards = importlib.util.module_from_spec(spec)
spec.loader.exec_module(cards)

METRICS = {
    "MASE": {
        "model": 0.61843,
        "interval": [0.6, 0.64],
        "baselines": {"naive": 1.0, "trees": 0.6206},
        "margin": {"over": "trees", "value": -0.0022, "interval": [-0.011, 0.007]},
        "better": "lower",
    },
    "coverage80": {
        "model": 0.794,
        "interval": None,
        "baselines": {"naive": None, "trees": 0.787},
        "margin": None,
        "better": 0.8,
    },
    "false alarms": {
        "model": 25.4,
        "interval": None,
        "baselines": {"naive": float("nan"), "trees": 1.957},
        "margin": None,
        "better": "lower",
    },
}
# Written out: a reader of the card sees this.
TABLE = """\
| test part | MASE ↓ | coverage80 → 0.8 | false alarms ↓ |
| --- | --- | --- | --- |
| **LSTM** | **0.618** (0.600 to 0.640) | **0.794** | **25** |
| naive | 1.000 |  |  |
| trees | 0.621 | 0.787 | 1.96 |
| margin over the best baseline | -0.002 (-0.011 to 0.007) |  |  |"""


def write_run(folder, metrics=METRICS, name="energy", **config):
    folder.mkdir(parents=True)
    config = {"application": name, "preset": "quick", **config}
    (folder / "config.json").write_text(json.dumps({"config": config}))
    (folder / "metrics.json").write_text(json.dumps(metrics))
    return folder


@pytest.fixture
def card(tmp_path):
    path = tmp_path / "cards" / "energy.md"
    path.parent.mkdir()
    path.write_text(
        "# energy\n<!-- metrics -->\nold figures\n<!-- /metrics -->\nbetween\n"
        "<!-- cross-validation -->\n<!-- /cross-validation -->\nlimits\n"
    )
    return path


def test_a_run_replaces_what_is_between_its_markers_and_nothing_else(card, tmp_path):
    run = write_run(tmp_path / "run")
    assert cards.update(run, card.parent) == card
    text = card.read_text()
    assert text.startswith(
        f"# energy\n<!-- metrics -->\n`lstm-apps train energy --preset quick`\n\n{TABLE}\n"
    )
    assert text.endswith(
        "\n<!-- /metrics -->\nbetween\n<!-- cross-validation -->\n<!-- /cross-validation -->\nlimits\n"
    )
    assert "old figures" not in text
    cards.update(run, card.parent)
    assert card.read_text() == text


def test_the_command_has_what_was_chosen_beside_the_preset(tmp_path):
    usual = {"application": "energy", "preset": "full"}
    chosen = {"data": "my.csv", "units": 8, "columns": {"target": "kw"}, "mixed_precision": True}
    assert cards.command("train", usual) == "lstm-apps train energy --preset full"
    assert cards.command("train", {**usual, **chosen}) == (
        "lstm-apps train energy --preset full --data my.csv --column target=kw --units 8 --mixed-precision"
    )


def test_folds_are_pooled_where_the_application_pools_them(card, tmp_path):
    for fold in "ab":
        write_run(tmp_path / "folds" / fold, fold=fold)
    (tmp_path / "folds" / "cross-validation.json").write_text(
        json.dumps(
            {
                "MASE": {
                    "folds": {"a": 0.5, "b": 0.7},
                    "mean": 0.6,
                    "pooled": {
                        "value": 0.61,
                        "interval": [0.5, 0.7],
                        "margin": {"over": "trees", "value": 0.1, "interval": [0.05, 0.2]},
                    },
                    "baselines": {
                        "trees": {
                            "folds": {"a": 0.7, "b": 0.7},
                            "mean": 0.7,
                            "pooled": {"value": 0.71, "interval": [0.6, 0.8]},
                        }
                    },
                },
                "coverage80": {"folds": {"a": 0.8, "b": 0.8}, "mean": 0.8, "baselines": {}},
            }
        )
    )
    cards.update(tmp_path / "folds", card.parent)
    assert (
        "<!-- cross-validation -->\n`lstm-apps cross-validate energy --preset quick`\n\n"
        "| all folds, pooled | MASE ↓ |\n| --- | --- |\n| **LSTM** | **0.610** (0.500 to 0.700) |\n"
        "| trees | 0.710 (0.600 to 0.800) |\n| margin over the best baseline | 0.100 (0.050 to 0.200) |\n"
    ) in card.read_text()


def test_folds_stand_side_by_side_where_they_are_not_pooled():
    found = {
        "accuracy": {
            "folds": {"ann": 0.9, "bob": None},
            "mean": 0.9,
            "baselines": {"SVM": {"folds": {"ann": 0.8, "bob": 0.6}, "mean": 0.7}},
        },
        "false alarms": {"folds": {"ann": 12.4, "bob": 20.0}, "mean": 16.2, "baselines": {}},
    }
    assert cards.fold_tables(found, {"accuracy": "higher", "false alarms": "lower"}) == (
        "| accuracy ↑, fold left out | ann | bob | mean |\n| --- | --- | --- | --- |\n"
        "| **LSTM** | **0.900** |  | **0.900** |\n| LSTM, false alarms ↓ | 12 | 20 | 16 |\n"
        "| SVM | 0.800 | 0.600 | 0.700 |"
    )


def test_what_is_no_run_and_a_card_without_markers_are_told_in_a_sentence(card, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert cards.main([str(tmp_path / "empty")]) == 2
    assert "lstm-apps evaluate" in capsys.readouterr().err
    card.write_text("# energy\n<!-- metrics -->\n")
    before = card.read_text()
    with pytest.raises(cards.CardError, match="once each"):
        cards.update(write_run(tmp_path / "run"), card.parent)
    assert card.read_text() == before
    with pytest.raises(cards.CardError, match="no card"):
        cards.update(tmp_path / "run", tmp_path)


@pytest.mark.parametrize("name", registry.applications())
def test_every_application_has_a_card_with_a_place_for_figures(name):
    text = (DOCS / "applications" / f"{name}.md").read_text(encoding="utf-8")
    for title in ("Task", "Data and licence", "Method", "Limits", "History of choices", "Use"):
        assert f"\n## {title}\n" in text
    for kind in ("metrics", "cross-validation"):
        assert text.count(f"<!-- {kind} -->") == text.count(f"<!-- /{kind} -->")
    assert "<!-- metrics -->" in text or "<!-- cross-validation -->" in text
    if registry.application(name).disclaimer:
        assert registry.application(name).disclaimer in text
