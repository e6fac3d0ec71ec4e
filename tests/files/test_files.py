"""Files are written whole, together, and by one run at a time."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Timer

import pytest

from venvsmith import files
from venvsmith.errors import SurroundingsError, UnsafeInputError

KILLS = 60
WRITER = """
import sys
from pathlib import Path
from venvsmith.files import locked, write_files

root = Path(sys.argv[1])
print("ready", flush=True)
number = 0
while True:
    number += 1
    body = (str(number) * 20_000).encode()
    with locked(root):
        write_files({root / "locks/a": body, root / "locks/b": body, root / "c": body})
"""
HOLDER = """
import sys
from pathlib import Path
from venvsmith.files import locked

with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_writes_and_deletes_and_tells_what_changed(tmp_path: Path) -> None:
    kept, gone, new = tmp_path / "kept", tmp_path / "gone", tmp_path / "sub/new"
    kept.write_bytes(b"same")
    gone.write_bytes(b"old")
    before = kept.stat().st_mtime_ns, kept.stat().st_ino

    changed = files.write_files({kept: b"same", gone: None, new: b"hello", tmp_path / "no": None})

    assert changed == {gone, new}
    assert contents(tmp_path) == {"kept": b"same", "sub/new": b"hello"}
    assert (kept.stat().st_mtime_ns, kept.stat().st_ino) == before


def test_modes_follow_the_umask_and_stay(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_bytes(b"old")
    script.chmod(0o751)
    old = os.umask(0o027)
    try:
        files.write_files({script: b"new", tmp_path / "fresh": b""})
    finally:
        os.umask(old)
    assert script.stat().st_mode & 0o777 == 0o751
    assert (tmp_path / "fresh").stat().st_mode & 0o777 == 0o640


def test_link_is_written_through(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_bytes(b"old")
    link.symlink_to("real")
    files.write_files({link: b"new"})
    assert link.is_symlink()
    assert real.read_bytes() == b"new"


def test_output_goes_into_a_pipe_and_into_no_file_in_its_place(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE) as reader:
        files.write_output(pipe, b"told")
        assert reader.communicate(timeout=30)[0] == b"told"
    assert pipe.is_fifo()
    files.write_output(tmp_path / "plain", b"told")
    assert (tmp_path / "plain").read_bytes() == b"told"


def test_refused_write_leaves_every_old_content(tmp_path: Path) -> None:
    first, blocked = tmp_path / "first", tmp_path / "folder"
    first.write_bytes(b"old")
    blocked.mkdir()
    with pytest.raises(SurroundingsError) as caught:
        files.write_files({first: b"new", blocked: b"a folder stands here"})
    assert caught.value.where == str(blocked)
    assert contents(tmp_path) == {"first": b"old"}


def test_full_disk_is_named_and_nothing_changes(tmp_path: Path) -> None:
    # A size limit on files stands in for a full disk: the kernel refuses the write itself.
    script = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from venvsmith.errors import SurroundingsError\n"
        "from venvsmith.files import write_files\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "root = Path(sys.argv[1])\n"
        "try:\n"
        "    write_files({root / 'a': b'new', root / 'b': b'x' * 5000})\n"
        "except SurroundingsError as error:\n"
        "    print(error.exit_code, *error.lines())\n"
    )
    (tmp_path / "a").write_bytes(b"old")
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("4 write-failed: ")
    assert "file too large" in done.stdout
    assert contents(tmp_path) == {"a": b"old"}


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "disk"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "read-only"),
        (errno.EIO, "write-failed"),
    ],
)
def test_each_refusal_has_its_code(number: int, code: str) -> None:
    with pytest.raises(SurroundingsError) as caught:
        files._refuse(Path("locks/a.txt"), OSError(number, os.strerror(number)))  # noqa: SLF001
    assert caught.value.code == code
    assert caught.value.where == "locks/a.txt"


def test_killed_writer_leaves_old_or_new_never_between(tmp_path: Path) -> None:
    seen_midway = 0
    for _ in range(KILLS):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE
        )
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(random.uniform(0, 0.01))  # noqa: S311 - not a secret
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        seen_midway += (tmp_path / files.JOURNAL).exists()
        files.write_files({tmp_path / "touch": b""})
        bodies = {body for name, body in contents(tmp_path).items() if name != "touch"}
        assert len(bodies) <= 1
        names = set(contents(tmp_path)) - {"touch"}
        assert names in (set(), {"c", "locks/a", "locks/b"})
    assert seen_midway, "no kill fell between decision and end: the test shows nothing"


def test_decided_change_is_finished_by_the_next_run(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / f"{files.TEMP_PREFIX}0").write_bytes(b"new")
    (tmp_path / "gone").write_bytes(b"old")
    (tmp_path / files.JOURNAL).write_text(
        '{"decided": true, "steps": [{"target": "a", "temp": ".venvsmith-tmp-0"},'
        ' {"target": "gone", "temp": null}]}'
    )
    files.recover(tmp_path)
    assert contents(tmp_path) == {"a": b"new"}


def test_undecided_change_is_swept_only_by_the_holder(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / ".venvsmith-tmp-0").write_bytes(b"ne")
    (tmp_path / files.JOURNAL).write_text(
        '{"decided": false, "steps": [{"target": "a", "temp": ".venvsmith-tmp-0"}]}'
    )
    files.recover(tmp_path)
    assert len(contents(tmp_path)) == 3
    with files.locked(tmp_path):
        assert contents(tmp_path) == {"a": b"old"}


@pytest.mark.parametrize(
    "journal",
    [
        "not json",
        '{"decided": true, "steps": [{"target": "../victim", "temp": null}]}',
        '{"decided": true, "steps": [{"target": "a", "temp": "secret"}]}',
        '{"decided": true, "steps": [{"target": "a", "temp": "sub/.venvsmith-tmp-0"}]}',
    ],
)
def test_hostile_journal_is_refused(tmp_path: Path, journal: str) -> None:
    victim, project = tmp_path / "victim", tmp_path / "project"
    project.mkdir()
    victim.write_bytes(b"precious")
    (project / "secret").write_bytes(b"secret")
    (project / files.JOURNAL).write_text(journal)
    with pytest.raises(UnsafeInputError):
        files.recover(project)
    assert victim.read_bytes() == b"precious"
    assert not (project / "a").exists()


def test_second_run_waits_and_gives_up_in_time(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", HOLDER, str(tmp_path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(SurroundingsError) as caught, files.locked(tmp_path, timeout=0.1):
            pass
        assert caught.value.code == "lock-timeout"
        Timer(0.2, holder.stdin.close).start()
        with files.locked(tmp_path, timeout=60), files.locked(tmp_path, timeout=0):
            pass
    assert holder.returncode == 0
    assert contents(tmp_path) == {}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("a\ncp: x: no space left on device\nb",
         "the disk is full: cp: x: no space left on device"),
        ("error: Disk quota exceeded (os error 122)",
         "the disk is full: error: Disk quota exceeded (os error 122)"),
        ("no room in the inn", ""),
    ],
)  # fmt: skip
def test_a_programs_words_tell_of_a_full_disk(words: str, message: str) -> None:
    error = files.full_disk(words, where="uv")
    assert message == (error.message if error is not None else "")
    assert error is None or error.lines()[0].startswith("disk: uv: ")
