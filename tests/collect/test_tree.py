import os
from pathlib import Path

import pytest

from venvsmith.collect.probe.tree import Tree, User


def test_absolute_links_resolve_inside_the_root_and_never_out_of_it(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "usr/bin").mkdir(parents=True)
    (root / "usr/bin/python3.11").write_text("inside")
    (root / "bin").symlink_to("usr/bin")
    (root / "python").symlink_to("/bin/python3.11")
    (root / "escape").symlink_to("../../../../" + str(tmp_path / "secret"))
    (tmp_path / "secret").write_text("outside")
    tree = Tree((str(root),))

    assert tree.read("/python") == b"inside"
    assert tree.chain("/python").end == "/usr/bin/python3.11"
    assert tree.read("/escape") is None
    assert tree.kind("/escape") == "missing"


@pytest.mark.parametrize("links", [{"a": "a"}, {"a": "b", "b": "a"}, {"a": "/a/x"}])
def test_loops_end_as_loops(tmp_path: Path, links: dict[str, str]) -> None:
    for name, target in links.items():
        (tmp_path / name).symlink_to(target)
    tree = Tree((str(tmp_path),))

    assert tree.kind("/a") == "loop"
    assert tree.chain("/a").end is None


def test_a_chain_of_41_links_is_given_up(tmp_path: Path) -> None:
    (tmp_path / "0").write_text("")
    for number in range(1, 42):
        (tmp_path / str(number)).symlink_to(str(number - 1))
    tree = Tree((str(tmp_path),))

    assert tree.kind("/40") == "file"
    assert tree.kind("/41") == "loop"


def test_special_files_are_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "METADATA")
    tree = Tree((str(tmp_path),))

    assert tree.read("/METADATA") is None
    assert tree.kind("/METADATA") == "other"


def test_the_folder_that_a_user_may_not_pass_is_named(tmp_path: Path) -> None:
    (tmp_path / "root/.local/bin").mkdir(parents=True)
    (tmp_path / "root/.local/bin/python").write_text("")
    tmp_path.chmod(0o755)
    (tmp_path / "root").chmod(0o700)
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv/python").symlink_to("/root/.local/bin/python")
    owner = os.getuid()

    def blocked(user: User) -> list[str | None]:
        steps = Tree((str(tmp_path),), user).chain("/venv/python").steps
        return [step["blocked_at"] for step in steps]

    assert blocked(User(owner + 1001, 1001, ())) == [None, "/root"]
    assert blocked(User(0, 0, ())) == [None, None]


def test_the_second_root_answers_where_the_first_has_nothing(tmp_path: Path) -> None:
    (tmp_path / "top/venv").mkdir(parents=True)
    (tmp_path / "host/usr").mkdir(parents=True)
    (tmp_path / "host/usr/python").write_text("host")
    (tmp_path / "top/venv/python").symlink_to("/usr/python")
    tree = Tree((str(tmp_path / "top"), str(tmp_path / "host")))

    assert tree.read("/venv/python") == b"host"
    assert tree.names("/") == ["usr", "venv"]


def test_a_file_of_the_first_root_hides_no_folder_of_the_second(tmp_path: Path) -> None:
    (tmp_path / "top").mkdir()
    (tmp_path / "top/usr").write_text("")
    (tmp_path / "host/usr").mkdir(parents=True)
    (tmp_path / "host/usr/python").write_text("host")
    tree = Tree((str(tmp_path / "top"), str(tmp_path / "host")))

    assert tree.read("/usr/python") == b"host"
