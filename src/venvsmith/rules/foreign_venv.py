"""foreign-venv."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from venvsmith.rules.framework.follows import EVERY
from venvsmith.rules.framework.mends import remade
from venvsmith.rules.framework.rule import Rule
from venvsmith.rules.framework.words import count, listing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context

HOST_HOME = re.compile(
    r"^(/Users/|/opt/homebrew/|/Library/|/usr/local/Cellar/|[A-Za-z]:[\\/]|/home/[^/]+/|/nix/store/)"
)
OTHER_SYSTEM = re.compile(r"-(macosx_|win32|win_)")


class ForeignVenv(Rule):
    """The environment was made on another machine and copied into the image.

    ## What it looks for
    `home` in `pyvenv.cfg` that points to a developer's machine (`/Users/…`, `C:/…`, a pyenv under
    `/home/…`) while the interpreter is not there, and packages whose wheels are for another system.

    ## Why it happens
    `COPY . .` took the project's `.venv` along, because no `.dockerignore` excludes it.

    ## How to see it by hand
    `cat /venv/pyvenv.cfg`, and `grep -h ^Tag /venv/lib/python*/site-packages/*.dist-info/WHEEL`.

    ## How to mend it
    Exclude it in `.dockerignore`, and make the venv in the image:

        .venv

    ## When it is fine
    A `home` under `/home` that exists in the target is no foreign one.
    """

    name = "foreign-venv"
    code = "VS307"
    claims = EVERY

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Look for another system's wheels, then for another machine's home."""
        foreign = sorted(
            dist.name
            for dist in ctx.env.distributions
            if dist.tags and all(OTHER_SYSTEM.search(tag) for tag in dist.tags)
        )
        home = (ctx.env.config or {}).get("home", "")
        interpreter = ctx.env.interpreter
        last = interpreter.chain[-1] if interpreter and interpreter.chain else None
        broken = last is None or (last.kind != "file" and not last.blocked_at)
        if not foreign and not (broken and HOST_HOME.match(home)):
            return
        said = []
        if HOST_HOME.match(home) and broken:
            said.append(f"its pyvenv.cfg names {home}")
        if foreign:
            be = "is" if len(foreign) == 1 else "are"
            said.append(
                f"{count(len(foreign), 'package')} ({listing(foreign)}) {be} for another system"
            )
        yield self.finding(
            ctx,
            subject=ctx.env.path,
            message=f"{ctx.env.path} was made on another machine: {' and '.join(said)}.",
            cause="It came along with the project's folder."
            if ctx.is_here
            else "COPY took the venv of the project's folder along; no .dockerignore excludes it.",
            fix=remade(ctx, 'Write ".venv" into .dockerignore, and make the venv in the image'),
            evidence={"home": home, "distributions": foreign},
        )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim all that follows from files of another machine."""
        return other.rule not in {self.name, "path-env-missing", "binary-missing", "dist-unlocked"}
