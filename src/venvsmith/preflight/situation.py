"""What the checks share: the machine, the project, and what the engine said of itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from concurrent.futures import Future

    from venvsmith.model.project import Project
    from venvsmith.preflight.machine import Machine

ENGINE_SECONDS = 4.0
"""A daemon that hangs holds us up no longer; one that is well answers in 0.1 s."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Builder:
    """What ``docker buildx inspect`` tells of the builder that a build here would take.

    ``trouble`` is empty where it answers.
    """

    trouble: str = ""
    name: str = ""
    driver: str = ""
    status: str = ""
    buildkit: str = ""
    platforms: frozenset[str] = frozenset()

    @property
    def sees_local_images(self) -> bool:
        """Return whether it builds on images of docker's own store, or on registries' alone.

        https://docs.docker.com/build/builders/drivers/
        """
        return self.driver in {"", "docker"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Engine:
    """What docker says of its engine; ``trouble`` is empty where it answers."""

    trouble: str = ""
    client: str = ""
    version: str = ""
    os: str = ""
    arch: str = ""
    name: str = ""
    """Its operating system, ``Docker Desktop``."""
    root: str = ""
    """Where it keeps images, on the engine's own machine."""
    runtimes: frozenset[str] = frozenset()
    containerd: bool = False
    """Whether it keeps images in containerd's store."""
    host: str = ""
    """The address that docker speaks to, ``unix:///var/run/docker.sock``."""
    builder: Builder = Builder()

    @property
    def local(self) -> bool:
        """Return whether it is on this machine."""
        return self.host.startswith(("unix://", "npipe://"))

    @property
    def platform(self) -> str:
        """Return ``linux/amd64``."""
        return f"{self.os}/{self.arch}"


@dataclass(kw_only=True)
class Situation:
    """What a check may look at.

    ``project`` is None where there is no configuration, or it is wrong: then the machine alone is
    judged. ``inside`` has the free bytes that containers saw, once base images were asked.
    """

    machine: Machine
    project: Project | None
    probe: bool
    asked: Future[Engine]
    inside: Future[int | None]

    @cached_property
    def engine(self) -> Engine:
        """Wait for the engine's answer."""
        return self.asked.result()


def ask_engine(machine: Machine) -> Engine:
    """Ask docker for its engine."""
    if machine.which("docker") is None:
        return Engine(trouble="there is no docker command here")
    told = machine.run("docker", "version", "--format", "{{json .}}", seconds=ENGINE_SECONDS)
    parts = _object(told.stdout)
    client, server = _part(parts, "Client"), _part(parts, "Server")
    version = str(client.get("Version") or "")
    if told.timed_out:
        return Engine(client=version, trouble=f"no answer in {ENGINE_SECONDS:g} s")
    if not server:
        return Engine(client=version, trouble=told.words or "docker names no server")
    info = _object(
        machine.run("docker", "info", "--format", "{{json .}}", seconds=ENGINE_SECONDS).stdout
    )
    where = machine.run(
        *("docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"),
        seconds=ENGINE_SECONDS,
    )
    return Engine(
        client=version,
        host=where.stdout.strip() if where.ok else "",
        version=str(server.get("Version") or ""),
        os=str(server.get("Os") or ""),
        arch=str(server.get("Arch") or ""),
        name=str(info.get("OperatingSystem") or ""),
        root=str(info.get("DockerRootDir") or ""),
        runtimes=frozenset(_part(info, "Runtimes")),
        containerd="io.containerd.snapshotter" in str(info.get("DriverStatus")),
        builder=_ask_builder(machine),
    )


def _ask_builder(machine: Machine) -> Builder:
    told = machine.run("docker", "buildx", "inspect", seconds=ENGINE_SECONDS)
    if told.timed_out:
        return Builder(trouble=f"no answer in {ENGINE_SECONDS:g} s")
    return parse_builder(told.stdout) if told.ok else Builder(trouble=told.words or "no builder")


def parse_builder(text: str) -> Builder:
    """Return what ``docker buildx inspect`` printed: of several nodes, all their platforms."""
    values: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            values.setdefault(key.strip().lower(), []).append(value.strip())
    every = " ".join(values.get("platforms", ())).replace(",", " ").replace("*", "").split()
    return Builder(
        name=values.get("name", [""])[0],
        driver=values.get("driver", [""])[0],
        status=values.get("status", [""])[0],
        buildkit=(values.get("buildkit version") or values.get("buildkit") or [""])[0],
        platforms=frozenset(every),
    )


def _object(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _part(parts: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = parts.get(name)
    return found if isinstance(found, dict) else {}
