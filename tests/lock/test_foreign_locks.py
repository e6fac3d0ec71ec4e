"""Lockfiles of other tools, as ``verify --lock`` takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from venvsmith.errors import UnsafeInputError, UsageError, VenvsmithError
from venvsmith.verify.expectations import from_lock_file, hashed_pins, settled

if TYPE_CHECKING:
    from pathlib import Path

    from venvsmith.model.expected import Expected

TARGET = {
    "implementation_name": "cpython",
    "implementation_version": "3.10.4",
    "os_name": "posix",
    "platform_machine": "aarch64",
    "platform_python_implementation": "CPython",
    "platform_release": "",
    "platform_system": "Linux",
    "platform_version": "",
    "python_full_version": "3.10.4",
    "python_version": "3.10",
    "sys_platform": "linux",
}
"""Not this machine's: what stands under a marker counts for the target."""
DEEP = "x = " + "[" * 50_000


def read(path: Path, text: str) -> Expected:
    path.write_text(text)
    return settled(from_lock_file(path), TARGET)


def test_what_stands_under_a_marker_counts_where_the_target_meets_it(tmp_path: Path) -> None:
    found = read(
        tmp_path / "a.txt",
        "colorama==0.4.6 ; sys_platform == 'win32'\n"
        "tomli==2.0.1 ; python_full_version < '3.11'\n"
        "numpy==1.26.4 ; python_version < '3.12'\n"
        "numpy==2.1.0 ; python_version >= '3.12'\n"
        "triton==3.4.0 ; platform_machine == 'x86_64'\n",
    )
    assert found.pins == {"numpy": "1.26.4", "tomli": "2.0.1"}


def test_a_pylock_is_read_with_its_markers_and_its_own_groups(tmp_path: Path) -> None:
    found = read(
        tmp_path / "pylock.toml",
        'default-groups = ["main"]\n'
        + "".join(
            f'[[packages]]\nname = "{name}"\n{rest}\n'
            for name, rest in (
                ("Foo", 'version = "1"\nmarker = "\'main\' in dependency_groups"'),
                ("dev", 'version = "1"\nmarker = "\'dev\' in dependency_groups"'),
                ("extra", 'version = "1"\nmarker = "\'gpu\' in extras"'),
                ("tomli", 'version = "2"\nmarker = "python_full_version < \'3.11\'"'),
                ("win", 'version = "1"\nmarker = "sys_platform == \'win32\'"'),
                ("own", 'directory = { path = ".", editable = true }'),
            )
        ),
    )
    assert found.pins == {"foo": "1", "tomli": "2"}
    assert found.named == {"own"}


def test_included_files_count_and_options_that_say_how_to_install_do_not(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/more.txt").write_text("-r ../last.txt\nlib==1  # why\n")
    (tmp_path / "last.txt").write_text("left==2\n")
    found = read(
        tmp_path / "a.txt",
        "--index-url https://example.com/simple\n-c limits.txt\n--require-hashes\n"
        "-r sub/more.txt\n--requirement=last.txt\n",
    )
    assert (found.pins, found.left_out) == ({"lib": "1", "left": "2"}, ())


def test_what_has_no_version_is_looked_for_by_name_and_what_has_none_is_told(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.txt"
    found = read(
        path,
        "acme @ git+https://example.com/acme@v1\n"
        "-e git+https://example.com/b#egg=Own.Name\n"
        "torch @ https://example.com/torch-2.8.0%2Bcpu-cp310-cp310-linux_x86_64.whl\n"
        "./wheels/foo-1.0-py3-none-any.whl ; sys_platform == 'linux'\n"
        "-e .\n./libs/b\n-r https://example.com/more.txt\n--what=1\n",
    )
    assert found.named == {"acme", "own-name"}
    assert found.pins == {"torch": "2.8.0+cpu", "foo": "1.0"}
    assert found.left_out == (
        f"{path}:5: '-e .'",
        f"{path}:6: './libs/b'",
        f"{path}:7: '-r https://example.com/more.txt'",
        f"{path}:8: '--what=1'",
    )


@pytest.mark.parametrize(
    ("name", "text", "error", "where"),
    [
        ("a.txt", "-r gone.txt\n", UsageError, "gone.txt"),
        ("a.txt", "-r a.txt\n", UnsafeInputError, "a.txt"),
        ("a.txt", "x==1 \\\n  --hash=sha256:0\ny>=1\n", UnsafeInputError, "a.txt:3"),
        ("a.txt", "x==1.*\n", UnsafeInputError, "a.txt:1"),
        ("a.txt", "x = 1\n", UnsafeInputError, "a.txt:1"),
        ("p.toml", DEEP, UnsafeInputError, "p.toml"),
        ("p.toml", "packages = 1\n", UnsafeInputError, "p.toml"),
        ("p.toml", '[[packages]]\nname = "x"\nmarker = "x y"\n', UnsafeInputError, "p.toml"),
    ],
)
def test_what_cannot_be_read_is_refused_at_its_place(
    tmp_path: Path, name: str, text: str, error: type[VenvsmithError], where: str
) -> None:
    with pytest.raises(error) as caught:
        read(tmp_path / name, text)
    assert caught.value.where == str(tmp_path / where)


def test_hashes_are_those_of_each_version(tmp_path: Path) -> None:
    one, two = "1" * 64, "2" * 64
    path = tmp_path / "a.txt"
    path.write_text(
        f"x==1 ; python_version < '3.12' \\\n    --hash=sha256:{one}\n"
        f"x==2 ; python_version >= '3.12' --hash=sha256:{two}\n"
    )
    found = [(pin.version, pin.hashes) for pin in hashed_pins(path)]
    assert found == [("1", (f"sha256:{one}",)), ("2", (f"sha256:{two}",))]
