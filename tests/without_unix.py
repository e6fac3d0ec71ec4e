"""Runs venvsmith as far as possible as Windows would: without modules and calls of Unix alone.

What libraries need of this system is imported before those are taken away. It stands in for a
machine with Windows, and shows that nothing of ours needs Unix; not that Windows behaves.

usage: python tests/without_unix.py ARGUMENTS...
"""

from __future__ import annotations

import asyncio
import multiprocessing.connection  # noqa: F401
import os
import signal
import subprocess
import sys
import sysconfig
import tarfile  # noqa: F401
import tempfile
import urllib.request  # noqa: F401
import zipfile  # noqa: F401
from pathlib import Path

import click  # noqa: F401
import cyclonedx  # noqa: F401
import dotenv  # noqa: F401
import filelock
import jinja2.sandbox  # noqa: F401
import rich.console  # noqa: F401
import tomlkit  # noqa: F401
import uv  # noqa: F401
import virtualenv  # noqa: F401

MODULES = ("fcntl", "grp", "pty", "pwd", "readline", "resource", "syslog", "termios", "tty")
CALLS = {
    os: (
        "O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW", "chown", "fchmod", "fork", "getegid", "geteuid",
        "getgid", "getpgid", "getuid", "killpg", "mkfifo", "nice", "pread", "sched_getaffinity",
        "setsid", "uname",
    ),
    signal: ("SIGALRM", "SIGCHLD", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGUSR1"),
}  # fmt: skip


def main() -> None:
    """Take all of it away, and run."""
    sysconfig.get_config_vars()
    asyncio.new_event_loop().close()
    subprocess.run([sys.executable, "-c", ""], check=True)
    # Its lock for Windows speaks to Windows; that one needs nothing of either.
    filelock.FileLock = filelock.SoftFileLock
    for name in MODULES:
        sys.modules[name] = None  # type: ignore[assignment]
    for module, names in CALLS.items():
        for name in names:
            delattr(module, name)
    sys.platform = "win32"
    from venvsmith import scratch  # noqa: PLC0415
    from venvsmith.__main__ import main as venvsmith  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        # Its locks and those of real runs do not see each other, so it sees no folder of theirs.
        tempfile.tempdir = folder
        scratch.MEMORY = Path(folder)
        venvsmith()


if __name__ == "__main__":
    main()
