"""Make a tree that is to become an image layer the same bytes on every machine.

usage: normalise.py TREE EPOCH [VENV [LIST]]

Gives every file one of two modes and one time. Where VENV is named, the tree holds (a part of)
that venv: what installers leave behind for themselves is removed, and all modules are compiled
first: in timestamp mode with the sources' final time, by one worker with a fixed hash seed, with
paths as they will be in the image. Where LIST is named, everything that the tree holds is listed
with its digest, in VENV/.venvsmith/tree/LIST.txt; a large file's is the one that its wheel's RECORD
has. VENV may be a Python's folder.
Runs under Python 3.8 and later.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import stat
import subprocess
import sys

# uv leaves a lock (mode 0666), a .gitignore and a cache tag in a prefix.
DIGITS = 32
LEFTOVERS = (".lock", ".gitignore", "CACHEDIR.TAG")
LARGE = 1 << 20


def settled(mode: int) -> int:
    """Return the mode that a file gets."""
    return 0o755 if mode & 0o100 else 0o644


def settle(tree: str, epoch: int) -> None:
    """Set modes and times of everything in the tree, the deepest first."""
    for folder, folders, files in os.walk(tree, topdown=False):
        for name in files + folders:
            path = os.path.join(folder, name)
            mode = os.lstat(path).st_mode
            if stat.S_ISREG(mode):
                os.chmod(path, settled(mode))
            elif stat.S_ISDIR(mode):
                os.chmod(path, 0o755)
            os.utime(path, (epoch, epoch), follow_symlinks=False)
    os.chmod(tree, 0o755)
    os.utime(tree, (epoch, epoch))


def forget_cache(tree: str) -> None:
    """Remove what uv notes of a wheel that lay in a folder: when that file last changed there."""
    for folder, _, files in os.walk(tree):
        if "uv_cache.json" not in files or not folder.endswith(".dist-info"):
            continue
        os.unlink(os.path.join(folder, "uv_cache.json"))
        name = os.path.basename(folder) + "/uv_cache.json,"
        record = os.path.join(folder, "RECORD")
        with open(record, "rb") as file:
            lines = file.readlines()
        with open(record, "wb") as file:
            file.writelines(line for line in lines if not line.startswith(name.encode()))


def compile_bytecode(tree: str, epoch: int) -> None:
    """Compile every module in the tree."""
    # What is compiled tells the time of its source.
    for folder, _, files in os.walk(tree):
        for name in files:
            if name.endswith(".py"):
                os.utime(os.path.join(folder, name), (epoch, epoch), follow_symlinks=False)
    # -S: nothing of the environment may run.
    command = [sys.executable, "-S", "-m", "compileall", "-q", "-q", "-j1", "-f"]
    command += ["--invalidation-mode", "timestamp", "-s", tree, "-p", "/", tree]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    environment["PYTHONHASHSEED"] = "0"
    # 1: some file is not valid for this Python, as templates and old test data of packages are.
    code = subprocess.call(command, env=environment)
    if code not in (0, 1):
        sys.exit("venvsmith: compiling the bytecode of %s failed with %d" % (tree, code))


def recorded(record: str) -> dict[str, tuple[int, str]]:
    """Return what a RECORD says of large files: path to size and sha256 in hex."""
    found = {}
    site = os.path.dirname(os.path.dirname(record))
    with open(record, encoding="utf-8", errors="replace") as file:
        for line in file:
            match = re.match('"?([^",]+)"?,sha256=([-_a-zA-Z0-9]{43}),([0-9]{7,18})$', line)
            if match and int(match[3]) >= LARGE:
                path = os.path.normpath(os.path.join(site, match[1]))
                found[path] = (int(match[3]), base64.urlsafe_b64decode(match[2] + "=").hex())
    return found


def describe(path: str, known: dict[str, tuple[int, str]]) -> str:
    """Return what one line says of a file or link: kind, mode, and a digest of the content.

    The wheel was held against its hash: what its RECORD says of a file of the same size is so.
    """
    status = os.lstat(path)
    if stat.S_ISLNK(status.st_mode):
        return "l - " + hashlib.sha256(os.fsencode(os.readlink(path))).hexdigest()[:DIGITS]
    size, digest = known.get(path, (-1, ""))
    if size != status.st_size:
        content = hashlib.sha256()
        with open(path, "rb") as file:
            for chunk in iter(lambda: file.read(1 << 20), b""):
                content.update(chunk)
        digest = content.hexdigest()
    return "f %o %s" % (settled(status.st_mode), digest[:DIGITS])


def write_list(tree: str, venv: str, name: str) -> None:
    """List what the tree holds of the venv, but for what lies in .venvsmith."""
    top = tree + venv
    paths = []
    known: dict[str, tuple[int, str]] = {}
    for folder, folders, files in os.walk(top):
        folders[:] = [each for each in folders if (folder, each) != (top, ".venvsmith")]
        links = [each for each in folders if os.path.islink(os.path.join(folder, each))]
        paths += [os.path.join(folder, each) for each in files + links]
        if folder.endswith(".dist-info") and "RECORD" in files:
            known.update(recorded(os.path.join(folder, "RECORD")))
    lines = []
    for path in paths:
        shown = os.fsencode(os.path.relpath(path, top)).decode("utf-8", "backslashreplace")
        lines.append("%s %s\n" % (describe(path, known), shown.replace("\n", "\\n")))
    home = os.path.join(top, ".venvsmith", "tree")
    os.makedirs(home, exist_ok=True)
    with open(os.path.join(home, name + ".txt"), "w", encoding="utf-8", newline="") as file:
        file.writelines(sorted(lines, key=lambda line: line.split(" ", 3)[3]))


def main() -> None:
    """Run as a script."""
    tree, epoch = sys.argv[1].rstrip("/"), int(sys.argv[2])
    if len(sys.argv) > 3:
        for name in LEFTOVERS:
            path = tree + os.path.join(sys.argv[3], name)
            if os.path.lexists(path):
                os.unlink(path)
        forget_cache(tree)
        compile_bytecode(tree, epoch)
        if len(sys.argv) > 4:
            write_list(tree, sys.argv[3], sys.argv[4])
    settle(tree, epoch)


main()
