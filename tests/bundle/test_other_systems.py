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


def mac_application(folder: Path, wanted: str) -> Path:
    """Return an application in the layout of PyInstaller's `building/osx.py`.

    Binaries lie in Frameworks and data in Resources; each folder has links to what the other has,
    to whole folders where they hold only one kind. No folder of Frameworks has a dot in its name.
    """
    contents = folder / "Speech.app" / "Contents"
    frameworks, resources = contents / "Frameworks", contents / "Resources"
    for place in (frameworks / "alpha", frameworks / "beta__dot__dylibs", contents / "MacOS"):
        place.mkdir(parents=True)
    for data in ("alpha/data", "click-8.1.dist-info"):
        (resources / data).mkdir(parents=True)
    whole = archive(MAC, "Python", wanted)
    whole.base_library = False
    source = "import os\nHERE = os.path.dirname(__file__)\n"
    for name in ("settings.json", "data/more.json"):
        source += f"open(os.path.join(HERE, '{name}'))\n"
    whole.pyz.modules["alpha"] = zlib.compress(code(source))
    (contents / "MacOS" / "speech").write_bytes(whole.data())
    (contents / "MacOS" / "speech").chmod(0o755)
    (resources / "base_library.zip").write_bytes(library())
    (resources / "click-8.1.dist-info" / "METADATA").write_text("Name: click\n")
    (resources / "alpha" / "settings.json").write_text("{}")
    (resources / "alpha" / "data" / "more.json").write_text("{}")
    fast = f"alpha/_fast.cpython-{MINOR}-darwin.so"
    for name in ("Python", fast, "beta__dot__dylibs/libomp.dylib"):
        (frameworks / name).write_bytes(MAC + b"\0" * 200)
    for name, target in {
        "Frameworks/base_library.zip": "../Resources/base_library.zip",
        "Frameworks/click-8.1.dist-info": "../Resources/click-8.1.dist-info",
        "Frameworks/beta.dylibs": "beta__dot__dylibs",
        "Frameworks/alpha/settings.json": "../../Resources/alpha/settings.json",
        "Frameworks/alpha/data": "../../Resources/alpha/data",
        "Resources/Python": "../Frameworks/Python",
        f"Resources/{fast}": f"../../Frameworks/{fast}",
    }.items():
        (contents / name).symlink_to(target)
    return folder / "Speech.app"


def test_a_mac_application_is_found_inside_its_folder(tmp_path: Path) -> None:
    whole = mac_application(tmp_path, "beta")
    assert told(whole) == []
    for named in (whole, whole / "Contents" / "MacOS" / "speech"):
        (environment,) = gather(named, ref="", static=True).environments
        assert environment.bundle is not None
        assert environment.bundle.form == "folder"
        assert [dist.name for dist in environment.distributions] == ["click"]


@pytest.mark.parametrize(
    ("gone", "expected"),
    [
        ("alpha/settings.json", "bundle-data-missing settings.json"),
        ("alpha/data/more.json", "bundle-data-missing data/more.json"),
        ("base_library.zip", "bundle-data-missing base_library.zip"),
    ],
)
def test_what_a_mac_application_lacks_is_told(tmp_path: Path, gone: str, expected: str) -> None:
    whole = mac_application(tmp_path, "beta")
    (whole / "Contents" / "Resources" / gone).unlink()
    assert told(whole) == [expected]


def test_a_module_that_a_mac_application_lacks_is_told(tmp_path: Path) -> None:
    assert told(mac_application(tmp_path, "gamma")) == ["bundle-module-missing alpha.gamma"]
