"""What frozen code asks for besides modules: data files, metadata, sources, shared libraries."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from venvsmith.bundle.bytecode import RESOURCE_CALLS
from venvsmith.bundle.contents import LIBRARY
from venvsmith.bundle.flow import OPENS
from venvsmith.bundle.graph import absolute
from venvsmith.collect.probe import elf
from venvsmith.model.bundle import MissingLibrary, MissingPart
from venvsmith.model.facts import Elf

if TYPE_CHECKING:
    from venvsmith.bundle.contents import Bundle
    from venvsmith.bundle.graph import Graph
    from venvsmith.bundle.modulecode import Ask, ModuleCode
    from venvsmith.collect.probe.tree import Handle

ON_EVERY_SYSTEM = frozenset(
    {"libc", "libm", "libdl", "libpthread", "librt", "libutil", "libresolv", "libmvec", "libnsl",
     "libanl", "libcrypt", "ld-linux-x86-64", "ld-linux-aarch64", "ld-linux"}
)  # fmt: skip
"""Stems of glibc's own libraries, which PyInstaller leaves to the system."""
ON_DESKTOPS = (
    "libX", "libxcb", "libGL", "libEGL", "libgbm", "libdrm", "libasound", "libwayland", "libjack",
    "libfontconfig", "libfreetype", "libcuda", "libnvidia-",
)  # fmt: skip
"""Beginnings of those that go with the system's display, sound and drivers (PyInstaller's
`depend/dylib.py` leaves most of them out): missing, they are no mistake of the bundle's."""
_FILE_KNOWN = {"__file__", "__path__"}
_OF_PATHS = frozenset(
    {"os", "path", "join", "dirname", "abspath", "realpath", "normpath", "basename", "fspath",
     "pathlib", "Path", "PurePath", "parent", "parents", "resolve", "absolute", "joinpath",
     "as_posix", "str", "__name__", "__package__", "importlib", "sys"}
)  # fmt: skip
"""What makes a path, and does nothing with the file there."""


def missing_data(graph: Graph, bundle: Bundle) -> Iterator[MissingPart]:
    """Yield data files that code names beside its package's folder and the bundle lacks.

    A package of one file has no folder of its own, so nothing can be told of it.
    """
    wanted: defaultdict[str, set[str]] = defaultdict(set)
    for module, code in _reached(graph):
        wanted[module.partition(".")[0]] |= {_name(ask.what) for ask in code.data}
    frozen = _by_package(bundle.files, wanted)
    names = frozenset[str]().union(*wanted.values())
    anywhere = [path for path in bundle.files if _name(path) in names]
    installed = _by_package(_installed(bundle), wanted)
    if LIBRARY not in bundle.files:
        yield MissingPart(what=LIBRARY, asker="Python itself", expected=LIBRARY)
    for module, code in _reached(graph):
        top = module.partition(".")[0]
        if not graph.modules.is_package(top):
            continue
        knows = folders_at_hand(graph, module, code)
        for ask in code.data:
            known = ask.names & knows
            if not known or _holds(frozen.get(top, ()), ask.what):
                continue
            # `files("other")` reaches into any package; which one is an argument.
            if known <= RESOURCE_CALLS and _holds(anywhere, ask.what):
                continue
            # Where the installed files are known, a name among none of them is written, not read.
            if top in installed and not _holds(installed[top], ask.what):
                continue
            part = _part(graph, module, ask, expected=f"{top}/…/{ask.what}")
            insists = ask.insists and not ask.guarded
            # What code may never come to, does without or writes is no certain loss.
            by_chance = not insists and (ask.dispensable or ask.guarded or ask.conditional)
            by_chance = by_chance or (ask.conditional and not ask.function)
            used = not ask.meets.isdisjoint(knows) and not ask.meets <= knows | _OF_PATHS
            used = used and not by_chance
            opens = ask.insists or not OPENS.isdisjoint(ask.meets)
            yield replace(
                part,
                certain=used and ask.firm and opens,
                direct=used and part.direct,
                doubtful=ask.dispensable and insists,
            )


def _installed(bundle: Bundle) -> Iterator[str]:
    """Yield the files that packages had where they were frozen, by their RECORD."""
    for path in bundle.files:
        if path.endswith(".dist-info/RECORD") and path.count("/") == 1:
            for row in io.StringIO(bundle.text(path)):
                yield row.rstrip().partition(",")[0]


def _by_package(paths: Iterable[str], wanted: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Return, for each top-level package that has any, its paths to files of the wanted names."""
    found: dict[str, set[str]] = {}
    for path in paths:
        top = path.partition("/")[0]
        if top in wanted:
            below = found.setdefault(top, set())
            if _name(path) in wanted[top]:
                below.add(path)
    return found


def _holds(paths: Iterable[str], what: str) -> bool:
    return any(path == what or path.endswith(f"/{what}") for path in paths)


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def missing_metadata(graph: Graph, bundle: Bundle) -> Iterator[MissingPart]:
    """Yield distributions whose metadata are asked for and not there."""
    have = set(distributions(bundle))
    for module, code in _reached(graph):
        for ask in code.metadata:
            if ask.guarded or ask.conditional or canonicalize_name(ask.what) in have:
                continue
            yield _part(graph, module, ask, expected=f"{ask.what.replace('-', '_')}-*.dist-info")


def missing_sources(graph: Graph, bundle: Bundle) -> Iterator[MissingPart]:
    """Yield modules that TorchScript compiles when they are imported, without their source."""
    for module, code in _reached(graph):
        path = module.replace(".", "/")
        source = f"{path}/__init__.py" if graph.modules.is_package(module) else f"{path}.py"
        ask = next((ask for ask in code.scripted if ask.firm), None)
        if ask is not None and source not in bundle.files:
            yield replace(_part(graph, module, ask, expected=source), reader="torch")


def distributions(bundle: Bundle) -> dict[str, tuple[str, str]]:
    """Return the distributions whose metadata the bundle holds: name to version and folder."""
    found: dict[str, tuple[str, str]] = {}
    for path in bundle.files:
        folder = path.partition("/")[0]
        if folder.endswith((".dist-info", ".egg-info")):
            name, _, version = folder.rpartition(".")[0].partition("-")
            found[canonicalize_name(name)] = version, folder
    return found


def elves(bundle: Bundle) -> dict[str, Elf]:
    """Return the shared objects among the bundle's files: path to what the loader would read."""
    found = {}
    for path in sorted(bundle.files):
        name = path.rpartition("/")[2]
        if not (name.endswith((".so", ".pyd", ".dll", ".dylib")) or ".so." in name):
            continue
        try:
            with bundle.open(path) as handle:
                fact = object_of(path, handle)
        except OSError as exc:
            fact = Elf(path=path, machine="", error=str(exc))
        if fact is not None:
            found[path] = fact
    return found


def object_of(path: str, handle: Handle) -> Elf | None:
    """Return what the loader would read of a file; None for one of another format."""
    fact = elf.describe(path, handle)
    if str(fact.get("error", "")).endswith(", not ELF"):
        return None
    fact = {key: tuple(v) if isinstance(v, list) else v for key, v in fact.items()}
    fact["verneed"] = {k: tuple(v) for k, v in fact.get("verneed", {}).items()}
    return Elf(**fact)


def missing_libraries(
    graph: Graph, bundle: Bundle, objects: dict[str, Elf]
) -> Iterator[MissingLibrary]:
    """Yield what the loader would not find for the extension modules that the bundle holds.

    The bootloader puts the contents' top on the loader's path; besides, RPATH and RUNPATH hold.
    """
    found: dict[str, tuple[str, tuple[str, ...]]] = {}
    python = bundle.archive.library
    if ".so" in python and python not in bundle.files:
        yield MissingLibrary(name=python, chain=(bundle.archive.path.name,))
    for path in sorted(objects):
        if objects[path].exports_init is None:
            continue
        for name, chain in _gaps(bundle, objects, path):
            found.setdefault(name, (module_of(path), chain))
    found.pop(python, None)  # which is told already
    lacking = {module for module, _ in found.values()}
    tried = _only_tried(graph, bundle, lacking - graph.reached.keys())
    for name, (module, chain) in found.items():
        certain = module in graph.reached
        yield MissingLibrary(name=name, chain=chain, certain=certain, tried=module in tried)


def _only_tried(graph: Graph, bundle: Bundle, modules: set[str]) -> set[str]:
    """Return those modules that their own packages import, and wherever they do in a ``try``."""
    tops = {module.partition(".")[0] for module in modules}
    members: defaultdict[str, set[str]] = defaultdict(set)
    for module in modules:
        parent, _, name = module.rpartition(".")
        members[parent].add(name)
    own = [other for other in bundle.archive.modules if other.partition(".")[0] in tops]
    unread = graph.modules.read_all([other for other in own if other not in graph.codes])
    # By whether the import is in a ``try``.
    imported: dict[bool, set[str]] = {True: set(), False: set()}
    for other in own:
        code = graph.codes[other] if other in graph.codes else unread[other]
        for entry in code.imports if code is not None else ():
            base = absolute(entry, graph.package_of(other)) or ""
            if base.partition(".")[0] != other.partition(".")[0]:
                continue
            named = members.get(base, set()).intersection(entry.names)
            imported[entry.guarded] |= {base, *(f"{base}.{name}" for name in named)}
    return (modules & imported[True]) - imported[False]


def _gaps(
    bundle: Bundle, objects: dict[str, Elf], start: str
) -> Iterator[tuple[str, tuple[str, ...]]]:
    pending: list[tuple[str, tuple[str, ...]]] = [(start, (start,))]
    loaded = {start}
    while pending:
        path, chain = pending.pop()
        for name in objects[path].needed if path in objects else ():
            if _of_system(name):
                continue
            found = _find(bundle, objects, chain, name)
            if found is None:
                yield name, chain
            elif found not in loaded:
                loaded.add(found)
                pending.append((found, (*chain, found)))


def _find(bundle: Bundle, objects: dict[str, Elf], chain: tuple[str, ...], name: str) -> str | None:
    for owner in reversed(chain):
        folder = owner.rpartition("/")[0]
        if owner not in objects:
            continue
        for place in (*objects[owner].runpath, *objects[owner].rpath):
            if "ORIGIN" in place:
                origin = place.replace("${ORIGIN}", folder).replace("$ORIGIN", folder)
                path = _normal(f"{origin}/{name}")
                if path in bundle.files:
                    return path
    if name in bundle.files:
        return name
    # What lies elsewhere in the bundle is loaded before by who ships it: torch loads its own.
    return next((path for path in objects if path.endswith(f"/{name}")), None)


def _normal(path: str) -> str:
    parts: list[str] = []
    for part in path.split("/"):
        if part == ".." and parts:
            parts.pop()
        elif part not in {"", ".", ".."}:
            parts.append(part)
    return "/".join(parts)


def _of_system(name: str) -> bool:
    return name.partition(".")[0] in ON_EVERY_SYSTEM or name.startswith(ON_DESKTOPS)


def module_of(path: str) -> str:
    """Return the module that a file in the bundle brings, by its path."""
    folder, _, file = path.partition("/lib-dynload/")
    whole = file if file and "/" not in folder else path
    head, _, name = whole.rpartition("/")
    stem = name.partition(".")[0]
    return f"{head.replace('/', '.')}.{stem}" if head else stem


def _reached(graph: Graph) -> Iterator[tuple[str, ModuleCode]]:
    yield from graph.scripts.items()
    for module in graph.reached:
        code = graph.codes.get(module)
        if code is not None:
            yield module, code


def folders_at_hand(graph: Graph, module: str, code: ModuleCode) -> set[str]:
    """Return the names through which a module's code has its package's folder at hand."""
    knows = _FILE_KNOWN | code.folders
    package = graph.package_of(module)
    for entry in code.imports:
        other = graph.codes.get(absolute(entry, package) or "")
        if other is not None:
            knows |= other.folders & set(entry.names)
    return knows


def _part(graph: Graph, module: str, ask: Ask, *, expected: str) -> MissingPart:
    return MissingPart(
        what=ask.what,
        asker=module,
        function=ask.function,
        expected=expected,
        certain=ask.firm,
        direct=module.partition(".")[0] in graph.direct or module in graph.scripts,
    )
