"""What the rules about Dockerfiles share: the reading of the file, and how a line is named."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from venvsmith.dockerfile.replay import Reading

if TYPE_CHECKING:
    from venvsmith.model.dockerfile import DockerfileFacts, DockerStage, Instruction
    from venvsmith.rules.framework.context import Context


def reading_of(ctx: Context) -> Reading:
    """Return the Dockerfile at hand with its stages joined.

    :raises LookupError: where the target is none; rules say so in `needs`.
    """
    if ctx.facts.dockerfile is None:
        msg = "a rule about Dockerfiles met another target"
        raise LookupError(msg)
    return _read(ctx.facts.dockerfile)


@lru_cache(maxsize=1)
def _read(facts: DockerfileFacts) -> Reading:
    # All rules ask for the same file, one after another.
    return Reading(facts)


def spot(reading: Reading, line: int) -> str:
    """Return ``Dockerfile:12``."""
    return f"{reading.facts.path}:{line}"


def at(reading: Reading, line: int, **more: Any) -> dict[str, Any]:
    """Return the evidence that every finding about a line carries."""
    return {"file": reading.facts.path, "line": line, **more}


def stage_name(stage: DockerStage) -> str:
    """Return how a person would name a stage."""
    return stage.name or f"{stage.index} (FROM {stage.base})"


def written(instruction: Instruction, line: int) -> str:
    """Return a physical line of an instruction as it is written, without its continuation."""
    for piece in instruction.pieces:
        if piece.line != line:
            continue
        text = piece.text.strip()
        if line != instruction.line:
            return text
        flags = [f"--{f.name}={f.value}" if f.value else f"--{f.name}" for f in instruction.flags]
        return " ".join([instruction.keyword, *flags, text])
    return ""
