"""`compare` with frozen applications: what one lacks, and which of it is the cause."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from venvsmith.bundle.inventory import beside, of_bundle


def compared(a: str, b: str) -> Any:
    argv = [sys.executable, "-m", "venvsmith", "compare", a, b, "--static", "--format", "json"]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    return json.loads(done.stdout)


def test_the_module_that_one_bundle_lacks_is_the_cause_of_its_failure(
    frozen: Path, copy: Path
) -> None:
    (copy / "_internal" / "alpha" / "data" / "settings.json").unlink()
    found = compared(f"bundle:{frozen / 'cut'}", f"bundle:{copy}")
    told = {(d["kind"], d["name"]): (d["a"], d["b"]) for d in found["differences"]}
    assert told == {
        ("module", "alpha.beta"): (None, "present"),
        ("data", "alpha/data/settings.json"): ("present", None),
    }
    names = [d["name"] for d in found["differences"]]
    because = {f["subject"]: [names[i] for i in f["because"]] for f in found["failures"]}
    assert because == {
        "alpha.beta": ["alpha.beta"],
        "settings.json": ["alpha/data/settings.json"],
    }


def test_a_venv_counts_as_far_as_the_bundle_has_its_packages(frozen: Path, tmp_path: Path) -> None:
    site = tmp_path / "venv" / "lib" / "python3.11" / "site-packages"
    shutil.copytree(frozen.parent / "alpha", site / "alpha")
    (site / "alpha" / "extra.txt").write_text("x")
    (site / "unrelated").mkdir()
    (site / "unrelated" / "__init__.py").write_text("")
    bundle = of_bundle(frozen / "cut")
    found = beside("venv", tmp_path / "venv", {"bundle": bundle})
    assert found["venv"].modules - found["bundle"].modules == {"alpha.beta"}
    assert found["bundle"].modules - found["venv"].modules == set()
    assert found["venv"].files - found["bundle"].files == {"alpha/extra.txt"}
