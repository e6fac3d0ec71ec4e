"""shebang-broken."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from venvsmith.rules.framework.foresee import foreseen_relocated
from venvsmith.rules.framework.mends import carried, remade, run_line, words
from venvsmith.rules.framework.rule import Rule
from venvsmith.rules.framework.words import count, listing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.facts import Script
    from venvsmith.model.finding import Finding, Severity
    from venvsmith.rules.framework.context import Context


class ShebangBroken(Rule):
    """Scripts name an interpreter that is not there.

    ## What it looks for
    The first line of every script in the environment's `bin`, also where it is a `/bin/sh`
    trampoline (`exec`), and what lies at the path that it names. Of a Dockerfile: environments that
    a COPY puts at another path than the one at which the build stage made them.

    ## Why it happens
    Installers write the absolute path of the venv's python into each script. A venv that is built
    at `/build/.venv` and copied to `/app/.venv` keeps scripts that say `#!/build/.venv/bin/python`.
    The shell says "no such file or directory" or "cannot execute: required file not found" of a
    script that is there.

    ## How to see it by hand
    `head -1 /venv/bin/*`

    ## How to mend it
    Build the venv at the path where it will run, and copy it there:

        RUN uv venv /venv
        COPY --from=build /venv /venv

    `uv venv --relocatable` makes scripts that find their own python.

    ## When it is fine
    Where nobody calls the scripts (`python -m uvicorn` works); then ignore the rule and say so.
    """

    name = "shebang-broken"
    code = "VS501"
    claims = frozenset({"command-failed"})

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Group the broken scripts by the interpreter that they name."""
        yield from self._start_script(ctx)
        groups: defaultdict[str, list[Script]] = defaultdict(list)
        for script in ctx.env.scripts:
            if script.interpreter_kind in {"missing", "loop"}:
                groups[script.interpreter].append(script)
        for interpreter, scripts in sorted(groups.items()):
            names = sorted(s.path.rpartition("/")[2] for s in scripts)
            old = interpreter.removesuffix("/" + interpreter.rpartition("/")[2]).removesuffix(
                "/bin"
            )
            moved = all(s.is_python for s in scripts) and old != ctx.env.path
            yield self.finding(
                ctx,
                subject=scripts[0].path,
                message=(
                    f"{count(len(scripts), 'script')} in {ctx.env.path}/bin ({listing(names)}) "
                    f"{'names' if len(scripts) == 1 else 'name'} {interpreter}, which is not there."
                ),
                cause=(
                    f"The environment was built at {old} and moved to {ctx.env.path}."
                    if moved
                    else "The scripts were written for an interpreter that this target lacks."
                ),
                fix=_fix(ctx, moved=moved),
                severity=_severity(ctx, scripts),
                evidence={
                    "interpreter": interpreter,
                    "scripts": names,
                    "shebang": scripts[0].shebang,
                },
            )

    def foresee(self, ctx: Context) -> Iterator[Finding]:
        """Compare where an environment is made with where a COPY puts it."""
        return foreseen_relocated(self, ctx)

    def _start_script(self, ctx: Context) -> Iterator[Finding]:
        """Tell line ends of another system in the script that the image starts."""
        system = ctx.facts.system
        first = (system.start_script or "").partition("\n")[0]
        program, missing = system.start_program or "", system.start_missing
        if ctx.env is not ctx.facts.environments[0]:
            return
        told = {script.path for script in ctx.env.scripts if script.interpreter_kind == "missing"}
        carriage = first.endswith("\r")
        if not carriage and (missing in {None, program} or program in told):
            return
        cause = "The script was copied without the environment that it belongs to."
        fix = f"Copy the environment too, at the path that {program} names"
        if carriage:
            cause = "The script has the line ends of Windows."
            fix = (
                run_line("sed", "-i", r"s/\r$//", program)
                + ", or in .gitattributes: *.sh text eol=lf"
            )
        yield self.finding(
            ctx,
            subject=program,
            message=(
                f"{program}, which the image starts, names {first.removeprefix('#!').strip()} with "
                "a carriage return, which no system has."
                if carriage
                else f"{program}, which the image starts, names {missing}, which is not there."
            ),
            cause=cause,
            fix=fix,
            evidence={"interpreter": missing or first, "scripts": [program.rpartition("/")[2]]},
        )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim the commands that are one of these scripts."""
        argv = other.evidence.get("argv") or [other.subject]
        return str(argv[0]).rpartition("/")[2] in finding.evidence["scripts"]


def _severity(ctx: Context, scripts: list[Script]) -> Severity:
    # Beside an interpreter of the system stand scripts of every kind; only packages' count there.
    ours = ctx.env.kind == "venv" or any(s.distribution for s in scripts)
    return "error" if ours and any(s.is_python for s in scripts) else "warning"


def _fix(ctx: Context, *, moved: bool) -> str:
    path = ctx.env.path
    if moved:
        return remade(
            ctx,
            f"Build it where it runs: {words('uv', 'venv', path)} in the build stage, then "
            + carried(path),
        )
    return f"Reinstall the packages with {path}/bin/python, or call python -m MODULE instead"
