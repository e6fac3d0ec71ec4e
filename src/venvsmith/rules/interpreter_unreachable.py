"""interpreter-unreachable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvsmith.rules.framework.follows import RUNS
from venvsmith.rules.framework.mends import run_line
from venvsmith.rules.framework.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.facts import PathStep, System
    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context


class InterpreterUnreachable(Rule):
    """The environment's python exists, but the image's user may not reach or start it.

    ## What it looks for
    The folders on the way to the interpreter, link by link, with the permissions that the image's
    own user has; and the execute bit of the file at the end.

    ## Why it happens
    uv keeps its Pythons below the home of whoever builds, and `/root` has mode 0700. The image then
    says `USER 1001`, and that user may not pass `/root`. The shell says "Permission denied", or
    "bad interpreter: Permission denied".

    ## How to see it by hand
    `docker run --rm --entrypoint /venv/bin/python IMAGE -V` says "permission denied" (exit 126),
    while `--user 0` works. `namei -l $(readlink -f /venv/bin/python)` shows the folder.

    ## How to mend it
    Keep the interpreter in a folder that everyone may read, before the venv is made:

        ENV UV_PYTHON_INSTALL_DIR=/opt/python

    ## When it is fine
    Where the image is always started as root, whatever its USER says; then set USER accordingly.
    """

    name = "interpreter-unreachable"
    code = "VS302"
    claims = RUNS | {
        "stdlib-missing", "venv-config-broken", "libpython-missing", "python-alias-missing",
        "unreadable-files", "shebang-broken",
    }  # fmt: skip

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Look for a hop that is blocked, or a last one that may not be executed."""
        interpreter = ctx.env.interpreter
        if interpreter is None or not interpreter.chain:
            return
        system = ctx.facts.system
        last = interpreter.chain[-1]
        blocked = next((s.blocked_at for s in interpreter.chain if s.blocked_at), None)
        if blocked is not None:
            at, why = blocked, f"may not pass {blocked}"
        elif last.kind == "file" and not _may_execute(last, system):
            at, why = last.path, f"may not execute it (mode {last.mode & 0o7777:04o})"
        else:
            return
        user = ctx.image.user or f"uid {system.uid}"
        message = f"{interpreter.path} leads to {last.path}, but user {user} {why}."
        if last.path == interpreter.path:
            message = f"{interpreter.path} cannot be reached: user {user} {why}."
        yield self.finding(
            ctx,
            subject=interpreter.path,
            message=message,
            cause=f"The interpreter lies where only the user who "
            f"{'installed it' if ctx.is_here else 'built the image'} may go.",
            fix=_fix(ctx, at, last.path),
            evidence={
                "blocked_at": at,
                "chain": " -> ".join(step.path for step in interpreter.chain),
                "uid": system.uid,
            },
        )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim whatever had to start."""
        return other.rule in RUNS | {
            "stdlib-missing",
            "venv-config-broken",
            "libpython-missing",
            "python-alias-missing",
        } or (
            other.rule in {"unreadable-files", "shebang-broken"}
            and str(finding.evidence["blocked_at"]) in f"{other.message} {other.subject}"
        )


def _may_execute(step: PathStep, system: System) -> bool:
    if step.mode == 0 or system.uid == 0:
        return step.mode == 0 or bool(step.mode & 0o111)
    if step.uid == system.uid:
        return bool(step.mode & 0o100)
    if step.gid == system.gid or step.gid in system.groups:
        return bool(step.mode & 0o010)
    return bool(step.mode & 0o001)


def _fix(ctx: Context, at: str, file: str) -> str:
    if at == file:
        return run_line("chmod", "0755", file)
    if "/uv/python" in file and not ctx.is_here:
        return (
            "In the build stage, before the venv is made: ENV UV_PYTHON_INSTALL_DIR=/opt/python, "
            "and where only the venv is copied: COPY --from=build /opt/python /opt/python"
        )
    return f"{run_line('chmod', 'a+rx', at)}, or make {ctx.env.path} with a Python outside it"
