"""PyInstaller hooks, derived from what a venv's code asks for and PyInstaller does not see.

A hook is named after the module that asks (`hook-faster_whisper.vad.py`) rather than after its
package: PyInstaller takes one hook for a module, and a hook of ours for a package would replace
the one that it or its community already has.
https://pyinstaller.org/en/stable/hooks.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from glob import escape
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from venvsmith.bundle.graph import absolute, by_name, extend, walk
from venvsmith.bundle.hook import Hook, Need
from venvsmith.bundle.installed import CODE_ENDINGS
from venvsmith.bundle.wants import folders_at_hand
from venvsmith.errors import JudgedError

if TYPE_CHECKING:
    from venvsmith.bundle.graph import Graph
    from venvsmith.bundle.installed import InstalledModules
    from venvsmith.bundle.modulecode import Ask, ModuleCode
    from venvsmith.bundle.traced import Trace

LARGEST = 64
"""Files of one folder that are named one by one; of a larger one the folder is named."""


def derive(
    installed: InstalledModules,
    roots: Iterable[str],
    *,
    known: frozenset[str] = frozenset(),
    trace: Trace | None = None,
) -> tuple[Hook, ...]:
    """Return the hooks for all that the roots reach, sorted by module.

    What a package asks for whose own module has a hook already counts only where importing it
    must ask: the rest is that hook's affair.

    :param roots: modules that the application imports.
    :param known: modules for which PyInstaller has a hook: none is written for these.
    :param trace: what a run of the venv showed besides.
    :raises JudgedError: where a root is not installed.
    """
    graph = walk(installed, asked=roots, everything=True)
    absent = [gap.module for gap in graph.missing.values() if not gap.importer]
    if absent:
        raise JudgedError(
            f"not installed there: {', '.join(absent)}",
            where=str(installed.folder),
            hint="install the stage into it, or leave --venv out",
            code="not-installed",
        )
    collected = _Collected(installed=installed, graph=graph, known=known)
    collected.follow()
    if trace is not None:
        _add_loaded(collected, trace)
    for module in graph.reached:
        collected.add(module, _asked(installed, graph, module))
    for top in sorted({module.partition(".")[0] for module in graph.reached}):
        collected.add(top, _libraries(installed, top))
    if trace is not None:
        _add_opened(collected, trace)
    return tuple(
        Hook(
            module=module,
            distribution=_distribution(installed, module),
            needs=tuple(dict.fromkeys(needs)),
        )
        for module, needs in sorted(collected.needs.items())
    )


@dataclass(kw_only=True, slots=True)
class _Collected:
    """The needs that are known so far, and the graph that grows with each hidden import.

    :ivar needs: by the module whose hook is to name them.
    :ivar seen: modules whose own hidden imports are followed.
    """

    installed: InstalledModules
    graph: Graph
    known: frozenset[str]
    needs: dict[str, list[Need]] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)

    def add(self, module: str, needs: Iterable[Need]) -> list[Need]:
        """Add what a module needs, as far as no hook of PyInstaller's sees to it."""
        theirs = module.partition(".")[0] in self.known
        found = [] if module in self.known else [n for n in needs if n.certain or not theirs]
        if found:
            self.needs.setdefault(module, []).extend(found)
        return found

    def follow(self) -> None:
        """Add what the modules that are reached import by a string, and reach these."""
        while fresh := [module for module in self.graph.reached if module not in self.seen]:
            self.seen.update(fresh)
            hidden: list[str] = []
            for module in fresh:
                found = self.add(module, _imports(self.installed, self.graph, module))
                hidden += [need.what for need in found]
            extend(self.graph, hidden)

    def place(self, module: str) -> str:
        """Return the module whose hook can name what is nearest to another; empty for none.

        Where no package of it may have one, it is the first that may have.
        """
        place, top = module, module.partition(".")[0]
        while place and (place in self.known or place not in self.graph.reached):
            place = place.rpartition(".")[0]
        if place or top in self.known:
            return place
        may = (m for m in self.graph.reached if m in self.installed.known and m not in self.known)
        return next(may, "")


def _asked(installed: InstalledModules, graph: Graph, module: str) -> Iterator[Need]:
    """Yield what a module's code asks for besides modules."""
    code = graph.codes.get(module)
    if code is not None:
        yield from _data(installed, graph, module, code)
        yield from _metadata(installed, module, code)
        yield from _sources(module, code)


def _distribution(installed: InstalledModules, module: str) -> str:
    name = installed.owners.get(module, "")
    version = installed.distributions.get(name, ("", ""))[0]
    return f"{name} {version}".rstrip()


def _place(module: str, ask: Ask) -> str:
    return f"{module}.{ask.function}()" if ask.function else module


def _data(
    installed: InstalledModules, graph: Graph, module: str, code: ModuleCode
) -> Iterator[Need]:
    """Yield the package's files that code names, and those in folders of it that it names."""
    top = module.partition(".")[0]
    if not installed.is_package(top):
        return
    knows = folders_at_hand(graph, module, code)
    told: set[str] = set()
    for ask in sorted(code.data, key=lambda ask: not ask.firm):
        # A file of that very name is there; a folder's name is a common word.
        if (ask.names if "." in ask.what else ask.meets).isdisjoint(knows):
            continue
        paths = [escape(path) for path in installed.data_named(module, ask.what)]
        if len(paths) > LARGEST:
            paths = [f"**/{escape(ask.what)}/**/*"]
        fresh = [path for path in dict.fromkeys(paths) if path not in told]
        told.update(fresh)
        for path in fresh:
            why = f"opened by {_place(module, ask)}"
            yield Need(kind="data", what=path, why=why, package=top, certain=ask.firm)


def _metadata(installed: InstalledModules, module: str, code: ModuleCode) -> Iterator[Need]:
    for group in sorted(code.groups & installed.plugins.keys()):
        why = f"its entry points are asked for by {module}"
        for name in dict.fromkeys(name for name, _ in installed.plugins[group]):
            yield Need(kind="metadata", what=name, why=why, certain=False)
    for ask in code.metadata:
        name = canonicalize_name(ask.what)
        if name in installed.distributions:
            why = f"asked for by {_place(module, ask)}"
            yield Need(kind="metadata", what=name, why=why, certain=ask.firm)


def _imports(installed: InstalledModules, graph: Graph, module: str) -> Iterator[Need]:
    """Yield modules that code finds without a statement, and that nothing reached so far imports.

    By a string, in the folder of a package, or by their entry points.
    """
    code = graph.codes.get(module)
    if code is None:
        return
    package = graph.package_of(module)
    why: dict[str, str] = {}
    for ask in code.dynamic:
        named = absolute(by_name(ask), package)
        if named in installed.known:
            why.setdefault(named, f"imported by its name in {_place(module, ask)}")
    certain = frozenset(why)
    for word in sorted(code.words):
        for name in (f"{package}.{word.lstrip('.')}", word):
            if installed.path_of(name) is not None:
                why.setdefault(name, f"among the names that {module} imports when asked")
    for name, reason in _plugins(installed, graph, module, code):
        why.setdefault(name, reason)
    for name, reason in why.items():
        if name not in graph.reached:
            yield Need(kind="import", what=name, why=reason, certain=name in certain)


def _plugins(
    installed: InstalledModules, graph: Graph, module: str, code: ModuleCode
) -> Iterator[tuple[str, str]]:
    """Yield modules that code finds in the folder of a package, or as entry points, and why."""
    for ask in code.lists:
        for base in _lists(graph, graph.package_of(module), code, ask):
            for name in installed.modules_in(base):
                yield name, f"found in its folder by {_place(module, ask)}"
    for group in sorted(code.groups & installed.plugins.keys()):
        for _, name in installed.plugins[group]:
            if name in installed.known:
                yield name, f"an entry point that {module} asks for"


def _lists(graph: Graph, package: str, code: ModuleCode, ask: Ask) -> Iterator[str]:
    """Yield the packages whose modules code lists: its own, or those that it imported."""
    if not ask.what:
        yield package
    for entry in code.imports if ask.what else ():
        base = absolute(entry, package)
        here = ask.what == "?" and entry.function == ask.function
        if base is None:
            continue
        if not entry.names and (here or base == ask.what):
            yield base
        for name in entry.names:
            if (here or name == ask.what) and graph.modules.is_package(f"{base}.{name}"):
                yield f"{base}.{name}"


def _sources(module: str, code: ModuleCode) -> Iterator[Need]:
    if code.scripted:
        what = code.scripted[0].what
        yield Need(
            kind="source", what=module, why=f"TorchScript reads the source of {module}'s {what}"
        )


def _libraries(installed: InstalledModules, top: str) -> Iterator[Need]:
    """Yield a package's shared libraries to which no extension module of it links."""
    for path in installed.opened_libraries(installed.below(top)):
        why = "linked by no extension module: it is opened at run time"
        yield Need(kind="library", what=path, why=why, package=top)


def _add_loaded(collected: _Collected, trace: Trace) -> None:
    """Add the modules that a run loaded and nothing imports: to the nearest that may have a hook.

    In the order in which they were loaded: what one of them imports by a statement goes with it.
    """
    installed, graph = collected.installed, collected.graph
    # Of the standard library, what its own modules import goes with these.
    own = installed.known | set(trace.asked)
    for module in trace.modules:
        if module in graph.reached or module not in own:
            continue
        why = "loaded in a run; no statement imports it"
        place = collected.place(module)
        collected.add(place, [Need(kind="import", what=module, why=why)] if place else [])
        extend(graph, [module])
        collected.follow()


def _add_opened(collected: _Collected, trace: Trace) -> None:
    """Add what a run opened and asked for, and the code did not tell."""
    installed, graph = collected.installed, collected.graph
    told = {(need.kind, need.what) for found in collected.needs.values() for need in found}
    opened = (*_traced_files(installed, trace), *_traced_metadata(installed, graph, trace))
    for module, need in opened:
        place = collected.place(module)
        # Where a library that lies beside all packages is, is told by where one of them is.
        anchored = need.kind != "library" or installed.is_package(place.partition(".")[0])
        if place and anchored and (need.kind, need.what) not in told:
            told.add((need.kind, need.what))
            collected.add(place, [need])


def _traced_files(installed: InstalledModules, trace: Trace) -> Iterator[tuple[str, Need]]:
    """Yield the files that a run opened, each with the module that it is nearest to."""
    for path in trace.opened:
        top, _, inside = path.partition("/")
        of_package = inside and not top.endswith((".dist-info", ".libs"))
        if of_package and path in installed.files and not path.endswith(CODE_ENDINGS):
            why = "opened in a run"
            yield _folder(path), Need(kind="data", what=escape(inside), why=why, package=top)
    for path in installed.opened_libraries(trace.libraries):
        top = path.partition("/")[0]
        # Those that a wheel brings beside its package lie in `package.libs`, which is none.
        package = top if installed.is_package(top) and not top.endswith(".libs") else ""
        why = "opened in a run; no extension module links to it"
        yield _folder(path), Need(kind="library", what=path, why=why, package=package)


def _folder(path: str) -> str:
    """Return a file's folder as a module's name; ``x.libs`` as the package beside it."""
    return path.rpartition("/")[0].removesuffix(".libs").replace("/", ".")


def _traced_metadata(
    installed: InstalledModules, graph: Graph, trace: Trace
) -> Iterator[tuple[str, Need]]:
    """Yield the metadata that a run asked for, each with a module of that distribution."""
    for asked in trace.metadata:
        name = canonicalize_name(asked)
        own = [m for m in installed.brought.get(name, ()) if installed.owners[m] == name]
        module = next((m for m in own if m in graph.reached), own[0] if own else "")
        if name in installed.distributions:
            yield module, Need(kind="metadata", what=name, why="asked for in a run")
