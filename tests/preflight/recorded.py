"""A machine played back from a file: what each program printed, what is on its disk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from venvsmith.model.project import Project
from venvsmith.preflight import preflight
from venvsmith.preflight.machine import Answer, Reply
from venvsmith.preflight.report import Preflight, Row

MACHINES = Path(__file__).parent / "machines"


class Recorded:
    """Answers as `ThisMachine` would there; what was not recorded is a fault of the test.

    The recordings are written from the documented output of these tools, for systems that the
    tests do not run on.
    """

    def __init__(self, name: str, **changes: Any) -> None:
        facts = json.loads((MACHINES / f"{name}.json").read_text())
        for key, value in changes.items():
            old = facts.get(key)
            facts[key] = {**old, **value} if isinstance(old, dict) else value
        self.system: str = facts["system"]
        self.arch: str = facts["arch"]
        self.env: Mapping[str, str] = facts["env"]
        self.home: str = facts["home"]
        self._facts: dict[str, Any] = facts

    def which(self, program: str) -> str | None:
        found: str | None = self._facts["which"].get(program)
        return found

    def run(self, *argv: str, seconds: float, stdin: str | None = None) -> Answer:  # noqa: ARG002
        line = " ".join(argv)
        runs = self._facts["runs"]
        # Containers and interpreters get long arguments: the longest beginning that was recorded.
        known = [key for key in runs if line.startswith(key)]
        assert known, f"not recorded: {line}"
        said = runs[max(known, key=len)]
        if isinstance(said.get("stdout"), dict):
            said = {**said, "stdout": json.dumps(said["stdout"])}
        return Answer(**{"returncode": 0, **said})

    def free(self, path: str) -> int | None:
        disks: dict[str, int] = self._facts["free"]
        known = [key for key in disks if path.startswith(key)]
        return disks[max(known, key=len)] if known else None

    def read(self, path: str) -> str | None:
        text = self._facts["files"].get(path)
        return json.dumps(text) if isinstance(text, dict) else text

    def exists(self, path: str) -> bool:
        return path in self._facts["files"]

    def sandbox(self) -> str | None:
        found: str | None = self._facts["sandbox"]
        return found

    def get(self, url: str, headers: Mapping[str, str]) -> Reply:  # noqa: ARG002
        raise AssertionError(f"asked {url} without --probe")


def asked(machine: Recorded, project: Project) -> Preflight:
    return preflight(machine, lambda: project, file="venvsmith.toml")


def rows(found: Preflight, check: str) -> list[Row]:
    return [row for row in found.checks if row.check == check]


def row(found: Preflight, check: str, subject: str = "") -> Row:
    (one,) = [row for row in rows(found, check) if not subject or row.subject == subject]
    return one
