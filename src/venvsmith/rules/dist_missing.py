"""dist-missing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from venvsmith.data.modules import modules_of, names_of
from venvsmith.rules.framework.follows import IMPORTS, missing_module
from venvsmith.rules.framework.mends import brought, installed
from venvsmith.rules.framework.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context

SYNC = re.compile(r"\buv\s+sync\b(?!.*--inexact)")
INSTALL = re.compile(r"\b(?:uv\s+pip|pip3?|python[\d.]*\s+-m\s+pip)\s+install\b")


class DistMissing(Rule):
    """A distribution that should be there is not installed.

    ## What it looks for
    Every pin of the lock, and every module that was asked for, against the distributions that the
    environment holds.

    ## Why it happens
    It was installed into another environment, or `uv sync` removed it again: a sync makes the
    environment equal to the project's own lock and uninstalls what a `uv pip install` before it
    had added, pip included. Or the install ran in a stage from which nothing is copied.

    ## How to see it by hand
    `uv pip list --python /venv/bin/python`, or `ls /venv/lib/python3.*/site-packages`.

    ## How to mend it
    Install it with the environment's own interpreter, after any sync:

        RUN uv sync --frozen --inexact
        RUN uv pip install --python /venv/bin/python whisperx==3.8.6

    ## When it is fine
    Where the lock holds more than this image is meant to have; then name the smaller stage's lock.
    """

    name = "dist-missing"
    code = "VS201"
    claims = IMPORTS | {
        "command-failed", "requirement-unmet", "pip-missing", "pkg-resources-missing",
    }  # fmt: skip

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Compare the pins, and the modules asked for, with what is installed."""
        installed = ctx.view.versions
        for name, version in sorted((ctx.expected.pins or {}).items()):
            if canonicalize_name(name) not in installed:
                yield self._missing(ctx, name, f"{name}=={version}", ctx.expected.source)
        for name in sorted(ctx.expected.named - installed.keys()):
            yield self._missing(ctx, name, name, ctx.expected.source)
        pinned = {canonicalize_name(name) for name in ctx.expected.pins or {}}
        for module in sorted({m.partition(".")[0] for m in ctx.expected.imports}):
            if not names_of(module) & pinned and self._nobody_brings(ctx, module):
                name = canonicalize_name(module)
                yield self._missing(ctx, name, name, f"import {module}", module=module)

    @staticmethod
    def _nobody_brings(ctx: Context, module: str) -> bool:
        if ctx.view.owners(module) or canonicalize_name(module) in ctx.view.versions:
            return False
        return any(
            result.module.partition(".")[0] == module and result.missing == module
            for result in ctx.env.imports
        )

    def _missing(
        self, ctx: Context, name: str, wanted: str, source: str, module: str | None = None
    ) -> Finding:
        path = ctx.env.path
        said = (
            f"module {module} was asked for, and no distribution in {path} brings it"
            if module
            else f"{wanted} is in {source or 'the lock'}, but not in {path}"
        )
        pruned = likely_pruned(ctx)
        return self.finding(
            ctx,
            subject=name,
            message=f"{said[0].upper()}{said[1:]}." if module else f"{said}.",
            cause=_cause(ctx, pruned=pruned),
            fix=_fix(ctx, wanted, module, pruned=pruned),
            evidence={
                "wanted": wanted,
                "modules": sorted({*modules_of(name), *([module] if module else [])}),
                "likely_pruned": pruned,
            },
        )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim unmet requirements on it, imports of its modules, its scripts."""
        if other.rule == "requirement-unmet":
            return other.evidence.get("required") == finding.subject
        if other.rule in IMPORTS:
            missing = missing_module(other, ctx)
            return missing is not None and missing.partition(".")[0] in finding.evidence["modules"]
        if other.rule in {"command-failed", "pip-missing", "pkg-resources-missing"}:
            said = f"{other.message} {other.evidence.get('output', '')}"
            return any(
                f"No module named '{module}" in said or f"No module named {module}" in said
                for module in finding.evidence["modules"]
            ) or finding.subject == str(other.subject)
        return False


def likely_pruned(ctx: Context) -> bool:
    """Tell whether the image's history shows a sync after an install, which removes again."""
    installed_at = next((i for i, line in enumerate(ctx.image.history) if INSTALL.search(line)), -1)
    synced_at = max(
        (i for i, line in enumerate(ctx.image.history) if SYNC.search(line)), default=-1
    )
    return installed_at >= 0 and synced_at >= installed_at


def _is_uv(ctx: Context) -> bool:
    return "uv" in (ctx.env.config or {})


def _cause(ctx: Context, *, pruned: bool) -> str:
    if pruned:
        return (
            "The image's history runs uv sync after an install; sync removes all that the "
            "project's own lock does not name."
        )
    if _is_uv(ctx) and "pip" not in ctx.view.by_name:
        return (
            "It was never installed into this environment, or removed again: uv sync, run after "
            "uv pip install, removes all that the project's own lock does not name."
        )
    return "It was never installed into this environment, or removed again."


def _fix(ctx: Context, wanted: str, module: str | None, *, pruned: bool) -> str:
    line = brought(ctx, module) if module else installed(ctx, wanted)
    return f"{line} after uv sync, or RUN uv sync --inexact" if pruned else line
