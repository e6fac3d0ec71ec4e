"""Write what is generated from the code: schemas, and the reference pages of keys and rules.

usage: python scripts/generate.py [--check]
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
GENERATORS = (
    "venvsmith.config.schema",
    "venvsmith.report.schema",
    "venvsmith.preflight.schema",
    "venvsmith.rules.framework.pages",
)
GENERATED = ("schema", "docs")


def main() -> int:
    for module in GENERATORS:
        subprocess.run([sys.executable, "-m", module], cwd=ROOT, check=True)
    if "--check" not in sys.argv[1:]:
        return 0
    return subprocess.run(["git", "diff", "--exit-code", "--stat", *GENERATED], cwd=ROOT).returncode


if __name__ == "__main__":
    raise SystemExit(main())
