"""A corpus of frozen applications, healthy and broken, each proven by what it does itself."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from bundle_breaking import copied, executable, foreign, without_files, without_modules
from bundle_cases import BROKEN, Case
from bundle_stacks import FINE, REQUIRES, STACKS, freeze
from venvsmith.bundle.contents import read_bundle
from venvsmith.bundle.frozen import FrozenModules
from venvsmith.errors import UnsafeInputError
from venvsmith.model.expected import Expected
from venvsmith.verify import Options, examine

UV = Path(sysconfig.get_path("scripts")) / "uv"
ENOUGH = 0.95


def first(path: Path, *, static: bool) -> tuple[str, str]:
    """Return the first finding, or the refusal."""
    asked = Expected(commands=() if static else (("APP",),))
    try:
        options = Options(asked=asked, static=static, timeout=60)
        _, report = examine(f"bundle:{path}", options=options)
    except UnsafeInputError as exc:
        return exc.code, str(exc)
    found = [finding for finding in report.findings if finding.severity != "info"]
    return (found[0].rule, found[0].subject) if found else ("", "")


def starts(path: Path) -> tuple[bool, str]:
    try:
        done = subprocess.run([executable(path)], capture_output=True, text=True, timeout=60)
    except OSError as exc:
        return False, str(exc)
    said = done.stdout + done.stderr
    return done.returncode == 0 and FINE in done.stdout, said


def is_right(case: Case, found: tuple[str, str]) -> bool:
    return found[0] == case.rule and case.subject in found[1]


@pytest.fixture(scope="module")
def stacks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder with every application of `STACKS`: minutes of PyInstaller."""
    folder = tmp_path_factory.mktemp("stacks")
    subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    argv = [str(UV), "pip", "install", "--quiet", "--python", str(python), *REQUIRES]
    subprocess.run(argv, check=True)
    return freeze(folder, python)


@pytest.mark.e2e
@pytest.mark.network
@pytest.mark.parametrize("name", STACKS)
def test_an_application_that_works_has_no_error(stacks: Path, name: str) -> None:
    works, said = starts(stacks / name)
    assert works, said
    assert first(stacks / name, static=False) == ("", "")
    assert first(stacks / name, static=True) == ("", "")


@pytest.mark.e2e
@pytest.mark.network
def test_the_first_finding_is_right_on_the_broken_ones(stacks: Path, tmp_path: Path) -> None:
    wrong: list[str] = []
    told = 0
    for number, case in enumerate(BROKEN):
        (tmp_path / str(number)).mkdir()
        path = copied(stacks / case.stack, tmp_path / str(number) / case.stack)
        for breaking in case.broken:
            breaking(path)
        works, said = starts(path)
        assert not works, f"{case.name}: it starts"
        assert case.says in said, f"{case.name}: {said}"
        found = first(path, static=False)
        if not is_right(case, found):
            wrong.append(f"{case.name}: {found}")
        static = is_right(case, first(path, static=True))
        assert static == case.static, f"{case.name}: told without running it: {static}"
        told += static
        shutil.rmtree(tmp_path / str(number))
    print(f"\n{len(BROKEN) - len(wrong)} of {len(BROKEN)} right, {told} of them without running it")
    assert len(BROKEN) >= 15
    assert len(wrong) <= len(BROKEN) * (1 - ENOUGH), "\n".join(wrong)


# -- a share of it, on what the other tests freeze anyway ------------------------------------------


def test_a_missing_base_library_is_one_finding_not_hundreds(copy: Path) -> None:
    without_files("base_library.zip")(copy)
    _, report = examine(f"bundle:{copy}", options=Options(static=True))
    errors = [(f.rule, f.subject) for f in report.findings if f.severity == "error"]
    assert errors == [("bundle-data-missing", "base_library.zip")]


def test_a_compiled_module_of_the_standard_library_counts_only_where_it_is(copy: Path) -> None:
    """What is built into this Python's library is known from what that exports."""
    found = list(copy.glob("**/_struct.*.so"))
    if not found:
        pytest.skip("this Python has _struct built in")
    found[0].unlink()
    bundle = read_bundle(copy)
    with bundle.archive:
        modules = FrozenModules(bundle)
    assert not modules.has("_struct")
    assert modules.has("_thread")
    assert modules.has("sys")
    _, report = examine(f"bundle:{copy}", options=Options(static=True))
    errors = [(f.rule, f.subject, f.evidence["chain"]) for f in report.findings]
    assert errors == [("bundle-module-missing", "_struct", ["the bootloader", "struct"])]


def test_what_only_a_run_shows_is_named_and_explains_the_failure(copy: Path) -> None:
    without_modules("markupsafe")(copy)
    without_files("markupsafe*")(copy)
    asked = Expected(commands=(("APP",),))
    _, report = examine(f"bundle:{copy}", options=Options(asked=asked, timeout=60))
    root, *others = report.findings
    assert (root.rule, root.subject) == ("bundle-module-missing", "markupsafe")
    assert [f.rule for f in others if f.severity == "error"] == ["command-failed"]
    assert root.explains
    assert "image" not in others[0].message + others[0].cause + others[0].fix


def test_an_executable_of_another_processor_is_told_and_does_not_break_us(copy: Path) -> None:
    foreign("APP")(copy)
    rule, subject = first(copy, static=False)
    assert (rule, Path(subject).name) == ("arch-mismatch", "whole")
