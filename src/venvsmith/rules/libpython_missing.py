"""libpython-missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvsmith.rules.framework.follows import RUNS, text_of
from venvsmith.rules.framework.gaps import LIBPYTHON
from venvsmith.rules.framework.loader import Gap, simulation
from venvsmith.rules.framework.mends import words
from venvsmith.rules.framework.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.finding import Finding, Severity
    from venvsmith.rules.framework.context import Context


class LibpythonMissing(Rule):
    """A shared libpython is wanted that this target does not have.

    ## What it looks for
    `libpythonX.Y.so` among what the interpreter itself, or an extension module, links to, and
    whether the loader finds it.

    ## Why it happens
    `venv --copies` of a Python that was built with `--enable-shared`, copied to a base without it.
    Or an extension that links libpython, on a Debian whose python3 is static and has none.

    ## How to see it by hand
    `docker run --rm --entrypoint /venv/bin/python IMAGE -V` says "error while loading shared
    libraries: libpython3.11.so.1.0".

    ## How to mend it
    Make the venv with links, not copies, on the same base; or install the library:

        RUN apt-get update && apt-get install -y libpython3.11

    ## When it is fine
    An extension that nothing loads may want it: reported as info.
    """

    name = "libpython-missing"
    code = "VS306"
    claims = RUNS

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Look at the interpreter, then at the extensions."""
        interpreter = ctx.env.interpreter
        if interpreter is not None and interpreter.elf is not None:
            elf, run = interpreter.elf, interpreter.run
            for name in elf.needed:
                if not name.startswith("libpython"):
                    continue
                stderr = run.stderr if run else ""
                unknown = run is None and not elf.runpath and not elf.rpath
                absent = name not in ctx.facts.system.libraries
                if name in stderr or (unknown and absent):
                    yield self._finding(ctx, interpreter.path, name, "error")
        sim = simulation(ctx.view)
        told: set[str] = set()
        gaps: list[tuple[Gap, Severity]] = [(gap, "error") for gap in sim.gaps]
        gaps += [(gap, "info") for gap in sim.idle_gaps]
        for gap, severity in gaps:
            owner = ctx.view.dist_at(gap.by.path)
            who = owner.name if owner else gap.by.path
            if LIBPYTHON.match(gap.name) and who not in told:
                told.add(who)
                yield self._finding(ctx, gap.by.path, gap.name, severity)

    def _finding(self, ctx: Context, by: str, name: str, severity: Severity) -> Finding:
        minor = name.removeprefix("libpython").partition(".so")[0]
        return self.finding(
            ctx,
            subject=by,
            message=f"{by} wants {name}, which this target does not have.",
            cause=(
                "It was copied from, or built against, a Python with a shared library, and this "
                "target's Python has none."
            ),
            fix=f"RUN apt-get update && {words('apt-get', 'install', '-y', f'libpython{minor}')}",
            severity=severity,
            evidence={"library": name, "interpreter": by.endswith(("python", "python3", minor))},
        )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim every run where it is the interpreter's, else what names the library."""
        if finding.evidence["interpreter"]:
            return other.rule in RUNS
        return other.rule in RUNS and str(finding.evidence["library"]) in text_of(other)
