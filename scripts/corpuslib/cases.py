"""The cases: one TOML file each, read into frozen values.

A case says how its image is built, which command shows that it is broken (or works), and what the
first finding of ``venvsmith verify`` must be called. It knows nothing of how the rules find that.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import re
import shlex
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT / "tests" / "corpus"
WORK = ROOT / ".venvsmith" / "corpus"
TAG = "venvsmith-corpus"

_KEYS = frozenset(
    {
        "title", "origin", "expect", "severity", "symptom", "says", "python", "import", "verify",
        "wheels", "for", "find-links", "no-deps", "docker-args", "dockerfile", "wheel", "files",
        "timeout", "glibc", "arch", "libc",
    }
)  # fmt: skip
_FROM = re.compile(rf"{TAG}/(base-[a-z0-9.-]+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class TinyWheel:
    """A wheel of our own making: its files, its requirements, its console scripts."""

    name: str
    version: str
    files: dict[str, str]
    requires: tuple[str, ...]
    scripts: dict[str, str]
    tag: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One image of the corpus, or a base that several of them stand on."""

    name: str
    kind: str  # "broken", "healthy" or "base"
    title: str
    origin: str
    dockerfile: str
    expect: tuple[str, ...]
    severity: str  # what the first finding weighs; a healthy image may carry warnings
    symptom: tuple[str, ...]  # argv; empty: the image's own entrypoint and command
    says: str  # a text that the failing symptom must print: it fails for the right reason
    python: str
    imports: tuple[str, ...]  # what the usual import test imports
    verify: tuple[str, ...]
    wheels: tuple[str, ...]
    minor: str
    find_links: bool
    no_deps: bool
    glibc: int  # minor of the glibc that the wheels are chosen for; 0: the Debian release's own
    arch: str  # machine and libc that the wheels are chosen for
    libc: str
    docker_args: tuple[str, ...]
    tiny: tuple[TinyWheel, ...]
    files: dict[str, str]
    timeout: float

    @property
    def image(self) -> str:
        """The tag that the image is built under."""
        return f"{TAG}/{self.name}:1"

    @property
    def bases(self) -> tuple[str, ...]:
        """Names of the corpus's own bases that the Dockerfile starts from."""
        return tuple(dict.fromkeys(_FROM.findall(self.dockerfile)))

    @property
    def arguments(self) -> tuple[str, ...]:
        """More arguments for verify; ``{case}`` stands for the case's path without its ending."""
        beside = str(CORPUS / self.kind / self.name)
        return tuple(word.replace("{case}", beside) for word in self.verify)

    def digest(self) -> str:
        """Digest of everything that goes into the image, its bases aside."""
        parts = [
            self.dockerfile, self.wheels, self.minor, self.find_links, self.no_deps, self.glibc,
            self.arch, self.libc, self.files,
            [[w.name, w.version, w.files, w.requires, w.scripts, w.tag] for w in self.tiny],
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _tiny(raw: dict[str, Any]) -> TinyWheel:
    return TinyWheel(
        name=raw["name"],
        version=raw.get("version", "1.0"),
        files=raw.get("files", {}),
        requires=tuple(raw.get("requires", ())),
        scripts=raw.get("scripts", {}),
        tag=raw.get("tag", "py3-none-any"),
    )


def read_case(path: Path) -> Case:
    """Read one case file; a :class:`ValueError` names the file and what is wrong with it."""
    raw = tomllib.loads(path.read_text(encoding="utf-8"))
    kind = {"broken": "broken", "healthy": "healthy", "bases": "base"}[path.parent.name]
    if unknown := set(raw) - _KEYS:
        msg = f"{path}: unknown keys {sorted(unknown)}"
        raise ValueError(msg)
    if kind == "broken" and not raw.get("expect"):
        msg = f"{path}: a broken case says which rule must stand first (expect)"
        raise ValueError(msg)
    if kind != "base" and "symptom" not in raw:
        msg = f"{path}: a case has a plain symptom"
        raise ValueError(msg)
    return Case(
        name=f"base-{path.stem}" if kind == "base" else path.stem,
        kind=kind,
        title=raw["title"],
        origin=raw.get("origin", ""),
        dockerfile=raw["dockerfile"],
        expect=tuple(raw.get("expect", ())),
        severity=raw.get("severity", "error"),
        symptom=tuple(shlex.split(raw.get("symptom", ""))),
        says=raw.get("says", ""),
        python=raw.get("python", "/venv/bin/python"),
        imports=tuple(raw.get("import", ())),
        verify=tuple(raw.get("verify", ())),
        wheels=tuple(raw.get("wheels", ())),
        minor=str(raw.get("for", "3.11")),
        find_links=bool(raw.get("find-links", False)),
        no_deps=bool(raw.get("no-deps", False)),
        glibc=int(raw.get("glibc", 0)),
        arch=raw.get("arch", "x86_64"),
        libc=raw.get("libc", "glibc"),
        docker_args=tuple(raw.get("docker-args", ())),
        tiny=tuple(_tiny(item) for item in raw.get("wheel", ())),
        files=dict(raw.get("files", {})),
        timeout=float(raw.get("timeout", 120)),
    )


def load(kind: str, pattern: str = "*") -> tuple[Case, ...]:
    """Read the cases of one kind ("broken", "healthy", "bases") whose names match ``pattern``."""
    cases = (read_case(path) for path in sorted((CORPUS / kind).glob("*.toml")))
    return tuple(c for c in cases if any(fnmatch.fnmatch(c.name, p) for p in pattern.split(",")))
