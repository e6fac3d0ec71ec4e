"""Mends as they are carried out: rules write lines of a Dockerfile, as most targets are images.

For a target that lies on this machine itself, `Rule.finding` turns them into what is typed here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from venvsmith.data.modules import distribution_of

if TYPE_CHECKING:
    from venvsmith.rules.framework.context import Context

_RUN = re.compile(r"(?<![\w-])RUN (?=[a-z/])")
_EMPTY = re.compile(r"(?<![\w-])ENV (\w+)=(?=\s|$)")
_SET = re.compile(r"(?<![\w-])ENV (?=\w+=)")


def typed(mend: str) -> str:
    """Return a mend with commands of a shell in place of a Dockerfile's instructions."""
    return _SET.sub("export ", _EMPTY.sub(r"unset \1", _RUN.sub("", mend)))


def brought(ctx: Context, module: str) -> str:
    """Return the mend of a module that nothing brings: what to install for it."""
    top = module.partition(".")[0]
    name = distribution_of(top)
    if name is None:
        return f"Install what brings {module} into {ctx.env.path}: many distributions share {top}"
    return f"RUN uv pip install --python {ctx.env.path}/bin/python {name}"


def remade(ctx: Context, in_image: str, *, minor: str | None = None) -> str:
    """Return the mend of an environment that was copied, or made, in a wrong way.

    :param in_image: the mend where it is made by a Dockerfile; on this machine it is made anew.
    :param minor: of the Python that it is for; the one that its packages are for where None.
    """
    if not ctx.is_here:
        return in_image
    minor = minor or next(iter(ctx.env.lib_minors), None)
    python = f" --python {minor}" if minor else ""
    return f"Make it anew: uv venv --clear{python} {ctx.env.path}, and install its packages again"
