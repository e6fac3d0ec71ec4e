"""`source`, for real: two own projects in one chain, through both engines."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from engines import ca_options, change, docker, layers, tree_of_folder, tree_of_image, venvsmith

OWN = Path(__file__).parents[1] / "families" / "own"
SITE = "/venv/lib/python3.11/site-packages"
pytestmark = [pytest.mark.engine, pytest.mark.network]


@pytest.fixture
def own(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A copy of the family, and the name of its image."""
    folder = tmp_path / "own"
    shutil.copytree(OWN, folder, ignore=shutil.ignore_patterns("docker", ".venvsmith"))
    name = f"vs-{hashlib.sha256(str(tmp_path).encode()).hexdigest()[:8]}"
    change(folder, r"\[images\.own\]", f"[images.{name}]")
    # What lies around in a project and belongs into no build of it.
    for junk in (".git/config", ".venv/pyvenv.cfg", "env/pyvenv.cfg", "build/lib/x.py", ".env"):
        (folder / junk).parent.mkdir(parents=True, exist_ok=True)
        (folder / junk).write_text("junk")
    yield folder, f"{name}:cpu"
    subprocess.run(["docker", "image", "rm", "-f", f"{name}:cpu"], capture_output=True, check=False)


def test_a_change_of_code_changes_its_own_layer_alone(own: tuple[Path, str]) -> None:
    folder, image = own
    venvsmith(folder, "build", *ca_options())
    before = layers(image)
    assert docker("run", "--rm", image).strip() == "app on core 1.5.0.dev1"
    manifest = docker("run", "--rm", "--entrypoint", "cat", image, "/venv/.venvsmith/manifest.json")
    pins = json.loads(manifest)["pins"]
    assert (pins["acme-core"], pins["acme-app"]) == ("1.5.0.dev1", "2.0")

    # On this machine: the same bytes, and nothing that tells where or when they were made.
    venvsmith(folder, "build", "--engine", "local", *ca_options())
    root = folder / ".venvsmith" / "local" / image.replace(":", ".") / "root"
    assert tree_of_folder(root / "venv") == tree_of_image(image, "/venv")
    written = {path.name for path in (root / SITE.lstrip("/")).glob("acme_*.dist-info/*")}
    assert not written & {"direct_url.json", "uv_cache.json"}
    taken = set(re.findall(r"(\S+),sha256", (root / SITE.lstrip("/") / _record(root)).read_text()))
    assert {name for name in taken if not name.startswith("acme_app")} == {"../../../bin/acme-app"}

    # From nothing, with other times and modes: the same layers.
    code = folder / "src" / "acme_app" / "__init__.py"
    os.utime(code, (1, 1))
    code.chmod(0o600)
    venvsmith(folder, "build", "--no-verify", "--no-cache", *ca_options())
    assert layers(image) == before

    code.write_text(code.read_text().replace("app on core", "new app on core"))
    venvsmith(folder, "lock", "--check", "--offline")
    venvsmith(folder, "render", "--check")
    venvsmith(folder, "build", *ca_options())
    assert docker("run", "--rm", image).strip() == "new app on core 1.5.0.dev1"
    after = layers(image)
    # After it comes the manifest alone, which says the same as before.
    assert [n for n, old in enumerate(before) if after[n] != old] == [len(before) - 2]


def _record(root: Path) -> str:
    (info,) = (root / SITE.lstrip("/")).glob("acme_app-*.dist-info")
    return f"{info.name}/RECORD"


def test_a_project_that_does_not_build_is_told_in_its_own_words(own: tuple[Path, str]) -> None:
    folder, _ = own
    (folder / "setup.py").write_text("raise SystemExit('no such luck')\n")
    for engine in ("docker", "local"):
        told = venvsmith(folder, "build", "--engine", engine, *ca_options(), code=1)
        assert told.splitlines()[-1].endswith("cpu: step wheel:app: failed: no such luck")
