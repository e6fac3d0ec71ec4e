"""The user's own files that builds read: which of them are not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvsmith.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from venvsmith.model.plan import Plan
    from venvsmith.model.project import Project


def missing_files(project: Project, plans: Iterable[Plan]) -> dict[str, str]:
    """Return the key that names each file that is not there: ``images.asr.copy[0].from`` to path.

    What no single key names stands under its image.
    """
    named = {
        file.source: f"images.{image.name}.copy[{number}].from"
        for image in project.images.values()
        for number, file in enumerate(image.copy)
    }
    return {
        named.get(path, f"images.{plan.image}"): path
        for plan in plans
        for path in plan.context
        if path not in plan.files and not (project.root / path).exists()
    }


def refuse_missing(project: Project, plans: Iterable[Plan]) -> None:
    """Stop before a build begins that would look for a file in vain.

    :raises ConfigError: with each that is not there.
    """
    missing = missing_files(project, plans)
    if missing:
        problems = [(key, f"there is no '{path}'") for key, path in missing.items()]
        raise ConfigError(problems, file=project.file.name)
