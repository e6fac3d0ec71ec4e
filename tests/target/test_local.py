"""Root folders of this machine: which of them may run something here, and what."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from venvsmith.collect import CollectRequest, collect
from venvsmith.errors import UnsafeInputError
from venvsmith.model.expected import Expected
from venvsmith.model.facts import Facts
from venvsmith.sandbox import find_sandbox
from venvsmith.target import open_target
from venvsmith.verify import Options, examine

MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"


def root_folder(parent: Path, *, final: bool = True, **manifest: Any) -> Path:
    """Leave what the local engine would: a venv that holds a module, and a manifest beside it."""
    root = parent / "root"
    venv = root / "venv"
    site = venv / "lib" / f"python{MINOR}" / "site-packages"
    site.mkdir(parents=True)
    (venv / "bin").mkdir()
    (venv / "bin" / "python").symlink_to(os.path.realpath(sys.executable))
    (venv / "pyvenv.cfg").write_text(f"home = {sys.base_prefix}/bin\nversion = {MINOR}.0\n")
    (site / "mine.py").write_text("")
    seen = "/venv" if final else str(venv)
    content = {
        "schema": "venvsmith/local/1",
        "host": {"python": sys.executable, "version": f"{MINOR}.0"},
        "final_path": final,
        "venvs": [seen],
        "seen_at": [seen],
        "config": {},
        **manifest,
    }
    (parent / "manifest.json").write_text(json.dumps(content))
    return root


def local(project: Path, name: str = "app.cpu") -> Path:
    return project / ".venvsmith" / "local" / name


def facts_of(root: Path, *, project: Path | None) -> Facts:
    with open_target(f"rootfs:{root}", project=project) as opened:
        return collect(opened, CollectRequest(imports={"": ("mine",)}))


def statuses(facts: Facts) -> list[str]:
    return [result.status for env in facts.environments for result in env.imports]


@pytest.mark.parametrize("final", [True, False])
def test_what_the_projects_own_local_engine_left_is_run(*, final: bool, tmp_path: Path) -> None:
    if final and find_sandbox() is None:
        pytest.skip("no sandbox works here")
    root = root_folder(local(tmp_path), final=final)
    assert statuses(facts_of(root, project=tmp_path)) == ["ok"]


@pytest.mark.parametrize("final", [True, False])
@pytest.mark.parametrize("where", ["elsewhere", "project/.venvsmith/local/a/deep"])
def test_another_root_folder_is_read_and_names_no_program_that_runs(
    *, where: str, final: bool, tmp_path: Path
) -> None:
    hostile = tmp_path / "hostile"
    ran = tmp_path / "ran"
    hostile.write_text(f"#!/bin/sh\ntouch {ran}\n")
    hostile.chmod(0o755)
    host = {"python": str(hostile), "version": f"{MINOR}.0"}
    root = root_folder(tmp_path / where, final=final, host=host)
    venv = root / "venv"
    (venv / "bin" / "python").unlink()
    (venv / "bin" / "python").symlink_to(hostile)
    facts = facts_of(root, project=tmp_path / "project")
    assert not ran.exists()
    assert [env.path for env in facts.environments] == ["/venv" if final else str(venv)]
    assert statuses(facts) == []
    (why,) = {missing.reason for missing in facts.missing if missing.what == "runs"}
    assert why.startswith("a root folder is read, and run only where the local engine")


def test_without_a_project_a_root_folder_is_judged_by_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    root = root_folder(local(tmp_path), config={"user": "1001"})
    (tmp_path / "closed").mkdir(0o700)
    (tmp_path / "closed" / "python").symlink_to(os.path.realpath(sys.executable))
    (root / "venv" / "bin" / "python").unlink()
    (root / "venv" / "bin" / "python").symlink_to(tmp_path / "closed" / "python")
    options = Options(asked=Expected(imports=("mine",)))
    facts, report = examine(f"rootfs:{root}", options=options)
    assert statuses(facts) == []
    assert (report.verdict, report.findings) == ("inconclusive", ())


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may chown")
@pytest.mark.parametrize("which", ["", "manifest.json", "root"])
def test_what_another_user_owns_is_read_not_run(which: str, tmp_path: Path) -> None:
    root = root_folder(local(tmp_path))
    os.chown(local(tmp_path) / which, 12345, 12345)
    facts = facts_of(root, project=tmp_path)
    assert statuses(facts) == []
    assert {m.reason for m in facts.missing if m.what == "runs"} == {
        "another user owns this root folder: it is read, not run"
    }


@pytest.mark.parametrize("path", ["/", "data", "/venv/../../../../etc", "//venv", "/out/x", "/out"])
@pytest.mark.parametrize("key", ["venvs", "seen_at"])
def test_a_manifest_that_leads_out_of_its_folder_is_refused(
    key: str, path: str, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    root = root_folder(
        local(tmp_path), venvs=[path] if key == "venvs" else ["/venv"], seen_at=[path]
    )
    (root / "out").symlink_to(outside)
    with pytest.raises(UnsafeInputError, match="leads out of the folder"):
        open_target(f"rootfs:{root}", project=tmp_path)


def test_one_that_knows_another_place_is_refused(tmp_path: Path) -> None:
    root = root_folder(local(tmp_path), final=False, venvs=["/opt/venv"])
    with pytest.raises(UnsafeInputError, match="built to stay at another place: /opt/venv"):
        open_target(f"rootfs:{root}", project=tmp_path)


@pytest.mark.parametrize("text", ['[{"Config": "a.json"}]', '{"schema": "other/1"}'])
def test_a_manifest_of_another_tool_beside_a_root_folder_counts_nothing(
    text: str, tmp_path: Path
) -> None:
    root = root_folder(tmp_path)
    (tmp_path / "manifest.json").write_text(text)
    with open_target(f"rootfs:{root}") as opened:
        assert opened.placement.why_not == "a root folder is read, not run"
