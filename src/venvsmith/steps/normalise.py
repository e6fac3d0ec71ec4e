"""Make a tree that is to become an image layer the same bytes on every machine.

usage: normalise.py TREE EPOCH [VENV]

Gives every file one of two modes and one time. Where VENV is named, the tree holds (a part of)
that venv: what installers leave behind for themselves is removed, and all modules are compiled
first: in timestamp mode with the sources' final time, by one worker with a fixed hash seed, with
paths as they will be in the image. Runs under Python 3.8 and later.
"""

import os
import stat
import subprocess
import sys

# uv leaves a lock (mode 0666), a .gitignore and a cache tag in a prefix.
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


def main() -> None:
    """Run as a script."""
    tree, epoch = sys.argv[1].rstrip("/"), int(sys.argv[2])
    if len(sys.argv) > 3:
        for name in LEFTOVERS:
            path = tree + os.path.join(sys.argv[3], name)
            if os.path.lexists(path):
                os.unlink(path)
        settle(tree, epoch)
        compile_bytecode(tree)
    settle(tree, epoch)


main()
