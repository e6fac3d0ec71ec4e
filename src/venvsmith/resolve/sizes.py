"""How large the locked wheels are: told by the index, by the file itself, or by its server."""

from __future__ import annotations

import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from packaging.pylock import PackageSdist, PackageWheel, Pylock, PylockValidationError
from packaging.tags import Tag, compatible_tags, cpython_tags, create_compatible_tags_selector
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from venvsmith.errors import JudgedError, SurroundingsError
from venvsmith.lock.sizes import Sizes, kept_sizes, place_of
from venvsmith.model.platforms import DEFAULT_MANYLINUX
from venvsmith.network import parts_of
from venvsmith.resolve.lengths import Lengths
from venvsmith.resolve.protocol import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from packaging.pylock import Package

    from venvsmith.lock.inputs import Environment, Inputs
    from venvsmith.model.lock import Lock
    from venvsmith.model.project import LockKey
    from venvsmith.resolve.protocol import Resolver

ASKED_AT_ONCE = 8
"""Servers of wheels answer a HEAD in some 70 ms; they are asked only where the index is silent."""
# PEP 600: the older names of three levels.
_LEGACY = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
_OLDEST = {"x86_64": 5, "aarch64": 17}


def find_sizes(
    sizes: Sizes,
    locks: Mapping[LockKey, Lock],
    inputs: Mapping[LockKey, Inputs],
    *,
    resolver: Resolver,
    root: Path,
    offline: bool,
    say: Callable[[str], None],
) -> Sizes:
    """Return the sizes of all pins of the locks, as far as they can be had.

    What is recorded stays as it is. A size that cannot be had is no failure: where nobody tells
    it, it is recorded as unknown; where the network fails it is left to the next run.

    :param sizes: what is recorded.
    :param locks: all locks of the project; entries of other pins are dropped.
    :param inputs: what the locks in question are made from.
    :param root: where relative find-links start.
    """
    found = kept_sizes(sizes, locks.values())
    largest_first = sorted(inputs, key=lambda key: -len(locks[key].pins) if key in locks else 0)
    for key in largest_first:
        if key not in locks:
            continue
        lock, known = locks[key], found[place_of(key)]
        if all(pin.requirement() in known for pin in lock.pins):
            continue
        request = Request(
            requirements=inputs[key].requirements,
            environment=inputs[key].environment,
            constraints=tuple(pin.requirement() for pin in lock.pins),
            known=True,
        )
        try:
            text = resolver.pylock(request)
        except (JudgedError, SurroundingsError) as exc:
            say(f"the sizes of the wheels of {key.stem} stay unknown: {exc}")
            continue
        told = _sizes(text, inputs[key].environment, root=root, offline=offline)
        for pin in lock.pins:
            if pin.name in told:
                known.setdefault(pin.requirement(), told[pin.name])
    return found


def install_tags(environment: Environment) -> Iterator[Tag]:
    """Yield the tags that wheels may have where a lock will be installed, the best first."""
    python = tuple(int(part) for part in environment.python.split("."))
    platforms = list(_platforms(environment))
    yield from cpython_tags(python, platforms=platforms)
    yield from compatible_tags(python, f"cp{''.join(map(str, python))}", platforms)


def _platforms(environment: Environment) -> Iterator[str]:
    machine = environment.machine
    newest = int((environment.manylinux or DEFAULT_MANYLINUX).partition("_")[2])
    for level in range(newest, _OLDEST.get(machine, 17) - 1, -1):
        yield f"manylinux_2_{level}_{machine}"
        if level in _LEGACY:
            yield f"{_LEGACY[level]}_{machine}"
    yield f"linux_{machine}"


def _sizes(
    text: str, environment: Environment, *, root: Path, offline: bool
) -> dict[str, int | None]:
    """Return name and size of each package of a PEP 751 file; none that cannot be asked now."""
    try:
        packages = Pylock.from_dict(tomllib.loads(text)).packages
    except PylockValidationError:
        return {}
    tags = tuple(install_tags(environment))
    folders = [root / link for link in environment.find_links if "://" not in link]

    def ask(package: Package) -> tuple[str, int | None] | None:
        file = _installed_file(package, tags)
        if file is None:
            return package.name, None
        size = file.size if file.size is not None else _size_on_disk(file, folders)
        if size is not None:
            return package.name, size
        try:
            return package.name, lengths.of(file.url or "")
        except OSError:
            return None

    with Lengths(offline=offline) as lengths, ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
        return dict(answer for answer in pool.map(ask, packages) if answer is not None)


def _installed_file(package: Package, tags: tuple[Tag, ...]) -> PackageWheel | PackageSdist | None:
    """Return the wheel that an installer would take, or what one would be built from."""
    fitting = create_compatible_tags_selector(tags)(_tagged(package))
    return next(iter(fitting), None) or package.sdist


def _tagged(package: Package) -> Iterator[tuple[PackageWheel, frozenset[Tag]]]:
    for wheel in package.wheels or ():
        try:
            yield wheel, parse_wheel_filename(wheel.filename)[-1]
        except InvalidWheelFilename:
            continue


def _size_on_disk(file: PackageWheel | PackageSdist, folders: list[Path]) -> int | None:
    places = [folder / file.filename for folder in folders]
    url = parts_of(file.url or "")
    if url is not None and url.scheme == "file":
        places.append(Path(unquote(url.path)))
    return next((place.stat().st_size for place in places if place.is_file()), None)
