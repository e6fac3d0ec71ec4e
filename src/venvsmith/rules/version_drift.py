"""version-drift."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from venvsmith.rules.framework.follows import IMPORTS, failing_names
from venvsmith.rules.framework.mends import installed, words
from venvsmith.rules.framework.rule import Rule
from venvsmith.rules.framework.view import version_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context


class VersionDrift(Rule):
    """A distribution is installed at another version than the lock says.

    ## What it looks for
    The version of every locked distribution against its pin, the local part included: `2.8.0+cpu`
    is not `2.8.0`, although `==2.8.0` accepts it.

    ## Why it happens
    A later install changed it: `pip install` of something else pulled another version in, or the
    lock was bumped and the image was not rebuilt.

    ## How to see it by hand
    `uv pip list --python /venv/bin/python`, and the pin in the lock.

    ## How to mend it
    Apply the lock last, and nothing after it:

        RUN uv pip sync --require-hashes locks/app.cuda.txt

    ## When it is fine
    Where the environment is meant to be newer than the lock; then lock again.
    """

    name = "version-drift"
    code = "VS203"
    claims = IMPORTS | {"command-failed", "requirement-unmet", "removed-api"}
    of_bundles = True
    needs = frozenset({"pins"})

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Compare the versions of what is both locked and installed."""
        for raw, wanted in sorted((ctx.expected.pins or {}).items()):
            name = canonicalize_name(raw)
            dist = ctx.view.by_name.get(name)
            if dist is None or _same(dist.version, wanted):
                continue
            yield self.finding(
                ctx,
                subject=name,
                message=(
                    f"{name} is {dist.version} in {ctx.env.path}, but "
                    f"{ctx.expected.source or 'the lock'} says {wanted}."
                ),
                cause="It was frozen from another environment, or the lock is newer."
                if ctx.env.bundle is not None
                else "Something installed it after the lock was applied, or the lock is newer.",
                fix=f"{words('uv', 'pip', 'install', f'{name}=={wanted}')}, and freeze again"
                if ctx.env.bundle is not None
                else installed(ctx, f"{name}=={wanted}"),
                evidence={"installed": dist.version, "locked": wanted},
            )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim what goes wrong with requirements and imports of that distribution."""
        if other.rule == "requirement-unmet":
            return other.evidence.get("required") == finding.subject
        if other.rule in IMPORTS | {"command-failed", "removed-api"}:
            return finding.subject in failing_names(other, ctx) or finding.subject == other.subject
        return False


def _same(installed: str, wanted: str) -> bool:
    left, right = version_of(installed), version_of(wanted)
    return installed == wanted if left is None or right is None else left == right
