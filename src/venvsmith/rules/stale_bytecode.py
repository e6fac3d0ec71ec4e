"""stale-bytecode."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from venvsmith.rules.framework.follows import IMPORTS, frame_file
from venvsmith.rules.framework.mends import run_line
from venvsmith.rules.framework.roots import import_severity
from venvsmith.rules.framework.rule import Need, Rule
from venvsmith.rules.framework.words import count, listing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context


MAGIC = re.compile(r"bad magic number in '([\w.]+)'")


class StaleBytecode(Rule):
    """Cached bytecode runs that is not its source's.

    ## What it looks for
    `.pyc` files that the target's interpreter takes without looking at the source any more (of the
    unchecked kind, or without a source), and which do not fit it.

    ## Why it happens
    A source was edited after it was compiled with `--invalidation-mode unchecked-hash`; caches were
    copied from another build; the sources were removed and the bytecode is of another Python.

    ## How to see it by hand
    The change in the source has no effect; `python -B` with the cache removed shows it.

    ## How to mend it
    Compile anew, after the last change of a source:

        RUN python -m compileall -f /venv/lib

    ## When it is fine
    Caches that the interpreter checks and ignores are no fault: it starts slower, that is all.
    """

    name = "stale-bytecode"
    code = "VS214"
    claims = IMPORTS | {"command-failed", "record-hash-mismatch", "record-files-missing"}
    needs: ClassVar[frozenset[Need]] = frozenset({"bytecode"})

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Tell what would really run."""
        stale = ctx.env.stale_bytecode
        yield from self._spoken(ctx)
        if not stale:
            return
        names = [item.source or item.path for item in stale]
        yield self.finding(
            ctx,
            subject=stale[0].path,
            message=(
                f"{count(len(stale), 'bytecode file')} in {ctx.env.path} "
                f"{'runs' if len(stale) == 1 else 'run'} instead of "
                f"{'its source' if len(stale) == 1 else 'their sources'}: {listing(names)}."
            ),
            cause=f"{stale[0].reason[:1].upper()}{stale[0].reason[1:].rstrip('.')}.",
            fix=run_line(
                f"{ctx.env.path}/bin/python", "-m", "compileall", "-f", "-q", f"{ctx.env.path}/lib"
            ),
            evidence={"files": [item.path for item in stale[:50]], "sources": names[:50]},
        )

    def _spoken(self, ctx: Context) -> Iterator[Finding]:
        """Tell bytecode of another Python outside the packages, by what an import says of it."""
        known = " ".join(item.path for item in ctx.env.stale_bytecode)
        for result in ctx.view.failed_imports:
            match = MAGIC.search(result.message)
            if match is None or f"/{match[1].replace('.', '/')}" in known:
                continue
            yield self.finding(
                ctx,
                subject=match[1],
                message=f"The bytecode of {match[1]} is of another Python than {ctx.view.minor}.",
                cause="The .pyc stands where no source is, so the interpreter has nothing else.",
                fix=f"Copy the sources, or compile with Python {ctx.view.minor}: "
                + run_line(f"{ctx.env.path}/bin/python", "-m", "compileall", "-f", "-b", "FOLDER"),
                severity=import_severity(ctx, result),
                evidence={"files": [], "sources": [], "module": match[1]},
            )
            return

    @staticmethod
    def _sources(finding: Finding) -> list[str]:
        return [str(source) for source in finding.evidence["sources"]]

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim failures in code of these files, and bytecode of another Python."""
        if other.rule == "record-hash-mismatch":
            return any(path in finding.evidence["sources"] for path in other.evidence["files"])
        if other.rule == "record-files-missing":
            gone = [str(name) for name in other.evidence["files"]]
            return bool(finding.evidence["files"]) and all(
                any(s.endswith(f"/{name}") for s in self._sources(finding)) for name in gone
            )
        if other.rule == "command-failed":
            said = other.subject + str(other.evidence.get("output", ""))
            owners = [ctx.view.dist_at(source) for source in self._sources(finding)]
            return any(top in said for dist in owners if dist for top in dist.top_level)
        if other.rule not in IMPORTS:
            return False
        frames = [frame_file(str(f)) for f in other.evidence.get("traceback", ())]
        files = {*finding.evidence["sources"], *finding.evidence["files"]}
        return "bad magic number" in str(other.evidence.get("message")) or bool(files & {*frames})
