"""How an image starts: the words that run first, and the programs that they name."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from venvsmith.dockerfile.shell import SHELLS

if TYPE_CHECKING:
    from venvsmith.model.facts import Environment
    from venvsmith.rules.framework.context import Context

PYTHON = re.compile(r"^python(\d(\.\d+)?)?$")


def starts(ctx: Context) -> tuple[tuple[str, ...], ...]:
    """Return the commands that the image starts with, those inside ``sh -c`` each by itself.

    A lone ``python3``, which is what base images leave as CMD, is no command of the image's.
    """
    script = tuple(
        words
        for line in (ctx.facts.system.start_script or "").splitlines()
        for words in _split(line)
    )
    return (*_direct(ctx), *script)


def _direct(ctx: Context) -> tuple[tuple[str, ...], ...]:
    argv = (*ctx.image.entrypoint, *ctx.image.cmd)
    if not argv or (len(argv) == 1 and PYTHON.match(argv[0])):
        return ()
    name = argv[0].rpartition("/")[2]
    if name in SHELLS and argv[2:] and argv[1] in {"-c", "-lc", "-ec", "-exc"}:
        return tuple(_split(argv[2]))
    return (argv,)


def _split(text: str) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for part in re.split(r"&&|\|\||;|\n|\|", text):
        try:
            words = tuple(shlex.split(part, comments=True))
        except ValueError:
            continue
        words = tuple(w for i, w in enumerate(words) if not _leading(words, i))
        if words:
            found.append(words)
    return found


def _leading(words: tuple[str, ...], index: int) -> bool:
    """Tell whether a word stands before the program: ``exec``, ``A=b``."""
    return all(w in {"exec", "command", "time"} or "=" in w for w in words[: index + 1])


def uses(ctx: Context, name: str) -> bool:
    """Tell whether the image's start, or a command that was asked for, runs a bare name."""
    asked = [result.argv for env in _environments(ctx) for result in env.commands]
    return any(argv and argv[0] == name for argv in (*starts(ctx), *asked))


def runs_pip(argv: tuple[str, ...]) -> bool:
    """Tell whether a command calls pip, by its name or as a module of a Python."""
    if not argv:
        return False
    program = argv[0].rpartition("/")[2]
    if re.match(r"^pip(\d(\.\d+)?)?$", program):
        return True
    return bool(PYTHON.match(program)) and argv[1:3] == ("-m", "pip")


def _environments(ctx: Context) -> tuple[Environment, ...]:
    return ctx.facts.environments if ctx.environment is None else (ctx.environment,)


def calls_pip(ctx: Context) -> str | None:
    """Return who calls this environment's pip when the image runs, None where nobody does."""
    for argv in (*starts(ctx), *(result.argv for result in ctx.env.commands)):
        if runs_pip(argv) and _is_ours(ctx, argv[0]):
            return f"The image's start ({' '.join(argv)[:60]})"
    return None


def _is_ours(ctx: Context, program: str) -> bool:
    """Tell whether a program is, or would have to be, one of this environment's."""
    if "/" in program:
        return program.startswith(f"{ctx.env.path}/bin/")
    return ctx.env.on_path is True and (
        not program.startswith("pip") or program not in ctx.facts.system.programs
    )
