"""What a frozen application says when it fails, held against what its bundle holds.

Lazy imports, compiled code and computed paths show themselves only in a run. Each message is
Python's, the loader's or a library's own; a thing that the bundle does hold is not told as missing.
Only what ended the run is certain: the exception that nobody handled, and those from which it
came. What was logged before it, some optional package or other, may be missing on purpose.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from packaging.utils import canonicalize_name

from venvsmith.bundle.wants import distributions
from venvsmith.data.stdlib import standard_library
from venvsmith.model.bundle import BundleFacts, MissingLibrary, MissingModule, MissingPart

if TYPE_CHECKING:
    from venvsmith.bundle.contents import Bundle
    from venvsmith.bundle.frozen import FrozenModules
    from venvsmith.model.facts import ImportResult

Part = TypeVar("Part", MissingPart, MissingLibrary)

_NO_MODULE = re.compile(r"No module named '([\w.]+)'")
_NO_NAME = re.compile(
    r"cannot import name '(\w+)' from (?:partially initialized module )?'([\w.]+)'"
)
_NO_METADATA = re.compile(
    r"No package metadata was found for ([\w.-]+)|"
    r"The '([\w.-]+)[^'\n]*' distribution was not found"
)
"""importlib.metadata's words, and those of pkg_resources and transformers."""
_NO_FILE = re.compile(
    r"No such file or directory: '([^'\n]+)'|NO_SUCHFILE : Load model from ([^\n]+?) failed"
)
"""Python's words, and onnxruntime's."""
_NO_SOURCE = re.compile(
    r"Can't get source for <(?:function|class) '?([\w.]+)|could not get source code"
)
"""TorchScript's words, and those of inspect."""
_NO_LIBRARY = re.compile(r"([^\s:'\"]+\.so[.\d]*): cannot open shared object file")
_FRAME = re.compile(r'^  File "([^"\n]+)", line \d+, in (\S+)', re.MULTILINE)
_UNPACKED = re.compile(r"/_MEI\w+/(.+)")
"""The folder into which a single executable unpacks itself."""
_BOOT = "pyimod"
_LAST_WORDS = "Failed to execute script"
"""The bootloader's, which say nothing that was not said before."""
_TRACE = "Traceback (most recent call last):"
_LINKS = (
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Place:
    """Where the code stood that failed: the last frame that is no standard library's.

    :param certain: whether what it says ended the run.
    """

    module: str
    function: str
    certain: bool


def with_said(
    facts: BundleFacts, bundle: Bundle, modules: FrozenModules, outputs: Iterable[str]
) -> BundleFacts:
    """Return the facts with what failing runs name as missing.

    :param outputs: of the commands and imports that failed.
    """
    gone = list(facts.missing_modules)
    data, metadata = list(facts.missing_data), list(facts.missing_metadata)
    sources, libraries = list(facts.missing_sources), list(facts.missing_libraries)
    for text, certain in (part for output in outputs for part in _parts(output)):
        place = _place(text, certain=certain)
        for module in _modules(text, place, modules):
            _add_module(gone, module)
        for part in _files(text, place, bundle):
            _add(data, part, lambda old, new: f"/{new.what}".endswith(f"/{old.what}"))
        for part in _metadata(text, place, bundle):
            _add(metadata, part, lambda old, new: old.what == new.what)
        for part in _sources(text, place, modules, bundle):
            _add(sources, part, lambda old, new: old.asker == new.asker)
        for library in _libraries(text, place, bundle):
            _add(libraries, library, lambda old, new: old.name == new.name)
    return replace(
        facts,
        missing_modules=tuple(gone),
        missing_data=tuple(data),
        missing_metadata=tuple(metadata),
        missing_sources=tuple(sources),
        missing_libraries=tuple(libraries),
    )


def of_import(result: ImportResult) -> str:
    """Return a failing import as Python would tell it."""
    return "\n".join((_TRACE, *result.traceback, result.message))


def _parts(output: str) -> Iterator[tuple[str, bool]]:
    """Yield what was said up to each exception, and whether that ended the run.

    Where there is no traceback, the last line stands for one.
    """
    before, *traces = output.split(_TRACE)
    if not traces and _FRAME.search(before):
        before, traces = "", [before]  # its beginning is cut off
    if not traces:
        lines = [line for line in output.splitlines() if _LAST_WORDS not in line]
        before, traces = "\n".join(lines[:-1]), lines[-1:]
    yield before, False
    for index, text in enumerate(traces):
        yield text, all(each.rstrip().endswith(_LINKS) for each in traces[index:-1])


def _add(known: list[Part], part: Part, same: Callable[[Part, Part], bool]) -> None:
    """Add a part unless it is known; one that is certain takes the place of one that was not."""
    if part.certain:
        known[:] = [old for old in known if old.certain or not same(old, part)]
    if not any(same(old, part) for old in known):
        known.append(part)


def _add_module(gone: list[MissingModule], module: MissingModule) -> None:
    """Add a module; what was only possible before may be certain now, and stands first."""
    have = next((old for old in gone if old.module == module.module), None)
    if not module.certain:
        gone += [module] if have is None else []
        return
    if have is not None:
        gone.remove(have)
        module = replace(have, certain=True)
    gone.insert(0, module)


def _place(text: str, *, certain: bool, beyond: str = "") -> _Place:
    """Return where a traceback ends.

    :param beyond: a package whose frames do not count.
    """
    for path, function in reversed(_FRAME.findall(text)):
        module = str(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        top = module.partition(".")[0]
        if top in standard_library(None) or top.startswith(_BOOT) or top in {"", beyond}:
            continue
        named = "" if function.startswith("<") else function
        return _Place(module=module, function=named, certain=certain)
    return _Place(module="the application", function="", certain=certain)


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
        certain=place.certain,
        how="from" if how == "from" else "import",
    )


def _files(text: str, place: _Place, bundle: Bundle) -> Iterator[MissingPart]:
    for found in _NO_FILE.finditer(text):
        inside = _inside(found[1] or found[2], bundle)
        if inside and inside not in bundle.files and ".so" not in inside:
            yield _part(inside, place, expected=inside)


def _metadata(text: str, place: _Place, bundle: Bundle) -> Iterator[MissingPart]:
    have = distributions(bundle)
    for found in _NO_METADATA.finditer(text):
        name = found[1] or found[2]
        if canonicalize_name(name) not in have:
            yield _part(name, place, expected=f"{name.replace('-', '_')}-*.dist-info")


def _sources(
    text: str, place: _Place, modules: FrozenModules, bundle: Bundle
) -> Iterator[MissingPart]:
    place = _place(text, certain=place.certain, beyond="torch")
    for found in _NO_SOURCE.finditer(text):
        path = place.module.replace(".", "/")
        source = f"{path}/__init__.py" if modules.is_package(place.module) else f"{path}.py"
        if modules.has(place.module) and source not in bundle.files:
            yield _part(found[1] or place.function or "<module>", place, expected=source)


def _part(what: str, place: _Place, *, expected: str) -> MissingPart:
    return MissingPart(
        what=what,
        asker=place.module,
        function=place.function,
        expected=expected,
        certain=place.certain,
        direct=place.certain,
    )


def _libraries(text: str, place: _Place, bundle: Bundle) -> Iterator[MissingLibrary]:
    there = {path.rpartition("/")[2] for path in bundle.files}
    for path in _NO_LIBRARY.findall(text):
        name = path.rpartition("/")[2]
        if name not in there:
            chain = (place.module.replace(".", "/"),)
            yield MissingLibrary(name=name, chain=chain, certain=place.certain)


def _inside(path: str, bundle: Bundle) -> str:
    """Return a path below the bundle's contents; empty for one that lies elsewhere."""
    unpacked = _UNPACKED.search(path)
    if unpacked:
        return unpacked[1]
    folder = "" if bundle.folder is None else f"{bundle.folder.resolve()}/"
    return path.removeprefix(folder) if folder and path.startswith(folder) else ""
