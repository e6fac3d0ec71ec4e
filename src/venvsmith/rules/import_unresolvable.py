"""import-unresolvable."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from venvsmith.data.removals import removed_from_python
from venvsmith.data.stdlib import standard_library
from venvsmith.rules.framework.mends import brought
from venvsmith.rules.framework.roots import import_severity, optional
from venvsmith.rules.framework.rule import Need, Rule
from venvsmith.rules.framework.start import starts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.facts import UnresolvedImport
    from venvsmith.model.finding import Finding, Severity
    from venvsmith.rules.framework.context import Context


class ImportUnresolvable(Rule):
    """The code imports a module that nothing in the target can bring.

    ## What it looks for
    The import lines of every module that is reached from what was asked for, read without running
    it. Lines in `try`, under `TYPE_CHECKING`, for another platform or version, or in functions of
    other people's packages do not count.

    ## Why it happens
    A package that imports lazily (`import whisperx` takes 14 ms and loads nothing) hides what it
    lacks until it is used.

    ## How to see it by hand
    `python -c "import MODULE"` with the module that the finding names.

    ## How to mend it
    Install what is imported:

        RUN uv pip install --python /venv/bin/python NAME

    ## When it is fine
    Where that line is never reached.
    """

    name = "import-unresolvable"
    code = "VS704"
    claims = frozenset({"import-failed"})
    needs: ClassVar[frozenset[Need]] = frozenset({"imports-read"})

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Tell each module once, with the first line that wants it."""
        seen: set[str] = set()
        view = ctx.view
        for gap in ctx.env.unresolved_imports:
            owner_names = {gap.distribution} if gap.distribution else set()
            if gap.module in seen or optional(view, gap.module, owner_names):
                continue
            seen.add(gap.module)
            chain = " -> ".join((*gap.chain, gap.module)) if gap.chain else gap.importer
            owner = f" of {gap.distribution}" if gap.distribution else ""
            yield self.finding(
                ctx,
                subject=gap.module,
                message=(
                    f"{gap.importer}{owner} imports {gap.module} ({gap.file}:{gap.line}), which "
                    "nothing here brings."
                ),
                cause=f"Reached by {chain}.",
                fix=brought(ctx, gap.module),
                severity=self._severity(ctx, gap),
                evidence={
                    "module": gap.module,
                    "file": gap.file,
                    "line": gap.line,
                    "chain": list(gap.chain),
                    "distribution": gap.distribution,
                },
            )
        yield from self._undeclared(ctx, seen)

    def _undeclared(self, ctx: Context, seen: set[str]) -> Iterator[Finding]:
        """Tell modules that a failing import missed, and that its distribution never required."""
        view = ctx.view
        for result in view.failed_imports:
            missing = result.missing or ""
            top = missing.partition(".")[0]
            user = view.last_owner(result)
            if missing in seen or not top or user is None or _of_python(top, view.minor):
                continue
            names = view.names_for(top)
            if view.owners(top) or names & view.required or top == result.module.partition(".")[0]:
                continue
            seen.add(missing)
            at = result.traceback[-1] if result.traceback else result.module
            yield self.finding(
                ctx,
                subject=missing,
                message=(
                    f"{user.name} {user.version} imports {missing}, which nothing here brings and "
                    "its metadata do not require."
                ),
                cause=f"Its import stands at {at}.",
                fix=brought(ctx, missing),
                severity=import_severity(ctx, result),
                evidence={"module": missing, "distribution": user.name, "chain": []},
            )

    @staticmethod
    def _severity(ctx: Context, gap: UnresolvedImport) -> Severity:
        """Grade by who leads there: what was asked for, a failing import, what the image starts."""
        top = gap.module.partition(".")[0]
        if any((i.missing or "").partition(".")[0] == top for i in ctx.view.failed_imports):
            return "error"
        asked = {name.partition(".")[0] for name in ctx.expected.imports}
        if asked & {
            gap.importer.partition(".")[0],
            (gap.chain or (gap.importer,))[0].partition(".")[0],
        }:
            return "error"
        started = {argv[0].rpartition("/")[2] for argv in starts(ctx)}
        owner = ctx.view.by_name.get(gap.distribution or "")
        if owner is not None and any(p.name in started for p in owner.entry_points):
            return "error"
        return "info" if any(i.status == "ok" for i in ctx.env.imports) else "warning"

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim the import that meets the same line when it runs."""
        return str(finding.evidence["module"]) == other.evidence.get("missing")


def _of_python(module: str, minor: str | None) -> bool:
    """Tell whether Python has a module, or had it: other rules speak of those."""
    if module in standard_library(minor):
        return True
    return minor is not None and removed_from_python(module, minor)
