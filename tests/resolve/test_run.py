"""A run writes all or nothing, changes as little as it can, and lets no machine leak in."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version as resolver_version
from threading import Event, Thread
from typing import TYPE_CHECKING

import pytest

from resolve.workshop import write_wheel
from venvsmith.errors import ConfigError, JudgedError, SurroundingsError, UsageError
from venvsmith.resolve import LockOptions, check_offered, check_project, lock_project
from waiting import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

    from resolve.workshop import LocalIndex, Workshop

NOWHERE = "http://user:s3cret@127.0.0.1:9/simple"


@pytest.fixture
def two(index: LocalIndex, workshop: Workshop) -> Workshop:
    """A locked family of two stages."""
    index.add("lib", "1")
    index.add("left", "1", "lib")
    workshop.stage("base", "lib").stage("a", "left", extends="base").lock()
    return workshop


def test_unchanged_inputs_rewrite_nothing_and_need_no_network(
    two: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", NOWHERE)
    path = two.root / "locks/a.cpu.txt"
    before = two.files(), path.stat().st_mtime_ns
    assert two.lock().changed == ()
    assert (two.files(), path.stat().st_mtime_ns) == before
    assert check_project(two.project(), LockOptions()) == ()


def test_same_inputs_give_the_same_bytes(two: Workshop, tmp_path: Path) -> None:
    before = two.files()
    for path in (two.root / "locks").iterdir():
        path.unlink()
    two.lock()
    assert two.files() == before
    assert not any(str(tmp_path).encode() in text for text in before.values())


def test_locked_versions_stay_until_an_upgrade(index: LocalIndex, two: Workshop) -> None:
    for name in ("lib", "left", "new"):
        index.add(name, "2")
    two.stage("b", "new", extends="base").lock()
    assert two.pins("base.cpu") == {"lib": "1"}

    report = two.lock(upgrade_packages=("Left",))
    assert two.pins("a.cpu") == {"left": "2", "lib": "1"}
    moved = {change.path.name: change.moved for change in report.changed}
    assert moved == {"a.cpu.txt": (("left", "1", "2"),)}

    two.lock(upgrade=True)
    assert two.pins("base.cpu") == {"lib": "2"}
    assert two.pins("b.cpu") == {"lib": "2", "new": "2"}


def test_release_that_gained_files_keeps_its_locked_hashes(
    index: LocalIndex, two: Workshop
) -> None:
    before = two.files()["base.cpu.txt"]
    index.add("lib", "1", tag="py3-none-manylinux_2_28_aarch64")
    index.add("new", "1")
    two.stage("b", "new", extends="base").lock()
    assert two.files()["base.cpu.txt"] == before


def test_removed_stage_takes_its_lock_along_and_strangers_stay(two: Workshop) -> None:
    stranger = two.root / "locks/notes.txt"
    stranger.write_text("mine\n")
    del two.stages["a"]
    drift = check_project(two.project(), LockOptions())
    assert [item.file for item in drift] == ["a.cpu.txt"]
    two.lock()
    assert set(two.files()) == {"base.cpu.txt", "notes.txt", "sizes.json", "tools.txt"}


def test_one_family_that_fails_leaves_all_as_they_were(two: Workshop, index: LocalIndex) -> None:
    before = two.files()
    index.add("other", "1")
    two.stage("fine", "other").stage("broken", "no-such-distribution")
    with pytest.raises(JudgedError, match="no-such-distribution was not found"):
        two.lock()
    assert two.files() == before


def test_one_family_that_fails_ends_the_others(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, over = Event(), Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if "slow" in self.path:
                slow.set()
                over.wait(PATIENCE)
            elif "gone" in self.path:
                slow.wait(PATIENCE)
            self.send_error(404)

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://127.0.0.1:{server.server_port}/simple")
        monkeypatch.setenv("UV_HTTP_TIMEOUT", "300")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        try:
            with pytest.raises(JudgedError, match=r"stage 'second' .* cannot be resolved"):
                workshop.stage("first", "slow").stage("second", "gone").lock()
        finally:
            over.set()
            server.shutdown()


def test_drift_is_told_in_words(two: Workshop) -> None:
    two.stage("a", "left>=2", "more", extends="base")
    reasons = [item.reason for item in check_project(two.project(), LockOptions())]
    assert reasons == [
        "stage 'a' asks for left>=2, and it has 1; stage 'a' asks for more, which is not in it"
    ]


def test_lock_edited_by_hand_is_drift(two: Workshop) -> None:
    path = two.root / "locks/base.cpu.txt"
    path.write_text(path.read_text().replace("lib==1", "lib==3"))
    files = [item.file for item in check_project(two.project(), LockOptions())]
    assert set(files) == {"base.cpu.txt", "a.cpu.txt"}


def test_selection_is_by_family_and_variant(index: LocalIndex, workshop: Workshop) -> None:
    index.add("lib", "1")
    workshop.variant("cpu", "amd64").variant("gpu", "amd64")
    workshop.stage("base", "lib", variants="cpu gpu").stage("other", "lib", variants="cpu gpu")
    workshop.stage("a", "lib", extends="base", variants="cpu gpu")
    workshop.lock(stages=("a",), variants=("gpu",))
    assert set(workshop.files()) == {"a.gpu.txt", "base.gpu.txt", "sizes.json", "tools.txt"}
    with pytest.raises(UsageError, match="no stage 'bass'") as caught:
        workshop.lock(stages=("bass",))
    assert caught.value.hint == "did you mean 'base'?"


def test_settings_of_the_machine_change_no_byte(
    index: LocalIndex, workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.add("lib", "1")
    index.add("lib", "2")
    index.add("lib", "3rc1")
    index.add("left", "1", "lib")
    workshop.stage("base", "lib").stage("app", "left", extends="base").lock()
    plain = workshop.files()
    assert workshop.pins("app.cpu") == {"left": "1", "lib": "2"}

    stray = type(index)(folder=tmp_path / "stray")
    for version in ("2", "9"):
        stray.add("lib", version, "stranger")
    wheels = stray.folder / "simple/lib"
    lines = tmp_path / "lines.txt"
    lines.write_text("lib==1\n")
    for name, value in {
        "PIP_FIND_LINKS": str(wheels),
        "UV_FIND_LINKS": str(wheels),
        "UV_INDEX": stray.url,
        "UV_EXTRA_INDEX_URL": stray.url,
        "PIP_EXTRA_INDEX_URL": stray.url,
        "UV_CONSTRAINT": str(lines),
        "UV_OVERRIDE": str(lines),
        "UV_EXCLUDE": str(lines),
        "PIP_CONSTRAINT": str(lines),
        "UV_PRERELEASE": "allow",
        "UV_RESOLUTION": "lowest",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_TORCH_BACKEND": "cu128",
        "UV_EXCLUDE_NEWER": "2020-01-01",
        "UV_NO_INDEX": "1",
        "UV_OFFLINE": "1",
        "UV_PYTHON": "3.99",
        "UV_NO_BINARY": "1",
        "UV_CONFIG_FILE": str(tmp_path / "uv.toml"),
        "UV_WORKING_DIR": str(tmp_path),
        "UV_PROJECT": str(tmp_path),
        "VIRTUAL_ENV": str(tmp_path),
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
    }.items():
        monkeypatch.setenv(name, value)
    pip_conf = f"[global]\nextra-index-url = {stray.url}\nfind-links = {wheels}\npre = true\n"
    uv_toml = f'find-links = ["{wheels}"]\nresolution = "lowest"\n[pip]\nno-index = true\n'
    for file, text in {
        "config/pip/pip.conf": pip_conf,
        ".pip/pip.conf": pip_conf,
        "config/uv/uv.toml": uv_toml,
        "uv.toml": uv_toml,
        "project/uv.toml": uv_toml,
        "project/pyproject.toml": f"[tool.uv]\nfind-links = ['{wheels}']\n",
    }.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text)
    for path in (workshop.root / "locks").iterdir():
        path.unlink()
    workshop.lock()
    assert workshop.files() == plain


def test_find_links_of_the_configuration_count(
    index: LocalIndex, workshop: Workshop, tmp_path: Path
) -> None:
    index.add("lib", "1")
    own = type(index)(folder=workshop.root / "wheels")
    own.add("lib", "2")
    workshop.variant("cpu", "amd64", find_links=("wheels/simple/lib",))
    workshop.stage("base", "lib").lock()
    assert workshop.pins("base.cpu") == {"lib": "2"}


@pytest.mark.parametrize("kind", ["folder", "index"])
def test_what_a_listing_without_hashes_offers_is_in_step_until_it_goes(
    index: LocalIndex, workshop: Workshop, tmp_path: Path, kind: str
) -> None:
    index.add("lib", "1")
    page = tmp_path / "bare" / "solo"
    page.mkdir(parents=True)
    wheel = page / "solo-1-py3-none-any.whl"
    write_wheel(wheel, name="solo", version="1", requires=())
    (page / "index.html").write_text(f'<a href="{wheel.name}">solo</a>')
    if kind == "folder":
        workshop.variant("cpu", "amd64", find_links=(str(page),))
    else:
        workshop.route("bare", page.parent.as_uri(), "solo")
    workshop.stage("base", "lib", "solo").lock()
    assert check_offered(workshop.project(), LockOptions()) == ()
    # A listing with hashes tells of a file that is another one by now, beside one that cannot.
    write_wheel(index.folder / "simple/lib/lib-1-py3-none-any.whl", name="lib", version="1",
                requires=("solo",))  # fmt: skip
    index.list("lib")
    (changed,) = check_offered(workshop.project(), LockOptions())
    assert changed.reason.startswith("lib==1: 1 of its 1 locked files were removed or replaced")
    wheel.unlink()
    (page / "index.html").write_text("")
    assert "solo==1 is offered no longer" in {
        drift.reason for drift in check_offered(workshop.project(), LockOptions())
    }


def test_releases_after_the_day_are_passed_over_in_any_time_zone(
    index: LocalIndex, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version, day in (("1", "2026-10-31"), ("2", "2026-11-01"), ("3", "2026-11-02")):
        index.add("lib", version, day=day)
    index.add("uv", resolver_version("uv"), day="2026-11-20")
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    workshop.stage("base", "lib")
    lock_project(replace(workshop.project(), exclude_newer="2026-11-01"), LockOptions())
    assert workshop.pins("base.cpu") == {"lib": "2"}


def test_mirror_of_pips_own_configuration_is_honoured(
    index: LocalIndex, workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.add("lib", "1")
    (tmp_path / "pip.conf").write_text(f"[global]\nindex-url = {index.url}\n")
    monkeypatch.delenv("UV_DEFAULT_INDEX")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    workshop.stage("base", "lib").lock()
    assert workshop.pins("base.cpu") == {"lib": "1"}


def test_index_that_is_down_is_worth_a_retry_and_told_without_its_password(
    index: LocalIndex, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", NOWHERE)
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    start = time.monotonic()
    with pytest.raises(SurroundingsError) as caught:
        workshop.stage("base", "lib").lock()
    line = caught.value.lines()[0]
    assert caught.value.code == "index-unreachable"
    assert "127.0.0.1:9" in line
    assert "s3cret" not in line
    assert time.monotonic() - start < 30


def test_offline_uses_the_cache_and_says_what_it_lacks(
    index: LocalIndex, workshop: Workshop
) -> None:
    workshop.stage("base", "pytest-never-fetched")
    with pytest.raises((SurroundingsError, JudgedError)) as caught:
        workshop.lock(offline=True)
    assert "pytest-never-fetched" in caught.value.message


def test_lock_installs_with_hashes(two: Workshop, index: LocalIndex, tmp_path: Path) -> None:
    target = tmp_path / "target"
    subprocess.run(
        [
            *(sys.executable, "-m", "uv", "pip", "install", "--no-config", "--require-hashes"),
            *("--no-build", "--no-deps", "--index-url", index.url, "--target", str(target)),
            *("-r", str(two.root / "locks/a.cpu.txt")),
        ],
        check=True,
        capture_output=True,
    )
    assert (target / "left.py").read_text() == "VERSION = '1'\n"
    assert (target / "lib.py").exists()


def test_requirements_file_and_group_and_source_are_locked(
    index: LocalIndex, workshop: Workshop
) -> None:
    for name in ("one", "two", "three", "four"):
        index.add(name, "1")
    index.add("setuptools", "80")
    root = workshop.root
    (root / "more.txt").write_text("two  # why\n")
    (root / "base.txt").write_text("one==1 --hash=sha256:00\n-r more.txt\n")
    (root / "pyproject.toml").write_text(
        '[project]\nname = "own"\nversion = "1"\ndependencies = ["four"]\n'
        '[dependency-groups]\nextra = ["three"]\nall = [{ include-group = "extra" }]\n'
    )
    workshop.stage("base")
    workshop.stages["base"] = replace(
        workshop.stages["base"], requires_file=("base.txt", "pyproject.toml:all"), source="."
    )
    workshop.lock()
    assert list(workshop.pins("base.cpu")) == ["four", "one", "three", "two"]

    (root / "base.txt").write_text("--index-url https://wheels.example.com\n")
    (root / "pyproject.toml").write_text("[dependency-groups]\nother = []\n")
    with pytest.raises(ConfigError) as caught:
        workshop.lock()
    assert [key for key, _ in caught.value.problems] == [
        "stages.base.requires-file[0]",
        "stages.base.requires-file[1]",
        "stages.base.source",
    ]
