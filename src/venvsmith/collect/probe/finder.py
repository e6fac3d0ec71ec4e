"""Where a module of some name would come from, by the files alone."""

from __future__ import annotations

import re
from typing import Dict, FrozenSet, List, NamedTuple, Optional, Tuple

from . import compiled
from .tree import Tree

EXTENSION_TAG = re.compile(r"^\.(?:(cpython-\d+t?)[-.]|abi3\.|so$|pypy)")


class Spec(NamedTuple):
    """A module that was found."""

    name: str
    kind: str
    """``package``, ``module``, ``extension``, ``namespace`` or ``builtin``."""
    file: Optional[str] = None
    """Its Python source, where there is one."""
    paths: Tuple[str, ...] = ()
    """Where its submodules are looked for."""


class Finder:
    """Looks modules up in folders as the import system does."""

    def __init__(
        self,
        tree: Tree,
        paths: List[str],
        minor: Optional[str],
        built_in: Optional[FrozenSet[str]],
    ) -> None:
        """Prepare to look.

        :param built_in: the modules in the interpreter itself; None where they are not known, and
            none that may be there is missed.
        """
        self._tree = tree
        self._built_in = built_in
        self._paths = tuple(paths)
        self._tag = "cpython-" + minor.replace(".", "") if minor else None
        self._listings: Dict[str, Dict[str, List[str]]] = {}
        self._known: Dict[Tuple[str, Tuple[str, ...]], Optional[Spec]] = {}

    def top(self, name: str) -> Optional[Spec]:
        """Return a top-level module, or None."""
        if name in (compiled.NAMELESS if self._built_in is None else self._built_in):
            return Spec(name, "builtin")
        found = self._find(name, name, self._paths)
        if found is None and self._built_in is None and name in compiled.POSSIBLE:
            return Spec(name, "builtin")
        return found

    def child(self, parent: Spec, name: str) -> Optional[Spec]:
        """Return a submodule, or None."""
        return self._find(f"{parent.name}.{name}", name, parent.paths)

    def beside(self, folder: str, name: str) -> Optional[Spec]:
        """Return a module that lies in one certain folder, such as a ``_vendor``."""
        return self._find(name, name, (folder,))

    def _find(self, full: str, name: str, paths: Tuple[str, ...]) -> Optional[Spec]:
        key = (full, paths)
        if key not in self._known:
            self._known[key] = self._look(full, name, paths)
        return self._known[key]

    def _look(self, full: str, name: str, paths: Tuple[str, ...]) -> Optional[Spec]:
        spaces: List[str] = []
        for folder in paths:
            endings = self._listing(folder).get(name)
            if endings is None:
                continue
            place = f"{folder}/{name}"
            if "" in endings and self._tree.is_dir(place):
                spec = self._package(full, place)
                if spec is not None:
                    return spec
                spaces.append(place)
            spec = self._module(full, place, endings)
            if spec is not None:
                return spec
        return Spec(full, "namespace", None, tuple(spaces)) if spaces else None

    def _package(self, full: str, place: str) -> Optional[Spec]:
        inits = self._listing(place).get("__init__", [])
        if self._extension(inits):
            return Spec(full, "package", None, (place,))
        for ending in (".py", ".pyc"):
            if ending in inits and self._tree.is_file(f"{place}/__init__{ending}"):
                source = f"{place}/__init__.py" if ending == ".py" else None
                return Spec(full, "package", source, (place,))
        return None

    def _module(self, full: str, place: str, endings: List[str]) -> Optional[Spec]:
        if self._extension(endings):
            return Spec(full, "extension")
        if ".py" in endings and self._tree.is_file(place + ".py"):
            return Spec(full, "module", place + ".py")
        return Spec(full, "module") if ".pyc" in endings else None

    def _extension(self, endings: List[str]) -> bool:
        for ending in endings:
            match = EXTENSION_TAG.match(ending)
            if match and (match.group(1) is None or self._tag in (None, match.group(1))):
                return True
        return False

    def _listing(self, folder: str) -> Dict[str, List[str]]:
        """Return the stems of a folder's names to what follows them."""
        known = self._listings.get(folder)
        if known is None:
            known = self._listings[folder] = {}
            for name in self._tree.names(folder):
                stem, dot, rest = name.partition(".")
                known.setdefault(stem, []).append(dot + rest)
        return known
