"""Kills runs of `lock` and `render` at random points, and looks at what they leave.

As a script it is the long form: ``python tests/robust/kills.py 1000`` prints its figures.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

sys.path.insert(0, str(Path(__file__).parents[1]))

from resolve.workshop import LocalIndex
from venvsmith.cli.main import main
from venvsmith.files import JOURNAL, TEMP_PREFIX, locked

Command = Literal["lock", "render"]
CONFIG = """\
[project]
name = "demo"
python = "3.11"
installer = "pip"

[bases.slim]
image = "python:3.11-slim-bookworm"

[variants.cpu]
base = "slim"
platforms = ["linux/amd64"]

[variants.other]
base = "slim"
platforms = ["linux/amd64"]

[stages.base]
requires = ["lib==LIB"]

[stages.app]
extends = "base"
requires = ["left"]

[images.demo]
stage = "app"
env = { STATE = "ENV" }
"""
RANDOM = random.Random(20261121)  # noqa: S311 - not a secret


@dataclass(kw_only=True)
class Target:
    """A project that switches between two states, each of which writes every file anew."""

    root: Path
    env: dict[str, str]
    states: dict[Command, tuple[dict[str, bytes], dict[str, bytes]]] = field(default_factory=dict)
    seconds: dict[Command, float] = field(default_factory=dict)
    where: Counter[str] = field(default_factory=Counter)

    def configure(self, lib: int, env: int) -> None:
        text = CONFIG.replace("LIB", str(lib + 1)).replace("ENV", str(env))
        (self.root / "venvsmith.toml").write_text(text)

    def start(self, command: Command) -> int:
        """Start a run and return its process id: a fork, which spares it the imports."""
        child = os.fork()
        if child == 0:
            with Path(os.devnull).open("r+") as nothing:
                for number in (1, 2):
                    os.dup2(nothing.fileno(), number)
            os.chdir(self.root)
            os.environ.clear()
            os.environ.update(self.env)
            try:
                main(["-q", command, *(["--offline"] if command == "lock" else [])])
            except SystemExit as end:
                os._exit(int(str(end.code)))
        return child

    def finish(self, command: Command) -> None:
        assert os.waitpid(self.start(command), 0)[1] == 0

    def prepare(self, command: Command) -> None:
        """Learn both states and how long a run takes."""
        found = []
        for state in (1, 0):
            self.configure(*((state, 0) if command == "lock" else (0, state)))
            start = time.monotonic()
            self.finish(command)
            self.seconds[command] = time.monotonic() - start
            found.append(self.files(command))
        after, before = found
        assert set(before) == set(after)
        assert sum(before[name] != after[name] for name in before) > 1
        self.states[command] = before, after

    def files(self, command: Command) -> dict[str, bytes]:
        folder = self.root / ("locks" if command == "lock" else "docker")
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    def leftovers(self) -> list[Path]:
        return [
            path
            for path in self.root.rglob("*")
            if path.name == JOURNAL or path.name.startswith(TEMP_PREFIX)
        ]

    def kill(self, command: Command) -> None:
        """Kill one run that changes everything, and look at what the next one finds."""
        now = self.states[command].index(self.files(command))
        self.configure(*((1 - now, 0) if command == "lock" else (0, 1 - now)))
        running = self.start(command)
        if RANDOM.random() < 0.25:
            time.sleep(RANDOM.uniform(0, self.seconds[command]))
        else:
            self._await_writing(running)
            time.sleep(RANDOM.uniform(0, RANDOM.choice((0.004, 0.02, 0.08))))
        os.kill(running, signal.SIGKILL)
        code = os.waitpid(running, 0)[1]
        midway = self.leftovers()
        decided = any(p.name == JOURNAL and b'"decided": true' in p.read_bytes() for p in midway)
        for folder in (self.root, self.root / "docker"):
            with locked(folder):  # what every command does first
                pass
        assert self.leftovers() == []
        found = self.files(command)
        assert found in self.states[command], "neither old nor new"
        changed = found != self.states[command][now]
        assert changed or not decided
        phase = "decided" if decided else "writing" if midway else "outside"
        self.where[f"{command}: {'ended' if code == 0 else phase}"] += 1

    def _await_writing(self, running: int) -> None:
        folder = self.root
        names = (folder / JOURNAL, folder / "docker" / JOURNAL)
        drafts = [path.with_name(f"{TEMP_PREFIX}journal") for path in names]
        stat = Path("/proc", str(running), "stat")
        while not any(path.exists() for path in (*names, *drafts)):
            if stat.read_text().rpartition(")")[2].split()[0] == "Z":
                return
            time.sleep(0.0005)


def make(folder: Path) -> Target:
    index = LocalIndex(folder=folder / "index")
    for name, version, *requires in (("lib", "1"), ("lib", "2"), ("left", "1", "lib")):
        index.add(name, version, *requires)
    root = folder / "project"
    root.mkdir()
    env = {key: text for key, text in os.environ.items() if not key.startswith("PIP_")}
    env |= {"UV_DEFAULT_INDEX": index.url, "UV_CACHE_DIR": str(folder / "cache")}
    target = Target(root=root, env=env)
    target.configure(0, 0)
    for state in (1, 0):
        target.configure(state, 0)
        argv = [sys.executable, "-m", "venvsmith", "-q", "lock"]
        subprocess.run(argv, cwd=root, env=env, check=True, capture_output=True)
    target.prepare("lock")
    target.prepare("render")
    return target


def strike(target: Target, kills: int) -> Counter[str]:
    """Kill so many runs, half of them of each command; return where the kills fell."""
    for command in ("lock", "render"):
        target.configure(0, 0)
        target.finish("lock")
        target.finish("render")
        for _ in range(kills // 2):
            target.kill(command)
    return target.where


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        print(dict(strike(make(Path(name)), int(sys.argv[1]))))
