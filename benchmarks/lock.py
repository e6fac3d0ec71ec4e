"""All locks of the root configuration, beside one `uv pip compile` per stage and variant.

Both with a warm cache and no lock to start from; the best of three, in one run.

usage: python benchmarks/lock.py
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

import uv

ROOT = Path(__file__).parents[1]
ROUNDS = 3
PLATFORMS = {"linux/amd64": "x86_64-manylinux_2_28", "linux/arm64": "aarch64-manylinux_2_28"}


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="venvsmith-bench-") as name:
        folder = Path(name)
        shutil.copy(ROOT / "venvsmith.toml", folder)
        # In turns, so that what else the machine does falls on both; the first round warms up.
        rounds = [
            (measure(lambda: lock(folder)), measure(lambda: compile_each(folder)))
            for _ in range(ROUNDS + 1)
        ]
        joint, single = (min(each) for each in zip(*rounds, strict=True))
    print(f"\n| warm, best of {ROUNDS} | wall |\n|---|---|")
    print(f"| venvsmith lock, all stages and variants | {joint:.2f} s |")
    print(f"| uv pip compile --generate-hashes, one after the other | {single:.2f} s |")
    print(f"\nratio = {joint / single:.2f}")


def lock(folder: Path) -> None:
    shutil.rmtree(folder / "locks", ignore_errors=True)
    run([sys.executable, "-m", "venvsmith", "-q", "lock"], folder)


def compile_each(folder: Path) -> None:
    config = tomllib.loads((folder / "venvsmith.toml").read_text())
    stages = config["stages"]
    for variant, settings in config["variants"].items():
        for stage in stages:
            requires: list[str] = []
            at: str | None = stage
            known = True
            while at is not None:
                requires += stages[at]["requires"]
                known &= variant in stages[at].get("variants", [variant])
                at = stages[at].get("extends")
            if known:
                (folder / "in.txt").write_text("\n".join(requires))
                run(
                    [
                        uv.find_uv_bin(), "pip", "compile", "--no-config", "-q",
                        "--generate-hashes",
                        "--python-version", config["project"]["python"], "--only-binary", ":all:",
                        "--python-platform", PLATFORMS[settings["platforms"][0]],
                        "-o", "out.txt", "--upgrade", "in.txt",
                    ],
                    folder,
                )  # fmt: skip


def run(argv: list[str], folder: Path) -> None:
    subprocess.run(argv, cwd=folder, check=True, capture_output=True)


def measure(work: object) -> float:
    start = time.monotonic()
    work()  # type: ignore[operator]
    return time.monotonic() - start


if __name__ == "__main__":
    main()
