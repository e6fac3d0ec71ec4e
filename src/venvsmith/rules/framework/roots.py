"""How grave a failing import is: asked for, a package's own, or an optional part that is absent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from venvsmith.rules.framework.start import starts
from venvsmith.rules.framework.view import by_system

if TYPE_CHECKING:
    from venvsmith.model.facts import ImportResult
    from venvsmith.model.finding import Severity
    from venvsmith.rules.framework.context import Context
    from venvsmith.rules.framework.view import View

FEW = 5
"""Roots up to which each one is what the image is for."""
BROKEN = frozenset(
    {
        "AttributeError",
        "ImportError",
        "IndentationError",
        "ModuleNotFoundError",
        "NameError",
        "OSError",
        "PermissionError",
        "RuntimeError",
        "SyntaxError",
        "TypeError",
    }
)
"""Exceptions of code that does not fit what it imports, or misses a part of the system."""
SURROUNDINGS = frozenset({"ImportError", "OSError", "RuntimeError"})
"""Those of them with which a package says that it misses a part of the system."""


def import_severity(ctx: Context, result: ImportResult) -> Severity:
    """Return the severity of a failing import.

    What was asked for must import. Of the rest, a distribution that another one requires is that
    one's business, and one that refuses to start without an optional part does so on purpose.
    """
    view = ctx.view
    if result.module in view.asked:
        return "error"
    owners = view.owners(result.module)
    if not owners or any(canonicalize_name(d.name) in view.required for d in owners):
        return "info"
    if all(by_system(d.location) for d in owners):
        return "info"
    if refuses_on_purpose(view, result):
        return "info"
    if result.exception in SURROUNDINGS and not matters(ctx, result):
        return "warning"
    return "error" if result.exception in BROKEN else "warning"


def matters(ctx: Context, result: ImportResult) -> bool:
    """Tell whether a failing module is what the image is for.

    Asked for, one of few, or of the distribution whose program the image starts. One of many roots
    may be there for another's sake, and lack what nobody uses of it.
    """
    view = ctx.view
    if result.module in view.asked or len(view.env.imports) <= FEW:
        return True
    owners = {d.name for d in view.owners(result.module)}
    started = {argv[0].rpartition("/")[2] for argv in starts(ctx)}
    return any(
        point.name in started
        for dist in view.env.distributions
        if dist.name in owners
        for point in dist.entry_points
    )


def refuses_on_purpose(view: View, result: ImportResult) -> bool:
    """Tell whether a package fails for want of a part that its metadata do not require.

    So does one whose missing module belongs to a requirement of an extra or of other surroundings,
    and one that raises an ImportError of its own because of such a module.
    """
    owners = {d.name for d in view.owners(result.module)}
    if result.missing is not None:
        return optional(view, result.missing, owners)
    if result.exception == "ImproperlyConfigured":
        return True
    absent = [c for c in result.causes if c.startswith("ModuleNotFoundError: No module named ")]
    return result.exception in {"ImportError", "RuntimeError"} and any(
        optional(view, cause.rpartition("named ")[2].strip("'\""), owners, declared=False)
        for cause in absent
    )


def optional(view: View, module: str, owners: set[str], *, declared: bool = True) -> bool:
    """Tell whether a missing module is one that the owners do without.

    :param declared: whether they must name it, for an extra or for other surroundings.
    """
    top = module.partition(".")[0]
    if view.owners(top):
        return False
    names = view.names_for(top)
    required = {need.name for need in view.needs if need.by.name in owners}
    if names & required:
        return False
    return not declared or bool(names & view.mentioned(owners))
