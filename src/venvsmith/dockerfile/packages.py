"""System packages that RUN steps install, and the programs that they bring."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from venvsmith.dockerfile.replay import Step

MANAGERS: Final = {
    "apt-get": "install",
    "apt": "install",
    "apk": "add",
    "yum": "install",
    "dnf": "install",
    "microdnf": "install",
    "zypper": "install",
}
# fmt: off
_VALUED = frozenset(
    {
        "-t", "--virtual", "--target-release", "--default-release", "-o", "--option", "-c",
        "--config-file", "--repository", "-X", "--installroot", "--releasever", "--setopt",
        "--root", "-p", "--keys-dir", "--arch",
    }
)
# fmt: on


@dataclass(frozen=True, kw_only=True, slots=True)
class Package:
    """A system package that a step installs."""

    name: str
    stage: int
    line: int
    manager: str


def packages(steps: Sequence[Step]) -> Iterator[Package]:
    """Yield what the steps install with the system's package manager, as far as it is named."""
    for step in steps:
        if step.instruction.keyword != "RUN" or step.instruction.on_build:
            continue
        for command in step.script.commands:
            verb = MANAGERS.get(command.program)
            if verb is None:
                continue
            words = _arguments(command.argv[1:])
            if words[:1] != [verb]:
                continue
            lines = {word.value: word.line for word in command.effective}
            for word in words[1:]:
                name = re.split(r"[=<>~@:]", word)[0]
                yield Package(
                    name=name,
                    stage=step.stage,
                    line=lines.get(word, command.line),
                    manager=command.program,
                )


def _arguments(argv: Sequence[str]) -> list[str]:
    words: list[str] = []
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        if word in _VALUED:
            rest = rest[1:]
        elif not word.startswith("-"):
            words.append(word)
    return words
