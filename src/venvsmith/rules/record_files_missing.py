"""record-files-missing."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from venvsmith.rules.framework.follows import IMPORTS, failing_names, missing_module, text_of
from venvsmith.rules.framework.mends import installed
from venvsmith.rules.framework.rule import Rule
from venvsmith.rules.framework.view import by_system
from venvsmith.rules.framework.words import count, listing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.facts import Distribution, RecordProblem
    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context

CODE = re.compile(r"\.(py|so)(\.[\d.]+)?$")


class RecordFilesMissing(Rule):
    """Files of an installed distribution are gone, although it still counts as installed.

    ## What it looks for
    Every row of each distribution's `RECORD` that names a file which is not on the disk. Scripts in
    `bin` have a rule of their own (scripts-missing).

    ## Why it happens
    An ignore file dropped them on COPY (`*.so`, `data/`, `lib/`), a slimming step deleted too much,
    or an install was cut off. `pip check` and `uv pip check` pass such an environment: they read
    the metadata only.

    ## How to see it by hand
    `python -m pip show -f NAME` lists what should be there.

    ## How to mend it
    Install it anew, and look for what removed the files:

        RUN uv pip install --python /venv/bin/python --reinstall NAME

    ## When it is fine
    Tests, headers, type stubs and documents that were removed to save room: reported as info.
    """

    name = "record-files-missing"
    code = "VS205"
    claims = IMPORTS | {"command-failed", "native-lib-missing", "scripts-missing"}

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Gather the missing files of each distribution."""
        for dist in ctx.env.distributions:
            gone = [p for p in dist.record_problems if p.kind == "missing" and _is_its_own(p, dist)]
            harmful = [p for p in gone if not p.dispensable]
            # Only the last of a list is cut off: where it ends in dispensable files, no others.
            cut = 0 if harmful and harmful != gone else dist.record_problems_cut.get("missing", 0)
            if gone:
                grave = bool(harmful) and not by_system(dist.location)
                yield self._finding(ctx, dist, harmful or gone, cut=cut, harmful=grave)

    def _finding(
        self,
        ctx: Context,
        dist: Distribution,
        gone: list[RecordProblem],
        *,
        cut: int,
        harmful: bool,
    ) -> Finding:
        names = [_below(p, dist) for p in sorted(gone, key=lambda p: _weight(p.path))]
        return self.finding(
            ctx,
            subject=dist.name,
            message=(
                f"{dist.name} {dist.version} lacks {count(len(gone) + cut, 'file')} that its "
                f"RECORD names: {listing(names, cut=cut)}."
            ),
            cause=(
                "The files were dropped after the install, by an ignore file, a copy of parts or a "
                "slimming step."
                if harmful
                else "Files that nothing imports were removed to save room."
            ),
            fix=installed(ctx, f"{dist.name}=={dist.version}", options=("--reinstall",)),
            severity="error" if harmful else "info",
            evidence={
                "files": names[:20],
                "count": len(gone) + cut,
                "of": dist.files,
                "modules": sorted({_module(name) for name in names if CODE.search(name)})[:50],
            },
        )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim failures that miss one of the files or pass through the distribution."""
        missing = missing_module(other, ctx)
        modules = finding.evidence["modules"]
        if missing is not None:
            owners = {canonicalize_name(d.name) for d in ctx.view.owners(missing)}
            return missing in modules or canonicalize_name(finding.subject) in owners
        said = text_of(other) + other.message
        if any(PurePosixPath(name).name in said for name in finding.evidence["files"]):
            return True
        return canonicalize_name(finding.subject) in failing_names(other, ctx)


def _is_its_own(problem: RecordProblem, dist: Distribution) -> bool:
    return problem.path.startswith(dist.location.rstrip("/") + "/")


def _below(problem: RecordProblem, dist: Distribution) -> str:
    return problem.path.removeprefix(dist.location.rstrip("/") + "/")


def _weight(path: str) -> tuple[int, str]:
    return (0 if CODE.search(path) else 1, path)


def _module(name: str) -> str:
    stem = name.partition(".")[0].replace("/", ".")
    return stem.removesuffix(".__init__")
