"""Cold build, and rebuild after a leaf package's bump: venvsmith beside the naive Dockerfile.

Both start from nothing (`docker builder prune --all`), install the same lock of the whole WhisperX
stack with bytecode, and are then built again with another nltk. To save disk, uv and FFmpeg come
into the naive one's base images first, which counts as part of its cold build.
Needs an engine with the base images of the root configuration, and 30 GB of disk.

usage: python benchmarks/build.py [--ca-bundle FILE]
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
BEFORE, AFTER = "nltk==3.9.2", "nltk==3.9.1"
BASES = """\
FROM python:3.11-bookworm AS build
RUN --mount=type=secret,id=ca {ca} python3 -m venv /tools && /tools/bin/pip install -q uv=={uv}
RUN /tools/bin/uv venv -q --python python3.11 /venv
FROM python:3.11-slim-bookworm AS runtime
RUN apt-get update && apt-get install -y --no-install-recommends ffmpeg
"""
NAIVE = """\
FROM bench-build:1 AS build
COPY lock.txt /lock.txt
RUN --mount=type=secret,id=ca --mount=type=cache,target=/root/.cache/uv {ca} UV_LINK_MODE=copy \\
    /tools/bin/uv pip install -q --python /venv/bin/python --compile-bytecode --no-deps \\
    --require-hashes -r /lock.txt
FROM bench-runtime:1
COPY --from=build /venv /venv
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ca-bundle", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="venvsmith-bench-") as name:
        folder = Path(name)
        first, second = (lock(folder / which, pin) for which, pin in (("a", BEFORE), ("b", AFTER)))
        rows = [naive(folder, first, second, options.ca_bundle)]
        rows.append(ours(first, second, options.ca_bundle))
    print(f"\n| one run, {cores()} cores | cold | after a leaf's bump | layers that changed |")
    print("|---|---|---|---|")
    for title, cold, bump, new, total in rows:
        size = f"{new / 1e6:.0f} of {total / 1e6:.0f} MB"
        print(f"| {title} | {cold:.0f} s | {bump:.0f} s | {size} |")


def lock(folder: Path, pin: str) -> Path:
    """Make a copy of the root project that pins one leaf, and lock it."""
    folder.mkdir()
    text = (ROOT / "venvsmith.toml").read_text()
    text, count = re.subn(r'"whisperx==([\d.]+)"', rf'"whisperx==\1", "{pin}"', text)
    assert count == 1
    (folder / "venvsmith.toml").write_text(text)
    shutil.copytree(ROOT / "locks", folder / "locks")
    run("lock", sys.executable, "-m", "venvsmith", "lock", cwd=folder)
    return folder


def naive(
    folder: Path, first: Path, second: Path, ca: Path | None
) -> tuple[str, float, float, int, int]:
    """Install everything in one step and copy it in one layer."""
    exports = "export SSL_CERT_FILE=/run/secrets/ca PIP_CERT=/run/secrets/ca &&" if ca else ""
    context = folder / "naive"
    context.mkdir()
    secret = ["--secret", f"id=ca,src={ca}"] if ca else []
    build = ["docker", "buildx", "build", "-q", *secret]
    prune()
    bases = naive_bases(context, build, first, exports=exports)
    (context / "Dockerfile").write_text(NAIVE.format(ca=exports))
    argv = [*build, "-t", "bench-naive:1", str(context)]
    shutil.copy(first / "locks" / "whisperx.cuda.txt", context / "lock.txt")
    cold = bases + run("naive, cold, its bases apart", *argv)
    before = layers("bench-naive:1")
    # What the next build cannot use anyway; its cache of wheels stays.
    run("remove", "docker", "image", "rm", "-f", "bench-naive:1")
    run("prune", "docker", "builder", "prune", "--force", "--filter", "type=regular")
    shutil.copy(second / "locks" / "whisperx.cuda.txt", context / "lock.txt")
    bump = run("naive, bumped", *argv)
    after = layers("bench-naive:1")
    run(
        "remove", "docker", "image", "rm", "-f", "bench-naive:1", "bench-build:1", "bench-runtime:1"
    )
    return ("naive Dockerfile", cold, bump, changed(before, after), sum(after.values()))


def naive_bases(
    context: Path, build: list[str], project: Path, *, exports: str, text: str | None = None
) -> float:
    """Build what the naive Dockerfile starts from: bases with uv and an empty venv, and FFmpeg.

    Return the seconds of the longer of the two, which a Dockerfile would build side by side.
    """
    uv = re.search(r"^uv==(\S+)", (project / "locks" / "tools.txt").read_text(), re.MULTILINE)
    assert uv
    (context / "Dockerfile").write_text((text or BASES).format(ca=exports, uv=uv[1]))
    return max(
        run(f"base {stage}", *build, "--target", stage, "-t", f"bench-{stage}:1", str(context))
        for stage in ("build", "runtime")
    )


def ours(first: Path, second: Path, ca: Path | None) -> tuple[str, float, float, int, int]:
    """Build the same with venvsmith, rehearsal included, verification apart."""
    bundle = ["--ca-bundle", str(ca)] if ca else []
    argv = [sys.executable, "-m", "venvsmith", "-q", "build", "--no-verify", *bundle]
    prune()
    cold = run("venvsmith, cold", *argv, cwd=first)
    before = layers("whisperx:cuda")
    bump = run("venvsmith, bumped", *argv, cwd=second)
    after = layers("whisperx:cuda")
    return ("venvsmith", cold, bump, changed(before, after), sum(after.values()))


def layers(image: str) -> dict[str, int]:
    """Return each layer's digest and its uncompressed size in bytes."""
    inspect = ["docker", "image", "inspect", "-f", "{{json .RootFS.Layers}}", image]
    digests = json.loads(subprocess.run(inspect, capture_output=True, check=True).stdout)
    argv = ["docker", "history", "--human=false", "--format", "{{.Size}}\t{{.CreatedBy}}", image]
    text = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    made = [line.split("\t") for line in reversed(text.splitlines())]
    metadata = ("ENV", "USER", "LABEL", "ENTRYPOINT", "CMD", "EXPOSE")
    sizes = [int(size) for size, by in made if not by.startswith(metadata)]
    assert len(sizes) == len(digests), (sizes, digests)
    return dict(zip(digests, sizes, strict=True))


def changed(before: dict[str, int], after: dict[str, int]) -> int:
    return sum(size for digest, size in after.items() if digest not in before)


def prune() -> None:
    run("prune", "docker", "builder", "prune", "--all", "--force")


def run(what: str, *argv: str, cwd: Path | None = None) -> float:
    """Run a command, say how long it took, and return the seconds."""
    start = time.monotonic()
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - start
    print(f"{what}: {seconds:.1f} s", flush=True)
    if done.returncode:
        sys.exit(f"{what} failed: {done.stderr[-2000:]}")
    return seconds


def cores() -> int:
    import os  # noqa: PLC0415

    return len(os.sched_getaffinity(0))


if __name__ == "__main__":
    main()
