"""How grave a failing import is: asked for, a package's own, or an optional part that is absent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from venvsmith.rules.framework.follows import frame_file

if TYPE_CHECKING:
    from venvsmith.model.facts import ImportResult
    from venvsmith.model.finding import Severity
    from venvsmith.rules.framework.view import View


def import_severity(view: View, result: ImportResult) -> Severity:
    """Return the severity of a failing import.

    What was asked for must import. Of the rest, a distribution that another one requires is that
    one's business, and one that refuses to start without an optional part does so on purpose.
    """
    if result.module in view.asked:
        return "error"
    owners = view.owners(result.module)
    if not owners or any(canonicalize_name(d.name) in view.required for d in owners):
        return "info"
    return "info" if refuses_on_purpose(view, result) else "warning"


def refuses_on_purpose(view: View, result: ImportResult) -> bool:
    """Tell whether a package fails for want of a part that its metadata do not require.

    So does a missing module that no installed distribution brings and the owner does not require,
    and an ImportError or RuntimeError that the package's own code raised.
    """
    if result.missing is not None:
        top = result.missing.partition(".")[0]
        own = {d.name for d in view.owners(result.module)}
        needed = {n.name.replace("-", "_") for n in view.needs if n.by.name in own}
        return not view.owners(top) and top not in needed
    if result.exception not in {"ImportError", "RuntimeError", "OSError", "ImproperlyConfigured"}:
        return False
    if not result.traceback or "cannot open shared object" in result.message:
        return False
    last = view.dist_at(frame_file(result.traceback[-1]))
    return last is not None and last in view.owners(result.module)
