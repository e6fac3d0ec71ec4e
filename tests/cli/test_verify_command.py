"""``venvsmith verify`` and ``explain`` as a user calls them, on real venvs of this machine."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from venvsmith.config import load
from venvsmith.errors import UsageError
from venvsmith.files import locked
from venvsmith.lock import emit_lock
from venvsmith.lock.inputs import lock_inputs
from venvsmith.model.expected import Expected
from venvsmith.model.facts import Facts, System, Target
from venvsmith.model.lock import Lock, Pin
from venvsmith.verify import judge

if TYPE_CHECKING:
    from pathlib import Path


def venvsmith(*argv: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "venvsmith", *argv],
        capture_output=True, text=True, timeout=120, check=False, cwd=cwd,
    )  # fmt: skip


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an empty venv with one hand-made package: no index is needed."""
    folder = tmp_path_factory.mktemp("verify") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    minor = f"{sys.version_info[0]}.{sys.version_info[1]}"
    site = folder / "lib" / f"python{minor}" / "site-packages"
    info = site / "tiny-1.0.dist-info"
    info.mkdir()
    (site / "tiny.py").write_text("ANSWER = 42\n")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
    (info / "RECORD").write_text("tiny.py,,\ntiny-1.0.dist-info/METADATA,,\n")
    return folder


def test_a_healthy_venv_passes(venv: Path) -> None:
    done = venvsmith("verify", f"venv:{venv}", "--import", "tiny", "--command", "python -V")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASS  nothing is wrong, 100 % of what is expected works" in done.stdout


def test_what_was_asked_for_and_is_absent_fails_with_its_name(venv: Path, tmp_path: Path) -> None:
    lock = tmp_path / "lock.txt"
    address = "git+https://git.example.com/foo"
    lock.write_text(f"tiny==1.0 \\\n    --hash=sha256:00\nother==2.0\nfoo @ {address}\n")
    output = tmp_path / "report.json"
    done = venvsmith(
        "verify", f"venv:{venv}", "--lock", str(lock), "--format", "json", "--output", str(output)
    )
    report = json.loads(output.read_text())
    assert (done.returncode, report["verdict"], report["score"]) == (1, "fail", 33)
    told = [(f["rule"], f["subject"]) for f in report["findings"]]
    assert told == [("dist-missing", "foo"), ("dist-missing", "other")]


def test_a_lock_that_says_more_than_pins_is_held_against_what_applies(
    venv: Path, tmp_path: Path
) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text("-r more.txt\n-e .\ncolorama==0.4.6 ; sys_platform == 'win32'\n")
    (tmp_path / "more.txt").write_text("tiny==1.0\n")
    done = venvsmith("verify", f"venv:{venv}", "--lock", str(lock), "--format", "json")
    report = json.loads(done.stdout)
    assert (done.returncode, report["findings"], report["score"]) == (0, [], 100)
    line = f"{lock}:2: '-e .'"
    told = {each["reason"]: each["subject"] for each in report["checks"]["skipped"]}
    assert told[f"{line} names no distribution to look for"] == line
    (tmp_path / "more.txt").unlink()
    gone = venvsmith("verify", f"venv:{venv}", "--lock", str(lock))
    assert (gone.returncode, gone.stderr.count("\n")) == (2, 1)
    assert "more.txt" in gone.stderr


def test_a_command_that_is_no_program_is_no_package_to_install(venv: Path) -> None:
    done = venvsmith(
        "verify", f"venv:{venv}", "--command", "nope --help", "--command", "cd /tmp",
        "--format", "json",
    )  # fmt: skip
    found = {f["subject"]: f for f in json.loads(done.stdout)["findings"]}
    assert {f["rule"] for f in found.values()} == {"command-failed"}
    assert found["nope --help"]["message"] == "nope --help is not found on this machine's PATH."
    assert found["nope --help"]["fix"] == "Install what brings nope, or mend the command's name"
    assert found["cd /tmp"]["fix"] == "Ask a shell: sh -c 'cd /tmp'"


def test_static_leaves_what_was_asked_for_open(venv: Path) -> None:
    done = venvsmith("verify", f"venv:{venv}", "--static", "--import", "tiny", "--format", "json")
    report = json.loads(done.stdout)
    assert (done.returncode, report["verdict"]) == (5, "inconclusive")
    left = [each for each in report["checks"]["skipped"] if each["rule"] == "import-failed"]
    assert [(each["asked"], each["subject"]) for each in left] == [(True, "tiny"), (False, "")]
    assert left[0]["reason"].partition(":")[0] == "tiny was not imported"
    assert venvsmith("verify", f"venv:{venv}", "--static").returncode == 0


def test_a_command_has_all_the_time_that_the_others_leave_it(venv: Path) -> None:
    shared = ("verify", f"venv:{venv}", "--format", "json", "--command", "true")
    long = venvsmith(*shared, "--timeout", "9", "--command", "sleep 5")
    assert (long.returncode, json.loads(long.stdout)["score"]) == (0, 100)
    endless = venvsmith(*shared, "--timeout", "4", "--command", "sleep 600")
    report = json.loads(endless.stdout)
    assert (endless.returncode, report["score"]) == (1, 50)
    assert [(each["rule"], each["subject"]) for each in report["findings"]] == [
        ("command-failed", "sleep 600")
    ]


def test_an_ignored_rule_needs_a_name_that_exists_and_a_reason(venv: Path, tmp_path: Path) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text("tiny==1.1\n")
    judged = ("verify", f"venv:{venv}", "--lock", str(lock))
    assert venvsmith(*judged).returncode == 1
    assert venvsmith(*judged, "--ignore", "version-drift=ours").returncode == 0
    assert venvsmith(*judged, "--ignore", "VS203=ours").returncode == 0
    unnamed = venvsmith(*judged, "--ignore", "version-drift")
    assert (unnamed.returncode, unnamed.stderr.count("\n")) == (2, 1)
    assert (
        "did you mean 'version-drift'?" in venvsmith(*judged, "--ignore", "version-drif=x").stderr
    )


PROJECT = """
[project]
name = "tiny"
python = "3.11"
[bases.slim]
image = "python:3.11-slim"
[variants.cpu]
base = "slim"
platforms = ["linux/amd64"]
[stages.app]
requires = ["tiny"]
imports = ["tiny"]
"""


def write_locks(folder: Path, *versions: str) -> None:
    """Write the locks of `PROJECT`'s stage, as they are made, each with a version of its own."""
    project = load(folder / "venvsmith.toml")
    (folder / "locks").mkdir(exist_ok=True)
    for key, version in zip(project.lock_keys(), versions, strict=True):
        pins = (Pin(name="tiny", version=version, hashes=(f"sha256:{'0' * 64}",)),)
        lock = Lock(
            key=key, resolver="uv 1", inputs=lock_inputs(project, key, {}).digest(pins), pins=pins
        )
        (folder / "locks" / key.filename).write_text(emit_lock(lock))


@pytest.mark.parametrize("ref", ["venv:../venv", "../venv"])
def test_a_stage_is_looked_for_in_the_venv_that_a_relative_path_names(ref: str, venv: Path) -> None:
    project = venv.parent / "project"
    project.mkdir(exist_ok=True)
    (project / "venvsmith.toml").write_text(PROJECT)
    write_locks(project, "1.0")
    done = venvsmith("verify", ref, "--stage", "app", cwd=project)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_lock_that_the_configuration_has_left_behind_judges_nothing(
    venv: Path, tmp_path: Path
) -> None:
    (tmp_path / "venvsmith.toml").write_text(PROJECT)
    write_locks(tmp_path, "1.0")
    (tmp_path / "venvsmith.toml").write_text(PROJECT.replace('["tiny"]', '["tiny==2.0"]', 1))
    done = venvsmith("verify", f"venv:{venv}", "--stage", "app", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "venvsmith: drift: locks/app.cpu.txt: stage 'app' asks for tiny==2.0, and it has 1.0;"
        " run 'venvsmith lock'\n"
    )


def test_a_lock_that_does_not_hold_what_its_parents_has_judges_nothing(
    venv: Path, tmp_path: Path
) -> None:
    (tmp_path / "venvsmith.toml").write_text(f'{PROJECT}\n[stages.more]\nextends = "app"\n')
    write_locks(tmp_path, "1.0", "2.0")
    done = venvsmith("verify", f"venv:{venv}", "--stage", "more", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("venvsmith: drift: locks/more.cpu.txt: ")


def test_a_stage_is_judged_whatever_other_stages_lack_and_other_runs_write(
    venv: Path, tmp_path: Path
) -> None:
    other = '\n[stages.other]\nrequires-file = ["gone.txt"]\n'
    (tmp_path / "venvsmith.toml").write_text(PROJECT)
    write_locks(tmp_path, "1.0")
    (tmp_path / "venvsmith.toml").write_text(PROJECT + other)
    with locked(tmp_path):
        done = venvsmith("verify", f"venv:{venv}", "--stage", "app", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_stage_of_several_platforms_is_judged_by_the_targets_own(
    venv: Path, tmp_path: Path
) -> None:
    platforms = {"aarch64": "arm64", "x86_64": "amd64"}
    here = platforms.pop(platform.machine())
    other = next(iter(platforms.values()))
    both = f'"linux/{other}", "linux/{here}"'
    (tmp_path / "venvsmith.toml").write_text(PROJECT.replace('"linux/amd64"', both))
    write_locks(tmp_path, "2.0", "1.0")
    done = venvsmith(
        "verify", f"venv:{venv}", "--stage", "app", "--sbom", "x.json", "--format", "json",
        cwd=tmp_path,
    )  # fmt: skip
    report = json.loads(done.stdout)
    assert (report["verdict"], report["findings"]) == ("pass", [])
    assert [p["locked"] for p in report["environments"][0]["packages"]] == ["1.0"]
    assert "0" * 64 in (tmp_path / "x.json").read_text()


def test_a_target_for_a_machine_that_no_lock_is_for_is_refused() -> None:
    facts = Facts(target=Target(kind="venv", ref="/x"), system=System(machine="riscv64"))
    both = [Expected(machine="x86_64"), Expected(machine="aarch64")]
    with pytest.raises(UsageError, match="is for riscv64, and there are locks for x86_64 and"):
        judge(facts, expectations=both)


def test_explain_prints_a_page_by_name_and_by_code() -> None:
    page = venvsmith("explain", "interpreter-dangling").stdout
    assert page.startswith("# interpreter-dangling (VS301)\n")
    assert venvsmith("explain", "vs301").stdout == page
    assert "interpreter-dangling" in venvsmith("explain").stdout
    missing = venvsmith("explain", "interpreter-danglin")
    assert missing.returncode == 2
    assert "did you mean 'interpreter-dangling'?" in missing.stderr


def test_a_target_that_does_not_exist_is_a_usage_error(tmp_path: Path) -> None:
    done = venvsmith("verify", f"venv:{tmp_path}/none")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
