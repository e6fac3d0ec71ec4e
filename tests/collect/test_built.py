"""A venv against the lists of files that its layers brought."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest

from venvsmith.collect import CollectRequest, collect
from venvsmith.model.facts import BuiltTree
from venvsmith.target import open_target

EPOCH = "315532800"
SITE = "lib/python3.11/site-packages"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two layers, normalised as a build does it, the second over the first."""
    venv = tmp_path / "root" / "venv"
    site = venv / SITE
    site.mkdir(parents=True)
    (venv / "bin").mkdir()
    (venv / "bin" / "python").symlink_to("/usr/bin/python3.11")
    (venv / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.11.2\n")
    (site / "shared.py").write_text("X = 1\n")
    normalise(tmp_path / "root", "venv")
    (site / "shared.py").write_text("X = 2\n")
    (site / "späth mod.py").write_text("Y = 1\n")
    normalise(tmp_path / "root", "app.cpu")
    manifest = {"schema": "venvsmith/manifest/1", "layers": ["venv", "app.cpu"]}
    (venv / ".venvsmith" / "manifest.json").write_text(json.dumps(manifest))
    return tmp_path / "root"


def normalise(tree: Path, name: str) -> None:
    script = resources.files("venvsmith") / "steps" / "normalise.py"
    argv = [sys.executable, "-I", "-S", "-B", str(script), str(tree), EPOCH, "/venv", name]
    subprocess.run(argv, check=True, timeout=60)


def built(root: Path) -> BuiltTree:
    with open_target(f"rootfs:{root}") as opened:
        facts = collect(opened, CollectRequest(static=True))
    (env,) = facts.environments
    assert env.built is not None, facts.missing
    return env.built


def test_what_is_as_it_was_built_differs_in_nothing(root: Path) -> None:
    found = built(root)
    assert (found.problem, found.difference_count) == ("", 0)
    assert list(found.layers) == ["venv", "app.cpu"]
    normalise(root, "app.cpu")
    assert built(root).layers == found.layers


def test_every_kind_of_difference_is_named(root: Path) -> None:
    venv = root / "venv"
    (venv / SITE / "shared.py").write_text("X = 3\n")
    (venv / SITE / "späth mod.py").chmod(0o600)
    (venv / SITE / "__pycache__" / "shared.cpython-311.pyc").unlink()
    (venv / "share").mkdir()
    (venv / "share" / "new").write_text("")
    (venv / "bin" / "python").unlink()
    (venv / "bin" / "python").symlink_to("/usr/bin/python3.12")
    found = built(root)
    assert {each.path.removeprefix("/venv/"): each.kind for each in found.differences} == {
        "bin/python": "changed",
        f"{SITE}/__pycache__/shared.cpython-311.pyc": "removed",
        f"{SITE}/shared.py": "changed",
        f"{SITE}/späth mod.py": "mode",
        "share/new": "added",
    }
    assert found.difference_count == 5


def test_large_files_have_the_digest_of_their_record_where_that_can_be_theirs(root: Path) -> None:
    site = root / "venv" / SITE
    content = b"x" * 2_000_000
    (site / "told.so").write_bytes(content)
    (site / "grown.so").write_bytes(content)
    (site / "unread.so").write_bytes(content)
    (site / "a-1.dist-info").mkdir()
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
    other = base64.urlsafe_b64encode(bytes(32)).decode().rstrip("=")
    (site / "a-1.dist-info" / "RECORD").write_text(
        f"told.so,sha256={digest},2000000\ngrown.so,sha256={other},1999999\nunread.so,sha256=,\n"
    )
    normalise(root, "app.cpu")
    lines = (root / "venv" / ".venvsmith" / "tree" / "app.cpu.txt").read_text().splitlines()
    listed = {line.split(" ", 3)[3]: line.split(" ")[2] for line in lines}
    whole = {listed[f"{SITE}/{name}.so"] for name in ("told", "grown", "unread")}
    assert whole == {hashlib.sha256(content).hexdigest()[:32]}
    assert built(root).difference_count == 0


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, "the list of what layer app.cpu brought is missing"),
        ("f 644 0 x\n", "the list of layer app.cpu is damaged"),
        (f"f 644 {'0' * 32} ../etc/passwd\n", "the list of layer app.cpu leads out of the venv"),
    ],
)
def test_lists_that_cannot_be_believed_are_named(
    root: Path, text: str | None, problem: str
) -> None:
    path = root / "venv" / ".venvsmith" / "tree" / "app.cpu.txt"
    if text is None:
        path.unlink()
    else:
        path.write_text(text)
    assert built(root).problem == problem
