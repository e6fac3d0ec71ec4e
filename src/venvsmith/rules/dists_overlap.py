"""dists-overlap."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, ClassVar

from packaging.utils import canonicalize_name

from venvsmith.rules.framework.follows import IMPORTS, failing_names, missing_module
from venvsmith.rules.framework.mends import installed, run_line
from venvsmith.rules.framework.rule import Need, Rule
from venvsmith.rules.framework.view import by_system
from venvsmith.rules.framework.words import count, listing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.facts import Distribution, Overlap
    from venvsmith.model.finding import Finding, Severity
    from venvsmith.rules.framework.context import Context

TRIFLES = re.compile(
    r"/(tests?|docs?|examples?|scripts)/|/(LICENSE|README|CHANGE|NOTICE|AUTHORS)[^/]*$|"
    r"\.(md|rst|txt|pyi|typed|h)$"
)
ONE_LOSES = {"onnxruntime": ("onnxruntime-gpu", "onnxruntime-openvino", "onnxruntime-directml")}
"""Where the first is installed over one of the others, that one's devices are gone. Source:
https://github.com/microsoft/onnxruntime/issues/26996, 2026-11-21."""


class DistsOverlap(Rule):
    """Two distributions install different content at the same path.

    ## What it looks for
    Paths that several RECORDs claim with different hashes, and whose content is there now. Equal
    content (an empty `__init__.py` that eleven nvidia packages share) is no overlap.

    ## Why it happens
    Two builds of one library under different names: `onnxruntime` and `onnxruntime-gpu`,
    `opencv-python` and `opencv-python-headless`. The one that is unpacked last wins, file by file;
    removing one takes the other's files along.

    ## How to see it by hand
    `grep -l 'cv2/__init__.py' /venv/lib/python3.*/site-packages/*.dist-info/RECORD`

    ## How to mend it
    Keep one of them:

        RUN uv pip uninstall onnxruntime onnxruntime-gpu && uv pip install onnxruntime-gpu

    ## When it is fine
    Where one of them won throughout and is the one that is wanted: reported as a warning.
    """

    name = "dists-overlap"
    code = "VS211"
    claims = IMPORTS | {"command-failed", "record-hash-mismatch", "record-files-missing"}
    severity: ClassVar[Severity] = "warning"
    needs: ClassVar[frozenset[Need]] = frozenset({"hashes"})

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Group the contested files by who contests them."""
        yield from self._twice(ctx)
        groups: defaultdict[tuple[str, ...], list[Overlap]] = defaultdict(list)
        for overlap in ctx.env.overlaps:
            if not TRIFLES.search(overlap.path):
                groups[tuple(sorted(overlap.distributions))].append(overlap)
        for names, files in sorted(groups.items()):
            yield self._finding(ctx, names, files)

    def _twice(self, ctx: Context) -> Iterator[Finding]:
        """Tell one distribution that is installed at two versions in one folder."""
        seen: dict[tuple[str, str], Distribution] = {}
        for dist in ctx.env.distributions:
            key = (canonicalize_name(dist.name), dist.location)
            first = seen.setdefault(key, dist)
            if first is dist or first.version == dist.version or by_system(dist.location):
                continue
            yield self.finding(
                ctx,
                subject=dist.metadata_path,
                message=(
                    f"{dist.name} is installed twice in {dist.location}, as {first.version} and "
                    f"{dist.version}: its files are a mixture of both."
                ),
                cause="One installation was copied over another, without removing it first.",
                fix=(
                    run_line("rm", "-r", first.metadata_path, dist.metadata_path)
                    + " && "
                    + installed(
                        ctx, f"{dist.name}=={dist.version}", options=("--reinstall",)
                    ).removeprefix("RUN ")
                ),
                severity="error",
                evidence={"distributions": [dist.name], "files": [], "winner": None},
            )

    def _finding(self, ctx: Context, names: tuple[str, ...], files: list[Overlap]) -> Finding:
        winners = {name for file in files for name in file.matches}
        mixed = len(winners) > 1
        winner = next(iter(winners)) if len(winners) == 1 else None
        lost = [n for n in ONE_LOSES.get(winner or "", ()) if n in names]
        paths = [file.path for file in files]
        if mixed:
            state = "and the files are a mixture of them"
        else:
            state = f"and {winner}'s are there" if winner else "and neither's are there"
        keep = lost[0] if lost else winner or names[-1]
        return self.finding(
            ctx,
            subject=paths[0],
            message=(
                f"{listing(names)} both install {count(len(files), 'file')} "
                f"({listing(p.rpartition('site-packages/')[2] or p for p in paths)}) with "
                f"different content, {state}."
            ),
            cause="They are builds of one library; the one that was unpacked last wins.",
            fix=(
                run_line("uv", "pip", "uninstall", "--python", f"{ctx.env.path}/bin/python", *names)
                + f" && {installed(ctx, keep).removeprefix('RUN ')}"
            ),
            severity="error" if mixed or lost else "warning",
            evidence={"distributions": list(names), "files": paths[:20], "winner": winner},
        )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim failures of either, and the files that differ because of it."""
        names = {canonicalize_name(n) for n in finding.evidence["distributions"]}
        if other.rule in {"record-hash-mismatch", "record-files-missing"}:
            return canonicalize_name(other.subject) in names
        if other.rule == "command-failed":
            tops = {t for n in names for d in [ctx.view.by_name.get(n)] if d for t in d.top_level}
            said = other.subject + str(other.evidence.get("output", ""))
            return any(top in said for top in tops)
        if other.rule in IMPORTS:
            owners = ctx.view.owners(missing_module(other, ctx) or "")
            return bool(names & {canonicalize_name(d.name) for d in owners}) or bool(
                names & failing_names(other, ctx)
            )
        return False
