"""Waiting for what is to come, however busy the machine is, instead of for some time."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

PATIENCE = 60.0
"""Seconds after which nothing will come any more."""


def eventually(found: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Return once something is so; fail where it does not come to that."""
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end, "it has not come to that"
        time.sleep(0.02)


def until_begun(running: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    """Return once a run of venvsmith catches signals: what Python says before that is not ours."""
    status = Path("/proc", str(running.pid), "status")

    def catches() -> bool:
        caught = re.search(r"^SigCgt:\s*(\w+)$", status.read_text(), re.MULTILINE)
        assert caught is not None
        return bool(int(caught[1], 16) >> (signal.SIGTERM - 1) & 1)

    # One that has ended is not reaped yet: it stays in the list of processes.
    eventually(lambda: catches() or running.poll() is not None)
