"""Handing the bake file to BuildKit."""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from venvsmith import engine
from venvsmith.build.buildkit import bake_failure
from venvsmith.build.ours import make_own_folder
from venvsmith.build.secrets import gather_secrets, sensitive
from venvsmith.errors import SurroundingsError, UsageError
from venvsmith.plan.pushable import pushable
from venvsmith.process import Command, environment, run
from venvsmith.render import secret_specs, target_name
from venvsmith.scratch import scratch, sweep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from venvsmith.model.plan import Plan
    from venvsmith.model.project import Project

BAKE_TIMEOUT = 4 * 3600.0
"""Seconds for a whole family from nothing over a slow line."""
_DIGESTS = ("containerimage.digest", "containerimage.config.digest")
MIRROR_VARIABLE = "VENVSMITH_DEFAULT_INDEX"
"""How bake gets the address of the machine's default index."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DockerOptions:
    """How to build through BuildKit."""

    builder: str | None = None
    ca_bundle: Path | None = None
    push: bool = False
    no_cache: bool = False


def engine_platform() -> str:
    """Return the platform of the local engine, ``linux/amd64``.

    :raises SurroundingsError: where no engine answers or it has no BuildKit.
    """
    try:
        done = engine.call("version", "--format", "{{.Server.Os}}/{{.Server.Arch}}")
    except SurroundingsError as error:
        hint = f"{error.hint}, or build with --engine local"
        raise SurroundingsError(
            error.message, where=error.where, hint=hint, code=error.code
        ) from error
    if engine.ask("buildx", "version").returncode:
        raise SurroundingsError(
            "this docker has no buildx, so no BuildKit",
            hint="install the docker-buildx plugin, or build with --engine local",
            code="engine-no-buildkit",
        )
    return done.text.strip()


def build_docker(
    project: Project,
    plans: Sequence[Plan],
    *,
    bake_file: Path,
    here: str,
    options: DockerOptions,
    say: Callable[[str], None],
) -> dict[str, str]:
    """Build plans in one bake, and return what of the local engine is what it made.

    The tags may be another's as soon as they are set: another checkout builds into the same engine.

    :param plans: the wanted ones and all that they build on. To push, only those with a tag in a
        registry are asked for; the others are built as far as these need them.
    :param bake_file: the rendered ``docker-bake.json``; it and what it names must be in step.
    :param here: the engine's platform, ``linux/amd64``. Of images for several platforms this one
        is built unless they are pushed: an engine holds images of one platform.
    :param say: called with each line of BuildKit's plain progress.
    :return: the id of each image by the name of its plan; nothing where they were pushed.
    :raises JudgedError: where a step fails: which one, and what it said.
    :raises SurroundingsError: where the engine is the reason.
    """
    if options.ca_bundle is not None and not options.ca_bundle.is_file():
        raise UsageError("there is no such file", where=str(options.ca_bundle))
    asked = pushable(plans, say=say) if options.push else plans
    secrets = gather_secrets(project, plans)
    mirror = secrets.pop("default-index", "")
    if mirror.startswith("file:"):
        say("BuildKit cannot see the folder that is this machine's default index: it is not used")
        mirror = ""
    with (
        _override(project, plans, ca_bundle=options.ca_bundle, mirror=bool(mirror)) as overrides,
        scratch() as own,
    ):
        told = own / "metadata.json"
        argv = [engine.DOCKER, "buildx", "bake", "--progress=plain"]
        argv += ["-f", str(bake_file), *overrides]
        if options.builder is not None:
            argv += ["--builder", options.builder]
        if options.no_cache:
            argv.append("--no-cache")
        argv += ["--push"] if options.push else ["--load", "--metadata-file", str(told)]
        argv += _tagged(asked) if options.push else _limited(asked, here)
        argv += [target_name(plan) for plan in asked]
        lines: list[str] = []

        command = Command(
            argv=tuple(argv),
            timeout=BAKE_TIMEOUT,
            cwd=project.root,
            env=environment({**secrets, MIRROR_VARIABLE: mirror}),
            secrets=sensitive(project, {**secrets, "default-index": mirror}),
        )

        def hear(line: str) -> None:
            lines.append(command.redact(line))
            say(lines[-1])

        done = run(command, on_line=hear)
        if done.returncode != 0:
            raise bake_failure(project, plans, lines)
        return {} if options.push else _made(asked, told)


def _made(plans: Sequence[Plan], metadata: Path) -> dict[str, str]:
    """Return the id that the engine knows each image by which bake tells of.

    It is the digest of the image, or of its configuration: that depends on the engine's store.
    """
    told = json.loads(metadata.read_bytes()) if metadata.is_file() else {}
    return {plan.name: _known(plan, told.get(target_name(plan), {})) for plan in plans}


def _known(plan: Plan, told: Mapping[str, object]) -> str:
    digests = [str(told[key]) for key in _DIGESTS if told.get(key)]
    for digest in digests:
        with suppress(UsageError):
            return str(engine.inspect_image(digest)["Id"])
    if not digests:
        raise SurroundingsError(
            "BuildKit does not tell which image it made", where=plan.name,
            hint="docker buildx version: 0.8 and later do", code="engine-failed",
        )  # fmt: skip
    raise SurroundingsError(
        f"the image that was just built, {digests[-1]}, is gone from the engine", where=plan.name,
        hint="see what removes images here ('docker image prune'), then build again",
        code="engine-failed",
    )  # fmt: skip


def _tagged(plans: Sequence[Plan]) -> list[str]:
    """Return the options that leave bake the tags of registries; it would push the others too."""
    return [
        option
        for plan in plans
        for tag in plan.registry_tags
        for option in ("--set", f"{target_name(plan)}.tags={tag}")
    ]


def _limited(plans: Sequence[Plan], here: str) -> list[str]:
    """Return the options that limit bake to one platform where images are for several."""
    return [
        option
        for plan in plans
        if here in {str(platform) for platform in plan.platforms[1:] and plan.platforms}
        for option in ("--set", f"{target_name(plan)}.platform={here}")
    ]


@contextmanager
def _override(
    project: Project, plans: Sequence[Plan], *, ca_bundle: Path | None, mirror: bool
) -> Iterator[list[str]]:
    """Yield the options that add this machine's own secrets to those of the bake file.

    The CA bundle is copied into the project, because newer buildx asks before it reads a file
    elsewhere; the default index is named by the variable that holds it.
    """
    if ca_bundle is None and not mirror:
        yield []
        return
    parent = make_own_folder(project.root)
    sweep(parent)
    own: list[str] = []
    with scratch(parent) as folder:
        if ca_bundle is not None:
            copy = folder / "ca.crt"
            shutil.copyfile(ca_bundle, copy)
            own.append(f"type=file,id=ca,src={copy.relative_to(project.root)}")
        if mirror:
            own.append(f"type=env,id=default-index,env={MIRROR_VARIABLE}")
        targets = {target_name(plan): {"secret": [*secret_specs(plan), *own]} for plan in plans}
        override = folder / "override.json"
        override.write_text(json.dumps({"target": targets}))
        yield ["-f", str(override)]
