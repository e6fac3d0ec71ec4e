"""What of a target is compared: from its facts, or from a saved report, which has less."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from venvsmith.errors import NothingCheckedError

if TYPE_CHECKING:
    from venvsmith.model.comparison import DifferenceKind
    from venvsmith.model.facts import Environment, Facts, ImageConfig, System
    from venvsmith.model.finding import Finding, Report, ReportedEnvironment

Part = Mapping[str, str]
"""Names to values that a person can read."""
GONE, EDITED = "gone", "edited"
HARMS = {"record-files-missing": GONE, "record-hash-mismatch": EDITED}
"""Rules whose evidence names files, to what became of these."""
OWN = "{venv}"
"""Stands for the environment's own path, which may differ without a difference."""
_SHARED = re.compile(r"lib[\w+-]+\.so(?:\.\d+)*")
_STDCXX = re.compile(r"GLIBCXX_(\d+)\.(\d+)(?:\.(\d+))?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """A target as it is compared.

    ``parts`` lacks what is not known of it; ``why_not`` says why.
    """

    name: str
    parts: Mapping[DifferenceKind, Part]
    findings: tuple[Finding, ...]
    folder: str = ""
    """Where a virtual environment lies; empty for a Python as such, whose folders hold others."""
    harmed: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """Packages, and files of theirs below site-packages, to `GONE` or `EDITED`."""
    unchecked: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """Rules and subjects that could not be checked, to why; no subject is the whole rule."""
    wanted: frozenset[str] = frozenset()
    """Names of libraries that the environment looks for outside itself."""
    why_not: str = "not known"
    frozen: bool = False
    """Whether it, or the other side, is a frozen application."""

    def why_unchecked(self, finding: Finding) -> str:
        """Return why it was not checked for a finding of the other side; empty where it was."""
        whole = self.unchecked.get((finding.rule, ""), "")
        return self.unchecked.get((finding.rule, finding.subject), whole)


def of_report(report: Report, name: str) -> Snapshot:
    """Return what a saved report says.

    :raises NothingCheckedError: where it reports no environment.
    """
    if not report.environments:
        raise _nothing(name)
    env = report.environments[0]
    return Snapshot(
        name=name,
        parts={"python": _python(env), "package": _packages(env)},
        findings=report.findings,
        folder=env.path if env.kind == "venv" else "",
        harmed=_harmed(report.findings, env.path),
        unchecked=_unchecked(report),
        why_not=f"{name} is a saved report, which does not say",
    )


def of_facts(facts: Facts, report: Report, name: str) -> Snapshot:
    """Return all that is known of a target that was just judged.

    :raises NothingCheckedError: where it has no environment.
    """
    if not facts.environments or not report.environments:
        raise _nothing(name)
    env, reported = facts.environments[0], report.environments[0]
    return Snapshot(
        name=name,
        parts={
            "python": _python(reported),
            "package": _packages(reported),
            "library": _libraries(facts.system),
            "program": _programs(env, facts.system),
            "variable": _variables(env, facts.system),
            "system": _system(facts.system, facts.target.config),
        },
        findings=report.findings,
        folder=env.path if reported.kind == "venv" else "",
        harmed=_harmed(report.findings, env.path),
        unchecked=_unchecked(report),
        wanted=_wanted(env, report.findings),
    )


def not_asked(side: Snapshot, commands: Iterable[Sequence[str]], why: str) -> Snapshot:
    """Return a side of which some commands were not asked, so that the other's failure is open."""
    left = {("command-failed", shlex.join(argv)): why for argv in commands}
    return replace(side, unchecked={**side.unchecked, **left})


def _nothing(name: str) -> NothingCheckedError:
    return NothingCheckedError(
        "there is no Python environment to compare", where=name, hint="name an image or a venv"
    )


def _python(env: ReportedEnvironment) -> Part:
    python = env.python
    if python is None:
        return {}
    facts = {"version": python.version, "interpreter": python.resolves_to}
    return {key: value for key, value in facts.items() if value}


def _packages(env: ReportedEnvironment) -> Part:
    return {package.name: package.version for package in env.packages if package.version}


def _harmed(findings: Iterable[Finding], folder: str) -> dict[tuple[str, str], str]:
    """Return the files of an environment that its findings call gone or edited."""
    return {
        (finding.subject, str(name).rpartition("-packages/")[2]): HARMS[finding.rule]
        for finding in findings
        if finding.rule in HARMS and finding.environment == folder and finding.severity != "info"
        for name in finding.evidence.get("files") or ()
    }


def _unchecked(report: Report) -> dict[tuple[str, str], str]:
    """Return what was not checked; of several environments, it is not known of which."""
    if len(report.environments) > 1:
        return {}
    return {(each.rule, each.subject): each.reason for each in report.checks.skipped}


def _libraries(system: System) -> Part:
    """Return the libraries that the loader finds by name; in which folder makes no difference."""
    names = {*system.libraries, *(n for names in system.library_path.values() for n in names)}
    return dict.fromkeys(names, "present")


def _wanted(env: Environment, findings: Iterable[Finding]) -> frozenset[str]:
    """Return the libraries that its objects, or what failed, ask for and that it has not itself."""
    own = {PurePosixPath(elf.path).name for elf in env.elves} | {e.soname for e in env.elves}
    wanted = {name for elf in env.elves for name in elf.needed}
    wanted |= {missing.wanted for missing in env.missing_dlopens}
    for finding in findings:
        wanted.update(_SHARED.findall(f"{finding.subject} {finding.message}"))
    return frozenset(wanted - own)


def _programs(env: Environment, system: System) -> Part:
    """Return the programs that PATH gives, without those that come with a Python."""
    inside = env.path.rstrip("/") + "/"
    return {
        name: path
        for name, path in system.programs.items()
        if not path.startswith(inside) and not name.startswith(("python", "pip"))
    }


def _variables(env: Environment, system: System) -> Part:
    own = env.path.rstrip("/")
    return {name: value.replace(own, OWN) if own else value for name, value in system.env.items()}


def _system(system: System, config: ImageConfig | None) -> Part:
    facts = {
        "os": f"{system.os_id} {system.os_version}".strip(),
        "machine": system.machine,
        "libc": f"{system.libc} {system.libc_version}".strip(),
        "libstdc++": _newest(system),
        "uid": str(system.uid),
    }
    if config is not None:
        facts["workdir"] = config.workdir
        facts["entrypoint"] = " ".join(config.entrypoint)
        facts["cmd"] = " ".join(config.cmd)
    return {key: value for key, value in facts.items() if value}


def _newest(system: System) -> str:
    versions = [
        tuple(int(part or 0) for part in match.groups())
        for version in system.library_versions.get("libstdc++.so.6", ())
        if (match := _STDCXX.fullmatch(version))
    ]
    return "GLIBCXX_" + ".".join(map(str, max(versions))) if versions else ""
