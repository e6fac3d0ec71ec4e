"""The engine and its builder: reachable, new enough, and for the platforms of the variants."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.version import Version

from venvsmith.network import without_credentials
from venvsmith.preflight.programs import number_of
from venvsmith.preflight.report import Row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from venvsmith.model.project import Project
    from venvsmith.preflight.report import Status
    from venvsmith.preflight.situation import Builder, Engine, Situation

ENGINE_LEAST = Version("23.0")
BUILDKIT_LEAST = Version("0.10")
"""``COPY --link`` came with BuildKit 0.10 and the Dockerfile frontend 1.4 in it:
https://github.com/moby/buildkit/releases/tag/v0.10.0 ; Docker Engine 23.0 is the first with it:
https://docs.docker.com/engine/release-notes/23.0/"""


def check_engine(at: Situation) -> list[Row]:
    """Judge the engine, the builder, and the platforms that they build for."""
    engine = at.engine
    if engine.trouble:
        return [_unreachable(at, engine)]
    rows = [_engine(engine)]
    builder = engine.builder
    if builder.trouble:
        mend = "'docker buildx ls' shows the builders, 'docker buildx use default' takes docker's"
        return [*rows, _row("builder", "builder", "unknown", builder.trouble, mend)]
    rows.append(_builder(builder))
    if at.project is not None:
        rows += _platforms(at.project, engine, builder)
        rows += _caches(at.project, engine, builder)
    return rows


def _row(check: str, subject: str, status: Status, message: str, mend: str = "") -> Row:
    return Row(
        group="engine", check=check, subject=subject, status=status, message=message, mend=mend
    )


def _unreachable(at: Situation, engine: Engine) -> Row:
    mend = "start Docker, or name another engine with DOCKER_HOST"
    host = at.machine.env.get("DOCKER_HOST", "")
    if "permission denied" in engine.trouble.lower():
        mend = "let this user speak to it: sudo usermod -aG docker $USER, then log in again"
    elif host:
        named = without_credentials(host)
        mend = f"DOCKER_HOST is {named}: is that the engine you mean, and is it up?"
    elif at.machine.system in {"darwin", "windows"}:
        mend = "start Docker Desktop"
    return _row("engine", "docker", "missing", engine.trouble, mend)


def _engine(engine: Engine) -> Row:
    named = " · ".join(filter(None, [engine.version, engine.platform, engine.name]))
    found = number_of(engine.version)
    if engine.os != "linux":
        message = f"{named}: it runs no Linux images"
        return _row("engine", "docker", "wrong", message, "switch Docker to Linux containers")
    if found is not None and found < ENGINE_LEAST:
        message = f"{named} has no COPY --link: {ENGINE_LEAST} is the first that has"
        mend = "update Docker, or build with a builder of a newer BuildKit: docker buildx create"
        return _row("engine", "docker", "wrong", message, mend)
    return _row("engine", "docker", "ok", named)


def _builder(builder: Builder) -> Row:
    version = number_of(builder.buildkit)
    # Debian's docker tells v0.0.0+unknown; the engine's version speaks for a builder that is its.
    real = version is not None and version.major + version.minor > 0
    told = f"BuildKit {version}" if real else ""
    named = " · ".join(filter(None, [f"driver {builder.driver}" if builder.driver else "", told]))
    if real and version is not None and version < BUILDKIT_LEAST:
        message = f"{named} has no COPY --link: {BUILDKIT_LEAST} is the first that has"
        mend = "docker buildx create --use makes a builder with a current BuildKit"
        return _row("builder", f"builder {builder.name}", "wrong", message, mend)
    if builder.status and builder.status != "running":
        message = f"{named}: {builder.status}, and starts with the first build"
        mend = f"docker buildx inspect --bootstrap {builder.name}"
        return _row("builder", f"builder {builder.name}", "warning", message, mend)
    return _row("builder", f"builder {builder.name}", "ok", named)


def _platforms(project: Project, engine: Engine, builder: Builder) -> list[Row]:
    """Return a row for each platform that variants are for."""
    users: dict[str, list[str]] = {}
    for variant in project.variants.values():
        for platform in variant.platforms:
            users.setdefault(str(platform), []).append(variant.name)
    if not builder.platforms:
        return []
    served = builder.platforms & users.keys()
    return [
        _platform(platform, names, engine, builder, others=bool(served - {platform}))
        for platform, names in users.items()
    ]


def _caches(project: Project, engine: Engine, builder: Builder) -> list[Row]:
    """Return a row where caches are asked for that this builder does not write.

    https://docs.docker.com/build/cache/backends/
    """
    written = [text for text in project.build.cache_to if "type=inline" not in text.split(",")]
    if not written or builder.driver != "docker" or engine.containerd:
        return []
    message = "this builder writes caches only with the containerd image store, and no build begins"
    mend = "turn that store on, or docker buildx create, and BUILDX_BUILDER=NAME or --builder NAME"
    return [_row("cache", "build.cache-to", "wrong", message, mend)]


def _platform(
    platform: str, variants: Sequence[str], engine: Engine, builder: Builder, *, others: bool
) -> Row:
    named = f"variant{'s' if len(variants) > 1 else ''} {', '.join(variants)}"
    arch = platform.partition("/")[2]
    if platform not in builder.platforms:
        message = f"this builder cannot run it ({named})"
        mend = (
            f"docker run --privileged --rm tonistiigi/binfmt --install {arch}, or a builder with "
            "such a node: build --builder NAME"
        )
        # What it can run is built; the rest is left out aloud, unless it is pushed.
        return _row("platform", platform, "warning" if others else "missing", message, mend)
    if platform == engine.platform:
        return _row("platform", platform, "ok", f"its own ({named})")
    if builder.driver == "docker":
        return _row("platform", platform, "ok", f"emulated, so slow where it runs ({named})")
    return _row("platform", platform, "ok", f"a node of the builder, or emulated ({named})")
