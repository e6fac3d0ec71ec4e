"""The local container engine, spoken to through docker's own command line."""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
from collections.abc import Sequence
from pathlib import Path
from threading import Event
from typing import Any

from venvsmith import process
from venvsmith.errors import SurroundingsError, UsageError
from venvsmith.patience import TOOL, patience

DOCKER = "docker"
OWNER_LABEL = "venvsmith.owner"
QUICK_SECONDS = 60.0
NO_ENGINE_HINT = "start Docker, or name another engine with DOCKER_HOST"
UNREACHABLE = (
    "cannot connect to the docker daemon",
    "error during connect",
    "permission denied while",
)
MISSING = ("no such image", "no such object", "not found", "invalid reference format")

_LOGGED = re.compile(r'time="[^"]*" level=\w+ msg="(.*)"')
"""How docker's own log is written, where that is all it has to say."""


def ask(
    *argv: str,
    timeout: float = QUICK_SECONDS,
    stdin: bytes | None = None,
    stop: Event | None = None,
) -> process.Completed:
    """Run docker and return how it ended, be it that there is none.

    :param stop: as `process.run` takes it.
    """
    command = process.Command(argv=(DOCKER, *argv), timeout=timeout, stdin=stdin)
    return process.run(command, stop=stop)


def call(
    *argv: str, timeout: float = QUICK_SECONDS, stdin: bytes | None = None
) -> process.Completed:
    """Run docker and return how it ended.

    :param timeout: seconds; ``VENVSMITH_TOOL_TIMEOUT`` may shorten it.
    :raises SurroundingsError: where there is no docker, its engine cannot be reached, or it does
        not answer in time.
    """
    timeout = min(timeout, patience(TOOL, timeout))
    done = ask(*argv, timeout=timeout, stdin=stdin)
    if done.timed_out:  # what it says when it is then stopped is no reason
        raise SurroundingsError(
            f"the engine gave no answer within {timeout:g} s", where=f"docker {argv[0]}",
            hint="see whether 'docker info' answers, or restart the engine", code="engine-timeout",
        )  # fmt: skip
    check_reachable(done)
    return done


def check_reachable(done: process.Completed) -> None:
    """Raise where docker itself could not do its work, whatever it was asked.

    :raises SurroundingsError: no docker, no engine, or no answer in time.
    """
    error = done.error_text.lower()
    # What docker itself says of a program that a container lacks begins otherwise.
    if done.returncode == process.NOT_FOUND and error.startswith("[errno"):
        raise SurroundingsError(
            "there is no docker command here", where=DOCKER, hint=NO_ENGINE_HINT, code="no-engine"
        )
    if any(text in error for text in UNREACHABLE):
        raise SurroundingsError(
            first_line(done) or "the engine cannot be reached",
            where=DOCKER, hint=NO_ENGINE_HINT, code="no-engine",
        )  # fmt: skip


def first_line(done: process.Completed) -> str:
    """Return the first line of what docker printed on stderr, without its own prefix."""
    lines = [line.strip() for line in done.error_text.splitlines() if line.strip()]
    lines = [found[1] if (found := _LOGGED.fullmatch(line)) else line for line in lines]
    return (
        lines[0].removeprefix("docker: ").removeprefix("Error response from daemon: ")
        if lines
        else ""
    )


def inspect_image(reference: str) -> dict[str, Any]:
    """Return what the engine knows of an image.

    :raises UsageError: where there is no such image.
    :raises SurroundingsError: where the engine cannot be reached.
    """
    if not re.match(r"[A-Za-z0-9\[]", reference):  # a bracket begins a host's IPv6 address
        raise UsageError("no name of an image", where=reference or "docker:")
    done = call("image", "inspect", reference)
    if done.returncode:
        if not any(text in done.error_text.lower() for text in MISSING):
            raise SurroundingsError(
                first_line(done) or "the engine failed", where=f"docker image inspect {reference}",
                hint="docker info tells whether the engine is well", code="engine-failed",
            )  # fmt: skip
        raise UsageError(
            "no such image in the local engine", where=reference,
            hint=f"docker pull {reference}, or build it first", code="no-such-target",
        )  # fmt: skip
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found[0]


def forget(name: str) -> None:
    """Take a name off an image; an image without any name is gone then."""
    ask("image", "rm", name, stop=Event())  # an interrupt may be the very reason


def history(image_id: str) -> tuple[str, ...]:
    """Return how each layer was made, the oldest first."""
    done = call("history", "--no-trunc", "--format", "{{json .CreatedBy}}", image_id)
    if done.returncode:
        return ()
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.strip()]
    return tuple(str(line) for line in reversed(lines))


def owner() -> str:
    """Return what marks this process's containers: host, process id and its start."""
    return f"{socket.gethostname()}/{os.getpid()}/{_start_of(os.getpid())}"


def _start_of(pid: int) -> str:
    """Return when a process started, in clock ticks since boot; empty where it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return text.rpartition(")")[2].split()[19]


def new_name() -> str:
    """Return a name for a container that nobody else has."""
    return f"venvsmith-{secrets.token_hex(8)}"


def remove(names: Sequence[str]) -> None:
    """Remove containers by force, with their volumes; those that are gone already are no fault."""
    if names:
        # An interrupt may be the very reason.
        ask("rm", "--force", "--volumes", *names, stop=Event())


def sweep() -> int:
    """Remove containers whose venvsmith is gone (killed, crashed); return how many there were."""
    done = call(
        "ps", "--all", "--no-trunc", "--filter", f"label={OWNER_LABEL}",
        "--format", f'{{{{.ID}}}} {{{{.Label "{OWNER_LABEL}"}}}}',
    )  # fmt: skip
    stale = []
    for line in done.text.splitlines():
        container, _, label = line.partition(" ")
        host, _, rest = label.partition("/")
        pid, _, start = rest.partition("/")
        if host == socket.gethostname() and pid.isdigit() and _start_of(int(pid)) != start:
            stale.append(container)
    remove(stale)
    return len(stale)
