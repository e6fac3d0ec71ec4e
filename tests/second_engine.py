"""A Docker engine of the tests' own, which they may kill without asking anyone."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

# Addresses of the machine's own bridge that its engine reaches last: no rule has to be made for
# them, and none of that engine's is touched.
_ADDRESSES = "172.17.200.0/24"


@dataclass(kw_only=True)
class SecondEngine:
    """``dockerd`` on a socket below ``folder``, with all its data there.

    :param features: of its ``daemon.json``.
    """

    folder: Path
    features: dict[str, bool] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> str:
        return f"unix://{self.folder}/docker.sock"

    @property
    def env(self) -> dict[str, str]:
        return {**os.environ, "DOCKER_HOST": self.socket}

    def start(self) -> None:
        config = self.folder / "daemon.json"
        self.folder.mkdir(parents=True, exist_ok=True)
        config.write_text(json.dumps({"features": self.features}))
        with contextlib.suppress(FileNotFoundError):
            (self.folder / "pid").unlink()
        argv = [
            "dockerd", "--host", self.socket, "--config-file", str(config),
            "--data-root", str(self.folder / "data"), "--exec-root", str(self.folder / "exec"),
            "--pidfile", str(self.folder / "pid"), "--bridge", "docker0",
            "--fixed-cidr", _ADDRESSES, "--iptables=false", "--ip6tables=false", "--ip-masq=false",
        ]  # fmt: skip
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
            )
        for _ in range(120):
            if self.docker("version", check=False).returncode == 0:
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.5)
        pytest.fail(f"no second engine: {(self.folder / 'log').read_text()[-2000:]}")

    def docker(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["docker", *words], env=self.env, capture_output=True, text=True, timeout=300,
            check=check,
        )  # fmt: skip

    def take(self, image: str) -> None:
        """Bring an image over from the machine's engine."""
        with subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saved:
            subprocess.run(
                ["docker", "load"], env=self.env, stdin=saved.stdout, capture_output=True,
                timeout=300, check=True,
            )  # fmt: skip

    def kill(self) -> None:
        """End it in the middle of whatever it does, and all that it has started."""
        assert self.process is not None
        own = _descendants(self.process.pid)
        for pid in (self.process.pid, *own):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(30)

    def remove(self) -> None:
        """Stop it and remove its data."""
        if self.process is not None and self.process.poll() is None:
            own = _descendants(self.process.pid)
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(60)
            for pid in own:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        for line in reversed(Path("/proc/mounts").read_text("utf-8").splitlines()):
            place = line.split()[1]
            if place.startswith(f"{self.folder}/"):
                subprocess.run(["umount", "-l", place], capture_output=True, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


def _descendants(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError):
                stat = (entry / "stat").read_text("utf-8")
                parent = int(stat[stat.rindex(")") + 2 :].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    found, todo = [], [pid]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found
