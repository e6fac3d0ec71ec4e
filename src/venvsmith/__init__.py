"""Lock, build and verify Python environments that are copied between container stages."""

__version__ = "0.1.0"
