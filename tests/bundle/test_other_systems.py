"""Bundles of Windows and macOS are read as far as the formats are the same."""

from __future__ import annotations

import sys
import zlib
from pathlib import Path

import pytest

from frozen_archives import Archive, Pyz, code, library
from venvsmith.bundle.gather import gather
from venvsmith.verify import Options, examine

MINOR = f"{sys.version_info[0]}{sys.version_info[1]}"
WINDOWS, MAC = b"MZ\x90\0", b"\xcf\xfa\xed\xfe"


def archive(system: bytes, python: str, wanted: str) -> Archive:
    sources = {"alpha": "A = 1", "alpha.beta": "B = 1"}
    modules = {name: zlib.compress(code(text)) for name, text in sources.items()}
    return Archive(
        pyz=Pyz(modules=modules, kind=1),
        script=code(f"from alpha import _fast, {wanted}"),
        head=system,
        python=python.encode(),
    )


def told(path: Path) -> list[str]:
    _, report = examine(f"bundle:{path}", options=Options(static=True))
    return [f"{finding.rule} {finding.subject}" for finding in report.findings]


@pytest.mark.parametrize("form", ["folder", "file"])
@pytest.mark.parametrize(
    ("wanted", "expected"), [("beta", []), ("gamma", ["bundle-module-missing alpha.gamma"])]
)
def test_a_windows_bundle_is_judged_by_its_modules_and_by_no_elf(
    tmp_path: Path, form: str, wanted: str, expected: list[str]
) -> None:
    whole = archive(WINDOWS, f"python{MINOR}.dll", wanted)
    objects = [f"python{MINOR}.dll", "VCRUNTIME140.dll", f"alpha\\_fast.cp{MINOR}-win_amd64.pyd"]
    if form == "file":
        whole.extra = [(name, "b", WINDOWS + b"\0" * 200, None) for name in objects]
    else:
        whole.base_library = False
        inside = tmp_path / "app" / "_internal"
        (inside / "alpha").mkdir(parents=True)
        (inside / "base_library.zip").write_bytes(library())
        for name in objects:
            (inside / name.replace("\\", "/")).write_bytes(WINDOWS + b"\0" * 200)
    (tmp_path / "app").mkdir(exist_ok=True)
    (tmp_path / "app" / "app.exe").write_bytes(whole.data())
    assert told(tmp_path / "app") == expected


def test_a_mac_application_is_found_inside_its_folder(tmp_path: Path) -> None:
    whole = archive(MAC, "Python", "beta")
    whole.base_library = False
    contents = tmp_path / "Speech.app" / "Contents"
    (contents / "Frameworks" / "alpha").mkdir(parents=True)
    (contents / "MacOS").mkdir()
    (contents / "MacOS" / "speech").write_bytes(whole.data())
    (contents / "MacOS" / "speech").chmod(0o755)
    (contents / "Frameworks" / "base_library.zip").write_bytes(library())
    for name in ("Python", f"alpha/_fast.cpython-{MINOR}-darwin.so", "libomp.dylib"):
        (contents / "Frameworks" / name).write_bytes(MAC + b"\0" * 200)
    assert told(tmp_path / "Speech.app") == []
    facts = gather(tmp_path / "Speech.app", ref="", static=True).environments[0].bundle
    assert facts is not None
    assert facts.form == "folder"
