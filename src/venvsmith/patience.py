"""How long to wait, where the user may say so: variables that hold a number of seconds."""

from __future__ import annotations

import os

from venvsmith.errors import UsageError

TOOL = "VENVSMITH_TOOL_TIMEOUT"
"""For one question to a resolver, and for one step of a local build."""
LOCK = "VENVSMITH_LOCK_TIMEOUT"
"""For another run of venvsmith in the same project."""
PUSH = "VENVSMITH_PUSH_TIMEOUT"
"""For the engine to push one image."""


def patience(name: str, default: float) -> float:
    """Return how many seconds to wait: the variable's, or the default.

    :raises UsageError: where it holds no positive number.
    """
    text = os.environ.get(name, "")
    if not text:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise UsageError(f"'{text}' is no number of seconds", where=name, hint=f"try {name}=600")
    return seconds
