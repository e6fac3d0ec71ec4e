"""PyInstaller hooks, derived from what a venv's code asks for and PyInstaller does not see.

A hook is named after the module that asks (`hook-faster_whisper.vad.py`) rather than after its
package: PyInstaller takes one hook for a module, and a hook of ours for a package would replace
the one that it or its community already has.
https://pyinstaller.org/en/stable/hooks.html
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from packaging.utils import canonicalize_name

from venvsmith.bundle.graph import walk
from venvsmith.bundle.installed import CODE_ENDINGS
from venvsmith.bundle.wants import folders_at_hand

if TYPE_CHECKING:
    from venvsmith.bundle.bytecode import Ask, ModuleCode
    from venvsmith.bundle.graph import Graph
    from venvsmith.bundle.installed import InstalledModules
    from venvsmith.bundle.traced import Trace

Kind = Literal["data", "metadata", "import", "library", "source"]
OURS = "Written by `venvsmith bundle hooks`"
LARGEST = 64
"""Files of one folder that are named one by one; of a larger one the folder is named."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Need:
    """One thing that has to be collected, and why.

    :param what: a path below the package, a distribution, a module or a library's folder.
    :param package: the top-level package that it lies in, for data and libraries.
    :param certain: whether importing the module must ask for it.
    """

    kind: Kind
    what: str
    why: str
    package: str = ""
    certain: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Hook:
    """All that one module asks for.

    :param module: whose import makes PyInstaller carry the hook out.
    :param distribution: what brings it, ``faster-whisper 1.2.1``.
    """

    module: str
    distribution: str
    needs: tuple[Need, ...] = field(default_factory=tuple)

    @property
    def filename(self) -> str:
        """Return the name under which PyInstaller finds it."""
        return f"hook-{self.module}.py"


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
    """
    needs: dict[str, list[Need]] = {}
    asked = list(roots)
    while True:
        graph = walk(installed, asked=asked, everything=True)
        needs = _needs(installed, graph, known)
        if trace is not None:
            _add_traced(needs, installed, graph, known, trace)
        hidden = {need.what for found in needs.values() for need in found if need.kind == "import"}
        if hidden <= set(asked):
            break
        asked += sorted(hidden - set(asked))
    return tuple(
        Hook(
            module=module,
            distribution=_distribution(installed, module),
            needs=tuple(dict.fromkeys(found)),
        )
        for module, found in sorted(needs.items())
        if found
    )


def _needs(
    installed: InstalledModules, graph: Graph, known: frozenset[str]
) -> dict[str, list[Need]]:
    needs: defaultdict[str, list[Need]] = defaultdict(list)
    for module in graph.reached:
        top = module.partition(".")[0]
        code = graph.codes.get(module)
        if code is None or module in known or top not in installed.owners:
            continue
        found = [
            *_data(installed, graph, module, code),
            *_metadata(installed, module, code),
            *_imports(installed, graph, module, code),
            *_sources(module, code),
        ]
        needs[module] = [need for need in found if need.certain or top not in known]
    for top in sorted({module.partition(".")[0] for module in graph.reached} - known):
        needs[top] += _libraries(installed, top)
    return needs


def text_of(hook: Hook) -> str:
    """Return a hook's file."""
    lines = [
        f'"""Hook for {hook.module} of {hook.distribution}.',
        "",
        f"{OURS} from the installed package; do not edit.",
        '"""',
        "",
    ]
    body: list[str] = []
    calls: set[str] = set()
    for name, kinds in _LISTS.items():
        chosen = [need for need in hook.needs if need.kind in kinds]
        if not chosen:
            continue
        body.append(f"{name} = [")
        for need in chosen:
            word, call = _entry(need)
            calls |= {call} if call else set()
            body += [f"    # {need.why}", f"    {word},"]
        body += ["]", ""]
    for need in hook.needs:
        if need.kind == "source":
            body += [f"# {need.why}", 'module_collection_mode = "pyz+py"', ""]
    if calls:
        lines += [f"from PyInstaller.utils.hooks import {', '.join(sorted(calls))}", ""]
    return "\n".join([*lines, *body]).rstrip("\n") + "\n"


_LISTS: dict[str, frozenset[Kind]] = {
    "hiddenimports": frozenset({"import"}),
    "datas": frozenset({"data", "metadata"}),
    "binaries": frozenset({"library"}),
}


def _entry(need: Need) -> tuple[str, str]:
    """Return a need as an element of a hook's list, and the function that it calls."""
    match need.kind:
        case "data":
            return (
                f'*collect_data_files("{need.package}", includes=["{need.what}"])',
                "collect_data_files",
            )
        case "metadata":
            return f'*copy_metadata("{need.what}")', "copy_metadata"
        case "library":
            return f'*collect_dynamic_libs("{need.package}")', "collect_dynamic_libs"
        case _:
            return f'"{need.what}"', ""


def _distribution(installed: InstalledModules, module: str) -> str:
    name = installed.owners[module.partition(".")[0]]
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
    for ask in (*code.data, *code.folder_names):
        if not ask.names & knows:
            continue
        paths = list(installed.data_named(module, ask.what))
        if len(paths) > LARGEST:
            paths = [f"**/{ask.what}/**/*"]
        for path in paths:
            why = f"opened by {_place(module, ask)}"
            yield Need(kind="data", what=path, why=why, package=top, certain=ask.firm)


def _metadata(installed: InstalledModules, module: str, code: ModuleCode) -> Iterator[Need]:
    for ask in code.metadata:
        name = canonicalize_name(ask.what)
        if name in installed.distributions:
            why = f"asked for by {_place(module, ask)}"
            yield Need(kind="metadata", what=name, why=why, certain=ask.firm)


def _imports(
    installed: InstalledModules, graph: Graph, module: str, code: ModuleCode
) -> Iterator[Need]:
    """Yield modules imported by a string that no statement imports."""
    named = [(ask.what, f"imported by its name in {_place(module, ask)}") for ask in code.dynamic]
    package = graph.package_of(module)
    for word in sorted(code.words):
        why = f"among the names that {module} imports when asked"
        named += [(f"{package}.{word.lstrip('.')}", why), (word, why)]
    for name, why in named:
        if name not in graph.reached and installed.path_of(name) is not None:
            yield Need(kind="import", what=name, why=why, certain="asked" not in why)


def _sources(module: str, code: ModuleCode) -> Iterator[Need]:
    if code.scripted:
        what = code.scripted[0].what
        yield Need(
            kind="source", what=module, why=f"TorchScript reads the source of {module}'s {what}"
        )


def _libraries(installed: InstalledModules, top: str) -> Iterator[Need]:
    """Yield a package whose shared libraries no extension module of it links to."""
    for path in installed.opened_libraries(top):
        why = f"{path} is linked by no extension module: it is opened at run time"
        yield Need(kind="library", what=path, why=why, package=top)
        return


def _add_traced(
    needs: dict[str, list[Need]],
    installed: InstalledModules,
    graph: Graph,
    known: frozenset[str],
    trace: Trace,
) -> None:
    """Add what a run showed and the code did not: to the nearest package that may have a hook."""
    told = {(need.kind, need.what) for found in needs.values() for need in found}
    for module, need in _traced(installed, graph, trace):
        place = module
        while place and (place in known or place not in graph.reached):
            place = place.rpartition(".")[0]
        if place and (need.kind, need.what) not in told:
            told.add((need.kind, need.what))
            needs.setdefault(place, []).append(need)


def _traced(installed: InstalledModules, graph: Graph, trace: Trace) -> Iterator[tuple[str, Need]]:
    """Yield what a run showed, each with the module that it is nearest to."""
    for module in trace.modules:
        if module not in graph.reached and installed.path_of(module) is not None:
            why = "loaded in a run; no statement imports it"
            yield module, Need(kind="import", what=module, why=why)
    for path in trace.opened:
        top, _, inside = path.partition("/")
        of_package = inside and not top.endswith((".dist-info", ".libs"))
        if of_package and path in installed.files and not path.endswith(CODE_ENDINGS):
            module = path.rpartition("/")[0].replace("/", ".")
            yield module, Need(kind="data", what=inside, why="opened in a run", package=top)
    tops = {name: top for top, name in installed.owners.items()}
    for asked in trace.metadata:
        name = canonicalize_name(asked)
        if name in installed.distributions and name in tops:
            yield tops[name], Need(kind="metadata", what=name, why="asked for in a run")
