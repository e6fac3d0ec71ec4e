"""pythonpath-poison."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from venvsmith.rules.framework.follows import IMPORTS, RUNS, frame_file
from venvsmith.rules.framework.rule import Rule
from venvsmith.rules.framework.words import listing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context

MINOR = re.compile(r"/python(\d\.\d+)(/|$)")

OF_IMAGE = "ENV PYTHONPATH, of this image or its base,"


class PythonpathPoison(Rule):
    """PYTHONPATH puts another Python's packages, or strange modules, before the environment's.

    ## What it looks for
    Entries of the image's `PYTHONPATH` that hold packages: those of another minor version, those
    that the environment has too, and files from there in the traceback of a failing import.

    ## Why it happens
    A base image sets `PYTHONPATH` for its own Python, or a Dockerfile points it at a
    `site-packages` folder to "make it work". It stands before the environment's own folders, for
    every interpreter that starts.

    ## How to see it by hand
    `docker run --rm --entrypoint env IMAGE | grep PYTHONPATH`; the same import works with
    `python -I`.

    ## How to mend it
    Remove it, or keep only your own source folder in it:

        ENV PYTHONPATH=

    ## When it is fine
    A folder with nothing but your own modules (`/app`): no finding.
    """

    name = "pythonpath-poison"
    code = "VS311"
    claims = RUNS | {"version-drift", "native-lib-missing", "module-shadowed"}

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Judge each entry by what lies in it."""
        value = ctx.facts.system.env.get("PYTHONPATH", "")
        for entry in dict.fromkeys(part.rstrip("/") for part in value.split(":") if part):
            if entry in ctx.env.site_packages:
                continue
            other = MINOR.search(entry + "/")
            wrong = other is not None and ctx.view.minor not in {None, other[1]}
            names = sorted(
                p.name for p in ctx.facts.system.packages_elsewhere if p.location == entry
            )
            twice = [name for name in names if name in ctx.view.by_name]
            failing = self._failing(ctx, entry)
            if wrong or twice or failing:
                yield self._finding(
                    ctx, entry, other[1] if wrong and other else None, twice, failing
                )

    @staticmethod
    def _failing(ctx: Context, entry: str) -> list[str]:
        # The user's own code fails there too; only a file that stands in another's place counts.
        names = set(ctx.view.by_module)
        return sorted(
            {
                frame_file(frame)
                for result in ctx.view.failed_imports
                for frame in result.traceback
                if frame.startswith(entry + "/")
                if frame_file(frame).removeprefix(entry + "/").partition("/")[0].partition(".")[0]
                in names
            }
        )

    def _finding(
        self, ctx: Context, entry: str, minor: str | None, twice: list[str], failing: list[str]
    ) -> Finding:
        said = [f"holds packages of Python {minor}"] if minor else []
        if twice:
            said.append(f"hides the environment's own {listing(twice)}")
        if failing and not said:
            said.append(f"puts {failing[0]} in a package's place")
        return self.finding(
            ctx,
            subject=entry,
            message=f"PYTHONPATH puts {entry} before {ctx.env.path}: it {' and '.join(said)}.",
            cause=("PYTHONPATH" if ctx.is_here else OF_IMAGE)
            + " holds for every Python that starts.",
            fix="ENV PYTHONPATH= (or only your own source folder in it)",
            severity="error" if minor and ctx.view.failed_imports else "warning",
            evidence={"entry": entry, "minor": minor, "twice": twice, "failing": failing},
        )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim what fails in a file from there, or in a package that exists twice."""
        entry = str(finding.evidence["entry"])
        if other.rule not in RUNS | {"version-drift", "native-lib-missing", "module-shadowed"}:
            return False
        if other.rule in IMPORTS | {"command-failed"}:
            frames = [str(f) for f in other.evidence.get("traceback", ())]
            said = " ".join([*frames, str(other.evidence.get("output", "")), other.message])
            return entry + "/" in said or bool(finding.evidence["minor"])
        return entry in other.subject or other.subject in finding.evidence["twice"]
