"""``venvsmith compare``: real venvs for the command, plain snapshots for the reasoning."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from venvsmith.compare import Snapshot, compare
from venvsmith.errors import UsageError
from venvsmith.model.finding import Finding
from venvsmith.report.comparison import render_comparison
from venvsmith.report.saved import read_report
from venvsmith.report.schema import COMPARISON_FILE, comparison_schema

ROOT = Path(__file__).parents[2]
TWISTED = json.dumps(
    {
        "schema": "venvsmith/report/1",
        "target": {"kind": "venv", "ref": "x"},
        "verdict": "fail",
        "score": None,
        "environments": [],
        "checks": {"ran": 1, "skipped": []},
        "timings": {},
        "findings": [
            {
                **dict.fromkeys(("environment", "subject", "message", "cause", "fix"), ""),
                "rule": "bad-elf",
                "code": "VS408",
                "severity": "error",
                "explains": [7],
            }
        ],
    }
)
UV = (sys.executable, "-m", "uv", "--offline", "--quiet")


def venvsmith(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "venvsmith", *argv], capture_output=True, text=True, check=False
    )


def wheel(folder: Path, name: str, version: str, code: str) -> Path:
    file = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{name}.py", code)
        archive.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        digest = base64.urlsafe_b64encode(hashlib.sha256(code.encode()).digest()).rstrip(b"=")
        row = f"{name}.py,sha256={digest.decode()},{len(code)}\n"
        archive.writestr(f"{info}/RECORD", f"{row}{info}/RECORD,,\n")
    return file


def venv(path: Path, *wheels: Path) -> str:
    subprocess.run([*UV, "venv", "--python", sys.executable, str(path)], check=True)
    if not wheels:
        return f"venv:{path}"
    argv = [*UV, "pip", "install", "--no-index", "--python", str(path / "bin/python")]
    subprocess.run([*argv, *map(str, wheels)], check=True)
    return f"venv:{path}"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Two venvs: in the second, what ``shop`` imports has been renamed by a newer version."""
    folder = tmp_path_factory.mktemp("pair")
    shop = wheel(folder, "shop", "1.0", "from basket import carry\n")
    old = wheel(folder, "basket", "1.0", "def carry(): ...\n")
    new = wheel(folder, "basket", "2.0", "def haul(): ...\n")
    return venv(folder / "dev", shop, old), venv(folder / "prod", shop, new)


def test_what_works_in_development_and_fails_in_production_is_put_down_to_its_difference(
    pair: tuple[str, str],
) -> None:
    done = venvsmith("compare", *pair, "--import", "shop", "--format", "json")
    told = json.loads(done.stdout)
    assert done.returncode == 1
    jsonschema.validate(told, json.loads((ROOT / COMPARISON_FILE).read_text()))
    assert told["differences"] == [{"kind": "package", "name": "basket", "a": "1.0", "b": "2.0"}]
    (failure,) = told["failures"]
    assert (failure["side"], failure["severity"], failure["because"]) == ("b", "error", [0])
    text = venvsmith("compare", *pair, "--import", "shop").stdout
    assert f"error in B only: {failure['rule']}" in text
    assert "Because: basket is 1.0 in A and 2.0 in B" in text


def test_the_schema_of_a_comparison_is_what_the_model_says() -> None:
    assert (ROOT / COMPARISON_FILE).read_text() == comparison_schema()


def test_a_file_that_one_side_lost_or_changed_is_the_difference(
    pair: tuple[str, str], tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(pair[0].removeprefix("venv:"), copy, symlinks=True)
    (site,) = copy.glob("lib/python*/site-packages")
    (site / "basket.py").unlink()
    (site / "shop.py").write_text("raise SystemExit\n")
    done = venvsmith("compare", f"venv:{copy}", pair[0], "--static")
    told = " ".join(done.stdout.split())
    assert done.returncode == 1
    assert "Because: file basket.py is in B only" in told
    assert "Because: file shop.py is edited in A and as installed in B" in told
    assert "No difference that is known" not in told


def test_the_same_environment_is_the_same(pair: tuple[str, str]) -> None:
    done = venvsmith("compare", pair[0], pair[0])
    assert (done.returncode, "SAME" in done.stdout) == (0, True)


def test_a_saved_report_stands_in_for_a_target_and_what_it_lacks_is_told(
    pair: tuple[str, str], tmp_path: Path
) -> None:
    saved = tmp_path / "dev.json"
    venvsmith("verify", pair[0], "--import", "shop", "--format", "json", "--output", str(saved))
    done = venvsmith("compare", str(saved), pair[1], "--import", "shop")
    assert done.returncode == 1
    assert "Because: basket is 1.0 in A and 2.0 in B" in done.stdout
    assert "not compared: native libraries, programs" in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, '{"schema": "\\ud800"', "", TWISTED],
    ids=["nested", "no Unicode", "empty", "an index of no finding"],
)
def test_a_file_that_is_no_report_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(UsageError, match="this is no saved report") as told:
        read_report(tmp_path / "r.json")
    assert told.value.code == "no-report"


def test_what_cannot_be_compared_is_told_in_one_line(tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text('{"schema": "other/1"}')
    wrong = venvsmith("compare", str(other), str(other))
    assert (wrong.returncode, "this is no saved report" in wrong.stderr) == (2, True)
    assert wrong.stderr.count("\n") == 1
    (tmp_path / "Dockerfile").write_text("FROM python:3.11\n")
    none = venvsmith("compare", *(f"dockerfile:{tmp_path}/Dockerfile",) * 2)
    assert (none.returncode, "no Python environment" in none.stderr) == (5, True)


def finding(rule: str, subject: str, message: str = "It fails.", **evidence: object) -> Finding:
    return Finding(
        rule=rule,
        code="VS000",
        severity="error",
        environment="/venv",
        subject=subject,
        message=message,
        cause="",
        fix="mend it",
        evidence=evidence,
    )


BASE = {
    "python": {"version": "3.11.2", "interpreter": "/usr/bin/python3.11"},
    "package": {"numpy": "1.26.4", "opencv-python-headless": "4.9", "rich": "14.0"},
    "library": {"libc.so.6": "present", "libgomp.so.1": "present"},
    "variable": {"PATH": "{venv}/bin:/usr/bin", "LD_LIBRARY_PATH": "/usr/local/cuda/lib64"},
    "system": {"libc": "glibc 2.36", "uid": "0"},
}
CHANGES = {
    "python": {"version": "3.13.5", "interpreter": "/usr/bin/python3.13"},
    "package": {"numpy": "2.4.6", "rich": "15.0", "click": "8.2"},
    "library": {"libc.so.6": "present"},
    "variable": {"PATH": "/usr/bin"},
    "system": {"libc": "glibc 2.31", "uid": "1001"},
}
WANTED = frozenset({"libc.so.6", "libgomp.so.1"})


@pytest.mark.parametrize(
    ("found", "because"),
    [
        (finding("native-lib-missing", "torch/lib/x.so", library="libgomp.so.1"), ["libgomp.so.1"]),
        (finding("dist-missing", "opencv-python-headless"), ["opencv-python-headless"]),
        (finding("import-failed", "app", missing="cv2"), ["opencv-python-headless"]),
        (finding("path-env-missing", "flask"), ["PATH"]),
        (finding("glibc-too-old", "numba", "numba needs GLIBC_2.35."), ["libc"]),
        (finding("cache-unwritable", "numba"), ["uid"]),
        (finding("python-minor-mismatch", "/venv"), ["interpreter", "version"]),
        (finding("removed-api", "app", "app uses np.NaN, which numpy 2 removed."), ["numpy"]),
        (finding("native-lib-off-path", "libcudnn.so.9"), ["LD_LIBRARY_PATH"]),
        (finding("import-failed", "app", traceback=["/x/rich/a.py:1 in f"]), []),
        (finding("import-failed", "app", "click says no."), []),
    ],
    ids=lambda value: value.rule if isinstance(value, Finding) else None,
)
def test_a_failure_is_put_down_to_the_difference_that_it_speaks_of(
    found: Finding, because: list[str]
) -> None:
    a = Snapshot(name="a", parts=BASE, findings=(), wanted=WANTED)  # type: ignore[arg-type]
    b = Snapshot(name="b", parts=CHANGES, findings=(found,), wanted=WANTED)  # type: ignore[arg-type]
    result = compare(a, b)
    assert [result.differences[i].name for i in result.failures[0].because] == because
    mirrored = compare(b, a)
    assert [mirrored.differences[i].name for i in mirrored.failures[0].because] == because


def test_many_failures_are_held_against_many_differences_in_little_time() -> None:
    names = [f"package-{i}" for i in range(400)]
    findings = tuple(
        replace(
            finding("import-failed", f"m{i}", traceback=[f"/x/{name}/a.py:1 in f"] * 20),
            explains=tuple(range(0, 400, 4)) if i % 4 else (),
        )
        for i, name in enumerate(names)
    )
    sides = [{"package": dict.fromkeys(names, version)} for version in ("1", "2")]
    a, b = (Snapshot(name="x", parts=p, findings=()) for p in sides)  # type: ignore[arg-type]
    started = time.monotonic()
    assert len(compare(a, replace(b, findings=findings)).failures) == len(names)
    assert time.monotonic() - started < 5


def test_a_copy_fails_for_its_place_and_not_for_a_package_that_it_lacks() -> None:
    found = finding(
        "shebang-foreign-python", "/b/bin/idna", "1 script (idna) runs under /a/bin/python.",
        interpreter="/a/bin/python", scripts=["idna"],
    )  # fmt: skip
    a = Snapshot(name="a", folder="/a", findings=(), parts={"package": {"idna": "3.20"}})
    b = Snapshot(name="b", folder="/b", findings=(found,), parts={"package": {}})
    text = render_comparison(compare(a, b), "text")
    assert "Because: the environment's folder is /a in A and /b in B" in text
    assert "Because: idna" not in text


@pytest.mark.parametrize(("a", "b"), [("", "/b"), ("/app", "/app/.venv"), ("/b/.venv", "/b")])
def test_a_folder_that_holds_the_other_or_anything_is_no_place_to_be_copied_from(
    a: str, b: str
) -> None:
    found = finding(
        "interpreter-dangling", f"{b}/bin/python", f"{b}/bin/python leads to {a}/bin/python3.10.",
        interpreter=f"{a}/bin/python3.10",
    )  # fmt: skip
    sides = (
        Snapshot(name="a", folder=a, findings=(), parts={"python": {"version": "3.11.2"}}),
        Snapshot(name="b", folder=b, findings=(found,), parts={"python": {"version": "3.10.1"}}),
    )
    assert [one.name for one in compare(*sides).differences] == ["version"]


@pytest.mark.parametrize(
    ("files_alone", "same"), [("3.11", True), ("3.12", False), ("3.1", False), ("3.11.3", False)]
)
def test_a_minor_is_no_other_version_than_its_own_patch(files_alone: str, *, same: bool) -> None:
    a, b = (
        Snapshot(name=v, findings=(), parts={"python": {"version": v}, "package": {}})
        for v in ("3.11.2", files_alone)
    )
    assert (compare(a, b).same, compare(b, a).same) == (same, same)


def test_a_finding_that_the_other_side_was_not_checked_for_is_told_so() -> None:
    found = (finding("import-failed", "shop"),)
    why = "nothing of the target is to be run"
    b = Snapshot(name="b", parts={}, findings=found)
    for subject, is_told in (("", True), ("shop", True), ("other", False)):
        left = {("import-failed", subject): why}
        a = Snapshot(name="a", parts={}, findings=(), unchecked=left)
        text = render_comparison(compare(a, b), "text")
        assert (f"A was not checked for it: {why}" in text) is is_told
        assert ("No difference that is known" not in text) is is_told


def test_what_a_side_left_out_says_nothing_of_what_it_was_checked_for(
    pair: tuple[str, str], tmp_path: Path
) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text("shop==1.0\n-e ./src\n")
    saved = tmp_path / "a.json", tmp_path / "b.json"
    for target, file in zip((pair[0], venv(tmp_path / "empty")), saved, strict=True):
        argv = ("verify", target, "--static", "--lock", str(lock), "--format", "json")
        venvsmith(*argv, "--output", str(file))
    text = venvsmith("compare", *map(str, saved)).stdout
    assert "shop==1.0 is in" in text
    assert "was not checked for it" not in text


def test_what_fails_on_both_sides_is_no_difference() -> None:
    found = (finding("shebang-broken", "/venv/bin/x"),)
    a = Snapshot(name="a", parts={"package": {}}, findings=found)
    b = Snapshot(name="b", parts={"package": {}}, findings=found)
    result = compare(a, b)
    assert (result.same, result.failures, result.shared) == (True, (), ("It fails.",))
    assert "Both fail: It fails." in render_comparison(result, "text")
