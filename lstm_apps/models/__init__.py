"""Architectures that several applications share."""
