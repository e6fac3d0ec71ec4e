"""native-lib-missing."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from venvsmith.data.knowledge import debian_package
from venvsmith.rules.framework.follows import RUNS
from venvsmith.rules.framework.gaps import (
    LIBPYTHON,
    claims_native,
    gaps,
    lies_at,
    severity_at,
    special,
    spoken,
)
from venvsmith.rules.framework.loader import ALWAYS
from venvsmith.rules.framework.mends import words
from venvsmith.rules.framework.roots import matters
from venvsmith.rules.framework.rule import Rule
from venvsmith.rules.framework.words import be, listing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context
    from venvsmith.rules.framework.loader import Gap


class NativeLibMissing(Rule):
    """A shared library that an extension module needs is not in the target.

    ## What it looks for
    What the loader would do for every extension module that this interpreter can import: NEEDED
    along the whole chain, with RPATH inherited, RUNPATH, `LD_LIBRARY_PATH`, the loader's folders,
    and what a sibling has loaded already. Objects that nothing loads by itself do not count, unless
    a failing import names what they miss.

    ## Why it happens
    Slim images lack what the developer's machine has: `libgomp1` for scikit-learn and torch,
    `libgl1` for OpenCV, `libsndfile1` for soundfile. Wheels bundle most, not all.

    ## How to see it by hand
    `python -c "import NAME"` says "cannot open shared object file". `ldd` is no guide: it knows
    nothing of what a sibling has loaded.

    ## How to mend it
    In the final stage:

        RUN apt-get update && apt-get install -y --no-install-recommends libgomp1

    ## When it is fine
    Where the module is an optional part that nothing imports; where its distribution imports all
    the same, it is reported as a warning.
    """

    name = "native-lib-missing"
    code = "VS405"
    claims = RUNS | {"stdlib-missing"}

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Group by library, then by the distribution that needs them: one mend for each."""
        yield from self._of_interpreter(ctx)
        groups: defaultdict[str, list[Gap]] = defaultdict(list)
        for gap in gaps(ctx.view):
            if not lies_at(ctx.view, gap) and not special(gap.name):
                groups[gap.name].append(gap)
        needs: defaultdict[str, dict[str, list[Gap]]] = defaultdict(dict)
        for name, found in sorted(groups.items()):
            needs[self._gravest(ctx, found).chain[0]][name] = found
        by_owner: defaultdict[str, dict[str, list[Gap]]] = defaultdict(dict)
        for path, libraries in needs.items():
            dist = ctx.view.dist_at(path)
            by_owner[dist.name if dist else path].update(libraries)
        for libraries in by_owner.values():
            yield self._finding(ctx, libraries)
        for name in sorted(spoken(ctx.view) - set(groups)):
            known = {**ctx.facts.system.libraries, **ctx.facts.system.libraries_off_path}
            if name not in known and not special(name) and not self._is_here(ctx, name):
                yield self._spoken(ctx, name)

    def _of_interpreter(self, ctx: Context) -> Iterator[Finding]:
        """Tell what the interpreter itself links to, where it does not come up."""
        interpreter = ctx.env.interpreter
        elf = interpreter.elf if interpreter else None
        libraries = ctx.facts.system.libraries
        if interpreter is None or elf is None or not libraries:
            return
        if not ctx.view.nothing_starts and ctx.view.starts is not False:
            return
        names = [
            name
            for name in elf.needed
            if name not in libraries and not LIBPYTHON.match(name) and not ALWAYS.match(name)
        ]
        if names and not elf.rpath and not elf.runpath:
            yield self.finding(
                ctx,
                subject=names[0],
                message=(
                    f"{interpreter.path} itself needs {listing(names, 6)}, which "
                    f"{be(len(names))} not in this target."
                ),
                cause="The interpreter was copied without the libraries that it links to.",
                fix=_fix(ctx, names),
                severity="error",
                evidence={"libraries": names, "distribution": None, "interpreter": True},
            )

    @staticmethod
    def _is_here(ctx: Context, name: str) -> bool:
        return any(name in {e.soname, e.path.rpartition("/")[2]} for e in ctx.env.elves)

    @staticmethod
    def _gravest(ctx: Context, found: list[Gap]) -> Gap:
        return min(found, key=lambda g: (severity_at(ctx.view, g.chain[0]) != "error", g.chain))

    def _finding(self, ctx: Context, libraries: dict[str, list[Gap]]) -> Finding:
        names = sorted(libraries)
        gap = self._gravest(ctx, [g for found in libraries.values() for g in found])
        dist = ctx.view.dist_at(gap.chain[0])
        who = f"{dist.name} {dist.version}" if dist else gap.chain[0]
        them = "it" if len(names) == 1 else "them"
        return self.finding(
            ctx,
            subject=names[0],
            message=f"{who} needs {listing(names, 6)}, which {be(len(names))} not in this target.",
            cause=(
                f"{gap.by.path.rpartition('site-packages/')[2]} links to {gap.name}, no wheel here "
                f"brings {them}, and {ctx.place} does not have {them}."
            ),
            fix=_fix(ctx, names),
            severity=severity_at(ctx.view, gap.chain[0]),
            evidence={
                "libraries": names,
                "needed_by": sorted({g.by.path for f in libraries.values() for g in f})[:20],
                "chain": list(gap.chain),
                "distribution": dist.name if dist else None,
            },
        )

    def _spoken(self, ctx: Context, name: str) -> Finding:
        stem = name.partition(".so")[0].removeprefix("lib")
        result = next(i for i in ctx.view.failed_imports if stem in f"{i.message} {i.causes}")
        owners = ctx.view.owners(result.module)
        return self.finding(
            ctx,
            subject=name,
            message=f"import {result.module} opens {name}, which is not in this target.",
            cause=f"It is opened by name while it runs; neither a wheel nor {ctx.place} has it.",
            fix=_fix(ctx, [name]),
            severity="error" if matters(ctx, result) else "warning",
            evidence={
                "libraries": [name],
                "needed_by": [],
                "chain": [],
                "module": result.module,
                "distribution": owners[0].name if owners else None,
            },
        )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim failures that name it, or pass through its distribution."""
        if finding.evidence.get("interpreter"):
            return other.rule in RUNS | {"stdlib-missing"}
        if other.subject == finding.evidence.get("module"):
            return other.rule == "import-failed"
        return claims_native(finding, other, ctx, *(str(n) for n in finding.evidence["libraries"]))


def _fix(ctx: Context, names: list[str]) -> str:
    packages = [debian_package(name) for name in names]
    if ctx.facts.system.os_id == "alpine":
        instead = "" if ctx.is_here else ", or base the image on Debian slim"
        return f"RUN apk add what brings {listing(names, 6)}{instead}"
    known = dict.fromkeys(package for package in packages if package)
    unknown = [n for n, package in zip(names, packages, strict=True) if not package]
    if not known:
        return f"Install the system package that brings {names[0]} (apt-file search {names[0]})"
    line = f"RUN apt-get update && apt-get install -y --no-install-recommends {words(*known)}"
    return f"{line}, and what brings {listing(unknown)}" if unknown else line
