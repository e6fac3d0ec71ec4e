"""libc-mismatch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvsmith.rules.framework.follows import RUNS, failing_names
from venvsmith.rules.framework.gaps import claims_native, tested
from venvsmith.rules.framework.loader import is_extension
from venvsmith.rules.framework.mends import remade
from venvsmith.rules.framework.rule import Rule
from venvsmith.rules.framework.words import be, listing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context


class LibcMismatch(Rule):
    """Compiled packages are for another C library than the image has.

    ## What it looks for
    `manylinux` wheels (glibc) in an image with musl, `musllinux` wheels in one with glibc, and an
    interpreter of the other kind.

    ## Why it happens
    The venv was built on Debian and copied to Alpine, or the reverse. The loader then misses
    `libc.so.6` or `ld-linux-x86-64.so.2`; the shell says "not found" of a file that is there.

    ## How to see it by hand
    `grep -h ^Tag /venv/lib/python*/site-packages/*.dist-info/WHEEL | sort | uniq -c`

    ## How to mend it
    Build and run on the same family of images; wheels are rarer for Alpine:

        FROM python:3.11-slim-bookworm

    ## When it is fine
    On Alpine with `gcompat`, where it happens to work: then the imports succeed and nothing is
    told.
    """

    name = "libc-mismatch"
    code = "VS402"
    claims = RUNS | {
        "native-lib-missing", "glibc-too-old", "libpython-missing", "interpreter-dangling",
    }  # fmt: skip

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Compare the tags of what is installed with the system's libc."""
        libc = ctx.facts.system.libc
        if not libc:
            return
        interpreter = ctx.env.interpreter
        interp = (interpreter.elf.interp or "") if interpreter and interpreter.elf else ""
        if interpreter is not None and interp and ("musl" in interp) != (libc == "musl"):
            yield self._finding(ctx, interpreter.path, [], libc)
            return
        wrong = "manylinux" if libc == "musl" else "musllinux"
        names = sorted(
            dist.name
            for dist in ctx.env.distributions
            if dist.tags and all(wrong in tag for tag in dist.tags)
            if dist.name not in tested(ctx.view) and self._is_native(ctx, dist.name)
        )
        if names:
            yield self._finding(ctx, ctx.env.path, names, libc)

    @staticmethod
    def _is_native(ctx: Context, name: str) -> bool:
        return any(
            (dist := ctx.view.dist_at(elf.path)) is not None and dist.name == name
            for elf in ctx.env.elves
            if is_extension(elf, ctx.view.minor)
        )

    def _finding(self, ctx: Context, subject: str, names: list[str], libc: str) -> Finding:
        other = "musl" if libc == "glibc" else "glibc"
        what = f"{listing(names)} {be(len(names))}" if names else f"{subject} is"
        return self.finding(
            ctx,
            subject=subject,
            message=f"{what} built for {other}, and {ctx.place} has {libc}.",
            cause="The environment was built on another family of systems.",
            fix=remade(
                ctx,
                "Build and run on the same family: FROM python:"
                f"{ctx.view.minor or '3.X'}-slim-bookworm in both stages",
            ),
            evidence={"libc": libc, "distributions": names},
        )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim runs, and what the loader misses of that libc."""
        names = set(finding.evidence["distributions"])
        if other.rule in {"native-lib-missing", "glibc-too-old", "libpython-missing"}:
            return True
        if not names:
            return other.rule in RUNS | {"interpreter-dangling"}
        if other.rule in RUNS and names & failing_names(other, ctx):
            return True
        return claims_native(finding, other, ctx, "libc.so.6", "libc.musl", "ld-linux")
