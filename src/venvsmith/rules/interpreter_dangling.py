"""interpreter-dangling."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvsmith.rules.framework.follows import RUNS
from venvsmith.rules.framework.foresee import foreseen_dangling
from venvsmith.rules.framework.mends import words
from venvsmith.rules.framework.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.facts import Interpreter, PathStep
    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context

WORDS = {"missing": "which is not in this target", "loop": "which is a link in a circle"}


class InterpreterDangling(Rule):
    """The environment's python is a link that leads nowhere.

    ## What it looks for
    Every link from the environment's `bin/python` on, one by one, inside the target. The rule
    fires where one of them points at a path that does not exist there, or back at itself.

    ## Why it happens
    A venv holds no interpreter, only a link to one. A venv that is copied to another stage still
    points at the interpreter of the build stage: one that uv downloaded into
    `/root/.local/share/uv/python`, or `/usr/local/bin/python3.11` of an official Python image where
    the runtime base has `/usr/bin/python3.11`. The shell then says "no such file or directory"
    of a file that `ls` shows.

    ## How to see it by hand
    `docker run --rm --entrypoint readlink IMAGE -f /venv/bin/python` prints nothing, and
    `ls -l /venv/bin/python` shows where the link points.

    ## How to mend it
    Give both stages the same interpreter at the same path: the same base image, or uv's Python in a
    folder of your choice that is copied too:

        ENV UV_PYTHON_INSTALL_DIR=/opt/python
        COPY --from=build /opt/python /opt/python

    ## When it is fine
    Never: no program of this environment can start.
    """

    name = "interpreter-dangling"
    code = "VS301"
    claims = RUNS | {
        "scripts-missing", "pip-missing", "python-alias-missing", "venv-config-broken",
        "python-minor-mismatch", "stdlib-missing", "shebang-broken", "symlinked-install-dangling",
    }  # fmt: skip

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Look at the last hop of the chain."""
        interpreter = ctx.env.interpreter
        if interpreter is None or not interpreter.chain:
            return
        last = interpreter.chain[-1]
        if last.kind not in WORDS or last.blocked_at:
            return
        hops = " -> ".join(step.path for step in interpreter.chain)
        message = f"{interpreter.path} leads to {last.path}, {WORDS[last.kind]}."
        if last.path == interpreter.path and last.kind == "missing":
            message = f"There is no {interpreter.path} in this target."
        yield self.finding(
            ctx,
            subject=interpreter.path,
            message=message,
            cause=_cause(ctx, last),
            fix=_fix(ctx, interpreter, last),
            evidence={"chain": hops, "present": _present(ctx)},
        )

    def foresee(self, ctx: Context) -> Iterator[Finding]:
        """Compare the bases of the stages that build and run an environment."""
        return foreseen_dangling(self, ctx)

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim whatever had to start, and the links and scripts that name this interpreter."""
        if other.rule in RUNS | {"scripts-missing", "pip-missing", "python-alias-missing"}:
            return True
        if other.rule in {"venv-config-broken", "python-minor-mismatch", "stdlib-missing"}:
            return True
        in_bin = other.subject.startswith(f"{finding.environment}/bin/")
        return in_bin and other.rule in {"shebang-broken", "symlinked-install-dangling"}


def _present(ctx: Context) -> list[str]:
    return [i.path for i in ctx.facts.system.interpreters if i.resolves_to]


def _cause(ctx: Context, last: PathStep) -> str:
    if last.kind == "loop":
        return "The links of the interpreter point at one another."
    if ctx.is_here:
        return "The Python that the venv was made with was moved or removed, or the venv was."
    if "/uv/python/" in last.path or "cpython-" in last.path:
        return (
            "The venv was made with a Python that uv downloaded in the build stage, and only the "
            "venv was copied."
        )
    if last.path.startswith(("/Users/", "/home/", "/opt/homebrew/")):
        return "The venv was made on another machine and copied in, most likely by COPY . ."
    return (
        "The venv was made in a stage or image whose Python lies there, and copied to one whose "
        "Python does not."
    )


def _fix(ctx: Context, interpreter: Interpreter, last: PathStep) -> str:
    wanted = interpreter.minor or (ctx.env.lib_minors[0] if ctx.env.lib_minors else None)
    if ctx.is_here:
        python = ["--python", wanted] if wanted else []
        command = words("uv", "venv", "--allow-existing", *python, ctx.env.path)
        return f"Put a new Python under its packages: {command}"
    if "/uv/python/" in last.path:
        return (
            "In the build stage: ENV UV_PYTHON_INSTALL_DIR=/opt/python, and in the final one: "
            "COPY --from=build /opt/python /opt/python"
        )
    same = [
        i.path
        for i in ctx.facts.system.interpreters
        if i.resolves_to and wanted is not None and i.minor == wanted and "/shims/" not in i.path
    ]
    if same:
        return (
            "Make the venv with the path that this image has: "
            + words("uv", "venv", "--python", same[0], ctx.env.path)
            + f", in a build stage where {words(same[0])} exists too"
        )
    version = wanted or "3.X"
    return (
        f"Build and run on the same base, FROM python:{version}-slim, or remake the venv in the "
        f"final stage: {words(f'python{version}', '-m', 'venv', ctx.env.path)}"
    )
