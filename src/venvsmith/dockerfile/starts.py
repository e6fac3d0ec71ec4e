"""The programs that the image of a Dockerfile calls: in its RUNs, and when it starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from venvsmith.dockerfile.replay import quoted
from venvsmith.dockerfile.shell import parse_script
from venvsmith.model.dockerfile import Piece

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.dockerfile.replay import Reading, Step
    from venvsmith.dockerfile.shell import ShellCommand

STARTS: Final = frozenset({"CMD", "ENTRYPOINT", "HEALTHCHECK"})
"""Instructions of which the last one holds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """A program that the image surely calls."""

    program: str
    """Its name without folders."""
    path: str
    """As written."""
    line: int
    keyword: str


def calls(reading: Reading) -> Iterator[Call]:
    """Yield what the RUNs of the final stage and its parents call, then what the image starts."""
    for step in reading.final_steps:
        if not step.instruction.on_build:
            yield from _called(step, step.script.commands)
    yield from starts(reading)


def starts(reading: Reading) -> Iterator[Call]:
    """Yield what ENTRYPOINT (or CMD, where it is no argument of one) and HEALTHCHECK call."""
    last: dict[str, Step] = {}
    for step in reading.final_steps:
        if step.instruction.keyword in STARTS and not step.instruction.on_build:
            last[step.instruction.keyword] = step
    if "ENTRYPOINT" in last:
        last.pop("CMD", None)
    for step in last.values():
        yield from _called(step, _started(step))


def _called(step: Step, commands: tuple[ShellCommand, ...]) -> Iterator[Call]:
    for command in commands:
        if command.argv and not command.conditional:
            yield Call(
                program=command.program,
                path=command.argv[0],
                line=command.line or step.line,
                keyword=step.instruction.keyword,
            )


def _started(step: Step) -> tuple[ShellCommand, ...]:
    instruction = step.instruction
    if instruction.exec_form is not None:
        words = " ".join(quoted(word) for word in instruction.exec_form)
        return parse_script((Piece(line=step.line, text=words),)).commands
    text = instruction.args
    if instruction.keyword == "HEALTHCHECK":
        text = text.removeprefix("CMD").strip() if text.startswith("CMD") else ""
    return parse_script((Piece(line=step.line, text=text),)).commands
