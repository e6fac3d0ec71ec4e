"""The commands of a RUN one by one, each with the folder and the variables that it runs with."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING

from venvsmith.dockerfile.expand import expand, has_unknown, unquote

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from venvsmith.dockerfile.replay import Step
    from venvsmith.dockerfile.shell import ShellCommand


@dataclass(frozen=True, kw_only=True, slots=True)
class Placed:
    """A command at its place."""

    command: ShellCommand
    argv: tuple[str, ...]
    """Program and arguments without quotes; a variable stays where its value is unknown."""
    env: Mapping[str, str | None]
    """None where the value cannot be known."""
    cwd: str | None
    """None where it cannot be known."""
    active: str | None
    """The environment whose ``activate`` the RUN has read."""

    @property
    def program(self) -> str:
        """Return the program's name without folders; empty where only variables are set."""
        return posixpath.basename(self.argv[0]) if self.argv else ""

    def path(self, text: str | None) -> str | None:
        """Return the absolute path of a word; None where it, or the folder, is unknown."""
        if text is None or (self.cwd is None and not text.startswith("/")):
            return None
        return posixpath.normpath(posixpath.join(self.cwd or "/", text))


def placed(step: Step) -> Iterator[Placed]:
    """Yield the commands of a RUN; cd, export and activate hold from there to its end."""
    env = dict(step.env)
    cwd: str | None = step.workdir
    active: str | None = None
    for command in step.script.commands:
        inline = {name: _known(value, env) for name, value in command.assignments}
        argv = tuple(unquote(expand(word.text, env)) for word in command.effective)
        at = Placed(command=command, argv=argv, env={**env, **inline}, cwd=cwd, active=active)
        yield at
        if not argv:
            env.update(inline)
        elif argv[0] == "cd":
            cwd = at.path(_known(argv[1], env)) if argv[1:] and argv[1] != "-" else None
        elif argv[0] == "export":
            pairs = (word.partition("=") for word in argv[1:])
            env.update({name: _known(value, env) for name, equals, value in pairs if equals})
        elif argv[0] in {".", "source"} and argv[1:] and argv[1].endswith("/bin/activate"):
            active = at.path(_known(argv[1].removesuffix("/bin/activate"), env))


def _known(text: str, env: Mapping[str, str | None]) -> str | None:
    raw = expand(text, env)
    return None if has_unknown(raw) or "`" in raw or "$(" in raw else unquote(raw)
