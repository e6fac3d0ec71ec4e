"""arch-mismatch."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from venvsmith.model.platforms import MACHINES
from venvsmith.rules.framework.follows import RUNS, failing_names
from venvsmith.rules.framework.frozen import loaded
from venvsmith.rules.framework.gaps import claims_native
from venvsmith.rules.framework.loader import ABI_TAG
from venvsmith.rules.framework.mends import remade
from venvsmith.rules.framework.rule import Rule
from venvsmith.rules.framework.words import count, listing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context


class ArchMismatch(Rule):
    """Compiled code is for another processor than the image.

    ## What it looks for
    The machine of every extension module, and of the interpreter, against that of the image.

    ## Why it happens
    The venv was built on a Mac with ARM and copied into an amd64 image (or the reverse), or a
    multi-platform build copied from a stage of `$BUILDPLATFORM`.

    ## How to see it by hand
    `file /venv/lib/python3.*/site-packages/**/*.so`, and `docker image inspect -f
    '{{.Architecture}}' IMAGE`.

    ## How to mend it
    Build the environment on, or for, the platform where it runs:

        RUN uv pip install --python-platform x86_64-manylinux_2_28 ...

    ## When it is fine
    Packages that carry binaries for several machines on purpose (debuggers): those are no
    extension modules and do not count.
    """

    name = "arch-mismatch"
    code = "VS401"
    claims = RUNS
    of_bundles = True

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Compare the interpreter, then the extension modules."""
        said = MACHINES.get(ctx.image.architecture, ctx.image.architecture)
        machine = ctx.facts.system.machine or said
        if not machine:
            return
        interpreter = ctx.env.interpreter
        elf = interpreter.elf if interpreter else None
        if interpreter is not None and elf is not None and elf.machine not in {"", machine}:
            yield self._finding(
                ctx,
                interpreter.path,
                other=elf.machine,
                machine=machine,
                names=[],
                what="interpreter",
            )
        groups: defaultdict[str, list[str]] = defaultdict(list)
        for item in ctx.env.elves:
            counts = ABI_TAG.search(item.path) or loaded(ctx, item)
            if counts and not item.error and item.machine != machine:
                groups[item.machine].append(item.path)
        for other, paths in sorted(groups.items()):
            names = sorted({d.name for p in paths if (d := ctx.view.dist_at(p)) is not None})
            yield self._finding(
                ctx,
                paths[0],
                other=other,
                machine=machine,
                names=names,
                what=count(len(paths), "module" if ABI_TAG.search(paths[0]) else "file"),
            )

    def _finding(
        self,
        ctx: Context,
        path: str,
        *,
        other: str,
        machine: str,
        names: list[str],
        what: str,
    ) -> Finding:
        of = f" of {listing(names)}" if names else ""
        frozen = ctx.env.bundle is not None
        return self.finding(
            ctx,
            subject=path,
            message=f"{path} ({what}{of}) is for {other}, and the "
            f"{'rest of the bundle' if frozen else ctx.place.partition(' ')[2]} is {machine}.",
            cause="It was built on, or for, another machine and copied in.",
            fix=f"Freeze on {machine}, with packages that were installed there"
            if frozen
            else remade(
                ctx,
                f"Build with docker build --platform linux/{_docker(machine)}, without copying "
                "packages from another platform",
            ),
            evidence={"machine": other, "wanted": machine, "distributions": names},
        )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim every run where it is the interpreter, else what fails in these packages."""
        names = set(finding.evidence["distributions"])
        if not names:
            return other.rule in RUNS
        if other.rule in RUNS and names & failing_names(other, ctx):
            return True
        name = finding.subject.rpartition("/")[2]
        words = (name,) if ctx.env.bundle is not None else ()
        return claims_native(finding, other, ctx, "wrong ELF class", "Exec format error", *words)


def _docker(machine: str) -> str:
    return {v: k for k, v in MACHINES.items()}.get(machine, machine)
