"""module-shadowed."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from venvsmith.rules.framework.follows import IMPORTS, RUNS, text_of
from venvsmith.rules.framework.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.facts import Shadow
    from venvsmith.model.finding import Finding, Severity
    from venvsmith.rules.framework.context import Context


class ModuleShadowed(Rule):
    """A file of yours has the name of a module that others import, and comes first.

    ## What it looks for
    Modules in the folders that stand before the standard library and the packages on `sys.path`
    (the working directory, `PYTHONPATH`), with the name of one of theirs.

    ## Why it happens
    `json.py`, `logging.py` or `random.py` in the project's folder: `import json` gives that file to
    everybody, and a package deep below fails with "has no attribute" or "circular import". The same
    import works from another folder.

    ## How to see it by hand
    `python -c "import json; print(json.__file__)"` in the image's working directory.

    ## How to mend it
    Rename the file, or start from another folder:

        RUN mv /app/json.py /app/json_data.py

    ## When it is fine
    Where your project is installed too, and its own folder is the working directory: reported as
    info.
    """

    name = "module-shadowed"
    code = "VS313"
    claims = RUNS | {"stdlib-missing", "pythonpath-poison"}
    severity: ClassVar[Severity] = "warning"

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Tell each shadow; what it breaks makes it grave."""
        for shadow in ctx.env.shadows:
            standard = shadow.hides == "stdlib"
            yield self.finding(
                ctx,
                subject=shadow.path,
                message=(
                    f"{shadow.path} stands before the module {shadow.module} of "
                    + ("the standard library." if standard else f"{self._owner(ctx, shadow)}.")
                ),
                cause=(
                    "Its folder comes first on sys.path: it is the working directory or in "
                    "PYTHONPATH."
                ),
                fix=f"Rename {shadow.path}, or set WORKDIR to a folder without it",
                severity="warning" if standard else "info",
                evidence={"module": shadow.module, "hides": shadow.hides},
            )

    @staticmethod
    def _owner(ctx: Context, shadow: Shadow) -> str:
        owners = ctx.view.owners(shadow.module)
        return f"{owners[0].name} {owners[0].version}" if owners else "an installed distribution"

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim failures that pass through it, speak of it, or miss a part of it."""
        if other.rule == "stdlib-missing":
            top = str(other.evidence.get("module", "")).partition(".")[0]
            return top == str(finding.evidence["module"])
        if other.rule not in RUNS | {"pythonpath-poison"}:
            return False
        module = str(finding.evidence["module"])
        said = text_of(other) + other.message
        frames = [str(frame) for frame in other.evidence.get("traceback", ())]
        if any(frame.startswith(finding.subject) for frame in frames) or finding.subject in said:
            return True
        missing = str(other.evidence.get("missing") or "") if other.rule in IMPORTS else ""
        return missing.startswith(f"{module}.") or any(
            sign in said
            for sign in (f"module '{module}' has no attribute", f"from '{module}'", f"'{module}.")
        )
