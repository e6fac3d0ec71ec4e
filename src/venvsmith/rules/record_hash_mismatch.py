"""record-hash-mismatch."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from packaging.utils import canonicalize_name

from venvsmith.rules.framework.follows import IMPORTS, failing_names, frame_file
from venvsmith.rules.framework.mends import installed
from venvsmith.rules.framework.rule import Need, Rule
from venvsmith.rules.framework.view import by_system
from venvsmith.rules.framework.words import be, count, listing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.finding import Finding, Severity
    from venvsmith.rules.framework.context import Context


class RecordHashMismatch(Rule):
    """Files of an installed distribution are not the ones that were installed.

    ## What it looks for
    The hash of every file that a `RECORD` names, except where another distribution installed its
    own content at that path (dists-overlap).

    ## Why it happens
    Somebody edited or patched a file in place, `strip` was run over the libraries, a copy was cut
    off or converted line ends, or a file was replaced.

    ## How to see it by hand
    `sha256sum FILE`, and the line of that file in the distribution's `RECORD`.

    ## How to mend it
    Install it anew:

        RUN uv pip install --python /venv/bin/python --reinstall NAME

    ## When it is fine
    Patches and stripped libraries on purpose: reported as a warning, as info for data files.
    """

    name = "record-hash-mismatch"
    code = "VS209"
    claims = IMPORTS | {"command-failed", "bad-elf"}
    severity: ClassVar[Severity] = "warning"
    needs: ClassVar[frozenset[Need]] = frozenset({"hashes"})

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Gather the changed files of each distribution."""
        shared = {overlap.path for overlap in ctx.env.overlaps}
        for dist in ctx.env.distributions:
            changed = [
                p.path
                for p in dist.record_problems
                if p.kind == "hash-mismatch" and p.path not in shared
            ]
            if not changed:
                continue
            names = [p.removeprefix(dist.location.rstrip("/") + "/") for p in changed]
            sources = [n for n in names if n.endswith(".py")]
            libraries = [n for n in names if ".so" in n]
            cut = dist.record_problems_cut.get("hash-mismatch", 0)
            stripped = len(libraries) == len(names) and len(names) > 1
            yield self.finding(
                ctx,
                subject=dist.name,
                message=(
                    f"{count(len(names) + cut, 'file')} of {dist.name} {dist.version} "
                    f"{be(len(names) + cut)} not what was installed: {listing(names, cut=cut)}."
                ),
                cause=(
                    "The libraries were stripped or patched after the install."
                    if stripped
                    else "They were edited, cut off or replaced after the install."
                ),
                fix=installed(ctx, f"{dist.name}=={dist.version}", options=("--reinstall",)),
                severity=(
                    "warning" if (sources or libraries) and not by_system(dist.location) else "info"
                ),
                evidence={"files": changed[:50], "count": len(changed) + cut},
            )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim failures in one of these files, or of a broken library among them."""
        files = finding.evidence["files"]
        if other.rule == "bad-elf":
            return other.subject in files
        if other.rule not in IMPORTS | {"command-failed"}:
            return False
        frames = [frame_file(str(f)) for f in other.evidence.get("traceback", ())]
        said = f"{other.evidence.get('message', '')} {other.evidence.get('output', '')}"
        if any(path in said or path in frames[-2:] for path in files):
            return True
        mine = canonicalize_name(finding.subject) in failing_names(other, ctx)
        return mine and any(path.rpartition("/")[2] in said for path in files)
