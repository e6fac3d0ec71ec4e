"""requirement-unmet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvsmith.data.modules import modules_of, stand_ins
from venvsmith.rules.framework.follows import IMPORTS, failing_names, missing_module
from venvsmith.rules.framework.mends import installed
from venvsmith.rules.framework.rule import Rule
from venvsmith.rules.framework.view import by_system, version_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.finding import Finding, Severity
    from venvsmith.rules.framework.context import Context
    from venvsmith.rules.framework.view import Need, View


class RequirementUnmet(Rule):
    """A distribution requires another that is not there, or not at a fitting version.

    ## What it looks for
    `Requires-Dist` of every installed distribution, with the markers evaluated for this target's
    own interpreter and platform, against all that its interpreter can see. Requirements of an extra
    count only where somebody asks for that extra.

    ## Why it happens
    An install with `--no-deps`, a package removed after the fact, or a later install that moved a
    version which an earlier one had asked for.

    ## How to see it by hand
    `uv pip check --python /venv/bin/python`

    ## How to mend it
    Install what is missing, at a version that fits:

        RUN uv pip install --python /venv/bin/python 'nltk>=3.9.1'

    ## When it is fine
    Where another distribution brings the same modules (`opencv-python-headless` for
    `opencv-python`), or where nothing that is used needs it: a wrong version with nothing failing
    is reported as a warning, and so is an absent one that no module reached by an import needs.
    """

    name = "requirement-unmet"
    code = "VS204"
    claims = IMPORTS | {"command-failed"}

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Hold each requirement that applies here against what is visible."""
        for need in ctx.view.needs:
            have = ctx.view.versions.get(need.name)
            if have is None:
                if not any(name in ctx.view.versions for name in stand_ins(need.name)):
                    yield self._absent(ctx, need)
            elif version_of(have) and not need.requirement.specifier.contains(have, True):
                yield self._unfit(ctx, need, have)

    def _absent(self, ctx: Context, need: Need) -> Finding:
        wanted = str(need.requirement).partition(";")[0].strip()
        return self.finding(
            ctx,
            subject=need.by.name,
            message=f"{need.by.name} {need.by.version} requires {wanted}, which is not installed.",
            cause=(
                "It was installed without its dependencies (--no-deps), or the dependency was "
                "removed afterwards."
            ),
            fix=installed(ctx, wanted),
            severity=_severity(ctx, need),
            evidence={
                "required": need.name,
                "wanted": wanted,
                "installed": None,
                "modules": list(modules_of(need.name)),
            },
        )

    def _unfit(self, ctx: Context, need: Need, version: str) -> Finding:
        wanted = str(need.requirement).partition(";")[0].strip()
        return self.finding(
            ctx,
            subject=need.by.name,
            message=(
                f"{need.by.name} {need.by.version} requires {wanted}, but {need.name} {version} is "
                f"installed."
            ),
            cause=f"A later install moved {need.name} without regard to {need.by.name}.",
            fix=installed(ctx, wanted),
            severity=_unfit_severity(need, version),
            evidence={"required": need.name, "wanted": wanted, "installed": version, "modules": []},
        )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim imports that miss a module of the absent one, or fail in the pair of them."""
        missing = missing_module(other, ctx)
        if finding.evidence["installed"] is None:
            modules = finding.evidence["modules"]
            if missing is not None:
                return missing.partition(".")[0] in modules or _only_gap(
                    finding, other, ctx, missing
                )
            said = str(other.evidence.get("output", ""))
            return any(f"No module named '{module}" in said for module in modules)
        names = failing_names(other, ctx)
        return missing is None and {finding.subject, finding.evidence["required"]} <= names


def _only_gap(finding: Finding, other: Finding, ctx: Context, missing: str) -> bool:
    """Tell whether a module of unknown origin can only come from this absent requirement.

    So it is where the importer has exactly one unmet requirement and nobody brings the module.
    """
    if ctx.view.owners(missing):
        return False
    gaps = ctx.view.gaps.get(finding.subject, ())
    return len(gaps) == 1 and finding.subject in failing_names(other, ctx)


def _unfit_severity(need: Need, version: str) -> Severity:
    """Grade a version that does not fit: too old lacks what is used, too new most often works."""
    if by_system(need.by.location):
        return "info"
    have = version_of(version)
    for specifier in need.requirement.specifier:
        floor = version_of(specifier.version.removesuffix(".*"))
        if specifier.operator in {">=", ">", "~="} and have and floor and have < floor:
            return "error"
    return "warning"


def _severity(ctx: Context, need: Need) -> Severity:
    """Grade an absent requirement: surely fatal only where something reaches for it.

    Packages of the operating system are patched to live without some of theirs.
    """
    view = ctx.view
    if by_system(need.by.location):
        return "info"
    if reached(view, modules_of(need.name), need.by.name):
        return "error"
    looked = any(i.status == "ok" for i in ctx.env.imports) and not any(
        m.what == "imports-read" for m in ctx.facts.missing
    )
    return "warning" if looked else "error"


def reached(view: View, modules: tuple[str, ...], by: str) -> bool:
    """Tell whether something reached for one of the modules and found nothing."""
    for result in view.failed_imports:
        if result.missing and result.missing.partition(".")[0] in modules:
            return True
    for gap in view.env.unresolved_imports:
        top = gap.module.partition(".")[0]
        if top in modules or (gap.distribution == by and not view.owners(top)):
            return True
    return False
