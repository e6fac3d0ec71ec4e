"""Lockfiles are read strictly, and what is written is read back the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from venvsmith.errors import JudgedError, UnsafeInputError, UsageError
from venvsmith.lock import (
    delta,
    emit_lock,
    emit_tools,
    parse_lock,
    parse_tools,
    read_lock,
    read_tools,
)
from venvsmith.lock.store import SIZE_LIMIT
from venvsmith.model.lock import Lock, Pin
from venvsmith.model.project import LockKey, Platform, Project

KEY = LockKey(stage="torch", variant="cuda", platform=Platform(arch="amd64"))
DIGEST = "sha256:" + "0f" * 32
names = st.from_regex(r"[a-z0-9]+(-[a-z0-9]+)*", fullmatch=True)
versions = st.from_regex(
    r"([1-9]!)?[0-9]{1,3}(\.[0-9]{1,3}){0,3}((a|b|rc)[0-9])?(\.post[0-9])?(\.dev[0-9])?(\+cu[0-9]{3})?",
    fullmatch=True,
)
digests = st.text("0123456789abcdef", min_size=64, max_size=64).map(lambda text: f"sha256:{text}")
pins = st.builds(
    lambda name, version, hashes: Pin(name=name, version=version, hashes=tuple(sorted(hashes))),
    names,
    versions,
    st.sets(digests, min_size=1, max_size=3),
)
locks = st.builds(
    lambda found, resolver, inputs: Lock(
        key=KEY, resolver=f"uv {resolver}", inputs=inputs, pins=tuple(sorted(found))
    ),
    st.lists(pins, max_size=8, unique_by=lambda pin: pin.name),
    versions,
    digests,
)

GOOD = f"""\
# venvsmith lock
# resolver: uv 0.13.8
# inputs: {DIGEST}
numpy==2.4.6 \\
    --hash=sha256:{"1" * 64} \\
    --hash=sha256:{"2" * 64}
torch==2.8.0+cu128 \\
    --hash=sha256:{"3" * 64}
"""


@settings(max_examples=60)
@given(locks)
def test_what_is_written_is_read_back(lock: Lock) -> None:
    assert parse_lock(emit_lock(lock), key=KEY) == lock


@settings(max_examples=30)
@given(st.lists(pins, max_size=3, unique_by=lambda pin: pin.name))
def test_tools_are_read_back(found: list[Pin]) -> None:
    assert parse_tools(emit_tools(sorted(found)), where="tools.txt") == tuple(sorted(found))


@given(st.text())
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(UnsafeInputError):
        parse_lock(text, key=KEY)


@given(st.data())
def test_lock_that_is_cut_off_is_refused_or_whole(data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(GOOD) - 1))
    try:
        lock = parse_lock(GOOD[:cut], key=KEY)
    except UnsafeInputError:
        return
    assert emit_lock(lock) == GOOD[:cut]


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("# venvsmith lock", "# other", 1, "'# venvsmith lock' expected"),
        ("# resolver: uv 0.13.8", "# resolver:", 2, "'# resolver: <name> <version>' expected"),
        (DIGEST, "sha256:0", 3, "'# inputs: sha256:<64 hexadecimal digits>' expected"),
        ("numpy==", "Num_Py==", 4, "'name==version \\' expected"),
        ("numpy==", "num--py==", 4, "'num--py' is not a normalised name (num-py)"),
        ("2.4.6", "latest", 4, "'latest' is not a version"),
        ("2.4.6", "2.4.6; python_version>'3'", 4, "'name==version \\' expected"),
        ("1" * 64, "1" * 63, 5, "a sha256 hash of numpy expected"),
        ("sha256:" + "1" * 64, "md5:" + "1" * 32, 5, "a sha256 hash of numpy expected"),
        ("1" * 64, "9" * 64, 4, "the hashes of numpy are not in order"),
        ("torch==", "numpy==", 7, "numpy is there twice"),
        ("torch==", "audioread==", 7, "audioread is not in order"),
        ("torch==", "<<<<<<< ours\ntorch==", 7, "'name==version \\' expected"),
        ("torch==", "-r other.txt\ntorch==", 7, "'name==version \\' expected"),
        ("\n", "\r\n", 1, "'# venvsmith lock' expected"),
    ],
)
def test_mistake_is_told_with_its_line(old: str, new: str, line: int, says: str) -> None:
    with pytest.raises(UnsafeInputError) as caught:
        parse_lock(GOOD.replace(old, new), key=KEY, where="locks/torch.cuda.txt")
    assert caught.value.message == says
    assert caught.value.where == f"locks/torch.cuda.txt:{line}"


def lock_of(stage: str, *found: Pin) -> Lock:
    key = LockKey(stage=stage, variant="cpu", platform=Platform(arch="amd64"))
    return Lock(key=key, resolver="uv 1", inputs=DIGEST, pins=found)


def pin(name: str, version: str = "1", digest: str = "0") -> Pin:
    return Pin(name=name, version=version, hashes=(f"sha256:{digest * 64}",))


def test_delta_is_what_the_parent_lacks() -> None:
    parent = lock_of("torch", pin("a"), pin("c"))
    child = lock_of("app", pin("a"), pin("b"), pin("c"), pin("d"))
    assert delta(child, parent) == (pin("b"), pin("d"))
    assert delta(parent, None) == parent.pins


@pytest.mark.parametrize(
    ("own", "says"),
    [
        ((), "it lacks a==1 of torch.cpu.txt"),
        ((pin("a", "2"),), "it has a==2 where torch.cpu.txt has 1"),
        ((pin("a", digest="f"),), "the hashes of a==1 differ from those in torch.cpu.txt"),
    ],
)
def test_child_without_its_parents_pin_has_no_delta(own: tuple[Pin, ...], says: str) -> None:
    with pytest.raises(JudgedError) as caught:
        delta(lock_of("app", *own), lock_of("torch", pin("a")))
    assert caught.value.message == says


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        pytest.param(b"\n", b"\r\n", ":1: ", id="a carriage return"),
        pytest.param(b"# ", b"\xef\xbb\xbf# ", ":1: ", id="a byte order mark"),
        pytest.param(b"# ", b"\xff", ": is not UTF-8", id="other bytes"),
        pytest.param(b"\n", b"\n" + b"#" * SIZE_LIMIT, ": is longer", id="too much of it"),
    ],
)
def test_a_file_that_is_no_lock_as_it_stands_is_refused(
    tmp_path: Path, old: bytes, new: bytes, says: str
) -> None:
    project = Project(name="x", root=tmp_path, file=tmp_path / "venvsmith.toml", python="3.11")
    path = tmp_path / "locks/torch.cuda.txt"
    path.parent.mkdir()
    path.write_bytes(emit_lock(lock_of("torch", pin("a"))).encode())
    assert read_lock(project, KEY).names() == {"a"}
    path.write_bytes(path.read_bytes().replace(old, new, 1))
    with pytest.raises(UnsafeInputError) as caught:
        read_lock(project, KEY)
    assert caught.value.code == "lock-malformed"
    assert f"{caught.value.where}: {caught.value.message}".startswith(f"locks/torch.cuda.txt{says}")
    # 'venvsmith lock' alone would refuse it just so.
    assert "restore it, or delete it and run 'venvsmith lock'" in caught.value.hint
    (tmp_path / "locks/tools.txt").write_bytes(path.read_bytes())
    with pytest.raises(UnsafeInputError) as caught:
        read_tools(project)
    assert "delete it and run" in caught.value.hint


def test_missing_lock_names_the_command(tmp_path: Path) -> None:
    project = Project(name="x", root=tmp_path, file=tmp_path / "venvsmith.toml", python="3.11")
    with pytest.raises(UsageError) as caught:
        read_lock(project, KEY)
    assert caught.value.lines()[0] == (
        "no-lock: locks/torch.cuda.txt: stage 'torch' is not locked for variant 'cuda'; "
        "run 'venvsmith lock'"
    )
