"""The few architectures that applications share."""

from lstm_apps.models.forecaster import QuantileLoss, forecaster

__all__ = ["QuantileLoss", "forecaster"]
