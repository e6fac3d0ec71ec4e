"""python-alias-missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from venvsmith.rules.framework.rule import Rule, Scope
from venvsmith.rules.framework.start import uses
from venvsmith.rules.framework.words import listing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context


class PythonAliasMissing(Rule):
    """Something calls `python`, and the image has only `python3`.

    ## What it looks for
    `python` as the image's command, as a command that was asked for, or in `#!/usr/bin/env python`
    of a script, where no folder of PATH has that name.

    ## Why it happens
    Debian and Ubuntu install `python3` alone; the name `python` comes with official Python images
    and with every venv.

    ## How to see it by hand
    `docker run --rm --entrypoint sh IMAGE -c 'command -v python python3'`

    ## How to mend it
    Put a venv on the path, call `python3`, or install the name:

        RUN apt-get update && apt-get install -y python-is-python3

    ## When it is fine
    Where nothing calls it.
    """

    name = "python-alias-missing"
    code = "VS506"
    claims = frozenset({"shebang-broken", "command-failed"})
    scope: ClassVar[Scope] = "target"

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Look for callers of the bare name where PATH has none."""
        system = ctx.facts.system
        if "python" in system.programs or not system.path:
            return
        scripts = [
            script.path
            for env in ctx.facts.environments
            for script in env.scripts
            if script.shebang.rstrip().endswith("env python")
        ]
        first = (system.start_script or "").partition("\n")[0]
        called = uses(ctx, "python") or first.rstrip().endswith("env python")
        if not called and not scripts:
            return
        has = system.programs.get("python3")
        who = "the image starts it" if called else f"{listing(scripts)} names it"
        yield self.finding(
            ctx,
            subject="python",
            message=f"There is no python on {ctx.place}'s PATH, and {who}.",
            cause=(
                f"{ctx.place.capitalize()} has {has} only."
                if has
                else f"No Python is on {ctx.place}'s PATH at all."
            ),
            fix=(
                'Call python3 instead (CMD ["python3", …]), or RUN apt-get install -y '
                "python-is-python3"
                if has
                else "ENV PATH=/venv/bin:$PATH (the folder of the environment's python)"
            ),
            severity="error" if called else "warning",
            evidence={"scripts": scripts, "python3": has},
        )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim commands that begin with it, and scripts that name it."""
        if other.rule == "shebang-broken":
            return str(other.evidence.get("shebang", "")).rstrip().endswith("env python")
        argv = other.evidence.get("argv") or [""]
        said = str(other.evidence.get("output", ""))
        return other.rule == "command-failed" and (
            argv[0] == "python" or "'python': No such file" in said
        )
