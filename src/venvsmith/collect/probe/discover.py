"""Which Python environments a target has, the one that its users meet first."""

from __future__ import annotations

import os
import stat
from typing import Dict, Iterable, List, Optional, Tuple

from . import python
from .tree import Tree

COMMON = ("/venv", "/opt/venv", "/app/.venv", "/app/venv", "/code/.venv", "/workspace/.venv")
COMMON_PARENTS = ("/venvs", "/opt/venvs")
SKIPPED = frozenset(
    {"proc", "sys", "dev", "run", "node_modules", "boot", "etc", "bin", "sbin", "lib", "lib32"}
    | {"lib64", "share", "include", "libexec", "site-packages", "dist-packages", "__pycache__"}
)
DEPTH = 4
MAX_FOLDERS = 20000


class Start:
    """How a target starts: what decides which environment is meant."""

    def __init__(self, env: Dict[str, str], argv: Iterable[str], workdir: str) -> None:
        self.env = env
        self.argv = tuple(argv)
        self.workdir = workdir
        self.path = [part for part in env.get("PATH", "").split(":") if part.startswith("/")]


def which(tree: Tree, name: str, path: List[str]) -> Optional[str]:
    """Return where PATH finds a program: a file that its user may execute."""
    folders = [os.path.dirname(name)] if "/" in name else path
    for folder in folders:
        candidate = folder.rstrip("/") + "/" + os.path.basename(name)
        chain = tree.chain(candidate)
        if chain.kind == "file" and chain.end is not None:
            info = tree.lstat(chain.end)
            if info is not None and tree.user.may(info, 1):
                return candidate
    return None


def venvs(tree: Tree, start: Start) -> Tuple[List[str], List[str]]:
    """Return the venvs that a start command or a usual place points to, and all the others.

    The one in use comes first.
    """
    found: Dict[str, str] = {}
    for candidate in _hinted(tree, start):
        _take(tree, candidate, found)
    hinted = list(found.values())
    for folder in _search(tree):
        _take(tree, folder, found)
    return hinted, list(found.values())[len(hinted) :]


def _take(tree: Tree, candidate: str, found: Dict[str, str]) -> None:
    candidate = os.path.normpath(candidate)
    if (
        tree.is_file(candidate + "/pyvenv.cfg")
        or _is_bare_venv(tree, candidate)
        or _is_closed_venv(tree, candidate)
    ):
        found.setdefault(tree.real(candidate), candidate)


def _is_bare_venv(tree: Tree, folder: str) -> bool:
    """Return whether this looks like a venv that lost its ``pyvenv.cfg``.

    A prefix with a stdlib of its own is an installation, one without any Python a plain target of
    ``pip --prefix`` or the user site.
    """
    if folder in ("/", "/usr", "/usr/local") or not python.venv_site_packages(tree, folder):
        return False
    if python.has_stdlib(tree, folder):
        return False
    names = tree.names(folder + "/bin")
    named = os.path.basename(folder).lstrip(".") in ("venv", "env")
    return named or "activate" in names or any(name.startswith("python") for name in names)


def _is_closed_venv(tree: Tree, folder: str) -> bool:
    """Return whether this is a folder named as venvs are that the target's user may not enter."""
    named = os.path.basename(folder).lstrip(".") in ("venv", "env")
    return named and tree.is_dir(folder) and tree.blocked_at(folder + "/pyvenv.cfg") == folder


def _hinted(tree: Tree, start: Start) -> Iterable[str]:
    program = start.argv[0] if start.argv else ""
    resolved = which(tree, program, start.path) if program else None
    for path in (resolved, program if program.startswith("/") else None):
        if path:
            yield os.path.dirname(os.path.dirname(path))
            yield from _from_shebang(tree, path)
    for folder in start.path:
        if os.path.basename(folder) in ("bin", "Scripts"):
            yield os.path.dirname(folder)
    if start.env.get("VIRTUAL_ENV", "").startswith("/"):
        yield start.env["VIRTUAL_ENV"]
    if start.env.get("UV_PROJECT_ENVIRONMENT", "").startswith("/"):
        yield start.env["UV_PROJECT_ENVIRONMENT"]
    yield from COMMON
    for parent in COMMON_PARENTS:
        for name in tree.names(parent):
            yield f"{parent}/{name}"
    for name in (".venv", "venv"):
        yield start.workdir.rstrip("/") + "/" + name


def _from_shebang(tree: Tree, path: str) -> Iterable[str]:
    head = tree.read(path, 512) or b""
    if head.startswith(b"#!"):
        words = head[2:].split(b"\n", 1)[0].decode("utf-8", "backslashreplace").split()
        if words and words[0].startswith("/"):
            yield os.path.dirname(os.path.dirname(words[0]))


def _search(tree: Tree) -> Iterable[str]:
    """Yield folders that hold ``pyvenv.cfg``, to a shallow depth."""
    pending: List[Tuple[str, int]] = [("/", 0)]
    visited = 0
    while pending and visited < MAX_FOLDERS:
        folder, depth = pending.pop()
        visited += 1
        try:
            entries = tree.raw_scan(folder)
        except OSError:
            continue
        for name, info in entries:
            if name == "pyvenv.cfg":
                yield folder
            elif stat.S_ISDIR(info.mode) and depth < DEPTH and name not in SKIPPED:
                pending.append((folder.rstrip("/") + "/" + name, depth + 1))


def system_python(tree: Tree, start: Start) -> Optional[str]:
    """Return the interpreter that ``python3`` (or ``python``) is, where it is of no venv."""
    for name in ("python3", "python"):
        path = which(tree, name, start.path)
        if path is not None:
            return path
    return next(iter(python.others(tree, start.path, start.env.get("HOME", "/root"))), None)
