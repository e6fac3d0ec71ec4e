"""Which modules a frozen application runs when it starts, and what these want that is not there.

The walk begins at the application's scripts (and at modules that were asked for) and follows what
importing each module must import: `Import.firm`. Imports in a ``try`` are followed no further: what
is missing behind them is caught.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from venvsmith.bundle.archive import Archive
from venvsmith.bundle.bytecode import Import, ModuleCode, read_module
from venvsmith.bundle.contents import Bundle, module_names
from venvsmith.bundle.marshalled import MarshalError, read_code
from venvsmith.errors import UnsafeInputError
from venvsmith.model.bundle import MissingModule

if TYPE_CHECKING:
    from venvsmith.bundle.opcodes import Version

BOOTSTRAP = ("pyiboot", "pyi_rth")
"""Beginnings of the names of PyInstaller's own scripts."""
BOOTSTRAP_MODULES = "mM"
SCRIPT = "s"


def builtin_modules() -> frozenset[str]:
    """Return modules of the standard library that may lie in the interpreter itself.

    Which of the C modules do is each build's choice: none of them is told as missing.
    """
    return frozenset(sys.builtin_module_names) | frozenset(
        name for name in sys.stdlib_module_names if name.startswith("_") or name in _C_MODULES
    )


_C_MODULES = frozenset(
    {"array", "audioop", "binascii", "cmath", "fcntl", "grp", "math", "mmap", "nis", "ossaudiodev",
     "parser", "pwd", "pyexpat", "readline", "resource", "select", "spwd", "syslog", "termios",
     "unicodedata", "xxlimited", "xxsubtype", "zlib", "msvcrt", "winreg", "winsound", "nt", "posix"}
)  # fmt: skip


@dataclass(kw_only=True, slots=True)
class Graph:
    """The modules of a bundle, read as far as they are reached.

    :ivar known: every module that the bundle holds, in whatever form.
    :ivar codes: what the modules that were read say.
    :ivar reached: modules that run when the application starts, each with who imports it first.
    :ivar scripts: the application's own entry scripts.
    :ivar direct: top-level packages that the application's scripts import themselves.
    """

    archive: Archive
    python: Version
    known: frozenset[str]
    codes: dict[str, ModuleCode | None] = field(default_factory=dict)
    reached: dict[str, str] = field(default_factory=dict)
    scripts: Mapping[str, ModuleCode] = field(default_factory=dict)
    direct: set[str] = field(default_factory=set)
    missing: dict[str, MissingModule] = field(default_factory=dict)

    def code(self, module: str) -> ModuleCode | None:
        """Return what a module says; None where it is no bytecode of the PYZ.

        :raises UnsafeInputError: where its code is malformed.
        """
        if module not in self.codes:
            data = self.archive.code(module) if module in self.archive.modules else None
            where = f"{self.archive.path}:{module}"
            self.codes[module] = None if data is None else parse(data, self.python, where)
        return self.codes[module]

    def is_package(self, module: str) -> bool:
        """Tell whether a module may hold others."""
        entry = self.archive.modules.get(module)
        if entry is not None:
            return entry.kind != "module"
        prefix = f"{module}."
        return any(name.startswith(prefix) for name in self.known)

    def chain(self, module: str) -> tuple[str, ...]:
        """Return who imports whom, from the script down to the module."""
        chain = [module]
        while chain[-1] in self.reached and self.reached[chain[-1]]:
            chain.append(self.reached[chain[-1]])
        return tuple(reversed(chain))


def walk(bundle: Bundle, asked: Iterable[str] = ()) -> Graph:
    """Follow all that starting the application, and importing what was asked for, runs.

    :raises UnsafeInputError: where the code of a module that is reached is malformed.
    :raises KeyError: where the application's Python is of an unknown version.
    """
    archive = bundle.archive
    python = version(archive.python)
    loose = (_below(path) for path in bundle.files)
    known = {*archive.modules, *module_names(loose), *bundle.library_modules()}
    known |= builtin_modules()
    known |= {entry.name for entry in archive.entries if entry.kind in BOOTSTRAP_MODULES}
    graph = Graph(archive=archive, python=python, known=frozenset(known))
    graph.scripts = dict(_scripts(archive, python))
    pending: deque[str] = deque()
    for name, code in graph.scripts.items():
        graph.reached[name] = ""
        for entry in code.imports:
            graph.direct.add(entry.module.partition(".")[0])
        _follow(graph, name, "", code, pending, everything=True)
    for module in asked:
        graph.direct.add(module.partition(".")[0])
        _want(graph, module, "", pending, certain=True)
    while pending:
        module = pending.popleft()
        imported = graph.code(module)
        if imported is not None:
            package = module if graph.is_package(module) else module.rpartition(".")[0]
            _follow(graph, module, package, imported, pending, everything=False)
    return graph


def parse(data: bytes, python: Version, where: str) -> ModuleCode:
    """Return what marshalled code says.

    :raises UnsafeInputError: where it is malformed.
    """
    try:
        return read_module(read_code(data, python), python)
    except MarshalError as exc:
        raise UnsafeInputError(
            f"a module's code cannot be read: {exc}",
            where=where,
            hint="freeze the application again, or copy the file again",
            code="bundle-malformed",
        ) from exc


def version(minor: str) -> Version:
    """Return ``3.11`` as ``(3, 11)``."""
    major, _, rest = minor.partition(".")
    return int(major), int(rest)


def _scripts(archive: Archive, python: Version) -> Iterator[tuple[str, ModuleCode]]:
    for entry in archive.entries:
        if entry.kind == SCRIPT and not entry.name.startswith(BOOTSTRAP):
            where = f"{archive.path}:{entry.name}"
            yield entry.name, parse(archive.read(entry), python, where)


def _below(path: str) -> str:
    """Return a file's path from where modules are looked for: lib-dynload is such a place."""
    head, found, tail = path.partition("/lib-dynload/")
    return tail if found and "/" not in head else path


def _follow(
    graph: Graph,
    module: str,
    package: str,
    code: ModuleCode,
    pending: deque[str],
    *,
    everything: bool,
) -> None:
    """Want all that a module's code imports.

    :param everything: also what its functions import: the application's own code.
    """
    direct = module.partition(".")[0] in graph.direct
    for entry in code.imports:
        base = _absolute(entry, package)
        if base is None or entry.guarded:
            continue
        certain = entry.firm or (everything and not entry.conditional)
        if not certain and not (direct and entry.function and not entry.conditional):
            continue
        if not _want(graph, base, module, pending, certain=certain, function=entry.function):
            continue
        for name in entry.names:
            _want_name(graph, base, name, module, pending, certain=certain, entry=entry)
    for ask in code.dynamic:
        if ask.firm or (everything and not ask.guarded):
            _want(graph, ask.what, module, pending, certain=True, how="string")


def _absolute(entry: Import, package: str) -> str | None:
    if not entry.level:
        return entry.module
    parts = package.split(".")
    if entry.level > len(parts) or not package:
        return None
    base = ".".join(parts[: len(parts) - entry.level + 1])
    return f"{base}.{entry.module}" if entry.module else base


def _want(
    graph: Graph,
    module: str,
    importer: str,
    pending: deque[str],
    *,
    certain: bool,
    function: str = "",
    how: str = "import",
) -> bool:
    """Reach a module with its packages; note the first that is missing, and return False."""
    parts = module.split(".")
    for count in range(1, len(parts) + 1):
        name = ".".join(parts[:count])
        if name not in graph.known:
            parent = name.rpartition(".")[0]
            if not _may_appear(graph, parent, name):
                _miss(graph, name, importer, certain=certain, function=function, how=how)
            return False
        if certain and name not in graph.reached:
            graph.reached[name] = importer
            pending.append(name)
    return True


def _may_appear(graph: Graph, parent: str, name: str) -> bool:
    """Tell whether a module that no file brings may be made by code, or found elsewhere."""
    if parent and not graph.is_package(parent):
        return True  # six.moves: a plain module that makes modules
    top = name.partition(".")[0]
    vendored = (f"{other}._vendor.{name}" for other in ("setuptools", "pkg_resources", top))
    if any(other in graph.known for other in vendored):
        return True
    if parent:
        # pkg_resources.extern: a package whose importer finds them elsewhere.
        code = graph.code(parent)
        return code is not None and any(i.module.endswith("VendorImporter") for i in code.imports)
    return False


def _want_name(
    graph: Graph,
    base: str,
    name: str,
    importer: str,
    pending: deque[str],
    *,
    certain: bool,
    entry: Import,
) -> None:
    """Reach a submodule that ``from`` names, or note one that nothing else could be."""
    full = f"{base}.{name}"
    if full in graph.known:
        _want(graph, full, importer, pending, certain=certain, function=entry.function)
        return
    if base not in graph.archive.modules or not graph.is_package(base):
        return
    code = graph.code(base)
    if code is None or code.open_ended or name in code.defines or name == "*":
        return
    _miss(graph, full, importer, certain=certain, function=entry.function, how="from")


def _miss(
    graph: Graph, module: str, importer: str, *, certain: bool, function: str, how: str
) -> None:
    have = graph.missing.get(module)
    if have is not None and (have.certain or not certain):
        return
    graph.missing[module] = MissingModule(
        module=module,
        importer=importer,
        chain=graph.chain(importer) if importer else (),
        function=function,
        certain=certain,
        how="from" if how == "from" else "string" if how == "string" else "import",
    )
