"""What a registry gets: venvsmith's image beside a naive Dockerfile's, pushed and bumped.

Both build the same lock with bytecode from nothing and push to an empty registry of their own (the
program `docker-registry`, on the loopback); then a leaf distribution gets another version, and both
build and push again. Bytes are the sizes of blobs (compressed layers, configurations) that a
manifest of the registry names and none named before. Then venvsmith builds once more from nothing,
unchanged, and pushes. The naive one's bases, with uv and FFmpeg, count as part of its cold build.

Needs an engine with the base images of the root configuration and 40 GB of disk, and removes all of
its build cache. With ``--small``, to try this script, the tests' base images and 2 GB; the cache
stays, so that cold is no more than ``--no-cache``.

usage: python benchmarks/registry.py [--small] [--ca-bundle FILE]
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from build import AFTER, BEFORE, NAIVE, ROOT, cores, naive_bases, prune, run

sys.path.insert(0, str(ROOT / "tests"))

from registries import serving

MANIFESTS = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
)
SMALL = """\
[project]
name = "small"
python = "3.11"

[bases.debian]
image = "venvsmith-test/bookworm:1"

[variants.cuda]
base = "debian"
platforms = ["linux/amd64"]

[stages.heavy]
requires = ["numpy==2.2.6", "pillow==11.3.0"]
imports = ["numpy", "PIL"]

[stages.whisperx]
extends = "heavy"
requires = ["jinja2==3.1.6", "LEAF"]
imports = ["jinja2"]

[images.whisperx]
stage = "whisperx"
"""
IMAGE = "vs-bench"
"""An image of this machine may be called whisperx."""
SMALL_BEFORE, SMALL_AFTER = "idna==3.10", "idna==3.9"
SMALL_BASES = """\
FROM venvsmith-test/bookworm:1 AS build
RUN --mount=type=secret,id=ca {ca} python3 -m venv /tools && /tools/bin/pip install -q uv=={uv}
RUN /tools/bin/uv venv -q --python python3.11 /venv
FROM venvsmith-test/bookworm:1 AS runtime
"""


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What one contender needed: seconds, and bytes of blobs that were new in the registry."""

    title: str
    build: float
    push: float
    size: int
    rebuild: float
    repush: float
    changed: int
    unchanged: int | None = None
    """Bytes of layers that another build of the same from nothing has pushed."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ca-bundle", type=Path)
    parser.add_argument("--small", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="venvsmith-bench-") as name:
        folder = Path(name)
        pins = (SMALL_BEFORE, SMALL_AFTER) if options.small else (BEFORE, AFTER)
        bases = SMALL_BASES if options.small else None
        projects = [project(folder / pin, pin, small=options.small) for pin in pins]
        contenders = []
        with serving(folder / "first") as address:
            contenders.append(naive(folder, projects, address, options.ca_bundle, bases))
        shutil.rmtree(folder / "first")
        with serving(folder / "second") as address:
            contenders.append(ours(projects, address, options.ca_bundle, small=options.small))
    report(*contenders)


def project(folder: Path, pin: str, *, small: bool) -> Path:
    """Make a project that pins one leaf, and lock it."""
    folder.mkdir()
    if small:
        text = SMALL.replace("LEAF", pin)
    else:
        text = (ROOT / "venvsmith.toml").read_text()
        text, count = re.subn(r'"whisperx==([\d.]+)"', rf'"whisperx==\1", "{pin}"', text)
        assert count == 1
        shutil.copytree(ROOT / "locks", folder / "locks")
    table = f'[images.{IMAGE}]\ntags = ["REGISTRY/ours:1"]\n'
    text = text.replace("[images.whisperx]\n", table)
    (folder / "venvsmith.toml").write_text(text)
    run("lock", sys.executable, "-m", "venvsmith", "lock", cwd=folder)
    return folder


def naive(
    folder: Path, projects: list[Path], address: str, ca: Path | None, bases: str | None
) -> Figures:
    """Install everything in one step and copy it in one layer."""
    exports = "export SSL_CERT_FILE=/run/secrets/ca PIP_CERT=/run/secrets/ca &&" if ca else ""
    context = folder / "naive"
    context.mkdir()
    secret = ["--secret", f"id=ca,src={ca}"] if ca else []
    build = ["docker", "buildx", "build", "-q", *secret]
    fresh = from_nothing(small=bases is not None)
    ready = naive_bases(context, build, projects[0], exports=exports, text=bases)
    (context / "Dockerfile").write_text(NAIVE.format(ca=exports))
    tag = f"{address}/naive:1"
    walls, blobs = [], []
    for which, source in zip(("cold", "bumped"), projects, strict=True):
        shutil.copy(source / "locks" / "whisperx.cuda.txt", context / "lock.txt")
        walls.append(run(f"naive, {which}: build", *build, *fresh, "-t", tag, str(context)))
        walls.append(run(f"naive, {which}: push", "docker", "push", "-q", tag))
        blobs.append(blobs_of(address, "naive"))
        fresh = []
        forget(tag)
        if bases is None:
            # What the next build cannot use anyway; its cache of wheels stays.
            run("prune", "docker", "builder", "prune", "--force", "--filter", "type=regular")
    run("remove", "docker", "image", "rm", "-f", "bench-build:1", "bench-runtime:1")
    return Figures(
        title="naive Dockerfile",
        build=ready + walls[0], push=walls[1], rebuild=walls[2], repush=walls[3],
        size=blobs[0].size, changed=blobs[1].new(blobs[0]),
    )  # fmt: skip


def ours(projects: list[Path], address: str, ca: Path | None, *, small: bool) -> Figures:
    """Build the same with venvsmith, rehearsal included, verification apart, and push it."""
    bundle = ["--ca-bundle", str(ca)] if ca else []
    tool = [sys.executable, "-m", "venvsmith", "-q"]
    tag = f"{address}/ours:1"
    walls, blobs = [], []
    fresh = from_nothing(small=small)
    # The layers of the first build are recorded; who bumps has that record in the repository.
    record = Path("docker") / "deltas"
    for which, source in zip(
        ("cold", "bumped", "unchanged"), [*projects, projects[1]], strict=True
    ):
        file = source / "venvsmith.toml"
        file.write_text(file.read_text().replace("REGISTRY", address))
        if which == "bumped":
            shutil.copytree(projects[0] / record, source / record)
        if which == "unchanged":
            forget(tag)
            fresh = from_nothing(small=small)
        walls.append(
            run(
                f"venvsmith, {which}: build",
                *tool,
                "build",
                "--no-verify",
                *bundle,
                *fresh,
                cwd=source,
            )
        )
        walls.append(run(f"venvsmith, {which}: push", *tool, "push", cwd=source))
        blobs.append(blobs_of(address, "ours"))
        fresh = []
    forget(tag)
    return Figures(
        title="venvsmith",
        build=walls[0], push=walls[1], rebuild=walls[2], repush=walls[3],
        size=blobs[0].size, changed=blobs[1].new(blobs[0]),
        unchanged=blobs[2].new_layers(blobs[1]),
    )  # fmt: skip


def forget(tag: str) -> None:
    """Remove a repository's images from the engine; those without a tag stay by their digest."""
    repository = tag.rpartition(":")[0]
    done = subprocess.run(["docker", "image", "ls", "-q", repository], capture_output=True)
    found = sorted(set(done.stdout.decode().split()))
    if found:
        run("remove", "docker", "image", "rm", "-f", *found)


def from_nothing(*, small: bool) -> list[str]:
    """Make the next build a cold one; return the option that it needs for that."""
    if small:
        return ["--no-cache"]
    prune()
    return []


@dataclass(frozen=True, kw_only=True)
class Blobs:
    """What a manifest names: digests and sizes in bytes."""

    config: dict[str, int]
    layers: dict[str, int]

    @property
    def size(self) -> int:
        """Return the bytes of all."""
        return sum(self.config.values()) + sum(self.layers.values())

    def new_layers(self, before: Blobs) -> int:
        """Return the bytes of layers that an earlier manifest does not name."""
        return sum(size for digest, size in self.layers.items() if digest not in before.layers)

    def new(self, before: Blobs) -> int:
        """Return the bytes of all that an earlier manifest does not name."""
        config = sum(size for digest, size in self.config.items() if digest not in before.config)
        return config + self.new_layers(before)


def blobs_of(address: str, name: str) -> Blobs:
    """Return what a repository's tag ``1`` is made of."""
    url = f"http://{address}/v2/{name}/manifests/1"
    request = urllib.request.Request(url, headers={"Accept": ", ".join(MANIFESTS)})
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        manifest = json.load(answer)
    config = manifest["config"]
    return Blobs(
        config={config["digest"]: config["size"]},
        layers={layer["digest"]: layer["size"] for layer in manifest["layers"]},
    )


def report(other: Figures, own: Figures) -> None:
    print(f"\n| one run, {cores()} cores | cold: build, push | in the registry "
          "| bump: build, push | new bytes | built again from nothing |")  # fmt: skip
    print("|---|---|---|---|---|---|")
    for each in (other, own):
        unchanged = "" if each.unchanged is None else f"{each.unchanged} bytes of layers"
        print(
            f"| {each.title} | {each.build:.0f} s, {each.push:.0f} s | {each.size / 1e6:.1f} MB "
            f"| {each.rebuild:.0f} s, {each.repush:.1f} s | {each.changed / 1e6:.3f} MB "
            f"| {unchanged} |"
        )
    wall = (own.rebuild + own.repush) / (other.rebuild + other.repush)
    print(f"\nbytes after the bump: {own.changed / other.changed:.3%} (to be at most 1 %)")
    print(f"wall after the bump: {wall:.1%} (to be at most 10 %)")
    print(f"cold build: {own.build / other.build:.0%} (to be at most 100 %)")


if __name__ == "__main__":
    main()
