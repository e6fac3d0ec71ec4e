"""What a rule may see: the facts, one environment of them, and what was expected of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from venvsmith.model.expected import Expected
from venvsmith.model.facts import Environment, Facts, ImageConfig

if TYPE_CHECKING:
    from venvsmith.rules.framework.view import View


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """The immutable input of a check.

    ``environment`` and ``view`` are None for a rule whose scope is the target; such a rule reads
    ``facts`` and ``views``.
    """

    facts: Facts
    environment: Environment | None = None
    expected: Expected = field(default_factory=Expected)
    view_or_none: View | None = None
    views: tuple[View, ...] = ()
    """The views of all environments."""

    @property
    def env(self) -> Environment:
        """Return the environment at hand.

        :raises LookupError: where the rule is about the target as a whole: our own mistake.
        """
        if self.environment is None:
            msg = "a rule of the target's scope asked for an environment"
            raise LookupError(msg)
        return self.environment

    @property
    def view(self) -> View:
        """Return the readings of the environment at hand.

        :raises LookupError: as `env`.
        """
        if self.view_or_none is None:
            msg = "a rule of the target's scope asked for an environment's view"
            raise LookupError(msg)
        return self.view_or_none

    @property
    def is_here(self) -> bool:
        """Whether the target is used where it lies on this machine, and no image."""
        return self.facts.target.kind in {"venv", "bundle"}

    @property
    def place(self) -> str:
        """Return what the target runs on, for a sentence: ``this machine`` or ``the image``."""
        return "this machine" if self.is_here else "the image"

    @property
    def within(self) -> str:
        """Return where that is: ``on this machine`` or ``in the image``."""
        return f"{'on' if self.is_here else 'in'} {self.place}"

    @property
    def image(self) -> ImageConfig:
        """Return the image's configuration, an empty one where the target is no image."""
        return self.facts.target.config or ImageConfig()
