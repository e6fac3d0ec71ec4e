"""`verify bundle:` on real frozen applications, whole and broken."""

from __future__ import annotations

import platform
import shutil
import sys
import time
import zlib
from pathlib import Path

import pytest

from frozen_archives import Archive, Pyz, code
from venvsmith.errors import UnsafeInputError, UsageError
from venvsmith.model.expected import Expected
from venvsmith.model.finding import Report
from venvsmith.verify import Options, examine


def judged(path: Path, *, imports: tuple[str, ...] = (), commands: tuple[str, ...] = ()) -> Report:
    asked = Expected(imports=imports, commands=tuple(tuple(c.split(" ")) for c in commands))
    return examine(f"bundle:{path}", options=Options(asked=asked, timeout=60))[1]


def told(report: Report) -> list[str]:
    return [f"{f.rule} {f.subject}" for f in report.findings if f.severity == "error"]


@pytest.mark.parametrize("form", ["whole", "one"])
def test_a_bundle_that_works_is_asked_through_its_own_entry_and_passes(
    frozen: Path, form: str
) -> None:
    report = judged(frozen / form, imports=("alpha", "click"), commands=("APP",))
    assert (report.verdict, report.findings, report.score) == ("pass", (), 100)
    (environment,) = report.environments
    assert environment.python is not None
    assert environment.python.version == platform.python_version()
    assert "click" in {package.name for package in environment.packages}


def test_what_was_taken_away_is_told_without_running_anything(copy: Path) -> None:
    shutil.rmtree(copy / "_internal" / "alpha")
    shutil.rmtree(next((copy / "_internal").glob("click-*.dist-info")))
    _, report = examine(f"bundle:{copy}", options=Options(static=True))
    assert told(report) == ["bundle-data-missing settings.json", "bundle-metadata-missing click"]


def test_the_missing_part_explains_the_command_that_fails(copy: Path) -> None:
    shutil.rmtree(copy / "_internal" / "alpha")
    report = judged(copy, commands=("APP",))
    root, consequence = report.findings
    assert (root.rule, consequence.rule) == ("bundle-data-missing", "command-failed")
    assert (root.explains, consequence.root) == ((1,), False)


def test_an_excluded_module_is_named_with_the_way_to_it(frozen: Path) -> None:
    report = judged(frozen / "cut", imports=("alpha",), commands=("APP",))
    root, *others = report.findings
    assert (root.rule, root.subject) == ("bundle-module-missing", "alpha.beta")
    assert "app -> alpha -> alpha.beta" in root.cause
    assert {f.rule for f in others} == {"import-failed", "command-failed"}
    assert root.explains == (1, 2)


def test_a_native_library_that_was_removed_is_named(copy: Path) -> None:
    (removed,) = (copy / "_internal").glob("libssl.so*")
    removed.unlink()
    (finding,) = judged(copy).findings
    assert (finding.rule, finding.subject) == ("bundle-native-missing", removed.name)


def test_a_frozen_application_is_no_interpreter(frozen: Path) -> None:
    report = judged(frozen / "whole", commands=("APP -c pass",))
    assert told(report) == ["bundle-not-an-interpreter APP -c"]


def test_a_bundle_named_from_its_own_folder_starts_itself(
    frozen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not another program of its name that lies on PATH."""
    other = tmp_path / "whole"
    other.write_text("#!/bin/sh\nexit 3\n")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.chdir(frozen / "whole")
    report = judged(Path(), imports=("alpha",), commands=("APP", "whole"))
    assert (report.verdict, report.findings, report.score) == ("pass", (), 100)
    assert report.environments[0].path == str(frozen / "whole")


def test_a_stage_s_commands_for_its_image_are_no_question_to_the_bundle(
    frozen: Path, tmp_path: Path
) -> None:
    commands = (("touch", str(tmp_path / "ran")), ("APP",), ("whole", "x"))
    promised = Expected(name="stage", commands=commands)
    _, report = examine(f"bundle:{frozen / 'whole'}", expectations=[promised])
    assert not (tmp_path / "ran").exists()
    assert (report.verdict, report.findings, report.score) == ("pass", (), 100)
    (skipped,) = [s for s in report.checks.skipped if s.rule == "command-failed"]
    assert skipped.reason == (
        f"touch {tmp_path}/ran was not run: touch is a program of the stage's image; "
        "APP, or its executable's name, starts this application"
    )


@pytest.mark.parametrize(
    ("torch", "devices"),
    [
        ("null", {"cuda": None}),
        ('{"cuda": true}', {"cuda": True}),
        ('{"error": "x"}', {"cuda": None}),
    ],
)
def test_what_the_application_says_of_itself_is_reported(
    tmp_path: Path, torch: str, devices: dict[str, bool | None]
) -> None:
    version = f"3.{sys.version_info[1]}.99"
    said = f'{{"python": "{version}", "torch": {torch}, "imports": '
    said += '[{"module": "alpha", "status": "ok"}]}'
    script = f"#!/bin/sh\necho \"${{3#--mark=}}\"'{said}'\nexit 0\n"
    modules = {name: zlib.compress(code("A = 1")) for name in ("alpha", "venvsmith_diagnose")}
    app = tmp_path / "app"
    app.write_bytes(Archive(head=script.encode(), pyz=Pyz(modules=modules)).data())
    app.chmod(0o755)
    (environment,) = judged(app, imports=("alpha",)).environments
    assert environment.python is not None
    assert environment.python.version == version
    assert environment.devices == devices


def scripted(path: Path, script: str) -> Path:
    """Write an application that a shell reads up to its exit, and this reader behind that."""
    head = f"#!/bin/sh\n{script}\nexit 0\n".encode()
    path.write_bytes(Archive(head=head, python=b"python3.dll").data())
    path.chmod(0o755)
    return path


def test_all_that_a_bundle_runs_shares_one_time(tmp_path: Path) -> None:
    app = scripted(tmp_path / "app", "exec sleep 30")
    asked = Expected(commands=(("APP", "1"), ("APP", "2"), ("APP", "3")))
    begin = time.monotonic()
    facts, report = examine(f"bundle:{app}", options=Options(asked=asked, timeout=2))
    assert time.monotonic() - begin < 10
    first, *later = facts.environments[0].commands
    assert (first.returncode, first.cut_off) == (None, False)
    assert all(result.cut_off for result in later)
    assert told(report) == ["command-failed APP 1"]


def test_an_application_s_own_127_is_no_missing_program(tmp_path: Path) -> None:
    app = scripted(tmp_path / "app", "echo no such voice; exit 127")
    (finding,) = judged(app, commands=("APP",)).findings
    assert finding.message == "APP ends with 127: no such voice."


def test_an_application_that_may_not_be_started_is_told_how_to_mend_it(tmp_path: Path) -> None:
    app = scripted(tmp_path / "app", "true")
    app.chmod(0o644)
    (finding,) = (f for f in judged(app, commands=("APP",)).findings if f.severity == "error")
    assert "executable bit" in finding.cause
    assert finding.fix == f"chmod +x {app}"


def test_an_application_is_given_room_for_whole_messages(tmp_path: Path) -> None:
    """What wraps its words, as rich does, would break a path."""
    app = scripted(tmp_path / "app", "echo $COLUMNS; exit 1")
    (finding,) = judged(app, commands=("APP",)).findings
    assert finding.message == "APP ends with 1: 400."


def test_a_module_that_cannot_be_tried_leaves_the_verdict_open(copy: Path) -> None:
    """Without the entry nobody can ask; the module being there is no import."""
    from venvsmith.bundle.gather import gather  # noqa: PLC0415

    facts = gather(copy, ref=str(copy), imports=("alpha.later",), static=True)
    assert [missing.what for missing in facts.missing] == ["imports", "runs"]


@pytest.mark.parametrize("name", ["none", "../alpha"])
def test_what_is_no_bundle_is_refused(frozen: Path, name: str) -> None:
    with pytest.raises((UsageError, UnsafeInputError)):
        judged(frozen / name)


def test_the_report_says_of_each_locked_package_whether_it_is_there(frozen: Path) -> None:
    """Not all that is locked is frozen; what the code looks for in vain lowers the score."""
    pins = {"click": "0.0.1", "markupsafe": "3", "never-imported": "1", "alpha": "1"}
    asked = Expected(pins=pins, imports=("alpha", "absent.part"))
    _, report = examine(f"bundle:{frozen / 'cut'}", options=Options(asked=asked, timeout=60))
    (environment,) = report.environments
    assert {p.name: p.available for p in environment.packages} == {
        "click": True,
        "markupsafe": True,
        "never-imported": False,
        "alpha": False,
        "absent-part": False,
    }
    assert "version-drift" in {finding.rule for finding in report.findings}
    assert report.score == 40
    assert environment.status == "failed"
    assert environment.errors
