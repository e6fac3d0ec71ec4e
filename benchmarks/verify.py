"""What `verify` costs on the whole WhisperX image, beside what a person would run instead.

Needs `whisperx:cuda`, as `venvsmith build` at the root leaves it. Each figure is the best of three,
all taken in one run.

usage: python benchmarks/verify.py [IMAGE]
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

IMPORTS = "import torch, torchaudio, whisperx.asr, whisperx.diarize, pyannote.audio"
ROUNDS = 3
# Hash every file of the venv on both cores: what reading it all costs at the least.
HASH = """
import hashlib, os, sys
from multiprocessing import Pool
def digest(path):
    with open(path, "rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").digest()
if __name__ == "__main__":
    files = [os.path.join(f, n) for f, _, ns in os.walk("/venv") for n in ns]
    files = [p for p in files if os.path.isfile(p) and not os.path.islink(p)]
    files.sort(key=os.path.getsize, reverse=True)
    with Pool(2) as pool:
        print(len(pool.map(digest, files, chunksize=8)))
"""


def main() -> None:
    image = sys.argv[1] if len(sys.argv) > 1 else "whisperx:cuda"
    verify = [sys.executable, "-m", "venvsmith", "verify", image]
    inside = ["docker", "run", "--rm", "--network", "none", "--entrypoint"]
    shell = f"/venv/bin/python -c '{IMPORTS}' && whisperx --help"
    rows = {
        "docker run: the imports": [*inside, "/venv/bin/python", image, "-c", IMPORTS],
        "docker run: the imports and whisperx --help": [*inside, "sh", image, "-c", shell],
        "docker run: sha256 of every file, two processes": [
            *inside, "/venv/bin/python", image, "-c", HASH,
        ],
        "venvsmith verify": verify,
        "venvsmith verify --static": [*verify, "--static"],
    }  # fmt: skip
    seconds: dict[str, float] = {}
    memory: dict[str, int] = {}
    for _ in range(ROUNDS):
        for name, argv in rows.items():
            taken, peak = measure(argv)
            seconds[name] = min(taken, seconds.get(name, taken))
            memory[name] = max(peak, memory.get(name, 0))
    imports, both, hashing, complete, static = seconds.values()
    cores = len(os.sched_getaffinity(0))
    print(f"\n| best of {ROUNDS}, {cores} cores | wall | own memory |\n|---|---|---|")
    for name, taken in seconds.items():
        print(f"| {name} | {taken:.1f} s | {memory[name] / 1024:.0f} MB |")
    print(f"\nverify : imports = {complete / imports:.2f}")
    print(f"verify : imports and command = {complete / both:.2f}")
    print(f"verify --static : hashing = {static / hashing:.2f}")


def measure(argv: list[str]) -> tuple[float, int]:
    """Run a command; return its seconds, and the largest resident set of it and its children."""
    start = time.monotonic()
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _, status, usage = os.wait4(process.pid, 0)
    taken = time.monotonic() - start
    if os.waitstatus_to_exitcode(status) != 0:
        error = process.stderr.read().decode() if process.stderr else ""
        sys.exit(f"{argv[:6]} failed: {error[-2000:]}")
    print(f"{' '.join(argv[:5])} …: {taken:.1f} s", flush=True)
    return taken, usage.ru_maxrss


if __name__ == "__main__":
    main()
