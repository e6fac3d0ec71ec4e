"""dist-unlocked."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from packaging.utils import canonicalize_name

from venvsmith.rules.framework.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.finding import Finding, Severity
    from venvsmith.rules.framework.context import Context

SEEDS = frozenset({"pip", "setuptools", "wheel", "uv", "distribute"})
"""What tools put into a venv of their own accord."""


class DistUnlocked(Rule):
    """A distribution is installed that the lock does not name.

    ## What it looks for
    Installed distributions without a pin in the lock. pip, setuptools, wheel and uv are left out:
    tools bring them.

    ## Why it happens
    Something was installed after the lock was applied, or the environment was not empty before.
    Such a distribution may change at every build, and may have changed a locked one.

    ## How to see it by hand
    `uv pip sync --dry-run --python /venv/bin/python LOCK` lists it under "would uninstall".

    ## How to mend it
    Add it to the stage's `requires` and lock again, or apply the lock exactly:

        RUN uv pip sync --require-hashes locks/app.cuda.txt

    ## When it is fine
    Your own project, installed on top of its dependencies; that is reported as info.
    """

    name = "dist-unlocked"
    code = "VS202"
    severity: ClassVar[Severity] = "warning"
    needs = frozenset({"pins"})

    def check(self, ctx: Context) -> Iterator[Finding]:
        """List what has no pin."""
        pins = {canonicalize_name(name) for name in ctx.expected.pins or {}} | ctx.expected.named
        for name, dist in sorted(ctx.view.by_name.items()):
            if name in pins or name in SEEDS or not self._inside(ctx, dist.location):
                continue
            own = dist.editable is not None or (dist.direct_url or "").startswith("file:")
            yield self.finding(
                ctx,
                subject=name,
                message=f"{name} {dist.version} is installed, but not in {_lock(ctx)}.",
                cause=(
                    "It is a project of your own, installed from a folder."
                    if own
                    else "It was installed beside the lock, or the environment was not empty."
                ),
                fix=f'Add "{name}=={dist.version}" to the stage\'s requires, then: venvsmith lock',
                severity="info" if own else "warning",
                evidence={"version": dist.version, "installer": dist.installer},
            )

    @staticmethod
    def _inside(ctx: Context, location: str) -> bool:
        # A venv that sees the system's packages does not answer for them.
        return ctx.env.kind != "venv" or location.startswith(ctx.env.path.rstrip("/") + "/")


def _lock(ctx: Context) -> str:
    return ctx.expected.source or "the lock"
