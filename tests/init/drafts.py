"""What the tests of `init` make and look at."""

from __future__ import annotations

from venvsmith.init import Draft
from venvsmith.model.project import Project

Made = tuple[Project, Draft]


def told(result: Draft) -> str:
    """Return the notes, a line each."""
    return "\n".join(f"{n.origin}: {n.what}: {n.why}; {n.todo}" for n in result.notes)
