"""The probe's whole course: what the request asks for, gathered into one answer."""

from __future__ import annotations

import json
import os
import re
import resource
import time
from typing import Any, Dict, List, Optional

from . import archive, discover, dists, environment, forks, outcome, python, roots, runs, system
from .discover import Start
from .environment import Place
from .tar import RefusedError
from .tree import Fact, Tree, User

SURROGATE = re.compile("[\ud800-\udfff]")
NICE = 10
ARCHIVE_MEMORY = 4 * 1024**3
READING = 15.0
"""Seconds after the runs' end until the reading of the files must have ended, too."""
SITE_PATTERNS = ("dist-packages", "site-packages")
MAX_ROOTS = 60


class Course:
    """One gathering: a tree, how the target starts, and what was asked."""

    def __init__(self, request: Fact) -> None:
        self.request = request
        self.inside = bool(request["inside"])
        self.can_run = bool(request["run"])
        self.begin = time.monotonic()
        self.deadline = self.begin + float(request["timeout"])
        config = request.get("config") or {}
        self.tree = Tree(tuple(request["roots"]))
        self.target: Fact = {}
        self.problems: List[str] = []
        if request.get("archive"):
            image = archive.open_image(request["archive"])
            self.tree, config, self.problems = image.tree, image.config, image.tree.problems
            self.target = {
                "digest": image.digest, "platform": image.platform, "config": image.config
            }  # fmt: skip
        if self.inside:
            env = system.given_env()
            user = User(os.getuid(), os.getgid(), tuple(os.getgroups()))
        else:
            env = dict(config.get("env") or {})
            user = User(*system.user_of(config.get("user") or "", self.tree))
        env.update(request.get("env") or {})
        self.tree.user = user
        argv = [*(config.get("entrypoint") or ()), *(config.get("cmd") or ())]
        self.start = Start(env, argv, request.get("cwd") or config.get("workdir") or "/")
        self.missing: List[Fact] = []
        self.seconds: Dict[str, float] = {}

    def places(self) -> List[Place]:
        """Return the environments to judge: those asked for, or all that are found."""
        asked = [path.rstrip("/") for path in self.request.get("venvs") or ()]
        hinted, others = (asked, []) if asked else discover.venvs(self.tree, self.start)
        found = [
            Place(path, self._kind_of(path), python.bin_python(self.tree, path))
            for path in [*hinted, *others]
        ]
        place = None if asked else self._system_place()
        if place is not None and (not found or self._is_used(place)):
            # Before venvs that nothing points to: those of tools, mostly.
            found.insert(len(hinted), place)
        return found

    def _kind_of(self, path: str) -> str:
        """Return what a folder is: an installation has no ``pyvenv.cfg``, and its own stdlib."""
        is_venv = self.tree.is_file(path + "/pyvenv.cfg") or not python.has_stdlib(self.tree, path)
        return "venv" if is_venv else "system"

    def _system_place(self) -> Optional[Place]:
        path = discover.system_python(self.tree, self.start)
        if path is None:
            return None
        end = self.tree.chain(path).end or path
        return Place(os.path.dirname(os.path.dirname(end)), "system", path)

    def _is_used(self, place: Place) -> bool:
        """Return whether a system's own packages matter beside venvs: PATH's Python is its."""
        if any(
            self.tree.is_file(os.path.dirname(folder.rstrip("/")) + "/pyvenv.cfg")
            for folder in self.start.path
        ):
            return False
        minor = python.describe(self.tree, place.python).get("minor")
        sites = environment.sites_of(self.tree, place, minor, self.start.env.get("HOME", "/root"))
        names = {item["name"] for item in dists.elsewhere(self.tree, sites)}
        return bool(names - {"pip", "setuptools", "wheel"})

    def static(self, places: List[Place], workers: int) -> Fact:
        """Return everything that files tell."""
        readings = [
            environment.Reading(
                self.tree, place, self.start, self._asked("imports", place, index), workers=workers
            )
            for index, place in enumerate(places)
        ]
        fact: Fact = {"environments": [reading.fact() for reading in readings]}
        judged = {self.tree.real(site) for reading in readings for site in reading.sites}
        fact["system"] = system.describe(
            self.tree, self.start, self._programs(), inside=self.inside
        )
        home = fact["system"]["home"]
        bins = {place.path + "/bin" for place in places if place.kind == "venv"}
        judged_pythons = {place.python for place in places}
        fact["system"]["interpreters"] = [
            python.describe(self.tree, path)
            for path in python.others(
                self.tree, [folder for folder in self.start.path if folder not in bins], home
            )[:20]
            if path not in judged_pythons
        ]
        fact["system"]["packages_elsewhere"] = dists.elsewhere(
            self.tree,
            [site for site in self._all_sites(home) if self.tree.real(site) not in judged],
        )
        fact["missing"] = [item for reading in readings for item in reading.missing]
        fact["seconds"] = {}
        for reading in readings:
            for name, value in reading.seconds.items():
                fact["seconds"][name] = round(fact["seconds"].get(name, 0.0) + value, 3)
        return fact

    def _programs(self) -> List[str]:
        wanted: List[str] = []
        for commands in (self.request.get("commands") or {}).values():
            wanted += [argv[0] for argv in commands if argv]
        return wanted + list(self.start.argv[:1])

    def _all_sites(self, home: str) -> List[str]:
        """Return every folder of packages in the usual places, and those of PYTHONPATH."""
        tops = ["/usr", "/usr/local", home.rstrip("/") + "/.local", "/root/.local", "/opt/conda"]
        found: Dict[str, str] = {}
        folders = [
            f"{top}/{lib}/{name}/{kind}"
            for top in tops for lib in ("lib", "lib64")
            for name in self.tree.names(f"{top}/{lib}") if name.startswith("python3")
            for kind in SITE_PATTERNS
        ]  # fmt: skip
        folders += [p for p in self.start.env.get("PYTHONPATH", "").split(":") if p.startswith("/")]
        for folder in folders:
            if self.tree.is_dir(folder):
                found.setdefault(self.tree.real(folder), folder)
        return list(found.values())

    def answer(self) -> Fact:
        """Gather all, runs and files beside each other, and return `model.facts.Facts`."""
        places = self.places()
        self.seconds["discovery"] = round(time.monotonic() - self.begin, 3)
        workers = forks.cores()
        if not self.can_run:
            fact = self.static(places, workers)
        else:
            worker = forks.Worker(lambda: json.dumps(self.static(places, workers)).encode(), NICE)
            commands = [
                [argv for argv in self._asked("commands", place, index) if argv]
                for index, place in enumerate(places)
            ]
            results = [
                self._runs(place, index, wanted, sum(1 + len(c) for c in commands[index + 1 :]))
                for index, (place, wanted) in enumerate(zip(places, commands))
            ]
            try:
                fact = json.loads(worker.result(self.deadline + READING))
            except forks.WorkerError as exc:
                bare = [outcome.bare(self.tree, place) for place in places]
                fact = {"environments": bare, "missing": []}
                self.missing.append({"what": "files", "reason": str(exc)})
            for env, result in zip(fact["environments"], results):
                outcome.combine(env, result)
        if not self.can_run:
            self.missing.append({"what": "runs", "reason": self.request["why_not"]})
        fact.setdefault("missing", []).extend(self.missing)
        fact["problems"] = self.problems
        fact["target"] = self.target
        fact["seconds"] = dict(fact.get("seconds", {}), **self.seconds)
        fact["seconds"]["probe"] = round(time.monotonic() - self.begin, 3)
        return fact

    def _asked(self, name: str, place: Place, index: int) -> List[Any]:
        """Return what was asked of an environment: by path, of the first, or by its manifest."""
        asked = self.request.get(name) or {}
        found = list(asked.get(place.path, ())) + (list(asked.get("", ())) if index == 0 else [])
        found += _from_manifest(self.tree, place, name)
        return [value for index, value in enumerate(found) if value not in found[:index]]

    def _roots(self, place: Place) -> List[str]:
        """Return the modules of the distributions that no other one requires.

        Where nobody said what must import, that is what a user would import.
        """
        minor = python.describe(self.tree, place.python).get("minor")
        home = self.start.env.get("HOME", "/root")
        facts = [
            dict(item.fact, entry_points=())
            for site in environment.sites_of(self.tree, place, minor, home)
            for item in dists.find(self.tree, site, environment.prefix_of(place, site))
        ]
        found, _ = roots.roots_of(facts, [])
        return list(dict.fromkeys(name for name, _ in found))[:MAX_ROOTS]

    def _runs(self, place: Place, index: int, wanted: List[List[str]], waiting: int) -> Fact:
        """Run what was asked of an environment.

        :param wanted: its commands.
        :param waiting: how many runs come after all of its own.
        """
        begin = time.monotonic()
        env = dict(self.start.env)
        # An image starts in one environment; whoever wants another activates it first.
        if self.request.get("activate") or index:
            env["PATH"] = place.path + "/bin:" + env.get("PATH", "/usr/bin:/bin")
        if index:
            env["VIRTUAL_ENV"] = place.path
        whole = self.deadline - self.begin
        setting = runs.Setting(env, self.start.workdir, self.deadline, whole)
        imports = runs.Imports(place.python, setting, waiting + len(wanted))
        imports.start(self._asked("imports", place, index) or self._roots(place))
        self.seconds["imports"] = round(
            self.seconds.get("imports", 0.0) + time.monotonic() - begin, 3
        )
        begin = time.monotonic()
        path = [folder for folder in env.get("PATH", "").split(":") if folder.startswith("/")]
        commands: List[Fact] = []
        for number, argv in enumerate(wanted, 1):
            if setting.is_over():
                self.missing.append({"what": "commands", "reason": "no time was left"})
                break
            resolved = discover.which(self.tree, argv[0], path)
            others = waiting + len(wanted) - number
            commands.append(runs.command(argv, resolved, setting, others))
        self.seconds["commands"] = round(
            self.seconds.get("commands", 0.0) + time.monotonic() - begin, 3
        )
        return {
            "run": imports.run, "imports": list(imports.results.values()), "torch": imports.torch,
            "commands": commands,
        }  # fmt: skip


def _from_manifest(tree: Tree, place: Place, name: str) -> List[Any]:
    """Return the imports or commands that the venv's own manifest lists."""
    try:
        manifest: Any = json.loads(tree.text(place.path + environment.MANIFEST) or "{}")
        values = manifest.get(name, [])
    except (ValueError, AttributeError, RecursionError):
        return []
    if name == "imports":
        return [item for item in values if isinstance(item, str)]
    return [[str(word) for word in item] for item in values if isinstance(item, list)]


def main(request: Fact, descriptor: int) -> None:
    """Gather and write the one tagged line of the answer to a file descriptor."""
    if request.get("archive"):
        # Whatever a stranger's archive asks for, it gets no more memory than this.
        resource.setrlimit(resource.RLIMIT_AS, (ARCHIVE_MEMORY, ARCHIVE_MEMORY))
    try:
        answer = Course(request).answer()
    except RefusedError as refused:
        answer = {"refused": {"code": refused.code, "message": refused.message}}
    except MemoryError:
        answer = {"refused": {"code": "limit-exceeded", "message": "it needs too much memory"}}
    text = json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
    # A name that is no UTF-8 is told with its bytes escaped: JSON has no other way that all read.
    text = SURROGATE.sub(lambda match: f"\\\\u{ord(match.group()):04x}", text)
    view = memoryview(f"\nvenvsmith-probe:{request['nonce']}:{text}\n".encode())
    while view:
        view = view[os.write(descriptor, view) :]
