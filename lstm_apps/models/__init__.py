"""The few architectures that applications share."""

from lstm_apps.healthcare.ecg.model import beat_classifier
from lstm_apps.healthcare.vitals.model import early_warning
from lstm_apps.models.forecaster import QuantileLoss, forecaster
from lstm_apps.nlp.sentiment.model import text_classifier
from lstm_apps.speech.commands.model import SpikeLoss, spotter

__all__ = [
    "QuantileLoss",
    "SpikeLoss",
    "beat_classifier",
    "early_warning",
    "forecaster",
    "spotter",
    "text_classifier",
]
