"""NetBird personal access tokens as code."""

__version__ = "0.1.0"
