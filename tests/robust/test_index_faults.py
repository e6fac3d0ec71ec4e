"""Each fault of an index has the exit code and the line of the table in docs/faults.md.

The table there is what is expected here. Each row is tried for real: a server that fails so, the
command line as a user runs it, uv and pip as they are.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from faults import PASSWORD, USER, Fault, FaultyIndex, add_uv, nobody_listens

TABLE = Path(__file__).parents[2] / "docs" / "faults.md"
SECONDS = 60.0
"""What no case may take, on a busy machine either: an answer that never ends would take minutes."""
CONFIG = """\
[project]
name = "demo"
python = "3.11"
installer = "INSTALLER"

[bases.slim]
image = "venvsmith-test/bookworm:1"

[variants.cpu]
base = "slim"
platforms = ["linux/amd64"]

[stages.base]
requires = ["lib"]
imports = ["lib"]

[images.demo]
stage = "base"
"""
BUILT = ("500", "a body cut short", "another file of the name", "a file that is gone")
"""Built in every run; the others, and pip, with -m e2e."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of the table: what happens to whom, as ``4 index-failed``, or ``0``."""

    fault: str
    lock: str
    check: str
    build: dict[str, str]
    """By installer."""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """An index, and a project that locks from it."""

    index: FaultyIndex
    root: Path

    def strike(self, **fault: object) -> str:
        self.index.put(Fault(**fault))  # type: ignore[arg-type]
        return self.index.url

    def run(self, url: str, *words: str, **more: str) -> tuple[int, str]:
        """Run the command line; return its exit code and all that it said."""
        env = {
            **{key: text for key, text in os.environ.items() if not key.startswith("PIP_")},
            "UV_DEFAULT_INDEX": url,
            "PIP_INDEX_URL": url,
            "UV_CACHE_DIR": str(self.root.parent / f"cache-{len(words)}"),
            "UV_HTTP_TIMEOUT": "30",
            "UV_HTTP_RETRIES": "0",
            "PIP_DEFAULT_TIMEOUT": "30",
            "PIP_RETRIES": "0",
            **more,
        }
        argv = [sys.executable, "-m", "venvsmith", *words]
        start = time.monotonic()
        done = subprocess.run(argv, cwd=self.root, env=env, capture_output=True, text=True)
        assert time.monotonic() - start < SECONDS
        assert PASSWORD not in done.stdout + done.stderr
        return done.returncode, done.stdout + done.stderr


Trouble = Callable[[Bench, contextlib.ExitStack], str]
"""Makes the trouble and returns the address to use."""


def _refused(_: Bench, stack: contextlib.ExitStack) -> str:
    return stack.enter_context(nobody_listens())


def _tls(bench: Bench, stack: contextlib.ExitStack) -> str:
    folder = bench.index.folder
    return stack.enter_context(FaultyIndex(folder=folder, tls=bench.root / "tls")).url


def _redirect(bench: Bench, stack: contextlib.ExitStack) -> str:
    other = stack.enter_context(FaultyIndex(folder=bench.index.folder))
    stack.callback(_no_credentials, other)
    return bench.strike(kind="redirect", target=f"http://localhost:{other.port}")


def _no_credentials(other: FaultyIndex) -> None:
    assert other.seen
    assert {authorization for _, authorization in other.seen} == {""}


def _other_file(bench: Bench, _: contextlib.ExitStack) -> str:
    bench.index.change(next(bench.index.folder.glob("lib-1-*")))
    return bench.index.url


def _gone(bench: Bench, _: contextlib.ExitStack) -> str:
    next(bench.index.folder.glob("lib-1-*")).unlink()
    return bench.index.url


def _private(bench: Bench, _: contextlib.ExitStack) -> str:
    bench.index.private = True
    return bench.index.url.replace(USER, "stranger")


def put(**fault: object) -> Trouble:
    return lambda bench, _: bench.strike(**fault)


TROUBLES: dict[str, Trouble] = {
    "connection refused": _refused,
    "unknown host": lambda *_: f"https://{USER}:{PASSWORD}@no-such-host.invalid/simple",
    "certificate of an unknown CA": _tls,
    "401": _private,
    "403": put(kind="status", status=403),
    "404 for the page": put(kind="status", status=404),
    "404 for a file": put(kind="status", status=404, at="file"),
    "500": put(kind="status", status=500),
    "502, then fine": put(kind="status", status=502, times=1),
    "no answer": put(kind="silent"),
    "an answer that drips": put(kind="drip", at="both"),
    "a page cut short": put(kind="truncated"),
    "a body cut short": put(kind="truncated", at="file"),
    "a reset amid the answer": put(kind="reset", at="both"),
    "a page of garbage": put(kind="garbage"),
    "a file of garbage": put(kind="garbage", at="file"),
    "a redirect to another host": _redirect,
    "wrong hashes on the page": put(kind="wrong-hash"),
    "another file of the name": _other_file,
    "a file that is gone": _gone,
    "a yanked release": put(kind="yanked"),
}


def rows() -> list[Row]:
    found = []
    for line in TABLE.read_text().splitlines():
        cells = [re.sub(r"`", "", cell).strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) == 5 and cells[1][:1].isdigit():
            build = {"uv": cells[3], "pip": cells[4]}
            found.append(Row(fault=cells[0], lock=cells[1], check=cells[2], build=build))
    return found


ROWS = {row.fault: row for row in rows()}


@pytest.fixture(scope="module")
def uv_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return add_uv(tmp_path_factory.mktemp("uv"))


@pytest.fixture
def bench(tmp_path: Path, uv_wheel: Path, request: pytest.FixtureRequest) -> Iterator[Bench]:
    root = tmp_path / "demo"
    root.mkdir()
    installer = getattr(request, "param", "uv")
    (root / "venvsmith.toml").write_text(CONFIG.replace("INSTALLER", installer))
    with FaultyIndex(folder=tmp_path / "wheels", only="lib") as index:
        index.add("lib", "1")
        (index.folder / uv_wheel.name).hardlink_to(uv_wheel)
        yield Bench(index=index, root=root)


def as_said(code: int, told: str) -> str:
    """Return ``4 index-failed`` for an exit code and what was said; one line says why."""
    if code == 0:
        return "0"
    lines = [line for line in told.splitlines() if line.startswith("venvsmith: ")]
    assert len(lines) == 1, told
    assert told.splitlines()[-1] == lines[0]
    assert "Traceback" not in told
    return f"{code} {lines[0].split(': ')[1]}"


def patience(fault: str) -> dict[str, str]:
    """What an answer that never comes or never ends needs to end within the test."""
    if fault == "no answer":
        return {"UV_HTTP_TIMEOUT": "1", "PIP_DEFAULT_TIMEOUT": "1"}
    if "drips" in fault:
        return {"VENVSMITH_TOOL_TIMEOUT": "4"}
    return {"UV_HTTP_RETRIES": "1", "PIP_RETRIES": "1"} if "502" in fault else {}


def test_the_table_and_the_troubles_are_the_same() -> None:
    assert list(ROWS) == list(TROUBLES)


@pytest.mark.parametrize("fault", TROUBLES)
def test_lock_meets_a_fault(fault: str, bench: Bench) -> None:
    row = ROWS[fault]
    with contextlib.ExitStack() as stack:
        url = TROUBLES[fault](bench, stack)
        code, told = bench.run(url, "-v", "lock", **patience(fault))
        assert as_said(code, told) == row.lock, told
        assert (bench.root / "locks").exists() == (code == 0)


@pytest.mark.parametrize(
    "fault",
    [
        # The index was not asked: whichever way, it comes to the same. One of them is enough.
        pytest.param(fault, marks=pytest.mark.e2e)
        if ROWS[fault].check.endswith("(said aloud)") and fault != "500"
        else fault
        for fault in TROUBLES
        if fault in ROWS
    ],
)
def test_a_check_meets_a_fault(fault: str, bench: Bench) -> None:
    row = ROWS[fault]
    assert bench.run(bench.index.url, "-q", "lock")[0] == 0
    before = [path.read_bytes() for path in sorted((bench.root / "locks").iterdir())]
    with contextlib.ExitStack() as stack:
        url = TROUBLES[fault](bench, stack)
        code, told = bench.run(url, "lock", "--check", **patience(fault))
        assert as_said(code, told) == row.check.removesuffix(" (said aloud)"), told
        assert ("the index was not asked" in told) == row.check.endswith("(said aloud)")
        assert bench.run(url, "lock", "--check", "--offline")[0] == 0
    assert [path.read_bytes() for path in sorted((bench.root / "locks").iterdir())] == before


@pytest.mark.parametrize(
    ("fault", "installer", "bench"),
    [
        pytest.param(
            fault,
            installer,
            installer,
            marks=[] if fault in BUILT and installer == "uv" else pytest.mark.e2e,
            id=f"{fault}, {installer}",
        )
        for fault in TROUBLES
        for installer in ("uv", "pip")
    ],
    indirect=["bench"],
)
def test_a_local_build_meets_a_fault(fault: str, installer: str, bench: Bench) -> None:
    row = ROWS[fault]
    assert bench.run(bench.index.url, "-q", "lock")[0] == 0
    words = ("build", "--engine", "local", "--no-verify")
    with contextlib.ExitStack() as stack:
        url = TROUBLES[fault](bench, stack)
        code, told = bench.run(url, *words, **patience(fault))
        assert as_said(code, told) == row.build[installer], told
    assert code == 0 or "step " in told.splitlines()[-1]
