"""venv-nested."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvsmith.rules.framework.follows import IMPORTS, missing_module
from venvsmith.rules.framework.mends import carried
from venvsmith.rules.framework.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context


class VenvNested(Rule):
    """A venv lies inside another one: a copy went one folder too deep.

    ## What it looks for
    A `pyvenv.cfg` below a folder that has one itself.

    ## Why it happens
    `cp -r /build/venv /venv`, or `mv`, onto a `/venv` that exists already puts the copy at
    `/venv/venv`. The outer one, which the image uses, stays as it was.

    ## How to see it by hand
    `find / -name pyvenv.cfg`

    ## How to mend it
    Copy onto a path that does not exist yet; COPY takes the folder's content, `cp` needs a dot:

        COPY --from=build /venv /venv

    ## When it is fine
    Tools that keep a venv inside another on purpose (`pipx`, `tox`): it is reported as info where
    its folder is not called `venv`, `.venv` or `env`, nor as the outer one is.
    """

    name = "venv-nested"
    code = "VS308"
    claims = IMPORTS | {"dist-missing", "requirement-unmet", "installed-elsewhere"}
    needs = frozenset({"venv"})

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Tell it of the inner one."""
        outer = ctx.env.nested_in
        if outer is None:
            return
        names = sorted(d.name for d in ctx.env.distributions)
        twin = ctx.env.path.rpartition("/")[2].lstrip(".") in {
            "venv",
            "env",
            outer.rpartition("/")[2],
        }
        yield self.finding(
            ctx,
            subject=ctx.env.path,
            message=f"{ctx.env.path} is a venv inside the venv {outer}.",
            cause=f"A copy onto the existing {outer} went one folder too deep.",
            fix=f"Move or remove {ctx.env.path}"
            if ctx.is_here
            else f"{carried(ctx.env.path, outer)} (onto a path that does not exist yet)",
            severity="warning" if twin else "info",
            evidence={"outer": outer, "distributions": names},
        )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim what the outer one misses and the inner one has."""
        inner = next((v for v in ctx.views if v.env.path == finding.subject), None)
        if inner is None or other.environment != finding.evidence["outer"]:
            return False
        if other.rule in {"dist-missing", "requirement-unmet", "installed-elsewhere"}:
            return str(other.evidence.get("required", other.subject)) in inner.by_name
        if other.rule in IMPORTS:
            outer = next((c for c in ctx.views if c.env.path == other.environment), None)
            missing = missing_module(other, ctx) if outer is not None else None
            return missing is not None and bool(inner.owners(missing))
        return False
