"""namespace-shadowed."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from venvsmith.rules.framework.follows import IMPORTS, missing_module
from venvsmith.rules.framework.mends import run_line
from venvsmith.rules.framework.rule import Rule
from venvsmith.rules.framework.words import listing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.finding import Finding, Severity
    from venvsmith.rules.framework.context import Context


class NamespaceShadowed(Rule):
    """A stray package hides the other parts of a namespace that distributions share.

    ## What it looks for
    An `__init__.py` that no distribution owns in a folder that several of them share; a regular
    package of that name in a folder that stands before the environment's on `sys.path`; and imports
    that miss a part of a namespace although its files are there.

    ## Why it happens
    A namespace (`pyannote`, `google`, `azure`) is a folder without `__init__.py`, put together from
    all folders of `sys.path`. One `__init__.py` anywhere turns its folder into the whole package.

    ## How to see it by hand
    `python -c "import pyannote; print(pyannote.__path__)"`

    ## How to mend it
    Remove it:

        RUN rm /venv/lib/python3.11/site-packages/pyannote/__init__.py

    ## When it is fine
    Where all parts lie in that same folder; then it is harmless, and reported as a warning.
    """

    name = "namespace-shadowed"
    code = "VS212"
    claims = IMPORTS | {"module-shadowed"}
    severity: ClassVar[Severity] = "warning"

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Take stray files first, then imports that miss what is there."""
        told: set[str] = set()
        for path in ctx.env.unowned_inits:
            folder = path.rpartition("/")[0]
            name = folder.rpartition("/")[2]
            told.add(name)
            sharers = sorted(d.name for d in ctx.view.by_module.get(name, ()))
            yield self._finding(ctx, path, name, sharers, "warning")
        for shadow in ctx.env.shadows:
            owners = ctx.view.owners(shadow.module)
            package = not shadow.path.endswith((".py", ".so"))
            if shadow.hides == "distribution" and package and len(owners) > 1:
                told.add(shadow.module)
                names = sorted(d.name for d in owners)
                yield self._finding(ctx, shadow.path, shadow.module, names, "error")
        for result in ctx.view.failed_imports:
            missing = result.missing or ""
            top, dot, _ = missing.partition(".")
            owners = ctx.view.owners(top)
            if not dot or top in told or not owners or not self._is_there(ctx, missing):
                continue
            told.add(top)
            yield self._finding(ctx, top, top, sorted(d.name for d in owners), "error")

    @staticmethod
    def _is_there(ctx: Context, module: str) -> bool:
        """Tell whether a namespace's part should have been found.

        Its top is a namespace where several distributions bring it; its own files are whole.
        """
        owners = ctx.view.owners(module)
        part = module.split(".")[1].replace("_", "-")
        mine = [d for d in owners if part in d.name.split("-")]
        return len(owners) > 1 and bool(mine) and not any(d.record_problems for d in mine)

    def _finding(
        self, ctx: Context, subject: str, name: str, sharers: list[str], severity: Severity
    ) -> Finding:
        stray = subject.startswith("/")
        return self.finding(
            ctx,
            subject=subject,
            message=(
                f"{subject} turns the namespace {name}, which {listing(sharers)} share, into a "
                "package of its own."
                if stray
                else f"A package {name} stands before the namespace that {listing(sharers)} share."
            ),
            cause=(
                "No distribution owns the file; it was copied or created there."
                if stray
                else f"A folder {name} with an __init__.py comes first on sys.path (the working "
                "directory, PYTHONPATH or an editable project)."
            ),
            fix=run_line("rm", subject)
            if stray
            else f"Rename your own {name}, or drop its __init__.py",
            severity=severity,
            evidence={"namespace": name, "distributions": sharers},
        )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim what misses a part of the namespace."""
        if other.rule not in IMPORTS:
            return (
                other.rule == "module-shadowed"
                and other.evidence.get("module") == (finding.evidence["namespace"])
            )
        missing = missing_module(other, ctx) or ""
        return missing.startswith(f"{finding.evidence['namespace']}.")
