"""What the dynamic loader would do with an environment's shared objects, told from files alone.

Starts from the extension modules that this interpreter may import (they carry its ABI tag and
export ``PyInit_<stem>``), and follows NEEDED as glibc does (``elf/dl-load.c``,
``_dl_map_object``): the object's own DT_RPATH and those of all that loaded it, unless it has a
DT_RUNPATH; LD_LIBRARY_PATH; its DT_RUNPATH; then the loader's cache and default folders. What
another extension of the process has loaded is found by name before all that.

`ldd` is wrong both ways on Python wheels: it starts from the wrong object, and knows no siblings.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from posixpath import normpath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from venvsmith.model.facts import Elf
    from venvsmith.rules.framework.view import View

ABI_TAG = re.compile(r"\.(?:cpython-(\d)(\d+)[a-z]*(?:-[\w-]+)?|abi3(?:-[\w-]+)?)\.so$")
ALWAYS = re.compile(r"^(ld-linux[\w.-]*|ld-musl-[\w.-]*|ld64|linux-vdso)\.so")
"""The loader itself, which is there wherever anything runs."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A library that an object needs and the loader does not find."""

    name: str
    by: Elf
    chain: tuple[str, ...]
    """Paths from the extension module down to ``by``."""
    lies_at: tuple[str, ...]
    """Where the environment has it all the same, off the loader's path."""


@dataclass(frozen=True, slots=True)
class _Link:
    """An object, and the link of the one that loads it: a chain, shared by all that it loads."""

    elf: Elf
    above: _Link | None = None

    def upwards(self) -> Iterator[Elf]:
        """Yield the object, the one that loads it, and so on up to the extension module."""
        link: _Link | None = self
        while link is not None:
            yield link.elf
            link = link.above


@dataclass(frozen=True, slots=True)
class Simulation:
    """What would be loaded, and what would not be found."""

    roots: tuple[Elf, ...]
    loaded: Mapping[str, Elf]
    """Objects of the environment on some load chain, by path."""
    from_system: Mapping[str, tuple[str, ...]]
    """Paths of loaded objects to the system's libraries that they get."""
    gaps: tuple[Gap, ...]
    """On the load chain of an extension module."""
    idle_gaps: tuple[Gap, ...]
    """Of objects that nothing loads by itself, and that the environment has nowhere."""


@lru_cache(maxsize=16)
def simulation(view: View) -> Simulation:
    """Return what the loader would do with an environment; empty where libraries are unknown."""
    if not view.facts.system.libraries:
        return Simulation((), {}, {}, (), ())
    return _Loader(view).run()


def is_extension(elf: Elf, minor: str | None) -> bool:
    """Tell whether this interpreter could import an object as an extension module."""
    match = ABI_TAG.search(elf.path)
    if match is None or not elf.exports_init or elf.error:
        return False
    return match[1] is None or minor is None or f"{match[1]}.{match[2]}" == minor


class _Loader:
    def __init__(self, view: View) -> None:
        self.view = view
        self.system = view.facts.system
        self.by_path: dict[str, Elf] = {}
        self.named: defaultdict[str, list[str]] = defaultdict(list)
        self.folders: set[str] = set()
        for elf in view.env.elves:
            self.by_path[elf.path] = elf
            for name in {PurePosixPath(elf.path).name, elf.soname or ""} - {""}:
                self.named[name].append(elf.path)
            self.folders.update(str(p) for p in PurePosixPath(elf.path).parents)
        self.loaded: dict[str, Elf] = {}
        self.pool: set[str] = set()
        self.from_system: defaultdict[str, list[str]] = defaultdict(list)
        self.open: list[Gap] = []
        interpreter = view.env.interpreter
        if interpreter is not None and interpreter.elf is not None and view.starts is not False:
            self.pool.update(interpreter.elf.needed)

    def run(self) -> Simulation:
        roots = [e for e in self.view.env.elves if is_extension(e, self.view.minor)]
        machine = self.system.machine
        roots = [e for e in roots if not machine or e.machine == machine]
        for root in roots:
            self._load(root)
        gaps = [gap for gap in self.open if gap.name not in self.pool]
        return Simulation(
            roots=tuple(roots),
            loaded=self.loaded,
            from_system={path: tuple(names) for path, names in self.from_system.items()},
            gaps=tuple(self._unique(gaps)),
            idle_gaps=tuple(self._idle(machine)),
        )

    @staticmethod
    def _unique(gaps: Iterable[Gap]) -> Iterator[Gap]:
        seen: set[tuple[str, str]] = set()
        for gap in gaps:
            if (gap.name, gap.by.path) not in seen:
                seen.add((gap.name, gap.by.path))
                yield gap

    def _load(self, root: Elf) -> None:
        pending = [self._entered(_Link(root))]
        while pending:
            link, names = pending[-1]
            name = next(names, None)
            if name is None:
                pending.pop()
                continue
            elf, found = link.elf, self._find(name, link)
            if found is None:
                chain = tuple(each.path for each in link.upwards())[::-1]
                self.open.append(Gap(name, elf, chain, tuple(self.named.get(name, ()))))
            elif found in self.by_path:
                self.pool.add(name)
                pending.append(self._entered(_Link(self.by_path[found], link)))
            elif found:
                self.pool.add(name)
                self.from_system[elf.path].append(name)

    def _entered(self, link: _Link) -> tuple[_Link, Iterator[str]]:
        """Return a link with the names that its object needs; with none where it was loaded."""
        elf = link.elf
        if elf.path in self.loaded:
            return link, iter(())
        self.loaded[elf.path] = elf
        self.pool.update(name for name in (PurePosixPath(elf.path).name, elf.soname) if name)
        return link, iter(elf.needed)

    def _find(self, name: str, link: _Link) -> str | None:
        """Return where the loader finds a name; empty where it lies in a folder unknown to us."""
        elf = link.elf
        if ALWAYS.match(name) or "/" in name:
            return ""
        if name in self.pool and not self.named.get(name):
            return self.system.libraries.get(name, "")
        unknown = False
        for folder in self._search(link):
            candidate = f"{folder}/{name}"
            if candidate in self.by_path and self._fits(self.by_path[candidate], elf):
                return candidate
            if name in self.system.library_path.get(folder, ()):
                return candidate
            if name in self.view.env.library_folders.get(folder, ()):
                return candidate
            unknown = unknown or not self._known(folder)
        return self.system.libraries.get(name, "" if unknown else None)

    def _search(self, link: _Link) -> Iterator[str]:
        elf = link.elf
        if not elf.runpath:
            for each in link.upwards():
                if not each.runpath:
                    yield from (self._expand(entry, each) for entry in each.rpath)
        yield from self.system.library_path
        yield from (self._expand(entry, elf) for entry in elf.runpath)

    def _expand(self, entry: str, elf: Elf) -> str:
        origin = str(PurePosixPath(elf.path).parent)
        multiarch = next(
            (d.rpartition("/")[2] for d in self.system.library_dirs if "-linux-" in d), "lib"
        )
        text = entry.replace("${ORIGIN}", origin).replace("$ORIGIN", origin)
        text = text.replace("${LIB}", f"lib/{multiarch}").replace("$LIB", f"lib/{multiarch}")
        return normpath(text) if text else origin

    def _known(self, folder: str) -> bool:
        """Tell whether the facts list a folder's libraries, wherever it lies."""
        env = self.view.env
        listed = (self.system.library_dirs, self.system.library_path, env.library_folders)
        if any(folder in folders for folders in listed):
            return True
        return any(
            folder == site or folder.startswith(site.rstrip("/") + "/")
            for site in env.site_packages
        ) or not folder.startswith("/")

    @staticmethod
    def _fits(candidate: Elf, elf: Elf) -> bool:
        # The loader passes over objects of another class or machine.
        return candidate.error is None and candidate.machine == elf.machine

    def _idle(self, machine: str) -> Iterator[Gap]:
        for elf in self.view.env.elves:
            if elf.path in self.loaded or elf.error or (machine and elf.machine != machine):
                continue
            for name in elf.needed:
                if name in self.pool or self.named.get(name):
                    continue
                if self._find(name, _Link(elf)) is None:
                    yield Gap(name, elf, (elf.path,), ())
