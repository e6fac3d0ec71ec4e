"""python-minor-mismatch."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from venvsmith.rules.framework.follows import RUNS, failing_names
from venvsmith.rules.framework.foresee import foreseen_minor
from venvsmith.rules.framework.loader import ABI_TAG
from venvsmith.rules.framework.mends import installed, remade, words
from venvsmith.rules.framework.rule import Rule
from venvsmith.rules.framework.words import listing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context


FOLDER = re.compile(r"/lib(?:64)?/python(\d+\.\d+)/")


class PythonMinorMismatch(Rule):
    """The packages belong to another minor version than the interpreter that runs.

    ## What it looks for
    The folders `lib/pythonX.Y` of the environment that hold packages, against the minor of the
    interpreter that `bin/python` really leads to.

    ## Why it happens
    The venv was built with one Python and runs with another: a `.python-version` file that made uv
    fetch a different one, a runtime base that was bumped, `/usr/bin/python3` that means another
    minor there. An interpreter of 3.13 reads `lib/python3.13` only; everything in `lib/python3.11`
    is invisible to it. `uv pip check` passes such a venv with "Checked 0 packages".

    ## How to see it by hand
    `/venv/bin/python -V` and `ls /venv/lib`.

    ## How to mend it
    Run the same minor in both stages and name it in both FROM lines:

        FROM python:3.11-bookworm AS build
        FROM python:3.11-slim-bookworm

    ## When it is fine
    Never for a venv with packages. Folders of further minors beside the right one are ignored.
    """

    name = "python-minor-mismatch"
    code = "VS303"
    claims = RUNS | {
        "dist-missing", "requirement-unmet", "pip-missing", "pkg-resources-missing",
        "venv-config-broken", "stale-bytecode", "installed-elsewhere", "foreign-venv",
        "native-lib-missing", "libpython-missing", "pythonpath-poison",
    }  # fmt: skip

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Compare the folders that hold packages with the minor, then the extension modules."""
        found = list(self._folders(ctx)) if ctx.env.kind == "venv" else []
        yield from found or self._modules(ctx)

    def _folders(self, ctx: Context) -> Iterator[Finding]:
        env, minor = ctx.env, ctx.view.minor
        poison = ctx.facts.system.env.get("PYTHONPATH", "").split(":")
        if env.config is None and any(site in poison for site in env.site_packages):
            return  # no venv, only a folder of packages that PYTHONPATH names
        holding = {m[1] for d in env.distributions if (m := FOLDER.search(d.location + "/"))}
        minors = sorted(holding) or list(env.lib_minors)
        if env.interpreter is None or minor is None or not minors or minor in minors:
            return
        built = minors[0]
        target = env.interpreter.resolves_to or env.interpreter.path
        yield self.finding(
            ctx,
            subject=env.path,
            message=(
                f"{env.path} holds packages for Python {listing(minors)}, but its python "
                f"is {target}, Python {minor}, which does not look there."
            ),
            cause=f"The venv was built with Python {built} and runs with Python {minor}.",
            fix=remade(
                ctx,
                f"Base the final stage on Python {built} (FROM python:{built}-slim), or rebuild "
                f"the venv with Python {minor}: {words('uv', 'venv', '--python', minor, env.path)}",
                minor=built,
            ),
            evidence={
                "built_for": minors,
                "runs": minor,
                "pyvenv_cfg": dict(env.config or {}),
            },
        )

    def foresee(self, ctx: Context) -> Iterator[Finding]:
        """Compare the bases of the stages that build and run an environment."""
        return foreseen_minor(self, ctx)

    def _modules(self, ctx: Context) -> Iterator[Finding]:
        """Tell packages whose extension modules are all for other minors."""
        minor = ctx.view.minor
        if minor is None:
            return
        fits: set[str] = set()
        others: dict[str, tuple[str, str]] = {}
        for elf in ctx.env.elves:
            match = ABI_TAG.search(elf.path)
            dist = ctx.view.dist_at(elf.path) if match else None
            if match is None or dist is None or dist.name in fits:
                continue
            theirs = f"{match[1]}.{match[2]}" if match[1] else minor
            if theirs == minor:
                fits.add(dist.name)
            else:
                others.setdefault(dist.name, (theirs, elf.path))
        wrong = {name: found for name, found in others.items() if name not in fits}
        if not wrong:
            return
        theirs, path = next(iter(wrong.values()))
        verb = "is" if len(wrong) == 1 else "are"
        yield self.finding(
            ctx,
            subject=path,
            message=(
                f"{listing(wrong)} in {ctx.env.path} {verb} compiled for Python {theirs}, and the "
                f"interpreter is Python {minor}."
            ),
            cause=f"The packages were installed with Python {theirs} and copied to Python {minor}.",
            fix=(
                installed(ctx, *sorted(wrong), options=("--reinstall",))
                + f", or run Python {theirs}"
            ),
            evidence={"built_for": [theirs], "runs": minor, "distributions": sorted(wrong)},
        )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim whatever needs a package: none is visible to the interpreter."""
        names = finding.evidence.get("distributions")
        if names:
            passed = failing_names(other, ctx) | {str(other.evidence.get("distribution") or "")}
            return other.rule in RUNS and bool(set(names) & passed)
        return True
