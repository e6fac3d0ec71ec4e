"""`build --check-reproducible`: everything twice from nothing, and the layers side by side.

The second build has another checkout: other times, a umask of 077, another folder for the build's
own things, and so caches of its own. Time itself goes on between the two.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import tarfile
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from venvsmith import engine
from venvsmith.build.checkout import bring
from venvsmith.build.differences import Difference, first_difference
from venvsmith.build.docker import DockerOptions, build_docker
from venvsmith.errors import SurroundingsError
from venvsmith.scratch import scratch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from venvsmith.model.plan import Mount, Plan
    from venvsmith.model.project import Project

AGAIN = "-again"
"""What the second build's tags and folder end in."""
SAVE_TIMEOUT = 1800.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Unequal:
    """A layer that two builds made otherwise.

    :param layer: the name of the build stage that it is copied from, or the line that made it.
    """

    image: str
    layer: str
    difference: Difference | None

    def __str__(self) -> str:
        """Return it in words."""
        if self.difference is None:
            return f"{self.image}: layer {self.layer} differs, though no entry of it does"
        found = self.difference
        return f"{self.image}: layer {self.layer}: {found.file}: {found.what} ({found.cause})"


def build_twice(
    project: Project,
    first: Sequence[Plan],
    second: Sequence[Plan],
    *,
    files: Mapping[str, bytes],
    here: str,
    options: DockerOptions,
    say: Callable[[str], None],
) -> tuple[Unequal, ...]:
    """Build plans twice without caches and return the layers that differ.

    :param first: as they are rendered in the project.
    :param second: the same plans with another folder for the build's own things.
    :param files: what `render` makes of the second.
    :raises JudgedError: where a step fails.
    :raises SurroundingsError: where the engine is the reason.
    """
    options = replace(options, no_cache=True, push=False)
    output = project.output
    bake = project.root / output / "docker-bake.json"
    made = build_docker(project, first, bake_file=bake, here=here, options=options, say=say)
    with scratch() as own:
        folder = own / "another" / "checkout"
        check_out(project, second, files, folder)
        again = replace(project, root=folder)
        bake = folder / output / "docker-bake.json"
        try:
            remade = build_docker(
                again, second, bake_file=bake, here=here, options=options, say=say
            )
            return tuple(
                unequal
                for plan in first
                for unequal in _compare(plan.tags[0], made[plan.name], remade[plan.name], own)
            )
        finally:
            for plan in second:
                with suppress(SurroundingsError):
                    engine.call("image", "rm", "-f", plan.tags[0])


def renamed(plans: Sequence[Plan]) -> list[Plan]:
    """Return plans whose tags are other ones, so that they do not take the real images' place."""
    return [replace(plan, tags=(plan.tags[0] + AGAIN,)) for plan in plans]


def check_out(
    project: Project, plans: Sequence[Plan], files: Mapping[str, bytes], folder: Path
) -> None:
    """Copy what builds read, as another checkout has it: other times, no rights for others.

    What may be executed may be so there too: every checkout keeps that.

    :param files: what takes the place of the project's own, by path.
    :param folder: gets the copies; made where missing.
    """
    before = os.umask(0o077)
    try:
        for mount in _mounts(plans):
            if mount.source not in files:
                bring(mount, root=project.root, to=folder / mount.source, copy=_copy)
        for path, data in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
    finally:
        os.umask(before)


def _mounts(plans: Sequence[Plan]) -> list[Mount]:
    """Return what plans read of the project, each file or folder once."""
    stages = [stage for plan in plans for stage in plan.stages]
    mounts = [mount for stage in stages for mount in stage.context]
    mounts += [mount for stage in stages for step in stage.steps for mount in step.mounts]
    return list({(mount.source, mount.exclude): mount for mount in mounts}.values())


def _copy(source: str, target: str) -> None:
    shutil.copyfile(source, target)
    Path(target).chmod(0o700 if Path(source).stat().st_mode & 0o100 else 0o600)


def _compare(image: str, first: str, second: str, folder: Path) -> list[Unequal]:
    one, other = _layers(first), _layers(second)
    if one == other:
        return []
    archives = [_save(made, folder / f"{n}.tar") for n, made in enumerate((first, second))]
    try:
        lines = _lines(archives[0])
        found = []
        for number, (a, b) in enumerate(zip(one, other, strict=True)):
            if a == b:
                continue
            layers = [_extract(archive, number, folder) for archive in archives]
            difference = first_difference(*layers)
            found.append(Unequal(image=image, layer=lines[number], difference=difference))
        return found
    finally:
        for archive in archives:
            archive.unlink()


def _layers(image: str) -> list[str]:
    text = engine.call("image", "inspect", "-f", "{{json .RootFS.Layers}}", image).text
    layers: list[str] = json.loads(text)
    return layers


def _save(image: str, archive: Path) -> Path:
    done = engine.ask("save", "-o", str(archive), image, timeout=SAVE_TIMEOUT)
    if done.returncode:
        raise SurroundingsError(
            done.error_text.strip()[-300:], where="docker save", code="engine-failed"
        )
    return archive


def _manifest(archive: tarfile.TarFile) -> dict[str, Any]:
    file = archive.extractfile("manifest.json")
    found: dict[str, Any] = json.load(file or io.BytesIO())[0]
    return found


def _lines(path: Path) -> list[str]:
    """Return for each layer what made it: the build stage it is copied from, or the whole line."""
    with tarfile.open(path) as archive:
        file = archive.extractfile(_manifest(archive)["Config"])
        config = json.load(file or io.BytesIO())
    made = [str(x.get("created_by", "")) for x in config["history"] if not x.get("empty_layer")]
    return [_short(line) for line in made]


def _short(line: str) -> str:
    words = line.split()
    if words[:1] == ["COPY"] and len(words) > 1:
        return words[1].rstrip("/").rpartition("/")[2]
    return line[:100]


def _extract(path: Path, number: int, folder: Path) -> Path:
    with tarfile.open(path) as archive:
        name = _manifest(archive)["Layers"][number]
        file = archive.extractfile(name)
        target = folder / f"{path.stem}-{number}.tar"
        with target.open("wb") as out:
            shutil.copyfileobj(file or io.BytesIO(), out)
    return target
