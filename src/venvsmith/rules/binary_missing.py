"""binary-missing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from venvsmith.data.knowledge import load_programs
from venvsmith.rules.framework.follows import IMPORTS, failing_names, text_of
from venvsmith.rules.framework.rule import Rule
from venvsmith.rules.framework.start import PYTHON
from venvsmith.rules.framework.words import listing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.finding import Finding, Severity
    from venvsmith.rules.framework.context import Context


NOT_FOUND = re.compile(
    r"No such file or directory: '([\w.+-]+)'|\b([\w.+-]+): (?:command )?not found\b"
)
"""What Python and a shell say of a program that PATH does not find."""


class BinaryMissing(Rule):
    """A program that an installed package calls is not in the image.

    ## What it looks for
    A table of packages that start another program (whisper starts `ffmpeg`, GitPython `git`,
    pytesseract `tesseract`), against what the image's PATH finds.

    ## Why it happens
    Wheels cannot depend on the system's packages. The program was installed on the developer's
    machine, or in a build stage from which only the venv is copied.

    ## How to see it by hand
    `docker run --rm --entrypoint sh IMAGE -c 'command -v ffmpeg'`

    ## How to mend it
    In the final stage:

        RUN apt-get update && apt-get install -y --no-install-recommends ffmpeg

    ## When it is fine
    Where that part of the package is never used: reported as a warning.
    """

    name = "binary-missing"
    code = "VS507"
    claims = IMPORTS | {"command-failed"}
    severity: ClassVar[Severity] = "warning"

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Hold the table against what is installed and what PATH finds."""
        programs = ctx.facts.system.programs
        yield from self._start(ctx)
        told: set[str] = set()
        if not ctx.facts.system.path:
            return
        for entry in load_programs():
            callers = [name for name in entry.callers if name in ctx.view.by_name]
            if not callers or any(name in programs for name in entry.names):
                continue
            if any(name in ctx.view.versions for name in entry.unless):
                continue
            told.update(entry.names)
            verb = "starts" if len(callers) == 1 else "start"
            yield self.finding(
                ctx,
                subject=entry.names[0],
                message=f"{listing(callers)} {verb} {entry.names[0]}, which is not on PATH.",
                cause=f"No wheel brings it; it was never installed {ctx.within}.",
                fix=(
                    "RUN apt-get update && apt-get install -y --no-install-recommends "
                    f"{entry.package}"
                ),
                severity="error" if self._fails(ctx, callers, entry.names) else "warning",
                evidence={"callers": callers, "names": list(entry.names), "source": entry.source},
            )
        yield from self._spoken(ctx, told)

    @staticmethod
    def _fails(ctx: Context, callers: list[str], names: tuple[str, ...]) -> bool:
        return any(
            owner.name in callers and any(name in f"{i.message} {i.causes}" for name in names)
            for i in ctx.view.failed_imports
            for owner in ctx.view.owners(i.module)
        )

    def _start(self, ctx: Context) -> Iterator[Finding]:
        """Tell a first word of the image that is nowhere, and that no environment has."""
        system = ctx.facts.system
        program = system.start_program
        if program is None or system.start_missing != program:
            return
        name = program.rpartition("/")[2]
        declared = any(
            (name in env.bin_names and env.kind == "venv")
            or any(p.name == name for d in env.distributions for p in d.entry_points)
            for env in ctx.facts.environments
        )
        if ctx.env is ctx.facts.environments[0] and not declared and not PYTHON.match(name):
            yield self.finding(
                ctx,
                subject=program,
                message=f"The image starts {program}, which is not there.",
                cause="It was never installed or copied, or is a link that leads nowhere.",
                fix=f"Install what brings {name}, or copy it with all that its link points to",
                severity="error",
                evidence={"callers": [], "names": [name], "source": ""},
            )

    def _spoken(self, ctx: Context, told: set[str]) -> Iterator[Finding]:
        """Tell programs that a failure of what ran says it did not find.

        A command whose own name is nowhere is told by its failure, unless its package is known.
        """
        packages = {name: entry.package for entry in load_programs() for name in entry.names}
        said = [(i.module, f"{i.message} {' '.join(i.causes)}") for i in ctx.view.failed_imports]
        said += [(c.argv[0], c.output) for c in ctx.env.commands if c.returncode != 0]
        for who, text in said:
            for match in NOT_FOUND.finditer(text):
                name = match[1] or match[2]
                if name in told or name in ctx.facts.system.programs or "/" in name:
                    continue
                if who == name and name not in packages:
                    continue
                told.add(name)
                subject = f"{name} is" if who == name else f"{who} starts {name}, which is"
                yield self.finding(
                    ctx,
                    subject=name,
                    message=f"{subject} not on {ctx.place}'s PATH.",
                    cause=f"No wheel brings it, and it is not installed {ctx.within}.",
                    fix="RUN apt-get update && apt-get install -y --no-install-recommends "
                    f"{packages.get(name, name)}",
                    severity="error",
                    evidence={"callers": [], "names": [name], "source": ""},
                )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim failures of a caller that speak of the program."""
        said = text_of(other) + other.message
        named = any(name in said for name in finding.evidence["names"])
        callers = set(finding.evidence["callers"])
        return named and (bool(callers & failing_names(other, ctx)) or "No such file" in said)
