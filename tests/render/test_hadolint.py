"""Hadolint, which knows nothing of us, has nothing to say about the Dockerfiles we render.

(It cannot parse a quoted value that ends in a backslash; BuildKit can.)
"""

from __future__ import annotations

import json
import subprocess
import sysconfig
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from values import ASSETS, for_two, locks, project
from venvsmith.build.plans import make_plans, rendered
from venvsmith.config import load
from venvsmith.model.project import AptSource, Image, Project
from venvsmith.plan import plan_image
from venvsmith.render.dockerfile import emit_dockerfile

ROOT = Path(__file__).parents[2]
HADOLINT = Path(sysconfig.get_path("scripts")) / "hadolint"


def on(of: Project, **changes: object) -> Project:
    """The project with its base changed."""
    return replace(of, bases={"slim": replace(of.bases["slim"], **changes)})  # type: ignore[arg-type]


def values() -> Iterator[tuple[str, Project]]:
    """Projects that between them use every feature that shows in a Dockerfile."""
    plain = project()
    yield "plain", plain
    yield "pip", project(installer="pip")
    yield "two-platforms", for_two(plain)
    yield "two-platforms-pip", for_two(project(installer="pip"))
    source = AptSource(
        uri="https://apt.example.com", suite="stable", key_sha256="0" * 64, key="keys/a.asc"
    )
    yield "apt", on(plain, python="apt", apt_sources=(source,), env={"LANG": "C.UTF-8"})
    yield "uv-python", for_two(on(plain, python="uv"))
    yield "several-venvs", project(image={"venvs": {"/venvs/a": "asr", "/venvs/b": "torch"}})
    everything = {"env": {"A": '1 "$2'}, "labels": {"org.a": "b c"}, "cmd": ("a b",), "user": 0}
    yield "settings", project(image=everything)
    yield "few-settings", project(image={"user": None, "workdir": None, "copy": ()})
    base = Image(name="base", venvs={"/venv": "torch"}, variants=("cuda",), user=7)
    child = replace(plain.images["asr"], parents={"cuda": "base"}, user=None, entrypoint=None)
    yield "from", replace(plain, images={"base": base, "asr": child})


def verdict(*dockerfiles: Path) -> list[str]:
    argv = [str(HADOLINT), "--no-color", "--format", "json", *map(str, dockerfiles)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout, done.stderr
    found = json.loads(done.stdout)
    return [f"{Path(f['file']).name}:{f['line']} {f['code']} {f['message']}" for f in found]


def test_it_has_nothing_to_say_about_any_feature(tmp_path: Path) -> None:
    files = []
    for name, of in values():
        made = plan_image(of, locks(of), ASSETS, image="asr", variant="cuda")
        text = emit_dockerfile(made, path="Dockerfile", config="venvsmith.toml", pins={})
        files.append(tmp_path / f"Dockerfile.{name}")
        files[-1].write_text(text)
    assert verdict(*files) == []


@pytest.mark.parametrize(
    "config",
    [p for p in sorted(ROOT.glob("examples/*/venvsmith.toml")) if (p.parent / "locks").is_dir()]
    + [ROOT / "venvsmith.toml"],
    ids=lambda path: path.parent.name,
)
def test_it_has_nothing_to_say_about_an_example(config: Path, tmp_path: Path) -> None:
    of = load(config)
    files = []
    for path, data in rendered(of, make_plans(of)).items():
        if path.name.startswith("Dockerfile.") and path.suffix != ".dockerignore" and data:
            files.append(tmp_path / path.name)
            files[-1].write_bytes(data)
    assert files
    assert verdict(*files) == []


def test_it_does_speak_where_something_is_wrong(tmp_path: Path) -> None:
    wrong = tmp_path / "Dockerfile.wrong"
    wrong.write_text("FROM python\n")
    assert [line.split()[1] for line in verdict(wrong)] == ["DL3006"]
