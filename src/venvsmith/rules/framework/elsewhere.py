"""What an environment lacks and another folder of the target has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from venvsmith.data.modules import names_of
from venvsmith.rules.framework.follows import IMPORTS, missing_module

if TYPE_CHECKING:
    from collections.abc import Mapping

    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context
    from venvsmith.rules.framework.view import View

USER = "/.local/lib/python"
WANTS = IMPORTS | {"dist-missing", "requirement-unmet", "command-failed"}
"""What is said of something that is not there, for `lacks_one`."""


def found_in(view: View, *, users: bool) -> Mapping[str, list[str]]:
    """Return the folders that hold what the environment lacks, each with the names.

    :param users: those in users' homes, or all the others.
    """
    found: dict[str, list[str]] = {}
    for name in sorted(view.lacking):
        for package in view.elsewhere.get(name, ()):
            if (USER in package.location) == users and not view.sees(package.location):
                found.setdefault(package.location, []).append(name)
                break
    return found


def lacks_one(finding: Finding, other: Finding, ctx: Context) -> bool:
    """Tell whether the other finding is the want of one of the finding's names."""
    names = finding.evidence["names"]
    if other.rule == "dist-missing":
        wanted = {name for module in other.evidence["modules"] for name in names_of(module)}
        return not wanted.isdisjoint(names) or canonicalize_name(other.subject) in names
    if other.rule == "requirement-unmet":
        return other.evidence.get("required") in names
    if other.rule in IMPORTS:
        missing = missing_module(other, ctx)
        return missing is not None and bool(names_of(missing.partition(".")[0]) & set(names))
    if other.rule == "command-failed":
        said = str(other.evidence.get("output", ""))
        return any(f"No module named '{name.replace('-', '_')}" in said for name in names)
    return False
