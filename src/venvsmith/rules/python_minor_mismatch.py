"""python-minor-mismatch."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from venvsmith.rules.framework.follows import RUNS
from venvsmith.rules.framework.foresee import foreseen_minor
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
    needs = frozenset({"venv"})

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Compare the folders that hold packages with the interpreter's minor."""
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
            fix=(
                f"Base the final stage on Python {built} (FROM python:{built}-slim), or rebuild "
                f"the venv with Python {minor}: uv venv --python {minor} {env.path}"
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

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim whatever needs a package: none is visible to the interpreter."""
        return other.rule in RUNS | {
            "dist-missing",
            "requirement-unmet",
            "pip-missing",
            "pkg-resources-missing",
            "venv-config-broken",
            "stale-bytecode",
            "installed-elsewhere",
            "foreign-venv",
            "native-lib-missing",
            "libpython-missing",
            "pythonpath-poison",
        }
