"""bad-elf."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from venvsmith.rules.framework.follows import IMPORTS
from venvsmith.rules.framework.frozen import AGAIN, loaded
from venvsmith.rules.framework.gaps import claims_native, tested
from venvsmith.rules.framework.loader import ABI_TAG
from venvsmith.rules.framework.mends import installed
from venvsmith.rules.framework.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.finding import Finding, Severity
    from venvsmith.rules.framework.context import Context


class BadElf(Rule):
    """A shared library is damaged: it is not the file that the loader expects.

    ## What it looks for
    Files named as shared objects that are no sound ELF: empty, cut off, headers that contradict the
    file's size, or a text (a Git LFS pointer) in their place.

    ## Why it happens
    A copy that was cut off, a full disk while installing, a large file that git keeps elsewhere.

    ## How to see it by hand
    `python -c "import NAME"` says "invalid ELF header" or "file too short"; `file FILE`.

    ## How to mend it
    Install the package anew:

        RUN uv pip install --python /venv/bin/python --reinstall NAME

    ## When it is fine
    A `.so` that is a linker's script, which nothing loads: reported as info.
    """

    name = "bad-elf"
    code = "VS411"
    claims = IMPORTS | {"command-failed", "record-hash-mismatch"}
    of_bundles = True
    severity: ClassVar[Severity] = "error"

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Tell every object that could not be read."""
        for elf in ctx.env.elves:
            if elf.error is None:
                continue
            dist = ctx.view.dist_at(elf.path)
            fine = dist is not None and dist.name in tested(ctx.view)
            extension = ABI_TAG.search(elf.path) is not None
            severity: Severity = "error" if extension or loaded(ctx, elf) else "warning"
            yield self.finding(
                ctx,
                subject=elf.path,
                message=f"{elf.path} is no sound shared library: {elf.error.rstrip('.')}.",
                cause="It was cut off or replaced after, or while, it was installed.",
                fix=AGAIN
                if ctx.env.bundle is not None
                else (installed(ctx, dist.name if dist else "NAME", options=("--reinstall",))),
                severity="info" if fine else severity,
                evidence={"error": elf.error, "distribution": dist.name if dist else None},
            )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim failures that name the file, or what the loader calls it."""
        if other.rule == "record-hash-mismatch":
            return finding.subject in other.evidence["files"]
        name = finding.subject.rpartition("/")[2]
        if other.rule == "import-failed" and other.evidence.get("missing") in {
            name.partition(".")[0],
            finding.subject.rpartition("site-packages/")[2].partition(".")[0].replace("/", "."),
        }:
            return True
        return claims_native(finding, other, ctx, name, "invalid ELF header", "file too short")
