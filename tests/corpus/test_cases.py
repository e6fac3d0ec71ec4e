"""The corpus by itself, without an engine: its files read, and name rules that exist."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
from corpuslib.cases import CORPUS, load, read_case
from corpuslib.wheels import write_wheel


def test_the_corpus_is_large_enough_and_every_file_reads() -> None:
    assert len(load("broken")) >= 60
    assert len(load("healthy")) >= 40
    bases = {case.name for case in load("bases")}
    for case in (*load("broken"), *load("healthy"), *load("bases")):
        assert set(case.bases) <= bases, case.name


def test_expected_rules_are_in_the_catalogue() -> None:
    listed = subprocess.run(
        [sys.executable, "-m", "venvsmith", "explain"],
        capture_output=True, text=True, check=True, timeout=60,
    ).stdout.split()  # fmt: skip
    for case in load("broken"):
        assert set(case.expect) <= set(listed), case.name


def test_a_case_with_an_unknown_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "broken" / "odd.toml"
    path.parent.mkdir()
    path.write_text("title = 'x'\nexpected = ['y']\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"unknown keys \['expected'\]"):
        read_case(path)


def test_tiny_wheels_have_a_true_record(tmp_path: Path) -> None:
    case = read_case(CORPUS / "broken" / "whisperx-1-no-deps.toml")
    paths = [write_wheel(wheel, tmp_path) for wheel in case.tiny]
    done = subprocess.run(
        [sys.executable, "-m", "uv", "pip", "install", "-q", "--offline", "--no-index",
         "--target", str(tmp_path / "site"), *map(str, paths)],
        check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0
    assert (tmp_path / "site" / "whisperx" / "__init__.py").exists()
    with zipfile.ZipFile(paths[0]) as archive:
        assert b"whisperx = whisperx:main" in archive.read(
            "whisperx-3.3.2.dist-info/entry_points.txt"
        )
