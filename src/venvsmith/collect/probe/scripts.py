"""Scripts and their shebangs, ``.pth`` lines, and what runs at each start."""

from __future__ import annotations

import os
import re
import shlex
import stat
from typing import Dict, List, Tuple

from .discover import which
from .tree import Fact, Tree

HEAD = 4096
MAX_SCRIPTS = 3000
PYTHON = re.compile(r"^(python|pypy)[0-9.]*t?$")
TRAMPOLINE = re.compile(r"^'''exec' +(?P<rest>.+)$", re.MULTILINE)
RELATIVE = re.compile(
    r"\$\(\s*dirname\s+(?:--\s+)?\"?\$\(\s*(?:realpath|readlink)[^)]*\)\"?\s*\)\"?/?"
    r"|\$\(\s*dirname\s+(?:--\s+)?\"?\$0\"?\s*\)\"?/?"
)
STARTUP = ("sitecustomize", "usercustomize")


def in_folder(
    tree: Tree,
    folder: str,
    path: List[str],
    owners: Dict[str, Tuple[str, ...]],
    *,
    owned_only: bool,
) -> List[Fact]:
    """Return the scripts of a ``bin`` folder.

    :param path: the target's PATH, for ``env`` shebangs.
    :param owned_only: leave out what no distribution claims (a system's own folder).
    """
    found: List[Fact] = []
    for name in tree.names(folder):
        file = f"{folder}/{name}"
        if owned_only and file not in owners:
            continue
        info = tree.lstat(file)
        if info is None or not stat.S_ISREG(info.mode) or len(found) >= MAX_SCRIPTS:
            continue
        head = tree.read(file, HEAD) or b""
        if head.startswith(b"#!"):
            fact = describe(tree, file, head.decode("utf-8", "backslashreplace"), path)
            fact["executable"] = tree.user.may(info, 1) and bool(info.mode & 0o111)
            fact["distribution"] = next(iter(owners.get(file, ())), None)
            found.append(fact)
    return found


def describe(tree: Tree, file: str, head: str, path: List[str]) -> Fact:
    """Return what runs a script, as `model.facts.Script`."""
    line = head.split("\n", 1)[0]
    program, relative = interpreter_of(file, head, path, tree)
    folder = os.path.dirname(file)
    return {
        "path": file,
        "shebang": line.rstrip("\r"),
        "interpreter": program,
        "interpreter_kind": tree.kind(program) if program.startswith("/") else "missing",
        "in_environment": _same_folder(tree, os.path.dirname(program), folder),
        "is_python": bool(PYTHON.match(os.path.basename(program.rstrip("\r")))),
        "relative": relative,
    }


def interpreter_of(file: str, head: str, path: List[str], tree: Tree) -> Tuple[str, bool]:
    """Return the program that runs a script in the end, and whether that is found relative to it.

    Seen through: ``env``, and the ``/bin/sh`` trampolines that pip and uv write for interpreters
    whose path is too long, holds spaces, or is relative.
    """
    line = head.split("\n", 1)[0][2:]
    words = line.split()
    if not words:
        return "", False
    if os.path.basename(words[0]) == "env":
        names = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
        name = names[0] if names else ""
        return (which(tree, name, path) or name), False
    if os.path.basename(words[0]) in ("sh", "bash", "dash"):
        match = TRAMPOLINE.search(head)
        if match:
            return _trampoline(file, match.group("rest"))
    if not words[0].startswith("/"):
        # The kernel takes it from the caller's working directory: it is nobody's file for sure.
        return words[0], True
    # The rest of the line is one argument; a carriage return belongs to the name.
    return words[0] + ("\r" if line.endswith("\r") and len(words) == 1 else ""), False


def _trampoline(file: str, rest: str) -> Tuple[str, bool]:
    if RELATIVE.search(rest):
        text = RELATIVE.sub("", rest, count=1)
        name = re.split(r"[\"' ]+", text.strip(" \"'"), maxsplit=1)[0].strip("/\"'")
        return os.path.normpath(os.path.join(os.path.dirname(file), name)), True
    try:
        words = shlex.split(rest)
    except ValueError:
        words = rest.split()
    return (words[0] if words else ""), False


def _same_folder(tree: Tree, first: str, second: str) -> bool:
    try:
        return tree.real(first) == tree.real(second)
    except OSError:
        return first == second


def pth_lines(tree: Tree, site: str, owners: Dict[str, Tuple[str, ...]]) -> List[Fact]:
    """Return the lines of all ``.pth`` files of a site-packages folder."""
    found: List[Fact] = []
    for name in tree.names(site):
        if not name.endswith(".pth") or name.startswith("."):
            continue
        file = f"{site}/{name}"
        owner = next(iter(owners.get(file, ())), None)
        for raw in (tree.text(file, 256 * 1024) or "").splitlines():
            line = raw.rstrip()
            if not line or line.startswith("#") or len(found) > 5000:
                continue
            code = line.startswith(("import ", "import\t"))
            place = os.path.normpath(os.path.join(site, line.strip()))
            found.append({
                "file": file,
                "line": line[:500],
                "is_code": code,
                "exists": None if code else tree.kind(place) in ("dir", "file"),
                "distribution": owner,
            })  # fmt: skip
    return found


def startup_files(tree: Tree, folders: List[str], owners: Dict[str, Tuple[str, ...]]) -> List[str]:
    """Return the ``sitecustomize`` and ``usercustomize`` modules that no distribution claims."""
    found = []
    for folder in folders:
        for name in tree.names(folder):
            stem = name.split(".", 1)[0]
            path = f"{folder}/{name}"
            if stem in STARTUP and path not in owners and not name.endswith(".pth"):
                found.append(path)
    return found
