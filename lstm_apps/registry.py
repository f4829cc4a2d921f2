"""Names to objects, as "module:OBJECT": a module is imported when its name is asked for, and no sooner.

Another package adds an application by an entry point of the group `lstm_apps.applications`, and a kind of
features, which the runtime needs to read a file, by one of `lstm_apps.features`:

    [project.entry-points."lstm_apps.applications"]
    tides = "my_package.tides:TIDES"
"""

from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from lstm_apps.errors import unknown_name

if TYPE_CHECKING:
    from lstm_apps.application import Application
    from lstm_apps.features import Features

_APPLICATIONS = {
    "speech-commands": "lstm_apps.speech.commands.task:SPEECH_COMMANDS",
    "sentiment": "lstm_apps.nlp.sentiment.task:SENTIMENT",
    "ecg": "lstm_apps.healthcare.ecg.task:ECG",
    "vitals": "lstm_apps.healthcare.vitals.task:VITALS",
    "energy": "lstm_apps.forecasting.energy:ENERGY",
}
_FEATURES = {
    "beats": "lstm_apps.healthcare.ecg.features:BeatFeatures",
    "forecast": "lstm_apps.features.forecast:ForecastFeatures",
    "keywords": "lstm_apps.speech.commands.features:KeywordFeatures",
    "text": "lstm_apps.nlp.sentiment.features:TextFeatures",
    "vitals": "lstm_apps.healthcare.vitals.features:VitalsFeatures",
}


def applications() -> list[str]:
    """The names of all applications."""
    return list(_known("lstm_apps.applications", _APPLICATIONS))


def application(name: str) -> "Application":
    """The application called `name`; an unknown name is an InputError with the nearest one."""
    return _object("application", name, _known("lstm_apps.applications", _APPLICATIONS))


def features(kind: str) -> "type[Features]":
    """The class of features of this kind, as exported files name it; an unknown one is an InputError."""
    return _object("kind of features", kind, _known("lstm_apps.features", _FEATURES))


@lru_cache
def _installed(group: str) -> Mapping[str, str]:
    """Entry points of other packages."""
    return {point.name: point.value for point in entry_points(group=group)}


def _known(group: str, ours: Mapping[str, str]) -> Mapping[str, str]:
    return {**_installed(group), **ours}  # nobody replaces ours


def _object(what: str, name: str, known: Mapping[str, str]) -> Any:
    if name not in known:
        raise unknown_name(what, name, known)
    module, attribute = known[name].split(":")
    return getattr(import_module(module), attribute)
