import json
from dataclasses import fields

import pytest

from lstm_apps import registry
from lstm_apps.errors import InputError
from training.config import Config


def test_json_round_trip():
    config = Config("energy", columns={"target": "kW"}, epochs=3)
    assert Config.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_a_choice_goes_over_the_preset():
    energy = registry.application("energy")
    preset = Config.of(energy, "quick", epochs=None)
    assert preset.epochs == energy.presets["quick"]["epochs"]
    assert Config.of(energy, "quick", epochs=99).epochs == 99


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("units", 0),
        ("epochs", -1),
        ("dropout", 1.0),
        ("learning_rate", 0.0),
        ("steps_per_epoch", 0),
        ("batch_size", 0),
        ("seed", -1),
        ("seed", 2**32),
    ],
)
def test_nonsense_is_refused(field, value):
    with pytest.raises(InputError, match=field):
        Config("energy", **{field: value})


def test_unknown_preset_and_field_get_a_hint():
    with pytest.raises(InputError, match="Did you mean 'quick'"):
        Config.of(registry.application("energy"), "quik")
    with pytest.raises(InputError, match="Did you mean 'epochs'"):
        Config.from_dict({"application": "energy", "epoch": 3})


def test_every_field_is_used_somewhere():
    """A field that is stored and never read would be a promise not kept."""
    from pathlib import Path

    import training

    folder = Path(training.__file__).parent
    text = "".join(p.read_text() for p in folder.glob("*.py"))
    for field in fields(Config):
        if field.name not in ("application", "preset"):
            assert f"config.{field.name}" in text or f"self.{field.name}" in text, field.name


def test_data_of_no_name_are_not_the_default_ones():
    with pytest.raises(InputError, match="data is empty"):
        Config("energy", data="")
