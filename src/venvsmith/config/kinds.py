"""What every kind of value of the configuration can do: read itself, and tell its JSON schema.

A kind's `read` never raises. It notes what is wrong, with the key's path, and returns a blank of
its own type, so that reading goes on and every mistake is told in one run.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Protocol

from venvsmith.config.wording import type_name

Problems = list[tuple[str, str]]
"""Pairs of key path and message, in the order in which they were noticed."""


class Kind(Protocol):
    """What a key may hold."""

    @property
    def one(self) -> str:
        """Return the name of its type with an article: ``a list of strings``."""

    @property
    def many(self) -> str:
        """Return the plural of its type's name: ``lists of strings``."""

    @property
    def blank(self) -> Any:
        """Return what stands where the value is wrong or missing."""

    def read(self, value: object, path: str, problems: Problems) -> Any:
        """Return the value as the model has it; note under ``path`` what is wrong with it."""

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of its values."""


def mismatch(kind: Kind, value: object) -> str:
    """Return the message for a value of another type."""
    message = f"expected {kind.one}, got {type_name(value)}"
    if kind.one == "a string" and isinstance(value, int | float | dt.date | dt.time):
        message += "; put it in quotes"
    return message
