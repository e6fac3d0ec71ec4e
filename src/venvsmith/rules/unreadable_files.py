"""unreadable-files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from venvsmith.rules.framework.follows import RUNS, failing_names, missing_module, text_of
from venvsmith.rules.framework.mends import run_line
from venvsmith.rules.framework.rule import Rule
from venvsmith.rules.framework.words import count, listing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context


class UnreadableFiles(Rule):
    """The image's user may not read files of the environment.

    ## What it looks for
    Files and folders below `site-packages` that the user of the image may not read or enter.

    ## Why it happens
    They were installed or copied by root under a `umask 077`, or from a host folder with private
    modes. A folder that may not be entered looks like a module that is not there.

    ## How to see it by hand
    `docker run --rm --entrypoint find IMAGE /venv ! -readable`

    ## How to mend it
    Where they are installed:

        RUN chmod -R a+rX /venv

    ## When it is fine
    Files that only root's tools need, in an image that starts as root.
    """

    name = "unreadable-files"
    code = "VS213"
    claims = RUNS | {
        "record-files-missing", "pip-missing", "editable-source-missing", "dist-missing",
        "requirement-unmet",
    }  # fmt: skip

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Gather them all."""
        files = ctx.env.unreadable
        if not files:
            return
        owners = sorted({d.name for path in files if (d := ctx.view.dist_at(path)) is not None})
        user = ctx.image.user or ctx.facts.system.uid
        code = [
            p for p in files if p.endswith(".py") or ".so" in p or "." not in p.rpartition("/")[2]
        ]
        number = f"at least {len(files)} files" if len(files) >= 100 else count(len(files), "file")  # noqa: PLR2004 - collect stops there
        yield self.finding(
            ctx,
            subject=files[0],
            message=(
                f"User {user} may not read {number} of {ctx.env.path}: {listing(files, 2)}"
                + (f" (of {listing(owners)})." if owners else ".")
            ),
            cause="They were installed or copied under a strict umask, or from private files.",
            fix=run_line("chmod", "-R", "a+rX", ctx.env.path),
            severity="error" if code else "warning",
            evidence={"files": list(files), "distributions": owners},
        )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim failures that are denied, or pass through one of these packages."""
        names = {canonicalize_name(n) for n in finding.evidence["distributions"]}
        if other.rule in {"record-files-missing", "pip-missing", "editable-source-missing"}:
            return canonicalize_name(other.subject) in names
        if other.rule not in RUNS | {"dist-missing", "requirement-unmet"}:
            return False
        if "Permission denied" in text_of(other):
            return True
        owners = {
            canonicalize_name(d.name) for d in ctx.view.owners(missing_module(other, ctx) or "")
        }
        return bool(names & (owners | failing_names(other, ctx)))
