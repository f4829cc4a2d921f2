"""Datasets (`sources`) and how they are split (`splits`)."""
