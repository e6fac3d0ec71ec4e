"""One environment as its files describe it."""

from __future__ import annotations

import os
import re
import time
from typing import Callable, Dict, List, NamedTuple, Optional

from . import (
    built,
    bytecode,
    compiled,
    dists,
    elf,
    files,
    forks,
    graph,
    native,
    python,
    roots,
    scripts,
    shadows,
    system,
)
from .discover import Start
from .dists import Installed
from .finder import Finder
from .tree import Fact, Tree

MANIFEST = "/.venvsmith/manifest.json"
SHARED_OBJECT = re.compile(r"\.(so(\.[\w.]+)?|dylib|pyd)$")
MAX_BIN_NAMES = 5000
MAX_FOLDERS = 100


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
        f"{place.path}/lib/{major}/dist-packages",
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

    def __init__(
        self, tree: Tree, place: Place, start: Start, asked: List[str], *, workers: int
    ) -> None:
        """Start to read.

        :param asked: the modules that are to import in it.
        :param workers: how many processes may hash.
        """
        self.tree = tree
        self.asked = asked
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
        self._built = built.read(tree, place.path) if place.kind == "venv" else None
        more = built.rows(self._built) if self._built else []
        self._hashing = files.Hashing(tree, self.installed, more, workers=workers)
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
        fact["distributions"] = [item.fact for item in self.installed]
        if self.interpreter.get("stdlib"):
            tops = {top for item in self.installed for top in item.fact.get("top_level", ())}
            fact["shadows"] = shadows.shadows(
                tree, self.start, self.interpreter["stdlib"], self.sites, tops
            )
        self._timed("elf", lambda: self._native(fact))
        self._timed("bytecode", lambda: self._bytecode(fact))
        self._timed("graph", lambda: self._graph(fact))
        self._timed("hashing", lambda: self._hashes(fact))
        return fact

    def _timed(self, name: str, work: Callable[[], None]) -> None:
        begin = time.monotonic()
        work()
        self.seconds[name] = round(time.monotonic() - begin, 3)

    def _on_path(self) -> bool:
        wanted = _real(self.tree, self.place.path + "/bin")
        return any(_real(self.tree, folder) == wanted for folder in self.start.path)

    def _bin(self, fact: Fact) -> None:
        folders = [self.place.path + "/bin"]
        if self.place.kind == "system":
            folders = list(dict.fromkeys(prefix_of(self.place, s) + "/bin" for s in self.sites))
        fact["scripts"], fact["bin_names"] = [], []
        for folder in folders:
            fact["scripts"] += scripts.in_folder(
                self.tree, folder, self.start.path, self.owners,
                owned_only=self.place.kind == "system",
            )  # fmt: skip
            fact["bin_names"] += self.tree.names(folder)[:MAX_BIN_NAMES]

    def _packages(self, fact: Fact) -> None:
        poison = [p for p in self.start.env.get("PYTHONPATH", "").split(":") if p.startswith("/")]
        fact["startup_files"] = scripts.startup_files(
            self.tree, [*self.sites, *poison], self.owners
        )
        for name in ("pth", "broken_links", "unreadable", "unowned_inits"):
            fact[name] = []
        for site, found in self.walks.items():
            fact["pth"] += scripts.pth_lines(self.tree, site, self.owners)
            fact["broken_links"] += files.broken_links(self.tree, found.links)
            fact["unreadable"] += found.unreadable[:100]
            fact["unowned_inits"] += files.unowned_inits(site, self.installed, found)

    def _native(self, fact: Fact) -> None:
        owned = {path: names[0] for path, names in self.owners.items()}
        elves = self._elves()
        fact["elves"] = elves
        fact["library_folders"] = self._library_folders(elves)
        fact["undefined_symbols"] = native.undefined_symbols(self.tree, owned, elves)
        fact["missing_dlopens"] = native.missing_dlopens(
            self.tree, owned, elves, system.loadable(self.tree, self.start)
        )

    def _library_folders(self, elves: List[Fact]) -> Dict[str, List[str]]:
        """Return what is needed of what lies where an RPATH or RUNPATH leads out of the sites."""
        folders: Dict[str, None] = {}
        for fact in elves:
            origin = os.path.dirname(fact["path"])
            for entry in [*fact.get("rpath", ()), *fact.get("runpath", ())]:
                text = entry.replace("${ORIGIN}", origin).replace("$ORIGIN", origin)
                folder = os.path.normpath(text)
                inside = any((folder + "/").startswith(site + "/") for site in self.sites)
                if folder.startswith("/") and not inside:
                    folders[folder] = None
        needed = {name for fact in elves for name in fact.get("needed", ())}
        return {
            folder: sorted(needed.intersection(system.shared_objects(self.tree, folder)))
            for folder in list(folders)[:MAX_FOLDERS]
        }

    def _elves(self) -> List[Fact]:
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

    def _bytecode(self, fact: Fact) -> None:
        minor = self.interpreter.get("minor")
        if not minor:
            return
        outcomes = [bytecode.judge(self.tree, w.files, minor) for w in self.walks.values()]
        fact["stale_bytecode"] = [item for outcome in outcomes for item in outcome.stale]
        unjudged = sum(outcome.unjudged for outcome in outcomes)
        if unjudged:
            reason = f"{unjudged} hash-based files need Python {minor} itself to judge them"
            self.missing.append({"what": "bytecode", "reason": reason})

    def _graph(self, fact: Fact) -> None:
        minor, stdlib = self.interpreter.get("minor"), self.interpreter.get("stdlib")
        if not stdlib:
            # Without it every import of the standard library would look missing.
            self.missing.append({"what": "imports-read", "reason": "there is no standard library"})
            return
        starts, own = roots.roots_of(fact["distributions"], self.asked)
        program = os.path.basename(self.start.argv[0]) if self.start.argv else ""
        for name, module in roots.started(fact["distributions"], program):
            starts.insert(0, (module, False))
            own.add(name)
        owners: Dict[str, graph.Owner] = {}
        for item in self.installed:
            wanted = [roots.requirement(text) for text in item.fact.get("requires", ())]
            required = {name for name, optional in wanted if not optional}
            name = item.fact["name"]
            owner = graph.Owner(name, required, name in own)
            owners.update((row.path, owner) for row in item.rows if row.path.endswith(".py"))
        built_in = compiled.built_in(self.tree, self.interpreter)
        finder = Finder(self.tree, self._search_path(stdlib), minor, built_in)
        walk = graph.Graph(self.tree, finder, owners)
        walk.walk(starts)
        fact["unresolved_imports"] = walk.found

    def _search_path(self, stdlib: str) -> List[str]:
        """Return ``sys.path`` as the files make it."""
        folders = [p for p in self.start.env.get("PYTHONPATH", "").split(":") if p.startswith("/")]
        folders += [stdlib, stdlib + "/lib-dynload", *self.sites]
        for site in self.sites:
            folders += [
                os.path.normpath(os.path.join(site, line["line"].strip()))
                for line in scripts.pth_lines(self.tree, site, {}) if not line["is_code"]
            ]  # fmt: skip
        for item in self.installed:
            folders += [os.path.dirname(path) for path in item.sources]
            folders += [path for path in item.sources if self.tree.is_dir(path)]
        if (self.config or {}).get("include-system-site-packages", "").lower() == "true":
            base = os.path.dirname((self.config or {}).get("home", "/usr/bin").rstrip("/"))
            minor = self.interpreter.get("minor")
            home = self.start.env.get("HOME", "/root")
            folders += sites_of(self.tree, Place(base, "system", ""), minor, home)
        return list(dict.fromkeys([*folders, self.start.workdir]))

    def _hashes(self, fact: Fact) -> None:
        try:
            hashes = self._hashing.result()
        except forks.WorkerError as exc:
            self.missing.append({"what": "hashes", "reason": str(exc)})
            return
        files.record_problems(self.installed, hashes, self.tree)
        fact["overlaps"] = files.overlaps(self.installed, hashes)
        if self._built is not None:
            fact["built"] = built.compare(self.tree, self._built, self.walks, hashes)


def _real(tree: Tree, path: str) -> str:
    try:
        return tree.real(path)
    except OSError:
        return os.path.normpath(path)
