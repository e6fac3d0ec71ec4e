"""An image of the local engine: looked into by a script that one of its own Pythons runs.

Nothing is mounted and nothing pulled; the network is off, capabilities are dropped, processes and
memory are bounded, and what is written goes into a layer that is thrown away. User, environment and
working directory are the image's own, so that imports and commands behave as in use.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Self

import msgspec

from venvsmith import engine, process
from venvsmith.errors import SurroundingsError, UnsafeInputError
from venvsmith.files import full_disk
from venvsmith.model.facts import NO_PYTHON, ImageConfig, Target
from venvsmith.target.host import FolderTarget
from venvsmith.target.protocol import ANSWER_LIMIT, Placement, ProbeRun

SLACK = 30.0
"""Seconds beyond the probe's own deadline until its container is killed from here."""
ENGINE_FAILED, NOT_STARTABLE, NOT_FOUND = 125, 126, 127
PIDS = 2048
MEMORY = "12g"
VERSIONS = ("3.13", "3.12", "3.11", "3.10", "3.9", "3.14", "3.8")
HARDENING = (
    "--rm", "--interactive", "--pull", "never", "--network", "none", "--cap-drop", "ALL",
    "--security-opt", "no-new-privileges", "--pids-limit", str(PIDS), "--memory", MEMORY,
    "--memory-swap", MEMORY, "--ulimit", "core=0", "--no-healthcheck", "--log-driver", "none",
)  # fmt: skip


class ImageTarget:
    """An opened image, addressed by its ID from here on.

    :ivar borrowed: a name that the engine is to forget when this is closed, and the image with it.
    """

    def __init__(self, reference: str, inspected: dict[str, Any]) -> None:
        self._id = str(inspected["Id"])
        config = image_config(inspected, engine.history(self._id))
        self.facts_target = Target(
            kind="image",
            ref=reference,
            digest=self._id,
            platform=f"{config.os}/{config.architecture}",
            config=config,
        )
        self.placement = Placement()
        self._config = config
        self._containers: list[str] = []
        self.borrowed = ""

    def candidates(self, venvs: tuple[str, ...]) -> list[str]:
        """Return interpreters to try, the likeliest first; a bare name is looked up on PATH."""
        env = self._config.env
        found = [f"{venv}/bin/python" for venv in venvs]
        if env.get("VIRTUAL_ENV", "").startswith("/"):
            found.append(env["VIRTUAL_ENV"].rstrip("/") + "/bin/python")
        found += ["python3", "/usr/bin/python3", "/usr/local/bin/python3", "python"]
        for word in (*self._config.entrypoint[:1], *self._config.cmd[:1]):
            if word.startswith("/") and "/bin/" in word:
                found.append(word.rpartition("/")[0] + "/python")
        found += ["/venv/bin/python", "/opt/venv/bin/python", "/app/.venv/bin/python"]
        found += ["/opt/conda/bin/python", *(f"python{minor}" for minor in VERSIONS)]
        return list(dict.fromkeys(found))

    def run_probe(
        self,
        script: Callable[[Mapping[str, Any]], bytes],
        *,
        mark: bytes,
        venvs: tuple[str, ...],
        timeout: float,
    ) -> ProbeRun:
        """Run the probe inside; see `OpenTarget.run_probe`."""
        text = script({})
        tried: list[tuple[str, str]] = []
        silent: list[str] = []
        for python in self.candidates(venvs):
            done = self._run(python, text, timeout)
            if mark in done.stdout or done.timed_out or done.truncated:
                return ProbeRun(
                    stdout=done.stdout,
                    stderr=done.error_text[-4000:],
                    returncode=None if done.timed_out else done.returncode,
                    truncated=done.truncated,
                    silent=tuple(silent),
                )
            tried.append((python, f"status {done.returncode}: {engine.first_line(done)[:300]}"))
            if done.returncode == 0:
                silent.append(python)
            if hopeless(done.error_text, len(tried)):
                break
        return self._from_outside(script, mark, timeout, tried, silent)

    def _from_outside(
        self,
        script: Callable[[Mapping[str, Any]], bytes],
        mark: bytes,
        timeout: float,
        tried: list[tuple[str, str]],
        silent: list[str],
    ) -> ProbeRun:
        """Read the image's files with this process's own Python: none of the image's starts."""
        name = engine.new_name()
        label = f"{engine.OWNER_LABEL}={engine.owner()}"
        self._containers.append(name)
        try:
            made = engine.call(
                "create", "--pull", "never", "--name", name, "--label", label,
                "--entrypoint", "none", self._id,
            )  # fmt: skip
            if made.returncode:
                self._engine_failed(made)
            text = script({
                "archive": {
                    "kind": "stream",
                    "argv": [engine.DOCKER, "export", name],
                    "config": msgspec.to_builtins(self._config),
                },
                "inside": False,
                "run": False,
                "why_not": f"{NO_PYTHON}: " + "; ".join(
                    f"{python}: {reason}" for python, reason in tried[:4]
                ),
            })  # fmt: skip
            reader = FolderTarget(self.facts_target, self.placement, (sys.executable,))
            run = reader.run_probe(lambda _: text, mark=mark, venvs=(), timeout=timeout)
        finally:
            engine.remove([name])
            self._containers.remove(name)
        return replace(run, silent=tuple(silent))

    def _run(self, python: str, script: bytes, timeout: float) -> process.Completed:
        name = engine.new_name()
        command = process.Command(
            argv=(
                engine.DOCKER, "run", *HARDENING, *self._powers(), "--name", name,
                "--label", f"{engine.OWNER_LABEL}={engine.owner()}",
                "--entrypoint", python, self._id, "-I", "-S", "-B", "-",
            ),
            timeout=timeout + SLACK,
            stdin=script,
            output_limit=ANSWER_LIMIT,
            stop_when_full=True,
        )  # fmt: skip
        self._containers.append(name)
        ended = False
        try:
            done = process.run(command)
            ended = not (done.timed_out or done.truncated)
        finally:
            # Killing docker's client leaves the container running.
            if not ended:
                engine.remove([name])
            self._containers.remove(name)
        engine.check_reachable(done)
        if done.returncode == ENGINE_FAILED and not done.stdout:
            self._engine_failed(done)
        return done

    def _engine_failed(self, done: process.Completed) -> None:
        """Raise what docker's status 125 means, which is never that this Python is broken."""
        text = engine.first_line(done)
        if "unable to find user" in done.error_text:
            return
        if (full := full_disk(done.error_text, where="docker run")) is not None:
            raise full
        raise SurroundingsError(
            text or "the engine could not start a container", where="docker run",
            hint="docker info tells whether the engine is well", code="engine-failed",
        )  # fmt: skip

    def _powers(self) -> tuple[str, ...]:
        """Let an image's root read what root may read in use: everything in its own files."""
        user = self._config.user.partition(":")[0]
        return ("--cap-add", "DAC_OVERRIDE") if user in ("", "0", "root") else ()

    def close(self) -> None:
        """Remove containers that are still there, and an image that was here for this only."""
        engine.remove(self._containers)
        if self.borrowed:
            engine.forget(self.borrowed)

    def __enter__(self) -> Self:
        """Enter the context."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the target."""
        self.close()


def hopeless(error: str, tries: int) -> bool:
    """Return whether no other interpreter can fare better: no such user, or another machine's."""
    foreign = "exec format error" in error and tries > 1
    return foreign or "unable to find user" in error


def image_config(inspected: Mapping[str, Any], history: tuple[str, ...]) -> ImageConfig:
    """Return the part of an image's configuration that decides how it runs."""
    config: Mapping[str, Any] = inspected.get("Config") or {}
    pairs = (text.partition("=") for text in config.get("Env") or ())
    return ImageConfig(
        user=config.get("User") or "",
        env={name: value for name, _, value in pairs},
        workdir=config.get("WorkingDir") or "/",
        entrypoint=tuple(config.get("Entrypoint") or ()),
        cmd=tuple(config.get("Cmd") or ()),
        volumes=tuple(sorted(config.get("Volumes") or ())),
        history=history,
        os=inspected.get("Os") or "linux",
        architecture=inspected.get("Architecture") or "",
    )


def open_image(reference: str, *, shown: str = "") -> ImageTarget:
    """Open an image of the local engine, and sweep what earlier runs had to leave behind.

    :param shown: what reports call it; the reference where empty.
    :raises UsageError: where there is no such image.
    :raises UnsafeInputError: where it is none of Linux, or would run in a place that is not its.
    :raises SurroundingsError: where the engine cannot be reached.
    """
    inspected = engine.inspect_image(reference)
    if (inspected.get("Os") or "linux") != "linux":
        raise UnsafeInputError(
            f"an image for {inspected['Os']}", where=reference, code="unsupported"
        )
    workdir = str((inspected.get("Config") or {}).get("WorkingDir") or "/")
    if workdir.startswith("/proc"):
        raise UnsafeInputError(
            f"its working directory {workdir} would give it this machine's files", where=reference
        )
    engine.sweep()
    return ImageTarget(shown or reference, inspected)
