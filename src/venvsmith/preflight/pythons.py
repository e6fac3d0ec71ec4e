"""What the local engine builds with: this machine's own Python of the minor, and a sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvsmith.preflight.report import Row

if TYPE_CHECKING:
    from venvsmith.preflight.report import Status
    from venvsmith.preflight.situation import Situation

PYTHON_SECONDS = 3.0
ASK = """\
import importlib.util as u, sys
print("%d.%d.%d" % sys.version_info[:3])
print(" ".join(n for n in ("venv", "ensurepip") if u.find_spec(n) is None))
"""


def check_local_engine(at: Situation) -> list[Row]:
    """Look for what ``build --engine local`` needs; nothing of it is needed for Docker."""
    project = at.project
    if project is None:
        return []
    if at.machine.system != "linux":
        message = "builds on Linux only; here Docker does"
        return [_row("local-engine", "--engine local", "ok", message)]
    machines = {str(p) for v in project.variants.values() for p in v.platforms}
    if f"linux/{at.machine.arch}" not in machines:
        message = f"no variant is for linux/{at.machine.arch}"
        return [_row("local-engine", "--engine local", "ok", message)]
    return [_python(at, project.python), _sandbox(at)]


def _python(at: Situation, minor: str) -> Row:
    subject = f"Python {minor}"
    mend = f"only for --engine local: install Python {minor}, or put it on PATH"
    seen = []
    for name in (f"python{minor}", "python3", "python"):
        path = at.machine.which(name)
        if path is None:
            continue
        told = at.machine.run(path, "-I", "-S", "-B", "-c", ASK, seconds=PYTHON_SECONDS)
        version, _, rest = told.stdout.strip().partition("\n")
        if not told.ok:
            seen.append(f"{path} does not start")
        elif version.rpartition(".")[0] != minor:
            seen.append(f"{path} is {version}")
        elif rest.strip():
            lacks = " and ".join(rest.split())
            message = f"{version} ({path}) has no {lacks}: fine for venvsmith, not for -m venv"
            return _row("python", subject, "ok", message)
        else:
            return _row("python", subject, "ok", f"{version} ({path})")
    why = f"not on PATH ({', '.join(seen)})" if seen else "not on PATH"
    return _row("python", subject, "warning", why, mend)


def _sandbox(at: Situation) -> Row:
    kind = at.machine.sandbox()
    if kind is not None:
        return _row("sandbox", "sandbox", "ok", kind)
    message = "none works, so the venv's final path is not rehearsed"
    mend = "only for --engine local: install bubblewrap, or allow user namespaces"
    return _row("sandbox", "sandbox", "warning", message, mend)


def _row(check: str, subject: str, status: Status, message: str, mend: str = "") -> Row:
    return Row(
        group="local engine",
        check=check,
        subject=subject,
        status=status,
        message=message,
        mend=mend,
    )
