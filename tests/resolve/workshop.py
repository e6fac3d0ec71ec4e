"""A package index of tiny wheels in a folder, and projects that lock from it."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from venvsmith.model.project import Base, Index, Platform, Project, Stage, Variant
from venvsmith.resolve import LockOptions, LockReport, lock_project

ANY = "py3-none-any"
PINNED = f"python:3.11@sha256:{'0' * 64}"
"""A base image that is never looked up."""


@dataclass(frozen=True, kw_only=True)
class LocalIndex:
    """A simple index (PEP 503) in a folder; each release is a real wheel with one module."""

    folder: Path
    days: dict[str, str] = field(default_factory=dict)
    """File name to the day on which it appeared."""

    @property
    def url(self) -> str:
        return (self.folder / "simple").as_uri()

    def add(
        self, name: str, version: str, *requires: str, tag: str = ANY, day: str = "2026-01-01"
    ) -> None:
        page = self.folder / "simple" / name
        page.mkdir(parents=True, exist_ok=True)
        wheel = page / f"{name.replace('-', '_')}-{version}-{tag}.whl"
        write_wheel(wheel, name=name, version=version, requires=requires)
        self.days[wheel.name] = day
        self.list(name)

    def list(self, name: str) -> None:
        page = self.folder / "simple" / name
        links = "".join(
            f'<a href="{file.name}#sha256={hashlib.sha256(file.read_bytes()).hexdigest()}"'
            f' data-upload-time="{self.days.get(file.name, "2026-01-01")}T12:00:00Z">'
            f"{file.name}</a><br>\n"
            for file in sorted(page.glob("*.whl"))
        )
        (page / "index.html").write_text(f"<!DOCTYPE html><html><body>\n{links}</body></html>\n")


def write_wheel(path: Path, *, name: str, version: str, requires: tuple[str, ...]) -> None:
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    tag = path.stem.split("-", 2)[2]
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += "".join(f"Requires-Dist: {line}\n" for line in requires)
    files = {
        f"{module}.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    record = ""
    for file, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=")
        record += f"{file},sha256={digest.decode()},{len(text)}\n"
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in files.items():
            archive.writestr(zipfile.ZipInfo(file, (2020, 1, 1, 0, 0, 0)), text)


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """A project's folder, and what locking it left there."""

    root: Path
    stages: dict[str, Stage] = field(default_factory=dict)
    variants: dict[str, Variant] = field(default_factory=dict)
    indexes: dict[str, Index] = field(default_factory=dict)
    image: str = PINNED

    def stage(
        self, name: str, *requires: str, extends: str | None = None, variants: str = "cpu"
    ) -> Workshop:
        self.stages[name] = Stage(
            name=name, extends=extends, requires=requires, variants=tuple(variants.split())
        )
        return self

    def variant(self, name: str, *arches: str, find_links: tuple[str, ...] = ()) -> Workshop:
        self.variants[name] = Variant(
            name=name,
            base="slim",
            platforms=tuple(Platform(arch=arch) for arch in arches),  # type: ignore[arg-type]
            find_links=find_links,
        )
        return self

    def route(self, name: str, url: str, *packages: str) -> Workshop:
        self.indexes[name] = Index(name=name, url=url, packages=packages)
        return self

    def project(self) -> Project:
        return Project(
            name="test",
            root=self.root,
            file=self.root / "venvsmith.toml",
            python="3.11",
            bases={"slim": Base(name="slim", build=self.image, runtime=self.image)},
            variants=self.variants or {"cpu": Variant(name="cpu", base="slim", platforms=(AMD64,))},
            stages=self.stages,
            indexes=self.indexes,
        )

    def lock(self, **options: object) -> LockReport:
        return lock_project(self.project(), LockOptions(**options))  # type: ignore[arg-type]

    def pins(self, stem: str) -> dict[str, str]:
        lines = (self.root / "locks" / f"{stem}.txt").read_text().splitlines()
        pins = (line.removesuffix(" \\").split("==") for line in lines if "==" in line)
        return {name: version for name, version in pins}  # noqa: C416 - mypy wants the pair

    def files(self) -> Mapping[str, bytes]:
        folder = self.root / "locks"
        return {path.name: path.read_bytes() for path in sorted(folder.glob("*"))}


AMD64 = Platform(arch="amd64")
