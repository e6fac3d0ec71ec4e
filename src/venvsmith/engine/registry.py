"""What a tag stands for in its registry, without pulling it; login and trust are docker's own."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from venvsmith import engine
from venvsmith.engine.faults import ABSENT
from venvsmith.errors import SurroundingsError
from venvsmith.patience import TOOL, patience

if TYPE_CHECKING:
    from venvsmith.process import Completed

LOOK_UP = ("buildx", "imagetools", "inspect", "--format", "{{json .Manifest}}")
"""Docker's words for it; a reference follows."""
LOOKUP_SECONDS = 20.0
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Ask(Protocol):
    """Runs docker, as `engine.ask` does."""

    def __call__(self, *argv: str, timeout: float) -> Completed:
        """Run it with these arguments for so many seconds at most."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a tag stands for.

    :param digest: empty where docker does not tell it.
    :param words: what docker said instead, secrets redacted; empty where it said nothing.
    """

    digest: str = ""
    words: str = ""

    @property
    def absent(self) -> bool:
        """Return whether the registry has no such tag, or does not show it to this login."""
        return ABSENT.search(self.words) is not None


def look_up(reference: str, *, ask: Ask = engine.ask) -> Answer:
    """Ask a registry for the digest that a tag stands for now.

    :param ask: where docker is to be run with more than its own: logins, an end from outside.
    :raises SurroundingsError: where no answer comes in time, or there is no docker.
    """
    seconds = min(LOOKUP_SECONDS, patience(TOOL, LOOKUP_SECONDS))
    done = ask(*LOOK_UP, reference, timeout=seconds)
    if done.timed_out:
        raise SurroundingsError(
            f"no answer in {seconds:g} s", where=reference,
            hint="look at the registry and the network, then run again",
            code="registry-unreachable",
        )  # fmt: skip
    engine.check_reachable(done)
    if done.returncode:
        return Answer(words=done.error_text.strip())
    try:
        digest = str(json.loads(done.text)["digest"])
    except (ValueError, KeyError, TypeError):
        return Answer()
    return Answer(digest=digest if _DIGEST.fullmatch(digest) else "")
