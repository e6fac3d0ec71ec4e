"""Which modules code runs when it starts, and what these want that is not there.

The walk begins at scripts (and at modules that were asked for) and follows what importing each
module must import: `Import.firm`. Imports in a ``try`` are followed no further: what is missing
behind them is caught.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from venvsmith.bundle.bytecode import read_module
from venvsmith.bundle.marshalled import MarshalError, read_code
from venvsmith.bundle.modulecode import Ask, Import, ModuleCode
from venvsmith.bundle.opcodes import Version
from venvsmith.errors import UnsafeInputError
from venvsmith.model.bundle import MissingModule

How = Literal["import", "from", "string"]
MAX_CHAIN = 100
"""Importers that are named, the nearest ones: nobody reads more."""


class Modules(Protocol):
    """Where modules come from: a bundle, or the site-packages of a venv."""

    def has(self, module: str) -> bool:
        """Tell whether a module or package is there, in whatever form."""

    def is_package(self, module: str) -> bool:
        """Tell whether a module may hold others."""

    def read(self, module: str) -> ModuleCode | None:
        """Return what a module's code says; None where it is no Python code.

        :raises UnsafeInputError: where the code is malformed.
        """

    def read_all(self, modules: Sequence[str]) -> Mapping[str, ModuleCode | None]:
        """Return what `read` returns for each of many modules."""


@dataclass(kw_only=True, slots=True)
class Graph:
    """Modules, read as far as they are reached.

    :ivar scripts: where the walk begins, besides what was asked for.
    :ivar everything: whether imports under conditions, in ``try`` and in functions are followed
        too, as PyInstaller follows them.
    :ivar codes: what the modules that were read say.
    :ivar reached: modules that run, each with who imports it first.
    :ivar direct: top-level packages that the scripts import themselves, or that were asked for.
    :ivar pending: modules that are reached and not followed yet.
    :ivar taken: what ``from`` takes of packages and no file brings: package, name, the import, its
        module, and whether it is certain. Looked at once the packages are read with all others.
    """

    modules: Modules
    scripts: Mapping[str, ModuleCode] = field(default_factory=dict)
    everything: bool = False
    codes: dict[str, ModuleCode | None] = field(default_factory=dict)
    reached: dict[str, str] = field(default_factory=dict)
    direct: set[str] = field(default_factory=set)
    missing: dict[str, MissingModule] = field(default_factory=dict)
    pending: list[str] = field(default_factory=list)
    taken: list[tuple[str, str, Import, str, bool]] = field(default_factory=list)

    def code(self, module: str) -> ModuleCode | None:
        """Return what a module says; see `Modules.read`."""
        if module not in self.codes:
            self.codes[module] = self.modules.read(module)
        return self.codes[module]

    def next_level(self) -> list[str]:
        """Read all modules that are pending, and return them."""
        level, self.pending = self.pending, []
        self.codes |= self.modules.read_all([name for name in level if name not in self.codes])
        return level

    def package_of(self, module: str) -> str:
        """Return the package from which a module's relative imports start."""
        return module if self.modules.is_package(module) else module.rpartition(".")[0]

    def chain(self, module: str) -> tuple[str, ...]:
        """Return who imports whom, from the script down to the module."""
        chain = [module]
        while self.reached.get(chain[-1]) and len(chain) < MAX_CHAIN:
            chain.append(self.reached[chain[-1]])
        return tuple(reversed(chain))


def walk(
    modules: Modules,
    *,
    scripts: Mapping[str, ModuleCode] | None = None,
    bootstrap: Mapping[str, ModuleCode] | None = None,
    asked: Iterable[str] = (),
    everything: bool = False,
) -> Graph:
    """Follow all that starting the scripts, and importing what was asked for, runs.

    :param bootstrap: what runs before the scripts, and is none of the application's.
    :raises UnsafeInputError: where the code of a module that is reached is malformed.
    :raises KeyError: where it was compiled by a Python of an unknown version.
    """
    # A script may be called as the package that it starts.
    named = {f"{n}.py" if modules.has(n) else n: code for n, code in (scripts or {}).items()}
    graph = Graph(modules=modules, scripts=named, everything=everything)
    for name, code in graph.scripts.items():
        graph.reached[name] = ""
        graph.direct.update(entry.module.partition(".")[0] for entry in code.imports)
        _follow(graph, name, "", code, own=True)
    for name, code in (bootstrap or {}).items():
        graph.reached[name] = ""
        _follow(graph, name, "", code, own=False)
    extend(graph, asked)
    return graph


def extend(graph: Graph, asked: Iterable[str]) -> None:
    """Follow what importing further modules runs besides.

    :raises UnsafeInputError: where the code of a module that is reached is malformed.
    :raises KeyError: where it was compiled by a Python of an unknown version.
    """
    for module in asked:
        graph.direct.add(module.partition(".")[0])
        _want(graph, module, Import(module=module), "", certain=True)
    while graph.pending or graph.taken:
        level = graph.next_level()
        taken, graph.taken = graph.taken, []
        for base, name, entry, importer, certain in taken:
            _check_name(graph, base, name, entry, importer, certain=certain)
        for module in level:
            imported = graph.code(module)
            if imported is not None:
                package = graph.package_of(module)
                _follow(graph, module, package, imported, own=graph.everything)


def parse(data: bytes, python: Version, where: str, *, starts: bool = False) -> ModuleCode:
    """Return what marshalled code says.

    :param starts: whether it is a script, in which ``__name__`` is ``__main__``.
    :raises UnsafeInputError: where it is malformed.
    """
    try:
        return read_module(read_code(data, python), python, starts=starts)
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


def _follow(graph: Graph, module: str, package: str, code: ModuleCode, *, own: bool) -> None:
    """Want all that a module's code imports.

    :param own: also what its functions import: the application's own code.
    """
    direct = module.partition(".")[0] in graph.direct
    for entry in code.imports:
        base = absolute(entry, package)
        if base is None or (entry.guarded and not graph.everything):
            continue
        certain = graph.everything or entry.firm or (own and not entry.conditional)
        if not certain and (entry.conditional or not (direct and entry.function)):
            continue
        if _want(graph, base, entry, module, certain=certain):
            for name in entry.names:
                _want_name(graph, base, name, entry, module, certain=certain)
    # PyInstaller follows statements, no strings; a frozen application's are its own affair.
    for ask in () if graph.everything else code.dynamic:
        spot = by_name(ask)
        base = absolute(spot, package)
        if base is not None and (ask.firm or (own and not ask.guarded)):
            _want(graph, base, spot, module, certain=True, how="string")


def by_name(ask: Ask) -> Import:
    """Return an import by a string as the statement that it stands for."""
    module = ask.what.lstrip(".")
    return Import(module=module, level=len(ask.what) - len(module), function=ask.function)


def absolute(entry: Import, package: str) -> str | None:
    """Return the full name of what an import names; None where it leads out of all packages."""
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
    entry: Import,
    importer: str,
    *,
    certain: bool,
    how: How = "import",
) -> bool:
    """Reach a module with its packages; note the first that is missing, and return False."""
    if module in graph.reached:
        return True
    parts = module.split(".")
    for count in range(1, len(parts) + 1):
        name = ".".join(parts[:count])
        if not graph.modules.has(name):
            if not _may_appear(graph, name.rpartition(".")[0], name):
                _miss(graph, name, entry, importer, certain=certain, how=how)
            return False
        if certain and name not in graph.reached:
            graph.reached[name] = importer
            graph.pending.append(name)
    return True


def _may_appear(graph: Graph, parent: str, name: str) -> bool:
    """Tell whether a module that no file brings may be made by code, or found elsewhere."""
    if parent and not graph.modules.is_package(parent):
        return True  # six.moves: a plain module that makes modules
    top = name.partition(".")[0]
    vendored = (f"{other}._vendor.{name}" for other in ("setuptools", "pkg_resources", top))
    if any(graph.modules.has(other) for other in vendored):
        return True
    if parent:
        # pkg_resources.extern, gi.repository: a package with an importer of its own.
        code = graph.code(parent)
        return code is not None and code.finds_modules
    return False


def _want_name(
    graph: Graph, base: str, name: str, entry: Import, importer: str, *, certain: bool
) -> None:
    """Reach a submodule that ``from`` names; what else it may be is seen once all are read."""
    full = f"{base}.{name}"
    if graph.modules.has(full):
        _want(graph, full, entry, importer, certain=certain)
        return
    if name != "*" and graph.modules.is_package(base):
        graph.taken.append((base, name, entry, importer, certain))


def _check_name(
    graph: Graph, base: str, name: str, entry: Import, importer: str, *, certain: bool
) -> None:
    """Note a name that a package neither binds nor has as a submodule."""
    full = f"{base}.{name}"
    code = graph.code(base)
    if code is not None and not code.open_ended and not _binds(graph, base, code, name):
        _miss(graph, full, entry, importer, certain=certain, how="from")


def _binds(graph: Graph, module: str, code: ModuleCode, name: str) -> bool:
    """Tell whether a package binds a name other than by importing it from itself."""
    package = graph.package_of(module)
    own = sum(
        entry.names.count(name)
        for entry in code.imports
        if not entry.function and absolute(entry, package) == module
    )
    return code.defines.get(name, 0) > own


def _miss(
    graph: Graph, module: str, entry: Import, importer: str, *, certain: bool, how: How
) -> None:
    if not certain and not graph.modules.has(module.partition(".")[0]):
        return  # an optional dependency of some function, which nobody installed
    have = graph.missing.get(module)
    if have is None or (certain and not have.certain):
        graph.missing[module] = MissingModule(
            module=module,
            importer=importer,
            chain=graph.chain(importer) if importer else (),
            function=entry.function,
            certain=certain,
            how=how,
        )
