"""Groups of rules whose findings follow from the same kinds of cause, for `Rule.explains`."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from venvsmith.model.facts import ImportResult
    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context
    from venvsmith.rules.framework.view import View

IMPORTS = frozenset({"import-failed", "import-crashed", "import-timeout", "import-unresolvable"})
"""What is said of a module that does not import."""
RUNS = IMPORTS | {"command-failed", "interpreter-fails", "probe-output", "probe-timeout"}
"""What needs a working interpreter."""
EVERY = frozenset({"*"})
"""Stands for all rules, in `Rule.claims`."""


def import_of(finding: Finding, view: View) -> ImportResult | None:
    """Return the import that a finding of `IMPORTS` is about."""
    return view.imports.get(finding.subject)


def failing_names(finding: Finding, ctx: Context) -> frozenset[str]:
    """Return the distributions that a failure passed through, normalised.

    Those that own the module, the module that was missing, and the files of the traceback; the
    importer, for an import that was only read.
    """
    if ctx.environment is None:
        return frozenset()
    view = ctx.view
    names: set[str] = set()
    result = import_of(finding, view)
    if result is not None:
        names.update(d.name for d in view.owners(result.module))
        names.update(d.name for d in view.owners(result.missing or ""))
        for frame in result.traceback:
            owner = view.dist_at(frame_file(frame))
            if owner is not None:
                names.add(owner.name)
    for key in ("distribution", "distributions"):
        value = finding.evidence.get(key, ())
        names.update([value] if isinstance(value, str) else value or ())
    if finding.rule == "command-failed":
        names.update(_script_owner(finding, view))
    return frozenset(canonicalize_name(name) for name in names)


def _script_owner(finding: Finding, view: View) -> set[str]:
    argv = finding.evidence.get("argv") or [finding.subject]
    program = PurePosixPath(str(argv[0])).name
    return {
        dist.name
        for dist in view.env.distributions
        if any(point.name == program for point in dist.entry_points)
    }


def text_of(finding: Finding) -> str:
    """Return what a failure printed, to look for names that a cause knows."""
    return " ".join(
        str(finding.evidence.get(key) or "") for key in ("message", "output", "exception")
    )


def frame_file(frame: str) -> str:
    """Return the file of a traceback's frame, ``/a/b.py:12 in f``."""
    return frame.rpartition(" in ")[0].rpartition(":")[0] or frame


def missing_module(finding: Finding, ctx: Context) -> str | None:
    """Return the module whose absence a failure reports, ``a.b``."""
    if finding.rule == "import-unresolvable":
        return str(finding.evidence.get("module") or finding.subject)
    result = import_of(finding, ctx.view) if ctx.environment is not None else None
    if result is not None and result.missing:
        return result.missing
    value = finding.evidence.get("missing")
    return str(value) if value else None
