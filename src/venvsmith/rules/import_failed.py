"""import-failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvsmith.rules.framework.follows import failing_names
from venvsmith.rules.framework.import_evidence import evidence_of
from venvsmith.rules.framework.mends import brought, installed, words
from venvsmith.rules.framework.roots import import_severity
from venvsmith.rules.framework.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.facts import ImportResult
    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context


class ImportFailed(Rule):
    """A module does not import.

    ## What it looks for
    The modules that were asked for (`--import`, a stage's `imports`), and the top-level modules of
    the distributions that nobody else requires, imported with the environment's own interpreter as
    the image's user, environment and working directory. A name that imports only as an empty
    namespace, because its `__init__.py` is missing, has not imported.

    ## Why it happens
    For one of the reasons that other rules name; then this finding stands behind that one. Where
    nothing in the catalogue explains it, this finding stands first, with the line that failed, the
    chain of imports that led there, and what was looked for where.

    ## How to see it by hand
    `docker run --rm --entrypoint /venv/bin/python IMAGE -c "import MODULE"`

    ## How to mend it
    As the last line of the traceback says; most often an absent or a wrong version:

        RUN uv pip install --python /venv/bin/python 'NAME==VERSION'

    ## When it is fine
    Packages that refuse to import without an optional part that nobody asked for are reported as
    info; a module that was named must import.
    """

    name = "import-failed"
    code = "VS701"
    claims = frozenset({"import-failed", "command-failed"})
    of_bundles = True
    needs = frozenset({"imports"})

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Tell every import that raised or came out empty."""
        for result in ctx.env.imports:
            if result.status == "failed":
                yield self._failed(ctx, result)
            elif result.status == "namespace" and result.module in ctx.view.asked:
                yield self._empty(ctx, result)

    def _failed(self, ctx: Context, result: ImportResult) -> Finding:
        what = f"{result.exception or 'Error'}: {result.message}".strip().rstrip(".")
        at = result.traceback[-1] if result.traceback else "no line known"
        first = what.splitlines()[0] if what else "it failed"
        return self.finding(
            ctx,
            subject=result.module,
            message=f"import {result.module} fails: {first}.",
            cause=f"Nothing in the catalogue explains it; it was raised at {at}.",
            fix=_fix(ctx, result),
            severity=import_severity(ctx, result),
            evidence=evidence_of(ctx, result),
        )

    def _empty(self, ctx: Context, result: ImportResult) -> Finding:
        owners = ctx.view.owners(result.module)
        name = owners[0].name if owners else result.module.partition(".")[0]
        return self.finding(
            ctx,
            subject=result.module,
            message=f"import {result.module} gives an empty namespace: no code was found.",
            cause="Its folder is there, but its __init__.py is missing or a dangling link.",
            fix=words("--collect-all", name)
            if ctx.env.bundle is not None
            else installed(ctx, name, options=("--reinstall",)),
            evidence=evidence_of(ctx, result),
        )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim failures of modules that import this one."""
        if other.rule == self.name:
            return _passes_through(finding, other, ctx)
        if other.rule == "command-failed":
            said = str(other.evidence.get("output", ""))
            message = str(finding.evidence.get("message") or "")
            return bool(message) and message.splitlines()[0] in said
        return False


def _passes_through(finding: Finding, other: Finding, ctx: Context) -> bool:
    """Tell whether the other failure is this one, met again by a module that imports it."""
    mine, theirs = finding.evidence.get("traceback"), other.evidence.get("traceback")
    if not mine or not theirs or mine[-1] != theirs[-1]:
        return False
    if len(mine) != len(theirs):
        return len(mine) < len(theirs)
    return len(failing_names(finding, ctx)) < len(failing_names(other, ctx)) or (
        len(failing_names(finding, ctx)) == len(failing_names(other, ctx))
        and (len(finding.subject), finding.subject) < (len(other.subject), other.subject)
    )


def _fix(ctx: Context, result: ImportResult) -> str:
    if ctx.env.bundle is not None:
        missing = words("--hidden-import", result.missing) if result.missing else ""
        again = words("APP", "venvsmith-diagnose", result.module)
        return f"{missing or 'Look at that line'}, and ask again: {again}"
    if result.missing:
        if ctx.view.owners(result.missing):
            name = ctx.view.owners(result.missing)[0].name
            return installed(ctx, name, options=("--reinstall",))
        return brought(ctx, result.missing)
    by_hand = words(f"{ctx.env.path}/bin/python", "-c", f"import {result.module}")
    return f"Look at the line above, and try: {by_hand}"
