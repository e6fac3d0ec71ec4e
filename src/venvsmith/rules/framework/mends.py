"""Mends as they are carried out: rules write lines of a Dockerfile, as most targets are images.

For a target that lies on this machine itself, `Rule.finding` turns them into what is typed here.
"""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING

from venvsmith.data.modules import distribution_of

if TYPE_CHECKING:
    from venvsmith.rules.framework.context import Context

_RUN = re.compile(r"(?<![\w-])RUN (?=[a-z/'])")
_EMPTY = re.compile(r"(?<![\w-])ENV (\w+)=(?=\s|$)")
_SET = re.compile(r"(?<![\w-])ENV (?=\w+=)")


def typed(mend: str) -> str:
    """Return a mend with commands of a shell in place of a Dockerfile's instructions."""
    return _SET.sub("export ", _EMPTY.sub(r"unset \1", _RUN.sub("", mend)))


def words(*parts: str) -> str:
    """Return words for a shell's line, quoted where that is needed.

    Names and paths of a target may hold anything; a line that is pasted does no more than it says.
    """
    return shlex.join("".join(c if c.isprintable() else "?" for c in part) for part in parts)


def run_line(*parts: str) -> str:
    """Return the instruction that runs a command of these words."""
    return f"RUN {words(*parts)}"


def installed(ctx: Context, *names: str, options: tuple[str, ...] = ()) -> str:
    """Return the instruction that installs into the environment.

    :param names: requirements, as the target or a table has them.
    :param options: of ``uv pip install``.
    """
    end = ["--"] if any(name.startswith("-") for name in names) else []
    python = f"{ctx.env.path}/bin/python"
    return run_line("uv", "pip", "install", "--python", python, *options, *end, *names)


def carried(path: str, to: str | None = None) -> str:
    """Return the instruction that brings a folder of the build stage, to where it was if None."""
    plain = all(words(part) == part for part in (path, to or path))
    return "COPY --from=build " + (
        f"{path} {to or path}" if plain else json.dumps([path, to or path])
    )


def on_path(ctx: Context) -> str:
    """Return the instruction that puts the environment's programs first on ``PATH``."""
    return f"ENV PATH={words(f'{ctx.env.path}/bin')}:$PATH"


def brought(ctx: Context, module: str) -> str:
    """Return the mend of a module that nothing brings: what to install for it."""
    top = module.partition(".")[0]
    name = distribution_of(top)
    if name is None:
        return f"Install what brings {module} into {ctx.env.path}: many distributions share {top}"
    return installed(ctx, name)


def remade(ctx: Context, in_image: str, *, minor: str | None = None) -> str:
    """Return the mend of an environment that was copied, or made, in a wrong way.

    :param in_image: the mend where it is made by a Dockerfile; on this machine it is made anew.
    :param minor: of the Python that it is for; the one that its packages are for where None.
    """
    if not ctx.is_here:
        return in_image
    minor = minor or next(iter(ctx.env.lib_minors), None)
    python = ["--python", minor] if minor else []
    command = words("uv", "venv", "--clear", *python, ctx.env.path)
    return f"Make it anew: {command}, and install its packages again"
