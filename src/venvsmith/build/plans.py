"""From a project on disk to plans: reads the locks and venvsmith's own build files."""

from __future__ import annotations

import zipfile
import zlib
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from email.parser import BytesHeaderParser
from typing import TYPE_CHECKING

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from venvsmith.build.ours import find_ours, sbom_path, step_scripts
from venvsmith.config import formats
from venvsmith.errors import UsageError
from venvsmith.files import locked, make_folder, write_files
from venvsmith.lock import (
    build_key,
    needs_tools,
    own_project,
    read_lock,
    read_locks,
    read_sizes,
    read_tools,
    sizes_of,
)
from venvsmith.lock.bases import read_bases
from venvsmith.lock.record import read_record
from venvsmith.lock.wheels import FOLDER, find_wheels
from venvsmith.plan import Assets, Source, plan_image
from venvsmith.plan.assignments import assignments_of
from venvsmith.plan.layers import Layering, stage_limits
from venvsmith.render import LAYERS_PATH, UserTemplate, render_project
from venvsmith.resolve import refuse_drift

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from venvsmith.model.lock import Lock
    from venvsmith.model.plan import Plan
    from venvsmith.model.project import LockKey, Project

TEMPLATE_LIMIT = 256 * 1024
_NO_WHEEL = (OSError, zipfile.BadZipFile, zlib.error, RuntimeError)
"""What reading a damaged wheel raises; the last where it is encrypted."""


@contextmanager
def holding_rendered(project: Project, *, make: bool = False) -> Iterator[None]:
    """Hold what is rendered against other runs, and finish what a killed one began.

    To be entered before anything holds the project itself: the same order everywhere.

    :param make: make the folder where it is missing; otherwise there is nothing to hold then.
    """
    folder = project.root / project.output
    if make:
        make_folder(folder)
    with locked(folder) if folder.is_dir() else nullcontext():
        yield


def make_plans(
    project: Project,
    *,
    work: str | None = None,
    prefix: str = "",
    flat: bool = False,
    recut: bool = False,
    keep: str | None = None,
    only: Collection[str] = (),
) -> list[Plan]:
    """Return the plans of all images in all their variants, in the configuration's order.

    :param flat: plan each image as if it stood on its base directly.
    :param recut: forget which layers the distributions are in.
    :param keep: another folder of rendered files, whose cut into layers and wheel of pip go before
        those that lie in the project's own.
    :param only: names of plans (``whisperx.cuda``) to make; all where empty.
    :raises UsageError: where a lock is missing.
    :raises JudgedError: code ``drift`` where the locks are not those of this configuration.
    """
    with locked(project.root):  # another run may be writing the locks
        locks = read_locks(project)
        refuse_drift(project if keep is None else replace(project, output=keep))
        assets = read_assets(project, keep=keep)
        layering = _layering(project, locks, keep=keep, recut=recut)
    where = {} if work is None else {"work": work}
    return [
        plan_image(
            project,
            locks,
            assets,
            image=image,
            variant=variant,
            prefix=prefix,
            flat=flat,
            layering=layering,
            **where,
        )
        for image, variant in _pairs(project)
        if not only or f"{image}.{variant}" in only
    ]


def select(project: Project, *, images: Collection[str], variants: Collection[str]) -> set[str]:
    """Return the names of the plans that a command line asks for.

    :raises UsageError: for an image or variant that is not there, or where nothing is left.
    """
    for name in images:
        if name not in project.images:
            known = ", ".join(project.images) or "none"
            raise UsageError(f"there is no image '{name}'", hint=f"images: {known}")
    for name in variants:
        if name not in project.variants:
            known = ", ".join(project.variants) or "none"
            raise UsageError(f"there is no variant '{name}'", hint=f"variants: {known}")
    chosen = {
        f"{image}.{variant}"
        for image, variant in _pairs(project)
        if (not images or image in images) and (not variants or variant in variants)
    }
    if not chosen:
        raise UsageError("no image is left to work on", hint="see [images] in the configuration")
    return chosen


def with_those_below(plans: Collection[Plan], chosen: Collection[str]) -> set[str]:
    """Return the chosen plans' names and those of all images that they build on."""
    below = {plan.name: plan.below.name for plan in plans if plan.below is not None}
    found = set(chosen)
    for name in chosen:
        under = below.get(name)
        while under is not None:
            found.add(under)
            under = below.get(under)
    return found


def in_folder(project: Project, folder: Path) -> Project:
    """Return the project with another output folder.

    :param folder: relative to the working directory, or absolute.
    :raises UsageError: where builds could not read it, or it is the folder of the locks.
    """
    root, asked = project.root.resolve(), folder.resolve()
    problems: list[tuple[str, str]] = []
    output = ""
    if not asked.is_relative_to(root):
        problems.append(("--output", f"'{folder}' lies outside {root}; no build reads from there"))
    else:
        output = formats.FOLDER.read(asked.relative_to(root).as_posix(), "--output", problems)
    if output == project.locks:
        problems.append(("--output", f"'{folder}' is the folder of the locks"))
    if problems:
        where, message = problems[0]
        raise UsageError(message, where=where, hint="name a folder of its own in the project")
    return replace(project, output=output)


def read_assets(project: Project, *, keep: str | None = None) -> Assets:
    """Read the scripts that builds run, uv's lock and a wheel of pip.

    :param keep: as for `make_plans`.
    """
    tools = read_tools(project) if needs_tools(project) else ()
    return Assets(
        steps=step_scripts(),
        tools=tools,
        pip_wheel=_pip_wheel(project, keep),
        sources=_sources(project),
        wheels={
            f"sha256:{wheel.sha256}": f"{project.locks}/{FOLDER}/{wheel.file}"
            for wheel in find_wheels(project).values()
        },
    )


def _sources(project: Project) -> dict[str, Source]:
    """Read what the user's own projects say of themselves, and the locks of what builds them."""
    found: dict[str, Source] = {}
    for stage in project.stages.values():
        if stage.source is not None and stage.variants:
            own = own_project(project, stage)
            pins = read_lock(project, build_key(project, stage)).pins
            found[stage.name] = Source(name=own.name, version=own.version, build_pins=pins)
    return found


def rendered(
    project: Project, plans: list[Plan], *, template: Path | None = None
) -> dict[Path, bytes | None]:
    """Return what `render` writes, and (as None) what is ours of plans that are no more.

    :param template: the user's template; the one that the configuration names where None.
    :raises UsageError: where the template cannot be read or is wrong.
    """
    files = render_project(
        project, plans, pins=read_bases(project), template=read_template(project, template)
    )
    changes: dict[Path, bytes | None] = {project.root / path: data for path, data in files.items()}
    kept = {sbom_path(project, plan.name) for plan in plans} | changes.keys()
    changes.update((path, None) for path in find_ours(project) if path not in kept)
    return changes


def stale(changes: Mapping[Path, bytes | None]) -> list[Path]:
    """Return which of the files that `rendered` tells of are not as it says."""
    return [
        path
        for path, data in sorted(changes.items())
        if (path.read_bytes() if path.is_file() else None) != data
    ]


def render_to_disk(
    project: Project, plans: list[Plan], *, template: Path | None = None
) -> frozenset[Path]:
    """Write the build files where they differ; return the paths that changed."""
    return write_files(rendered(project, plans, template=template))


def read_template(project: Project, named: Path | None) -> UserTemplate | None:
    """Read the template that a command line names, or else the configuration, or None.

    :raises UsageError: where it cannot be read.
    """
    if named is None and project.template is None:
        return None
    path = named if named is not None else project.root / (project.template or "")
    name = str(named) if named is not None else str(project.template)
    try:
        with path.open("rb") as stream:
            data = stream.read(TEMPLATE_LIMIT + 1)
    except OSError as exc:
        message = f"the template cannot be read: {(exc.strerror or str(exc)).lower()}"
        raise UsageError(message, where=name, code="template") from exc
    if len(data) > TEMPLATE_LIMIT:
        message = f"the template is longer than {TEMPLATE_LIMIT // 1024} KiB"
        raise UsageError(message, where=name, code="template")
    try:
        return UserTemplate(name=name, text=data.decode())
    except UnicodeDecodeError as exc:
        message = "the template is not UTF-8"
        raise UsageError(message, where=name, code="template") from exc


def _layering(
    project: Project, locks: Mapping[LockKey, Lock], *, keep: str | None, recut: bool
) -> Layering:
    """Gather what the cut into layers depends on; the layers of an earlier render stay."""
    sizes = read_sizes(project)
    record = _kept(project, keep, LAYERS_PATH)
    earlier = None
    if record is not None and not recut:
        earlier = read_record(
            record,
            assignments_of,
            root=project.root,
            what="layers",
            hint="delete it and render again",
            code="layers-malformed",
        )
    return Layering(
        sizes={key.stem: sizes_of(sizes, key, lock.pins) for key, lock in locks.items()},
        earlier=earlier or {},
        limits=stage_limits(project),
    )


def _pairs(project: Project) -> Iterator[tuple[str, str]]:
    for image in project.images.values():
        for variant in image.variants:
            yield image.name, variant


def _kept(project: Project, keep: str | None, path: str) -> Path | None:
    """Return what lies where an earlier render left a file, or None."""
    folders = [project.output] if keep is None else [keep, project.output]
    found = (project.root / folder / path for folder in folders)
    return next((file for file in found if file.exists()), None)


def _admits(wheel: Path, python: str) -> bool:
    """Return whether a file is a wheel that says of itself that it runs on a minor of Python."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
            said = BytesHeaderParser().parsebytes(archive.read(names[0]))["Requires-Python"]
        return python in SpecifierSet(said or "")
    except (*_NO_WHEEL, IndexError, InvalidSpecifier):
        return False


def _pip_wheel(project: Project, keep: str | None) -> bytes:
    """Return the wheel that an earlier render left, or the one that virtualenv brings.

    Sticky, so that a newer virtualenv on one machine is no drift on another, as long as the
    project's Python can run it.
    """
    kept = _kept(project, keep, "steps/pip.whl")
    if kept is not None and _admits(kept, project.python):
        return kept.read_bytes()
    from virtualenv.seed.wheels.embed import (  # noqa: PLC0415 - slow, and rarely needed
        get_embed_wheel,
    )

    wheel = get_embed_wheel("pip", project.python)
    if wheel is None:
        raise UsageError(f"no pip is known for Python {project.python}", where="project.python")
    path: Path = wheel.path
    return path.read_bytes()
