"""glibc-too-old."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvsmith.rules.framework.follows import RUNS
from venvsmith.rules.framework.gaps import claims_native
from venvsmith.rules.framework.rule import Rule
from venvsmith.rules.framework.symbols import number, wanting
from venvsmith.rules.framework.words import count, listing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context

DEBIAN = {(2, 31): "bullseye", (2, 36): "bookworm", (2, 41): "trixie"}
"""Debian's releases by the glibc that they have."""


class GlibcTooOld(Rule):
    """Compiled code wants a newer C library than the image has.

    ## What it looks for
    The versions of GLIBC symbols that loaded objects and the interpreter want, against those that
    the image's `libc.so.6` defines.

    ## Why it happens
    The venv, or a package in it, was compiled on a newer distribution than the one where it runs:
    built on trixie (2.41), run on bookworm (2.36).

    ## How to see it by hand
    The error says "version `GLIBC_2.38' not found"; `ldd --version` tells the image's.

    ## How to mend it
    Build on the same release as the runtime, or an older one:

        FROM python:3.11-bookworm AS build

    ## When it is fine
    Never for code that is loaded.
    """

    name = "glibc-too-old"
    code = "VS403"
    claims = RUNS | {"stdlib-missing"}

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Gather the objects that want more."""
        found = dict(wanting(ctx.view, "libc.so.6", ("GLIBC_",)))
        found |= {
            path: versions
            for path, versions in wanting(ctx.view, "libm.so.6", ("GLIBC_",)).items()
            if path not in found
        }
        if not found:
            return
        newest = max((v for versions in found.values() for v in versions), key=number)
        names = sorted({d.name for path in found if (d := ctx.view.dist_at(path)) is not None})
        path = next(iter(found))
        own = ctx.env.interpreter.path if ctx.env.interpreter else ""
        needed = number(newest)
        release = next((r for v, r in DEBIAN.items() if v >= needed), None)
        yield self.finding(
            ctx,
            subject=own if own in found else path,
            message=(
                f"{listing(names) or own or path} ({count(len(found), 'object')}) wants {newest}, "
                f"and {ctx.place}'s glibc is {ctx.facts.system.libc_version or 'older'}."
            ),
            cause="It was compiled on a newer distribution than the one where it runs.",
            fix=(
                f"Build on the release where it runs, or run on Debian {release}"
                if release
                else "Build on the release where it runs"
            ),
            severity="error",
            evidence={
                "objects": {p: list(v) for p, v in list(found.items())[:20]},
                "libc": ctx.facts.system.libc_version,
                "interpreter": own in found,
                "distribution": names[0] if names else None,
                "version": newest,
            },
        )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim every run where it is the interpreter, else what names the version."""
        if finding.evidence["interpreter"]:
            return other.rule in RUNS | {"stdlib-missing"}
        return claims_native(finding, other, ctx, "' not found (required by", "GLIBC_")
