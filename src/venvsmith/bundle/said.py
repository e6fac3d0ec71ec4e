"""What a frozen application says when it fails, held against what its bundle holds.

Lazy imports, compiled code and computed paths show themselves only in a run. Each message is
Python's or the loader's own; a thing that the bundle does hold is not told as missing.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from venvsmith.bundle.wants import distributions
from venvsmith.model.bundle import BundleFacts, MissingLibrary, MissingModule, MissingPart

if TYPE_CHECKING:
    from venvsmith.bundle.contents import Bundle
    from venvsmith.bundle.frozen import FrozenModules

_NO_MODULE = re.compile(r"No module named '([\w.]+)'")
_NO_NAME = re.compile(
    r"cannot import name '(\w+)' from (?:partially initialized module )?'([\w.]+)'"
)
_NO_METADATA = re.compile(r"No package metadata was found for ([\w.-]+)")
_NO_FILE = re.compile(r"No such file or directory: '([^'\n]+)'")
_NO_LIBRARY = re.compile(r"([^\s:'\"]+\.so[.\d]*): cannot open shared object file")
_FRAME = re.compile(r'^  File "([^"\n]+)", line \d+, in (\S+)', re.MULTILINE)
_UNPACKED = re.compile(r"/_MEI\w+/(.+)")
"""The folder into which a single executable unpacks itself."""
_BOOT = "pyimod"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Place:
    """Where the code stood that failed: the last frame that is no standard library's."""

    module: str
    function: str


def with_said(
    facts: BundleFacts, bundle: Bundle, modules: FrozenModules, outputs: Iterable[str]
) -> BundleFacts:
    """Return the facts with what failing runs name as missing.

    :param outputs: of the commands and imports that failed.
    """
    gone = list(facts.missing_modules)
    libraries = list(facts.missing_libraries)
    data, metadata = list(facts.missing_data), list(facts.missing_metadata)
    for text in outputs:
        place = _place(text)
        for module in _modules(text, place, modules):
            _add_module(gone, module)
        for part in _files(text, place, bundle):
            data = [old for old in data if old.certain or not _same(old, part)]
            data += [] if any(_same(old, part) for old in data) else [part]
        for part in _metadata(text, place, bundle):
            metadata = [old for old in metadata if old.certain or old.what != part.what]
            metadata += [] if any(old.what == part.what for old in metadata) else [part]
        for library in _libraries(text, place, bundle):
            libraries = [old for old in libraries if old.certain or old.name != library.name]
            libraries += [] if any(old.name == library.name for old in libraries) else [library]
    return replace(
        facts,
        missing_modules=tuple(gone),
        missing_data=tuple(data),
        missing_metadata=tuple(metadata),
        missing_libraries=tuple(libraries),
    )


def _add_module(gone: list[MissingModule], module: MissingModule) -> None:
    """Add a module; what was only possible before is certain now, and stands first."""
    have = next((old for old in gone if old.module == module.module), None)
    if have is not None:
        gone.remove(have)
        module = replace(have, certain=True)
    gone.insert(0, module)


def _same(old: MissingPart, new: MissingPart) -> bool:
    return f"/{new.what}".endswith(f"/{old.what}")


def _place(text: str) -> _Place:
    for path, function in reversed(_FRAME.findall(text)):
        module = str(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        top = module.partition(".")[0]
        if top in sys.stdlib_module_names or top.startswith(_BOOT) or not top:
            continue
        return _Place(module=module, function="" if function.startswith("<") else function)
    return _Place(module="the application", function="")


def _modules(text: str, place: _Place, modules: FrozenModules) -> Iterator[MissingModule]:
    for name in _NO_MODULE.findall(text):
        if not modules.has(name):
            yield _module(name, place, "import")
    for name, package in _NO_NAME.findall(text):
        full = f"{package}.{name}"
        if not modules.has(package):
            yield _module(package, place, "import")
        elif modules.is_package(package) and not modules.has(full):
            code = modules.read(package)
            if code is not None and name not in code.defines:
                yield _module(full, place, "from")


def _module(name: str, place: _Place, how: str) -> MissingModule:
    return MissingModule(
        module=name,
        importer=place.module,
        chain=(place.module,),
        function=place.function,
        how="from" if how == "from" else "import",
    )


def _files(text: str, place: _Place, bundle: Bundle) -> Iterator[MissingPart]:
    for path in _NO_FILE.findall(text):
        inside = _inside(path, bundle)
        if inside and not bundle.has(inside) and ".so" not in inside:
            yield MissingPart(
                what=inside, asker=place.module, function=place.function, expected=inside
            )


def _metadata(text: str, place: _Place, bundle: Bundle) -> Iterator[MissingPart]:
    have = distributions(bundle)
    for name in _NO_METADATA.findall(text):
        if canonicalize_name(name) not in have:
            yield MissingPart(
                what=name,
                asker=place.module,
                function=place.function,
                expected=f"{name.replace('-', '_')}-*.dist-info",
            )


def _libraries(text: str, place: _Place, bundle: Bundle) -> Iterator[MissingLibrary]:
    there = {path.rpartition("/")[2] for path in bundle.files if bundle.has(path)}
    for path in _NO_LIBRARY.findall(text):
        name = path.rpartition("/")[2]
        if name not in there:
            yield MissingLibrary(name=name, chain=(place.module.replace(".", "/"),))


def _inside(path: str, bundle: Bundle) -> str:
    """Return a path below the bundle's contents; empty for one that lies elsewhere."""
    unpacked = _UNPACKED.search(path)
    if unpacked:
        return unpacked[1]
    folder = "" if bundle.folder is None else f"{bundle.folder.resolve()}/"
    return path.removeprefix(folder) if folder and path.startswith(folder) else ""
