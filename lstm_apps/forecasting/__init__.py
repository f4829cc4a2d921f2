"""Forecasting: quantiles of the next steps of a series."""
