"""Fixtures that every test may ask for."""

from staging import stage

__all__ = ["stage"]
