"""The few architectures that applications share."""

from lstm_apps.models.beat_classifier import beat_classifier
from lstm_apps.models.early_warning import early_warning
from lstm_apps.models.forecaster import QuantileLoss, forecaster
from lstm_apps.models.spotter import SpikeLoss, spotter
from lstm_apps.models.text_classifier import text_classifier

__all__ = [
    "QuantileLoss",
    "SpikeLoss",
    "beat_classifier",
    "early_warning",
    "forecaster",
    "spotter",
    "text_classifier",
]
