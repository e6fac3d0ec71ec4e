"""The modules of a venv's site-packages, as the graph asks for them."""

from __future__ import annotations

import importlib.util
import marshal
import os
import stat
import sys
import warnings
from collections import defaultdict
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from venvsmith.bundle.bytecode import read_module
from venvsmith.bundle.contents import module_names
from venvsmith.bundle.marshalled import read_code
from venvsmith.bundle.modulecode import ModuleCode
from venvsmith.collect.probe import elf
from venvsmith.collect.probe.dists import editable_paths
from venvsmith.collect.probe.scripts import pth_lines
from venvsmith.collect.probe.tree import Tree
from venvsmith.data.stdlib import standard_library
from venvsmith.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

CODE_ENDINGS = (
    ".py", ".pyc", ".pyi", ".pyx", ".pxd", ".so", ".pyd", ".c", ".cpp", ".cu", ".h", ".hpp",
)  # fmt: skip
MAX_SOURCE = 16 * 1024 * 1024


def is_data(path: str) -> bool:
    """Tell whether a file of a package is neither its code nor compiled."""
    return not path.endswith(CODE_ENDINGS) and ".so." not in path


class InstalledModules:
    """All modules of a venv's site-packages, and of the standard library.

    :ivar files: paths below site-packages, or below the folder of an editable's source.
    :ivar known: full names of the modules and packages that they bring.
    :ivar unread: modules whose source this Python could not compile, each with the reason.
    """

    def __init__(self, venv: Path, *, editables: bool = False) -> None:
        """Look into a venv.

        :param editables: whether the sources of editable installs count as installed too.
        :raises UsageError: where it is none.
        """
        found = sorted(venv.glob("lib/python3.*/site-packages"))
        if not found:
            raise UsageError(
                "no lib/python3.*/site-packages is in it", where=str(venv), code="no-venv"
            )
        self.folder = found[-1]
        minor = self.folder.parent.name.removeprefix("python").removesuffix("t")
        self._of_python = standard_library(minor) | {"__main__"}
        sources = _sources(self.folder) if editables else ()
        self.tree = Tree((str(self.folder), *sources))
        self.files = frozenset(_files(self.tree))
        self.known = frozenset(module_names(self.files))
        self.unread: dict[str, str] = {}
        self._data_names: dict[str, frozenset[str]] = {}

    @cached_property
    def _packages(self) -> frozenset[str]:
        folders = {path.rpartition("/")[0] for path in self.files if "/__init__." in path}
        parents = {name.rpartition(".")[0] for name in self.known}
        return frozenset(parents | {folder.replace("/", ".") for folder in folders})

    @cached_property
    def _by_top(self) -> Mapping[str, list[str]]:
        found: defaultdict[str, list[str]] = defaultdict(list)
        for path in sorted(self.files):
            found[path.partition("/")[0]].append(path)
        return found

    def data_names(self, top: str) -> frozenset[str]:
        """Return what a package's data files are called, and the folders that hold any."""
        if top not in self._data_names:
            inside = (p.split("/")[1:] for p in self._by_top.get(top, ()) if is_data(p))
            self._data_names[top] = frozenset(part for parts in inside for part in parts)
        return self._data_names[top]

    def has(self, module: str) -> bool:
        """Tell whether a module or package is there; the standard library is taken as whole."""
        return module in self.known or module.partition(".")[0] in self._of_python

    def is_package(self, module: str) -> bool:
        """Tell whether a module may hold others; any of the standard library's may."""
        return module in self._packages or module.partition(".")[0] in self._of_python

    def modules_in(self, package: str) -> Iterator[str]:
        """Yield the modules that lie in a package's own folder, sorted."""
        for name in sorted(self.known):
            if name.rpartition(".")[0] == package:
                yield name

    def path_of(self, module: str) -> str | None:
        """Return the path of a module's source below site-packages."""
        path = module.replace(".", "/")
        return next((p for p in (f"{path}/__init__.py", f"{path}.py") if p in self.files), None)

    def read(self, module: str) -> ModuleCode | None:
        """Return what a module's source says; None where it has none that compiles."""
        path = self.path_of(module)
        source = None if path is None else self.tree.read(f"/{path}", MAX_SOURCE)
        if source is None:
            return None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                code = marshal.dumps(compile(source, path or "", "exec", dont_inherit=True))
            python = sys.version_info[:2]
            names = self.data_names(module.partition(".")[0])
            return read_module(
                read_code(code, python),
                python,
                is_data=lambda text: text.strip("/").rpartition("/")[2] in names,
            )
        except (SyntaxError, ValueError, RecursionError, MemoryError) as exc:
            self.unread[module] = str(exc) or type(exc).__name__
            return None

    def read_all(self, modules: Sequence[str]) -> Mapping[str, ModuleCode | None]:
        """Return what `read` returns for each of many modules."""
        return {module: self.read(module) for module in modules}

    def data_named(self, module: str, what: str) -> Iterator[str]:
        """Yield the data files that a name in a module's code means, below its top package.

        A folder lies beside the module or above it within its package; a file's name may be the
        end of a path whose beginning the code has elsewhere.
        """
        what = what.strip("/")
        top, _, _ = module.partition(".")
        here = (self.path_of(module) or f"{top}/").rpartition("/")[0]
        folders = []
        while here:
            folders.append(f"{here}/{what}")
            here = here.rpartition("/")[0]
        for path in self._by_top.get(top, ()):
            if not is_data(path):
                continue
            is_file = path.endswith(f"/{what}")
            if is_file or any(path.startswith(f"{folder}/") for folder in folders):
                yield path.removeprefix(f"{top}/")

    def below(self, top: str) -> Iterator[str]:
        """Yield the shared objects of a top-level package, sorted."""
        for path in self._by_top.get(top, ()):
            if "/" in path and (path.endswith(".so") or ".so." in path):
                yield path

    def opened_libraries(self, paths: Iterable[str]) -> Iterator[str]:
        """Yield the shared objects among files that are no modules and that none of them links.

        What is left can only be opened by its path at run time.
        """
        objects = {
            path: found
            for path in paths
            if path in self.files
            for found in [self._elf(path)]
            if not found.get("error")
        }
        linked = {name for found in objects.values() for name in found["needed"]}
        for path, found in objects.items():
            if found.get("exports_init") is None and path.rpartition("/")[2] not in linked:
                yield path

    def _elf(self, path: str) -> dict[str, Any]:
        try:
            with self.tree.open(f"/{path}") as handle:
                return elf.describe(path, handle)
        except OSError as exc:
            return {"error": str(exc)}

    def hooks(self) -> frozenset[str]:
        """Return the modules for which PyInstaller, its community or packages have hooks here."""
        return frozenset(
            path.rpartition("/hook-")[2].removesuffix(".py")
            for path in self.files
            if "/hook-" in path and "pyinstaller" in path.lower()
        )

    @cached_property
    def distributions(self) -> Mapping[str, tuple[str, str]]:
        """Return what is installed: normalised name to version and metadata folder."""
        found: dict[str, tuple[str, str]] = {}
        for path in self.files:
            folder, _, name = path.partition("/")
            if name == "METADATA" and folder.endswith(".dist-info"):
                stem, _, version = folder.removesuffix(".dist-info").partition("-")
                found[canonicalize_name(stem)] = version, folder
        return found

    @cached_property
    def plugins(self) -> Mapping[str, tuple[tuple[str, str], ...]]:
        """Return the entry points: group to distributions and modules, without commands."""
        found: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        for name, (_, folder) in sorted(self.distributions.items()):
            group = ""
            text = self.tree.text(f"/{folder}/entry_points.txt", MAX_SOURCE) or ""
            for line in map(str.strip, text.splitlines()):
                _, given, target = line.partition("=")
                if line.startswith("["):
                    group = line.strip("[] ")
                elif given and not group.endswith("_scripts"):
                    found[group].append((name, target.partition(":")[0].partition("[")[0].strip()))
        return {group: tuple(those) for group, those in found.items()}

    @cached_property
    def recorded(self) -> Mapping[str, tuple[str, ...]]:
        """Return the files below site-packages that each distribution's RECORD lists."""
        found: dict[str, tuple[str, ...]] = {}
        for name, (_, folder) in sorted(self.distributions.items()):
            record = self.tree.text(f"/{folder}/RECORD", MAX_SOURCE) or ""
            paths = (line.partition(",")[0] for line in record.splitlines())
            found[name] = tuple(path for path in paths if not path.startswith(("..", "/")))
        return found

    @cached_property
    def brought(self) -> Mapping[str, tuple[str, ...]]:
        """Return the modules of each distribution by its RECORD, those nearest the top first."""
        return {
            name: tuple(sorted(set(module_names(paths)), key=lambda m: (m.count("."), m)))
            for name, paths in self.recorded.items()
        }

    def importable(self) -> list[str]:
        """Return the packages and modules that distributions bring, without what lies in them."""
        return sorted(
            module
            for module in self.owners
            if self.path_of(module) and not self.path_of(module.rpartition(".")[0])
        )

    @cached_property
    def owners(self) -> Mapping[str, str]:
        """Return which distribution brings each module; of a shared namespace, the first."""
        found: dict[str, str] = {}
        for name, modules in self.brought.items():
            for module in modules:
                found.setdefault(module, name)
        return found


def _files(tree: Tree) -> Iterator[str]:
    """Yield the files of a tree but those in hidden folders at its top: `.venv`, `.git`."""
    for _, top in islice(tree.walk("/", []), 1):
        for name, info in top:
            if not stat.S_ISDIR(info.mode):
                yield name
                continue
            for folder, entries in () if name.startswith(".") else tree.walk(f"/{name}", []):
                if "__pycache__" not in folder:
                    yield from (
                        f"{folder}/{file}".lstrip("/")
                        for file, found in entries
                        if not stat.S_ISDIR(found.mode)
                    )


def _sources(site: Path) -> tuple[str, ...]:
    """Return the folders outside site-packages from which its editables are imported.

    Lines of ``.pth`` files name them, or setuptools' import hooks name the packages in them.
    """
    here, whole = str(site.absolute()), Tree()
    lines = [line["line"].strip() for line in pth_lines(whole, here, {}) if not line["is_code"]]
    named = [Path(os.path.normpath(site.absolute() / line)) for line in lines]
    paths = map(Path, editable_paths(whole, here))
    folders = (*named, *(path.parent for path in paths if path not in named))
    outside = (p for p in folders if p.is_dir() and not p.is_relative_to(here))
    return tuple(dict.fromkeys(map(str, outside)))


def pyinstaller_hooks() -> frozenset[str]:
    """Return the modules for which the PyInstaller beside venvsmith itself has hooks."""
    found: set[str] = set()
    for package, folder in (("PyInstaller", "hooks"), ("_pyinstaller_hooks_contrib", "stdhooks")):
        spec = importlib.util.find_spec(package)
        for place in (spec.submodule_search_locations or []) if spec is not None else []:
            found.update(
                path.name.removeprefix("hook-").removesuffix(".py")
                for path in (Path(place) / folder).glob("hook-*.py")
            )
    return frozenset(found)
