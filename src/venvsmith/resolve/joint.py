"""The joint resolution of a family: all stages under one root, in one variant, on one platform.

A child contains its parent at the same versions, so an ancestor's versions must suit all that
extends it. The union of a subtree is resolved at once where that is possible; then siblings agree
too. Where it is not, the subtree's own stage is agreed on first, so that it suits every chain
below it, and each branch is resolved under it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from venvsmith.errors import JudgedError
from venvsmith.resolve.protocol import Request, Solved, Unsolvable
from venvsmith.resolve.sound import solve_sound

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from venvsmith.lock.inputs import Environment
    from venvsmith.model.lock import Pin
    from venvsmith.resolve.protocol import Answer, Reason, Resolver

Pins = tuple["Pin", ...]
ROUNDS = 4
"""How often each chain is asked again before the search for common versions is given up."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """One stage of a family."""

    stage: str
    parent: str | None
    requirements: tuple[str, ...]
    """Its own; those of its ancestors come from their nodes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """A root stage and all that extends it."""

    place: str
    """Variant and platform, for messages."""
    environment: Environment
    nodes: Mapping[str, Node]
    """Parents before children."""
    preferences: tuple[Pin, ...] = ()
    """Versions to keep where they can be kept."""

    def chain(self, stage: str) -> tuple[str, ...]:
        """Return the requirements of a stage and its ancestors, each once."""
        return self._requirements(self.ancestry(stage))

    def ancestry(self, stage: str) -> tuple[str, ...]:
        """Return a stage and all that it extends, the root first."""
        names: list[str] = []
        at: str | None = stage
        while at is not None:
            names.insert(0, at)
            at = self.nodes[at].parent
        return tuple(names)

    def union(self, stage: str) -> tuple[str, ...]:
        """Return the requirements of a stage, its ancestors, and all that extends it."""
        below = self._requirements(self.below(stage))
        return tuple(sorted({*self.chain(stage), *below}))

    def below(self, stage: str) -> tuple[str, ...]:
        """Return a stage and all that extends it, parents before children."""
        found = [stage]
        found += [name for name in self.nodes if stage in self.ancestry(name)[:-1]]
        return tuple(found)

    def children(self, stage: str) -> tuple[str, ...]:
        """Return the stages that extend a stage directly."""
        return tuple(name for name, node in self.nodes.items() if node.parent == stage)

    def leaves(self, stage: str) -> tuple[str, ...]:
        """Return the stages below a stage, or itself, that nothing extends."""
        return tuple(name for name in self.below(stage) if not self.children(name))

    def _requirements(self, names: Sequence[str]) -> tuple[str, ...]:
        return tuple(sorted({line for name in names for line in self.nodes[name].requirements}))


def resolve_family(family: Family, resolver: Resolver) -> dict[str, Pins]:
    """Return the pins of every stage of a family.

    :raises JudgedError: code ``no-resolution``; its message names the stage and says why.
    :raises SurroundingsError: where the network or an index fails.
    """
    root = next(iter(family.nodes))
    return _Resolution(family, resolver).subtree(root, fixed=())


class _Resolution:
    def __init__(self, family: Family, resolver: Resolver) -> None:
        self.family = family
        self.resolver = resolver
        self.answers: dict[Request, Answer] = {}

    def subtree(self, stage: str, *, fixed: Pins) -> dict[str, Pins]:
        """Resolve a stage and all below it, given the pins of its parent."""
        family = self.family
        union = family.union(stage)
        answer = self._ask(union, fixed=fixed)
        if isinstance(answer, Solved):
            return {
                name: answer.pins if family.chain(name) == union else self._part(name, answer)
                for name in family.below(stage)
            }
        if not family.children(stage):
            raise self._failed(stage, answer, fixed=fixed)
        own = self._agree(stage, fixed=fixed)
        result = {stage: own}
        for child in family.children(stage):
            result |= self.subtree(child, fixed=own)
        return result

    def _agree(self, stage: str, *, fixed: Pins) -> Pins:
        """Find pins for a stage under which each chain below it can be resolved.

        The chains are asked in turn, each with the stage's pins as the one before left them as
        preferences: a chain moves only what it must. Once a whole turn moves nothing, all agree.
        """
        leaves = self.family.leaves(stage)
        current: Pins | None = None
        moved_by: dict[str, Pins] = {}
        unmoved = 0
        for number in range(ROUNDS * len(leaves)):
            leaf = leaves[number % len(leaves)]
            answer = self._ask(self.family.chain(leaf), fixed=fixed, prefer=current or ())
            if isinstance(answer, Unsolvable):
                raise self._failed(leaf, answer, fixed=fixed)
            own = moved_by[leaf] = self._part(stage, answer)
            unmoved = unmoved + 1 if own == current else 1
            current = own
            if unmoved == len(leaves):
                return own
        raise self._disagreed(stage, moved_by)

    def _ask(self, requirements: tuple[str, ...], *, fixed: Pins, prefer: Pins = ()) -> Answer:
        preferred = {pin.name: pin for pin in self.family.preferences}
        preferred |= {pin.name: pin for pin in (*prefer, *fixed)}
        request = Request(
            requirements=requirements,
            environment=self.family.environment,
            constraints=tuple(pin.requirement() for pin in fixed),
            preferences=tuple(sorted(preferred.values())),
        )
        if request not in self.answers:
            self.answers[request] = solve_sound(self.resolver, request)
        return self.answers[request]

    def _part(self, stage: str, whole: Solved) -> Pins:
        """Return what a stage needs of an answer that contains it."""
        requirements = self.family.chain(stage)
        answer = self.resolver.solve(
            Request(
                requirements=requirements,
                environment=self.family.environment,
                constraints=tuple(pin.requirement() for pin in whole.pins),
                preferences=whole.pins,
                known=True,
            )
        )
        if isinstance(answer, Unsolvable):
            raise self._failed(stage, answer, fixed=whole.pins)
        known = {(pin.name, pin.version): pin for pin in whole.pins}
        strays = [pin for pin in answer.pins if (pin.name, pin.version) not in known]
        if strays:
            message = f"the resolver left the versions that it was bound to: {strays[0].name}"
            raise JudgedError(message, where=self._where(stage), code="no-resolution")
        return tuple(known[pin.name, pin.version] for pin in answer.pins)

    def _failed(self, stage: str, answer: Unsolvable, *, fixed: Pins) -> JudgedError:
        """Name the first stage of the chain that cannot be resolved, and why."""
        for name in self.family.ancestry(stage)[:-1]:
            earlier = self._ask(self.family.chain(name), fixed=fixed)
            if isinstance(earlier, Unsolvable):
                stage, answer = name, earlier
                break
        asked = ", ".join(self.family.nodes[stage].requirements) or "nothing of its own"
        reason = attributed(answer.explanation, self.family, self.family.ancestry(stage))
        return JudgedError(
            f"stage '{stage}' ({asked}) cannot be resolved: {reason}",
            where=self._where(stage),
            hint=_advice(answer.why, self.family.nodes[stage]),
            code="no-resolution",
        )

    def _disagreed(self, stage: str, wanted: Mapping[str, Pins]) -> JudgedError:
        versions = {leaf: {pin.name: pin.version for pin in pins} for leaf, pins in wanted.items()}
        names = sorted({name for found in versions.values() for name in found})
        apart = [
            f"{name} ("
            + ", ".join(f"{leaf}: {found.get(name, 'none')}" for leaf, found in versions.items())
            + ")"
            for name in names
            if len({found.get(name) for found in versions.values()}) > 1
        ]
        message = (
            f"the stages that extend '{stage}' need different versions of what it contains: "
            + "; ".join(apart)
        )
        union = self._ask(self.family.union(stage), fixed=())
        if isinstance(union, Unsolvable):
            reason = attributed(union.explanation, self.family, self.family.below(stage))
            message += f"; together: {reason}"
        return JudgedError(
            message,
            where=self._where(stage),
            hint=f"loosen one of these requirements, take that out of '{stage}', or give one of "
            "the stages a venv of its own by taking out its 'extends'",
            code="no-resolution",
        )

    def _where(self, stage: str) -> str:
        return f"stages.{stage} ({self.family.place})"


def attributed(explanation: str, family: Family, stages: Sequence[str]) -> str:
    """Say which of the stages asks, where a resolver says "you require"."""
    asked = [
        (stage, Requirement(line)) for stage in stages for line in family.nodes[stage].requirements
    ]

    def name_them(found: re.Match[str]) -> str:
        name, specifier = found[1], found[2]
        by_name = [
            (stage, wanted)
            for stage, wanted in asked
            if canonicalize_name(wanted.name) == canonicalize_name(name)
        ]
        exact = [pair for pair in by_name if _same(pair[1].specifier, specifier)]
        names = [f"'{stage}'" for stage in dict.fromkeys(pair[0] for pair in exact or by_name)]
        if not names:
            return f"the lock of an ancestor has {name}{specifier}"
        some = "stage {} requires" if len(names) == 1 else "stages {} require"
        return f"{some.format(' and '.join(names))} {name}{specifier}"

    return re.sub(r"you require ([\w.-]+)([<>=!~][\w.*+!<>=,~]*|)", name_them, explanation)


def _same(specifier: SpecifierSet, text: str) -> bool:
    try:
        return specifier == SpecifierSet(text)
    except InvalidSpecifier:
        return False


def _advice(why: Reason, node: Node) -> str:
    match why:
        case "bad-pair":
            return (
                "loosen the requirements on these, or take this variant out of the stage's "
                "'variants'"
            )
        case "no-wheel":
            return "take a version that has wheels, or name it in project.no-wheel to build it"
        case "no-wheel-here":
            return (
                "take a version with wheels for this Python and platform, or leave the variant out"
            )
        case "unknown":
            return "look at the name, and at which index has it"
        case "conflict":
            own = "loosen one of these requirements"
            venv = ", or give the stage a venv of its own by taking out its 'extends'"
            return own if node.parent is None else own + venv
