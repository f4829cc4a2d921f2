"""Metrics that several applications share, and their intervals."""
