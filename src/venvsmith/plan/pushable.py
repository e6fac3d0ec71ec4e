"""Which images have a place to be pushed to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvsmith.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from venvsmith.model.plan import Plan


def pushable(plans: Sequence[Plan], *, say: Callable[[str], None]) -> list[Plan]:
    """Return the plans with a tag in a registry.

    :param plans: at least one.
    :param say: told of each of the others.
    :raises UsageError: where none has such a tag.
    """
    found = [plan for plan in plans if plan.registry_tags]
    if not found:
        image = plans[0].image
        raise UsageError(
            "no tag names a registry",
            where=f"images.{image}.tags",
            hint=f'write tags = ["registry.example.com/{image}:{{variant}}"]',
        )
    for plan in plans:
        if not plan.registry_tags:
            say(f"{plan.name} is not pushed: none of its tags names a registry")
    return found
