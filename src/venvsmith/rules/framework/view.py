"""Readings of one environment's facts that several rules need, each made once.

Nothing here judges; it only joins facts: which distribution brings a module, which requirements
apply to this interpreter, who requires whom.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from packaging.markers import InvalidMarker, UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from venvsmith.data.modules import names_of
from venvsmith.model.facts import NO_PYTHON, SystemPackage
from venvsmith.model.platforms import marker_environment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from venvsmith.model.expected import Expected
    from venvsmith.model.facts import Distribution, Environment, Facts, ImportResult


@dataclass(frozen=True, kw_only=True, slots=True)
class Need:
    """A requirement of an installed distribution that applies here."""

    by: Distribution
    requirement: Requirement

    @property
    def name(self) -> str:
        """Return the normalised name of what is required."""
        return canonicalize_name(self.requirement.name)


def version_of(text: str) -> Version | None:
    """Return a parsed version, or None where it is none that packaging knows."""
    try:
        return Version(text)
    except InvalidVersion:
        return None


def by_system(location: str) -> bool:
    """Tell whether a folder's packages come from the operating system, patched as it likes."""
    return location.startswith(("/usr/lib/python3/dist-packages", "/usr/lib/python2"))


def minor_of(version: str | None) -> str | None:
    """Return ``3.11`` of ``3.11.2``; None of None."""
    return ".".join(version.split(".")[:2]) if version else None


class View:
    """Joined readings of one environment."""

    def __init__(self, facts: Facts, environment: Environment, expected: Expected) -> None:
        self.facts = facts
        self.env = environment
        self.expected = expected

    @cached_property
    def minor(self) -> str | None:
        """Return the minor of the interpreter that really runs, ``3.11``."""
        interpreter = self.env.interpreter
        if interpreter is None:
            return None
        run = interpreter.run
        return minor_of(run.version if run else None) or interpreter.minor

    @cached_property
    def starts(self) -> bool | None:
        """Tell whether the interpreter starts; None where it was not tried."""
        run = self.env.interpreter.run if self.env.interpreter else None
        return run.returncode == 0 if run else None

    @cached_property
    def nothing_starts(self) -> str:
        """Return why no interpreter of the target starts; empty where one does, or none was tried.

        Where so, no environment has a run of its own.
        """
        reasons = (missing.reason for missing in self.facts.missing)
        return next((reason for reason in reasons if reason.startswith(NO_PYTHON)), "")

    @cached_property
    def by_name(self) -> Mapping[str, Distribution]:
        """Map normalised names to what is installed; the first on the path wins."""
        found: dict[str, Distribution] = {}
        for dist in self.env.distributions:
            found.setdefault(canonicalize_name(dist.name), dist)
        return found

    @cached_property
    def elsewhere(self) -> Mapping[str, tuple[SystemPackage, ...]]:
        """Map names to what is installed in this target, but not in this environment."""
        found: dict[str, tuple[SystemPackage, ...]] = {}
        for package in self.facts.system.packages_elsewhere:
            name = canonicalize_name(package.name)
            found[name] = (*found.get(name, ()), package)
        for other in self.facts.environments:
            if other.path == self.env.path:
                continue
            for dist in other.distributions:
                package = SystemPackage(
                    name=dist.name, version=dist.version, location=dist.location
                )
                name = canonicalize_name(dist.name)
                found[name] = (*found.get(name, ()), package)
        return found

    @cached_property
    def versions(self) -> Mapping[str, str]:
        """Map the names of all that the interpreter sees to versions, other folders included.

        Others are on its path where it is so said by the interpreter itself, or where
        ``pyvenv.cfg`` lets the system's packages in.
        """
        found = {name: dist.version for name, dist in self.by_name.items()}
        for name, packages in self.elsewhere.items():
            for package in packages:
                if self.sees(package.location):
                    found.setdefault(name, package.version)
        return found

    def sees(self, location: str) -> bool:
        """Tell whether a folder of packages is on the interpreter's path."""
        run = self.env.interpreter.run if self.env.interpreter else None
        if run is not None and run.sys_path:
            return location in run.sys_path
        flag = (self.env.config or {}).get("include-system-site-packages", "false")
        ours = f"/python{self.minor}/" in location or "/python3/dist-packages" in location
        return flag.lower() == "true" and ours

    @cached_property
    def gaps(self) -> Mapping[str, frozenset[str]]:
        """Map the names of distributions to those of their requirements that are not visible."""
        found: dict[str, set[str]] = {}
        for need in self.needs:
            if need.name not in self.versions:
                found.setdefault(need.by.name, set()).add(need.name)
        return {name: frozenset(gaps) for name, gaps in found.items()}

    @cached_property
    def lacking(self) -> Mapping[str, str]:
        """Map the names of what should be visible and is not to who wants it."""
        found: dict[str, str] = {}
        for need in self.needs:
            if need.name not in self.versions:
                found.setdefault(need.name, f"{need.by.name} requires it")
        for name in self.expected.pins or {}:
            if canonicalize_name(name) not in self.versions:
                found[canonicalize_name(name)] = f"{self.expected.source or 'the lock'} names it"
        for result in self.failed_imports:
            top = (result.missing or "").partition(".")[0]
            if top and not self.by_module.get(top):
                for name in names_of(top):
                    if name not in self.versions:
                        found.setdefault(name, f"import {result.module} wants it")
        return found

    @cached_property
    def by_module(self) -> Mapping[str, tuple[Distribution, ...]]:
        """Map top-level import names to the distributions that bring them."""
        found: dict[str, tuple[Distribution, ...]] = {}
        for dist in self.env.distributions:
            for name in dist.top_level:
                found[name] = (*found.get(name, ()), dist)
        return found

    def owners(self, module: str) -> tuple[Distribution, ...]:
        """Return the distributions that bring a module's top-level name."""
        return self.by_module.get(module.partition(".")[0], ())

    def dist_at(self, path: str) -> Distribution | None:
        """Return the distribution that most likely owns a file below site-packages.

        By the first folder's (or file's) name, which is a top-level import name of its owner.
        """
        for site in self.env.site_packages:
            try:
                parts = PurePosixPath(path).relative_to(site).parts
            except ValueError:
                continue
            if not parts:
                return None
            stem = parts[0].partition(".")[0]
            if parts[0].endswith(".libs"):
                return self.by_name.get(canonicalize_name(parts[0].removesuffix(".libs")))
            owners = self.by_module.get(stem, ())
            return owners[0] if len(owners) == 1 else self._deeper(owners, parts)
        return None

    def _deeper(
        self, owners: tuple[Distribution, ...], parts: tuple[str, ...]
    ) -> Distribution | None:
        # Namespaces such as nvidia/ and pyannote/ are told apart by the second folder.
        if len(parts) > 1:
            stem = parts[1].partition(".")[0].replace("_", "-")
            for dist in owners:
                if stem in dist.name.split("-") or stem in dist.name:
                    return dist
        return None

    @cached_property
    def markers(self) -> Mapping[str, str]:
        """Return the marker environment of the target's interpreter, not of this machine."""
        run = self.env.interpreter.run if self.env.interpreter else None
        # Where the interpreter tells nothing, the folder of the packages does.
        minor = self.minor or next(iter(self.env.lib_minors), "3.12")
        version = (run.version if run else None) or minor
        return marker_environment(version, self.facts.system.machine or "x86_64")

    @cached_property
    def needs(self) -> tuple[Need, ...]:
        """Return the requirements of all installed distributions that apply here.

        Those of extras count only where another distribution asks for that extra.
        """
        extras = self._extras_asked_for()
        found: list[Need] = []
        for dist in self.by_name.values():
            for requirement in self._parsed(dist):
                wanted = extras.get(canonicalize_name(dist.name), frozenset())
                if self._applies(requirement, wanted):
                    found.append(Need(by=dist, requirement=requirement))
        return tuple(found)

    def _extras_asked_for(self) -> Mapping[str, frozenset[str]]:
        asked: dict[str, frozenset[str]] = {}
        for dist in self.by_name.values():
            for requirement in self._parsed(dist):
                if requirement.extras and self._applies(requirement, frozenset()):
                    name = canonicalize_name(requirement.name)
                    asked[name] = asked.get(name, frozenset()) | requirement.extras
        return asked

    def _parsed(self, dist: Distribution) -> tuple[Requirement, ...]:
        parsed: list[Requirement] = []
        for text in dist.requires:
            try:
                parsed.append(Requirement(text))
            except (InvalidRequirement, InvalidSpecifier):
                continue  # old metadata; what cannot be read cannot be judged
        return tuple(parsed)

    def _applies(self, requirement: Requirement, extras: frozenset[str]) -> bool:
        if requirement.marker is None:
            return True
        try:
            return any(
                requirement.marker.evaluate({**self.markers, "extra": extra})
                for extra in (extras or {""})
            ) or requirement.marker.evaluate(self.markers)
        except (InvalidMarker, UndefinedComparison, UndefinedEnvironmentName, InvalidVersion):
            return False

    def last_owner(self, result: ImportResult) -> Distribution | None:
        """Return the distribution in whose code an import failed, the innermost one."""
        for frame in reversed(result.traceback):
            owner = self.dist_at(frame.rpartition(" in ")[0].rpartition(":")[0])
            if owner is not None:
                return owner
        return None

    def mentioned(self, owners: set[str]) -> frozenset[str]:
        """Return all names in the owners' requirements, those of extras and other systems too."""
        return frozenset(
            canonicalize_name(requirement.name)
            for name in owners
            if name in self.by_name
            for requirement in self._parsed(self.by_name[name])
        )

    @staticmethod
    def names_for(module: str) -> frozenset[str]:
        """Return the distributions that a top-level module would most likely come from."""
        return names_of(module)

    @cached_property
    def required(self) -> frozenset[str]:
        """Return the names that some installed distribution requires."""
        return frozenset(need.name for need in self.needs)

    @cached_property
    def imports(self) -> Mapping[str, ImportResult]:
        """Map modules to what came of importing them."""
        return {result.module: result for result in reversed(self.env.imports)}

    @cached_property
    def asked(self) -> frozenset[str]:
        """Return the modules that were expected to import."""
        return frozenset(self.expected.imports)

    @cached_property
    def failed_imports(self) -> tuple[ImportResult, ...]:
        """Return the imports that did not come out well."""
        return tuple(i for i in self.env.imports if i.status not in {"ok", "skipped"})
