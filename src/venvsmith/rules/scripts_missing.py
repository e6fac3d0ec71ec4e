"""scripts-missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from venvsmith.rules.framework.mends import carried, installed, run_line
from venvsmith.rules.framework.rule import Rule
from venvsmith.rules.framework.start import uses
from venvsmith.rules.framework.view import by_system
from venvsmith.rules.framework.words import count, listing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.finding import Finding, Severity
    from venvsmith.rules.framework.context import Context


class ScriptsMissing(Rule):
    """Programs that the installed distributions declare are not in `bin`.

    ## What it looks for
    Console scripts of every distribution's entry points, against the names in the environment's
    `bin`, and what the image starts with.

    ## Why it happens
    Only `site-packages` was copied from the build stage, not `bin`. `python -m uvicorn` works then,
    and `uvicorn` says "executable file not found in $PATH".

    ## How to see it by hand
    `ls /venv/bin`, and the `entry_points.txt` of the distribution.

    ## How to mend it
    Copy the whole environment:

        COPY --from=build /venv /venv

    ## When it is fine
    Where everything is started with `python -m`: reported as a warning, as an error only where the
    image's own command is one of them.
    """

    name = "scripts-missing"
    code = "VS504"
    claims = frozenset({"command-failed", "path-env-missing"})
    severity: ClassVar[Severity] = "warning"

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Gather the declared scripts that are absent; packages of the system keep their own."""
        there = set(ctx.env.bin_names)
        yield from self._not_executable(ctx)
        absent: dict[str, str] = {}
        for dist in ctx.env.distributions:
            if by_system(dist.location) or dist.name in {"pip", "setuptools", "wheel"}:
                continue
            absent.update(
                (point.name, dist.name)
                for point in dist.entry_points
                if point.group == "console_scripts" and point.name not in there
            )
        if not absent:
            return
        used = sorted(n for n in absent if n not in ctx.facts.system.programs and uses(ctx, n))
        declared = sum(
            point.group == "console_scripts"
            for dist in ctx.env.distributions
            for point in dist.entry_points
        )
        names = used + sorted(set(absent) - set(used))
        again = installed(ctx, *sorted(set(absent.values())), options=("--reinstall",))
        yield self.finding(
            ctx,
            subject=f"{ctx.env.path}/bin/{names[0]}",
            message=(
                f"{count(len(absent), 'program')} that the packages declare "
                f"{'is' if len(absent) == 1 else 'are'} not in {ctx.env.path}/bin: {listing(names)}"
                + (f"; the image starts {used[0]}." if used else ".")
            ),
            cause=(
                "Only the packages were copied, without bin."
                if len(absent) == declared
                else "bin was copied in part, or the scripts were removed."
            ),
            fix=again if ctx.is_here else f"{carried(ctx.env.path)} (the whole folder)",
            severity="error" if used else "warning" if len(absent) == declared else "info",
            evidence={"scripts": names, "used": used},
        )

    def _not_executable(self, ctx: Context) -> Iterator[Finding]:
        """Tell the packages' scripts that lost their execute bit."""
        dead = [s for s in ctx.env.scripts if s.distribution and not s.executable]
        if not dead:
            return
        names = sorted(s.path.rpartition("/")[2] for s in dead)
        yield self.finding(
            ctx,
            subject=dead[0].path,
            message=(
                f"{count(len(dead), 'program')} in {ctx.env.path}/bin may not be executed: "
                f"{listing(names)}."
            ),
            cause="They lost their execute bit, in an archive or a chmod.",
            fix=run_line("chmod", "a+x", *(s.path for s in dead[:5])),
            severity="error",
            evidence={"scripts": names, "used": []},
        )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim commands that are one of these."""
        argv = other.evidence.get("argv") or [other.subject]
        return str(argv[0]) in finding.evidence["scripts"]
