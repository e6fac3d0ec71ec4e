"""venv-config-broken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvsmith.rules.framework.follows import RUNS
from venvsmith.rules.framework.mends import carried, remade
from venvsmith.rules.framework.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.facts import InterpreterRun
    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context


class VenvConfigBroken(Rule):
    """The environment's pyvenv.cfg is missing or wrong, so its python is no venv's python.

    ## What it looks for
    `pyvenv.cfg` beside `bin`: whether it is there, has a `home`, and whether the interpreter, once
    started, takes the environment for its own (`sys.prefix`).

    ## Why it happens
    Only `bin` and `lib` were copied; an ignore file dropped `*.cfg`; somebody edited `home`.
    Without the file the interpreter is just the system's Python under another name: it starts, and
    sees none of the environment's packages.

    ## How to see it by hand
    `/venv/bin/python -c "import sys; print(sys.prefix)"` must print the environment's folder.

    ## How to mend it
    Copy the whole folder, not its parts:

        COPY --from=build /venv /venv

    ## When it is fine
    A `home` that is not there is harmless where the interpreter finds itself all the same; that is
    reported as a warning at most.
    """

    name = "venv-config-broken"
    code = "VS304"
    claims = RUNS | {
        "stdlib-missing", "dist-missing", "requirement-unmet", "pip-missing",
        "shebang-foreign-python", "python-minor-mismatch",
    }  # fmt: skip
    needs = frozenset({"venv"})

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Look at the file first, and then at what the interpreter made of it."""
        env = ctx.env
        path = f"{env.path}/pyvenv.cfg"
        run = env.interpreter.run if env.interpreter else None
        if env.config is None:
            message, cause = f"{path} is not there.", "The folder was copied without it."
        elif not env.config.get("home"):
            message, cause = f"{path} names no home.", "The file is empty, cut off or edited."
        elif run is not None and run.returncode == 0 and not _is_own(run, env.path):
            message = (
                f"{env.interpreter.path if env.interpreter else path} runs with prefix "
                f"{run.prefix}, not {env.path}: it does not see this environment."
            )
            cause = f"{path} does not describe the place where it lies now."
        else:
            return
        works = run is not None and run.returncode == 0 and _is_own(run, env.path)
        yield self.finding(
            ctx,
            subject=path,
            message=message,
            cause=cause,
            fix=remade(
                ctx,
                f"{carried(env.path)} (the whole folder, at the same path)",
            ),
            severity="warning" if works else "error",
            evidence={"config": dict(env.config or {}), "prefix": run.prefix if run else None},
        )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim whatever needs a package: none is on the path."""
        return True


def _is_own(run: InterpreterRun, path: str) -> bool:
    # A prefix that is spelled otherwise (a link on the way) is told by the packages on its path.
    if run.prefix is None or run.prefix == path:
        return True
    return any(entry.startswith(f"{path}/") for entry in run.sys_path)
