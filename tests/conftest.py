"""Fixtures that every test may ask for, and one seed for all chance when CI runs."""

import os

from hypothesis import settings
from staging import stage

__all__ = ["stage"]

settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("dev", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "dev")
