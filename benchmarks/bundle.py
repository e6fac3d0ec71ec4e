"""What `verify bundle: --static` costs, beside hashing the bundle's files on both cores.

Each figure is the best of three, all taken in one run; CPU is the time of all processes.

usage: python benchmarks/bundle.py BUNDLE...
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 3
HASH = """
import hashlib, os, sys
from multiprocessing import Pool
def digest(path):
    with open(path, "rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").digest()
if __name__ == "__main__":
    top = sys.argv[1]
    files = [os.path.join(f, n) for f, _, ns in os.walk(top) for n in ns] or [top]
    files = [p for p in files if os.path.isfile(p) and not os.path.islink(p)]
    files.sort(key=os.path.getsize, reverse=True)
    with Pool(2) as pool:
        pool.map(digest, files, chunksize=8)
"""


def main() -> None:
    print(f"| best of {ROUNDS}, {len(os.sched_getaffinity(0))} cores | wall | CPU |\n|---|---|---|")
    for name in sys.argv[1:]:
        path = Path(name)
        files = [path, *path.rglob("*")] if path.is_dir() else [path]
        size = sum(p.stat().st_size for p in files if p.is_file() and not p.is_symlink())
        verify = [sys.executable, "-m", "venvsmith", "verify", f"bundle:{path}", "--static"]
        rows = {"verify --static": verify, "sha256": [sys.executable, "-c", HASH, name]}
        best: dict[str, tuple[float, float]] = {}
        for _ in range(ROUNDS):
            for row, argv in rows.items():
                taken = measure(argv)
                best[row] = min(taken, best.get(row, taken))
        for row, (wall, cpu) in best.items():
            print(f"| {path.name}, {size / 1e6:.0f} MB: {row} | {wall:.1f} s | {cpu:.1f} s |")
        print(f"\nverify : hashing = {best['verify --static'][0] / best['sha256'][0]:.1f}\n")
    print("load:", *(f"{value:.1f}" for value in os.getloadavg()))


def measure(argv: list[str]) -> tuple[float, float]:
    """Return seconds on the clock, and of processor time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    done = subprocess.run(argv, capture_output=True)
    taken = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode in {0, 1}, done.stderr
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return taken, cpu


if __name__ == "__main__":
    main()
