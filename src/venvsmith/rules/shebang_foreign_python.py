"""shebang-foreign-python."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from venvsmith.rules.framework.mends import installed
from venvsmith.rules.framework.rule import Rule
from venvsmith.rules.framework.words import count, listing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.facts import Script
    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context


class ShebangForeignPython(Rule):
    """Scripts of this environment run under a Python that does not see its packages.

    ## What it looks for
    Scripts that a distribution of the environment installed, whose first line names an existing
    Python outside the environment.

    ## Why it happens
    The packages were installed with `pip install --target` or `--prefix` by another Python, the
    scripts were copied from another place, or a build tool left its temporary path in them. The
    script starts, and then says `ModuleNotFoundError` of a package that is installed.

    ## How to see it by hand
    `head -1 /venv/bin/SCRIPT`, and compare with `/venv/bin/python`.

    ## How to mend it
    Install with the environment's own interpreter:

        RUN uv pip install --python /venv/bin/python --reinstall PACKAGE

    ## When it is fine
    Scripts of your own that only need the standard library; those are not reported as errors. So
    are `#!/usr/bin/env python3` scripts that a package ships as they are.
    """

    name = "shebang-foreign-python"
    code = "VS502"
    claims = frozenset({"command-failed"})
    needs = frozenset({"venv"})

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Group foreign scripts by the interpreter that they name."""
        groups: defaultdict[str, list[Script]] = defaultdict(list)
        for script in ctx.env.scripts:
            exists = script.interpreter_kind in {"file", "link"}
            if script.is_python and exists and not script.in_environment and not script.relative:
                groups[script.interpreter].append(script)
        for interpreter, scripts in sorted(groups.items()):
            owned = sorted({s.distribution for s in scripts if s.distribution})
            by_env = all("/env " in s.shebang or s.shebang.endswith("/env") for s in scripts)
            names = sorted(s.path.rpartition("/")[2] for s in scripts)
            yield self.finding(
                ctx,
                subject=scripts[0].path,
                message=(
                    f"{count(len(scripts), 'script')} in {ctx.env.path}/bin ({listing(names)}) "
                    f"{'runs' if len(scripts) == 1 else 'run'} under {interpreter}, which is not "
                    f"this environment's python."
                ),
                cause="The scripts were installed by, or written for, another Python.",
                fix=installed(ctx, *(owned or ["PACKAGE"]), options=("--reinstall",)),
                severity="error" if owned and not by_env else "info",
                evidence={"interpreter": interpreter, "scripts": names, "distributions": owned},
            )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim the commands that are one of these scripts."""
        argv = other.evidence.get("argv") or [other.subject]
        return str(argv[0]).rpartition("/")[2] in finding.evidence["scripts"]
