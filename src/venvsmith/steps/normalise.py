"""Make a tree that is to become an image layer the same bytes on every machine.

usage: normalise.py TREE EPOCH [VENV [LIST]]

Gives every file one of two modes and one time. Where VENV is named, the tree holds (a part of)
that venv: what installers leave behind for themselves is removed, and all modules are compiled
first: in timestamp mode with the sources' final time, by one worker with a fixed hash seed, with
paths as they will be in the image. Where LIST is named, everything that the tree holds is listed
with its digest at last, in VENV/.venvsmith/tree/LIST.txt. VENV may be a Python's folder.
Runs under Python 3.8 and later.
"""

import hashlib
import os
import stat
import subprocess
import sys

# uv leaves a lock (mode 0666), a .gitignore and a cache tag in a prefix.
DIGITS = 32
LEFTOVERS = (".lock", ".gitignore", "CACHEDIR.TAG")


def settle(tree: str, epoch: int) -> None:
    """Set modes and times of everything in the tree, the deepest first."""
    for folder, folders, files in os.walk(tree, topdown=False):
        for name in files + folders:
            path = os.path.join(folder, name)
            mode = os.lstat(path).st_mode
            if stat.S_ISREG(mode):
                os.chmod(path, 0o755 if mode & 0o100 else 0o644)
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


def compile_bytecode(tree: str) -> None:
    """Compile every module in the tree."""
    # -S: nothing of the environment may run.
    command = [sys.executable, "-S", "-m", "compileall", "-q", "-q", "-j1", "-f"]
    command += ["--invalidation-mode", "timestamp", "-s", tree, "-p", "/", tree]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    environment["PYTHONHASHSEED"] = "0"
    # 1: some file is not valid for this Python, as templates and old test data of packages are.
    code = subprocess.call(command, env=environment)
    if code not in (0, 1):
        sys.exit("venvsmith: compiling the bytecode of %s failed with %d" % (tree, code))


def describe(path: str) -> str:
    """Return what one line says of a file or link: kind, mode, and a digest of the content."""
    mode = os.lstat(path).st_mode
    if stat.S_ISLNK(mode):
        return "l - " + hashlib.sha256(os.fsencode(os.readlink(path))).hexdigest()[:DIGITS]
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(1 << 20), b""):
            digest.update(chunk)
    return "f %o %s" % (stat.S_IMODE(mode), digest.hexdigest()[:DIGITS])


def write_list(tree: str, venv: str, name: str) -> None:
    """List what the tree holds of the venv, but for what lies in .venvsmith."""
    top = tree + venv
    lines = []
    for folder, folders, files in os.walk(top):
        folders[:] = [each for each in folders if (folder, each) != (top, ".venvsmith")]
        links = [each for each in folders if os.path.islink(os.path.join(folder, each))]
        for each in files + links:
            path = os.path.join(folder, each)
            shown = os.fsencode(os.path.relpath(path, top)).decode("utf-8", "backslashreplace")
            lines.append("%s %s\n" % (describe(path), shown.replace("\n", "\\n")))
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
        settle(tree, epoch)
        compile_bytecode(tree)
        settle(tree, epoch)
        if len(sys.argv) > 4:
            write_list(tree, sys.argv[3], sys.argv[4])
    settle(tree, epoch)


main()
