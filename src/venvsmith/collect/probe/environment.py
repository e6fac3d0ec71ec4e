"""One environment as its files describe it."""

from __future__ import annotations

import os
import re
import time
from typing import Dict, List, NamedTuple, Optional, Tuple

from . import dists, elf, files, forks, python, scripts
from .discover import Start
from .dists import Installed
from .tree import Fact, Tree

MANIFEST = "/.venvsmith/manifest.json"
SHARED_OBJECT = re.compile(r"\.(so(\.[\w.]+)?|dylib|pyd)$")
MAX_BIN_NAMES = 5000


class Place(NamedTuple):
    """Where an environment is: a venv's folder, or an installation's prefix."""

    path: str
    kind: str
    python: str


def sites_of(tree: Tree, place: Place, minor: Optional[str], home: str) -> List[str]:
    """Return the folders that hold an environment's packages."""
    if place.kind == "venv":
        return python.venv_site_packages(tree, place.path)
    major = f"python{minor}" if minor else "python3"
    candidates = [
        f"{home.rstrip('/')}/.local/lib/{major}/site-packages",
        f"/usr/local/lib/{major}/dist-packages" if place.path == "/usr" else "",
        f"{place.path}/lib/{major}/site-packages",
        f"{place.path}/lib64/{major}/site-packages",
        "/usr/lib/python3/dist-packages" if place.path == "/usr" else "",
    ]
    found: Dict[str, str] = {}
    for folder in candidates:
        if folder and tree.is_dir(folder):
            found.setdefault(tree.real(folder), folder)
    return list(found.values())


def prefix_of(place: Place, site: str) -> str:
    """Return the folder that rows of a site folder's RECORDs may not leave."""
    return place.path if place.kind == "venv" else re.split(r"/lib(?:64)?/python", site)[0]


class Reading:
    """The files of one environment, read in the order in which they are needed."""

    def __init__(self, tree: Tree, place: Place, start: Start, *, workers: int, nice: int) -> None:
        self.tree = tree
        self.place = place
        self.start = start
        self.missing: List[Fact] = []
        self.seconds: Dict[str, float] = {}
        self.config = python.read_config(tree, place.path) if place.kind == "venv" else None
        self.interpreter = python.describe(tree, place.python, self.config)
        home = start.env.get("HOME", "/root")
        self.sites = sites_of(tree, place, self.interpreter.get("minor"), home)
        self.installed: List[Installed] = []
        for site in self.sites:
            self.installed += dists.find(tree, site, prefix_of(place, site))
        self.owners = dists.owners(self.installed)
        self._hashing = files.Hashing(tree, self.installed, workers=workers, nice=nice)
        self.walks = {site: files.walk(tree, site) for site in self.sites}

    def fact(self) -> Fact:
        """Return all of `model.facts.Environment` that files can tell."""
        place, tree = self.place, self.tree
        fact: Fact = {
            "path": place.path,
            "kind": place.kind,
            "config": self.config,
            "interpreter": self.interpreter,
            "site_packages": self.sites,
            "lib_minors": python.lib_minors(tree, place.path) if place.kind == "venv" else [],
            "nested_in": python.nested_in(tree, place.path) if place.kind == "venv" else None,
            "manifest": tree.text(place.path + MANIFEST) if place.kind == "venv" else None,
            "on_path": self._on_path(),
        }
        self._bin(fact)
        self._packages(fact)
        self._timed("elf", lambda: fact.update(elves=self.elves()))
        self._timed("hashing", lambda: self._hashes(fact))
        fact["distributions"] = [item.fact for item in self.installed]
        return fact

    def _timed(self, name: str, work: "object") -> None:
        begin = time.monotonic()
        work()  # type: ignore[operator]
        self.seconds[name] = round(time.monotonic() - begin, 3)

    def _on_path(self) -> bool:
        wanted = _real(self.tree, self.place.path + "/bin")
        return any(_real(self.tree, folder) == wanted for folder in self.start.path)

    def _bin(self, fact: Fact) -> None:
        folders = [self.place.path + "/bin"]
        if self.place.kind == "system":
            folders = list(dict.fromkeys(prefix_of(self.place, s) + "/bin" for s in self.sites))
        fact["scripts"], fact["bin_links"], fact["bin_names"] = [], [], []
        for folder in folders:
            fact["scripts"] += scripts.in_folder(
                self.tree, folder, self.start.path, self.owners,
                owned_only=self.place.kind == "system",
            )  # fmt: skip
            fact["bin_names"] += self.tree.names(folder)[:MAX_BIN_NAMES]
            if self.place.kind == "venv":
                fact["bin_links"] += scripts.broken_bin_links(self.tree, folder)

    def _packages(self, fact: Fact) -> None:
        poison = [p for p in self.start.env.get("PYTHONPATH", "").split(":") if p.startswith("/")]
        fact["startup_files"] = scripts.startup_files(
            self.tree, [*self.sites, *poison], self.owners
        )
        for name in ("pth", "broken_links", "unreadable", "unowned_inits", "unowned_names"):
            fact[name] = []
        fact["files"] = 0
        for site, found in self.walks.items():
            fact["pth"] += scripts.pth_lines(self.tree, site, self.owners)
            fact["broken_links"] += files.broken_links(self.tree, found.links)
            fact["unreadable"] += found.unreadable[:100]
            fact["unowned_inits"] += files.unowned_inits(site, self.installed, found)
            fact["unowned_names"] += files.unowned_names(self.tree, site, self.installed)
            fact["files"] += len(found.files)

    def elves(self) -> List[Fact]:
        """Return the facts of all shared objects, in the order of their paths."""
        found = []
        for walked in self.walks.values():
            paths = [*walked.files, *walked.links]
            for path in sorted(path for path in paths if SHARED_OBJECT.search(path)):
                try:
                    with self.tree.open(path) as handle:
                        found.append(elf.describe(path, handle))
                except OSError:
                    # Dangling or unreadable: other facts say so.
                    continue
        return found

    def _hashes(self, fact: Fact) -> None:
        try:
            hashes: Dict[Tuple[str, str], Tuple[str, str, int]] = self._hashing.result()
        except forks.WorkerError as exc:
            self.missing.append({"what": "hashes", "reason": str(exc)})
            return
        fact["files_hashed"], fact["bytes_hashed"] = files.record_problems(
            self.installed, hashes, self.tree
        )
        fact["overlaps"] = files.overlaps(self.installed, hashes)


def _real(tree: Tree, path: str) -> str:
    try:
        return tree.real(path)
    except OSError:
        return os.path.normpath(path)
