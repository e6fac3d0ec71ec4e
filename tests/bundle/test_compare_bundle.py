"""`compare` with frozen applications: what one lacks, and which of it is the cause."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from frozen_archives import Archive, code
from venvsmith.bundle.inventory import beside, of_bundle, of_venv


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


def test_libraries_beside_a_package_are_its_distribution_s(tmp_path: Path) -> None:
    """The folder is called after the distribution, and the package is not."""
    site = tmp_path / "lib" / "python3.11" / "site-packages"
    record = ["PIL/__init__.py", "pillow.libs/libjpeg-1.so.62", "pillow.libs/gone.so"]
    texts = {
        **dict.fromkeys(record[:2], ""),
        "other.libs/libother.so": "",
        "pillow-1.dist-info/METADATA": "Name: pillow\n",
        "pillow-1.dist-info/RECORD": "".join(f"{path},,\n" for path in record),
    }
    for path, text in texts.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_text(text)
    assert of_venv(tmp_path, frozenset({"PIL"})).libraries == {"libjpeg-1.so.62"}


def test_a_package_that_is_wholly_missing_is_the_cause(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    (site,) = (tmp_path / "venv").glob("lib/python3.*/site-packages")
    (site / "other").mkdir()
    (site / "other" / "__init__.py").write_text("")
    whole = Archive(script=code("import alpha, other"), head=b"MZ\x90\0", python=b"python3.dll")
    (tmp_path / "app.exe").write_bytes(whole.data())
    found = compared(f"venv:{tmp_path / 'venv'}", f"bundle:{tmp_path / 'app.exe'}")
    assert ("module", "other") in {(d["kind"], d["name"]) for d in found["differences"]}
    names = [d["name"] for d in found["differences"]]
    (failure,) = [f for f in found["failures"] if f["subject"] == "other"]
    assert [names[i] for i in failure["because"]] == ["other"]


def test_the_application_s_own_word_is_not_asked_of_what_is_none(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    app = tmp_path / "app"
    app.write_bytes(Archive(head=b"#!/bin/sh\necho broken\nexit $((2 + $1))\n").data())
    app.chmod(0o755)
    argv = [sys.executable, "-m", "venvsmith", "compare", f"venv:{tmp_path / 'venv'}"]
    argv += [f"bundle:{app}", "--command", "APP 1", "--format", "json"]
    done = subprocess.run(argv, capture_output=True, text=True)
    told = json.loads(done.stdout)
    assert told["shared"] == []
    (failure,) = [f for f in told["failures"] if f["rule"] == "command-failed"]
    assert (failure["side"], failure["message"]) == ("b", "APP 1 ends with 3: broken.")
    assert failure["unchecked"] == "APP is a frozen application's word"
