"""pip-missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from venvsmith.rules.framework.follows import text_of
from venvsmith.rules.framework.foresee import foreseen_pip
from venvsmith.rules.framework.mends import installed, words
from venvsmith.rules.framework.rule import Rule
from venvsmith.rules.framework.start import calls_pip

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.finding import Finding, Severity
    from venvsmith.rules.framework.context import Context


class PipMissing(Rule):
    """Something calls the environment's pip, and it has none.

    ## What it looks for
    Calls of `pip` in the image's command, its start script and the commands that were asked for,
    against what is installed in the environment that would run them.

    ## Why it happens
    `uv venv` and `python -m venv --without-pip` make environments without pip, and `uv sync`
    removes one that was installed by hand. `apt-get install python3-pip` brings the system's pip,
    which installs elsewhere.

    ## How to see it by hand
    `/venv/bin/python -m pip --version` says "No module named pip".

    ## How to mend it
    Install with uv, or give the environment a pip of its own:

        RUN uv pip install --python /venv/bin/python NAME
        RUN uv venv --seed /venv

    ## When it is fine
    Where nothing calls pip when the image runs, which is how it should be: no finding.
    """

    name = "pip-missing"
    code = "VS216"
    claims = frozenset({"dockerfile-wrong-stage", "command-failed"})
    severity: ClassVar[Severity] = "error"

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Look for callers, where there is no pip to be called."""
        if "pip" in ctx.view.versions and "pip" in {*ctx.env.bin_names, *ctx.view.by_name}:
            return
        caller = calls_pip(ctx)
        if caller is None or (not ctx.env.distributions and ctx.env.kind != "venv"):
            return
        made_by = "uv venv" if "uv" in (ctx.env.config or {}) else "a tool that adds none"
        yield self.finding(
            ctx,
            subject="pip",
            message=f"{caller} calls pip, and {ctx.env.path} has none.",
            cause=f"The environment was made by {made_by}, or uv sync removed it.",
            fix=(
                f"{installed(ctx, 'pip')} (after any uv sync), or "
                + words("uv", "venv", "--seed", ctx.env.path)
            ),
            evidence={"caller": caller},
        )

    def foresee(self, ctx: Context) -> Iterator[Finding]:
        """Follow who makes, fills and prunes each environment."""
        return foreseen_pip(self, ctx)

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim commands that say so."""
        if other.rule == "dockerfile-wrong-stage":
            # apt's pip in the right stage would not be the environment's either.
            return other.evidence.get("package") in {"python3-pip", "py3-pip"}
        said = text_of(other)
        return other.rule == "command-failed" and (
            "No module named pip" in said or "pip" in other.subject.split()[0]
        )
