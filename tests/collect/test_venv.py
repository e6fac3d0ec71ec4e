"""Whole gatherings over real venvs of this machine."""

import base64
import hashlib
import os
import py_compile
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from uv import find_uv_bin

from venvsmith.collect import CollectRequest, collect
from venvsmith.model.facts import Environment, Facts
from venvsmith.target import open_target

SITE = f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"


def record_line(path: str, content: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"{path},sha256={digest},{len(content)}\n"


# As `uv venv --relocatable` writes them.
RELOCATABLE = """\
#!/bin/sh
'''exec' "$(dirname -- "$(realpath -- "$0")")"/'python' "$0" "$@"
' '''
"""


class Venv:
    """A venv that a test fills with distributions of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.site = path / SITE
        self.site.mkdir(parents=True)
        (path / "bin").mkdir()
        for name in ("python", "python3"):
            (path / "bin" / name).symlink_to(Path(sys.executable).resolve())
        home = Path(sys.executable).resolve().parent
        (path / "pyvenv.cfg").write_text(f"home = {home}\ninclude-system-site-packages = false\n")

    def add(
        self, name: str, files: dict[str, str], *, version: str = "1", requires: str = ""
    ) -> None:
        info = f"{name.replace('-', '_')}-{version}.dist-info"
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        metadata += f"Requires-Dist: {requires}\n" if requires else ""
        record = ""
        for file, text in {**files, f"{info}/METADATA": metadata}.items():
            place = self.site / file
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
            record += record_line(file, text.encode())
        (self.site / info / "RECORD").write_text(record + f"{info}/RECORD,,\n")


@pytest.fixture
def venv(tmp_path: Path) -> Venv:
    return Venv(tmp_path / "venv")


@pytest.fixture
def gather(venv: Venv) -> Callable[..., Facts]:
    def run(*imports: str, **more: object) -> Facts:
        request = CollectRequest(imports={"": imports}, **more)  # type: ignore[arg-type]
        with open_target(f"venv:{venv.path}") as target:
            return collect(target, request)

    return run


def only(facts: Facts) -> Environment:
    assert facts.probe_problems == ()
    return facts.environments[0]


def test_this_very_venv_is_sound_and_imports() -> None:
    with open_target(f"venv:{sys.prefix}") as target:
        env = only(collect(target, CollectRequest(imports={"": ("msgspec", "click")})))
    assert env.interpreter is not None
    assert env.interpreter.run is not None
    assert env.interpreter.run.prefix == sys.prefix
    assert env.interpreter.minor == f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert [result.status for result in env.imports] == ["ok", "ok"]
    damaged = [d.name for d in env.distributions if d.record_problems or d.error]
    assert damaged == []
    assert env.unresolved_imports == ()
    assert (env.overlaps, env.stale_bytecode) == ((), ())
    assert not [elf.path for elf in env.elves if elf.error]


def test_imports_go_on_after_failures_crashes_and_hangs(
    venv: Venv, gather: Callable[..., Facts]
) -> None:
    venv.add("good", {"good.py": ""})
    venv.add("bad", {"bad.py": "def f():\n    import nowhere\nf()\n"})
    venv.add(
        "wrong",
        {"wrong.py": "try:\n    1 / 0\nexcept Exception as e:\n    raise OSError('no') from e"},
    )
    venv.add(
        "crash", {"crash.py": "import os, signal\nprint('last words')\nos.kill(os.getpid(), 11)"}
    )
    venv.add("leave", {"leave.py": "import os\nos._exit(3)"})
    venv.add("hang", {"hang.py": "import time\ntime.sleep(600)"})
    names = ("good", "bad", "wrong", "crash", "leave", "hang", "good")
    env = only(gather(*names, timeout=8.0))

    found = {result.module: result for result in env.imports}
    assert {name: result.status for name, result in found.items()} == {
        "good": "ok", "bad": "failed", "wrong": "failed", "crash": "crashed",
        "leave": "crashed", "hang": "timeout",
    }  # fmt: skip
    assert found["bad"].missing == "nowhere"
    assert found["bad"].traceback[-1].endswith("bad.py:2 in f")
    assert found["wrong"].causes == ("ZeroDivisionError: division by zero",)
    assert found["crash"].signal == 11
    assert "last words" in found["crash"].output


def test_a_package_without_its_init_is_an_empty_name(
    venv: Venv, gather: Callable[..., Facts]
) -> None:
    venv.add("lost", {"lost/__init__.py": "", "lost/core.py": ""})
    venv.add("dangling", {"dangling/__init__.py": "", "dangling/core.py": ""})
    venv.add("space-one", {"space/one/__init__.py": ""})
    (venv.site / "lost/__init__.py").unlink()
    (venv.site / "dangling/__init__.py").unlink()
    (venv.site / "dangling/__init__.py").symlink_to("/gone/__init__.py")
    (venv.site / "empty").mkdir()
    env = only(gather("lost", "dangling", "space", "space.one", "empty"))

    assert {result.module: result.status for result in env.imports} == {
        "lost": "namespace", "dangling": "namespace", "space": "ok", "space.one": "ok",
        "empty": "namespace",
    }  # fmt: skip
    problems = {
        p.path.rpartition("/site-packages/")[2]: p.kind
        for d in env.distributions
        for p in d.record_problems
    }
    assert problems == {"lost/__init__.py": "missing", "dangling/__init__.py": "dangling-link"}
    assert [link.link for link in env.broken_links] == ["/gone/__init__.py"]


def test_records_are_held_against_the_disk(venv: Venv, gather: Callable[..., Facts]) -> None:
    venv.add("edited", {"edited.py": "x = 1"})
    venv.add("first", {"shared/__init__.py": "one", "same.py": ""})
    venv.add("second", {"shared/__init__.py": "two", "same.py": ""})
    venv.add("escaping", {"e.py": ""})
    (venv.site / "edited.py").write_text("x = 2")
    record = venv.site / "escaping-1.dist-info/RECORD"
    record.write_text(record.read_text() + "../../../../../etc/passwd,,\n" + '"unclosed\n')
    env = only(gather(static=True))

    found = {d.name: [p.kind for p in d.record_problems] for d in env.distributions}
    assert found["edited"] == ["hash-mismatch"]
    assert found["escaping"] == ["escape", "missing"]
    assert [(o.distributions, o.matches) for o in env.overlaps] == [
        (("first", "second"), ("second",))
    ]


def test_code_that_is_gone_is_told_before_any_number_of_tests(
    venv: Venv, gather: Callable[..., Facts]
) -> None:
    tests = {f"thing/tests/test_{number}.py": "" for number in range(300)}
    venv.add("thing", {"thing/__init__.py": "", **tests, "thing/zcore.py": "", "thing/z.json": ""})
    shutil.rmtree(venv.site / "thing/tests")
    (venv.site / "thing/zcore.py").unlink()
    (venv.site / "thing/z.json").unlink()
    (dist,) = only(gather(static=True)).distributions

    assert len(dist.record_problems) == 200
    assert dist.record_problems_cut == {"missing": 102}
    indispensable = [p.path for p in dist.record_problems if not p.dispensable]
    assert indispensable == [f"{venv.site}/thing/zcore.py", f"{venv.site}/thing/z.json"]


def test_malformed_metadata_is_a_fact(venv: Venv, gather: Callable[..., Facts]) -> None:
    info = venv.site / "odd-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_bytes(b"Name: odd\nVersion: 1\nAuthor: \xff\n")
    (info / "RECORD").write_bytes(b"a.py,sha256=x,many\n\xff\xfe.py,,\n")
    os.mkfifo(venv.site / "pipe-1.dist-info")
    (venv.site / "no-1.dist-info").mkdir()
    env = only(gather(static=True))

    errors = {d.name: d.error for d in env.distributions}
    assert "not UTF-8" in str(errors["odd"])
    assert errors["no"] == errors["pipe"] == "its metadata file is missing or cannot be read"


def test_a_venv_whose_python_is_gone_is_read_by_another(
    venv: Venv, gather: Callable[..., Facts]
) -> None:
    venv.add("good", {"good.py": ""})
    for name in ("python", "python3"):
        (venv.path / "bin" / name).unlink()
        (venv.path / "bin" / name).symlink_to("/usr/bin/python3.99")
    facts = gather("good")
    env = only(facts)

    assert env.interpreter is not None
    assert [step.kind for step in env.interpreter.chain] == ["link", "missing"]
    assert env.interpreter.run is not None
    assert env.interpreter.run.returncode == 127
    assert [result.status for result in env.imports] == ["skipped"]
    assert [d.name for d in env.distributions] == ["good"]


@pytest.mark.parametrize(
    ("head", "interpreter", "relative"),
    [
        ("#!{venv}/bin/python\n", "{venv}/bin/python", False),
        ("#!/builder/bin/python\r\n", "/builder/bin/python\r", False),
        ("#!/bin/sh\n'''exec' \"/a b/bin/py3\" \"$0\" \"$@\"\n' '''\n", "/a b/bin/py3", False),
        (RELOCATABLE, "{venv}/bin/python", True),
        ("#!/usr/bin/env -S no-such-python -u\n", "no-such-python", False),
        ("#!bin/python\n", "bin/python", True),
    ],
)  # fmt: skip
def test_shebangs_are_seen_through(
    venv: Venv, gather: Callable[..., Facts], head: str, interpreter: str, *, relative: bool
) -> None:
    script = venv.path / "bin/tool"
    script.write_bytes(head.format(venv=venv.path).encode())
    script.chmod(0o755)
    (found,) = only(gather(static=True)).scripts

    assert found.interpreter == interpreter.format(venv=venv.path)
    assert found.relative is relative
    assert found.in_environment is (interpreter == "{venv}/bin/python")
    assert (found.interpreter_kind == "file") is found.in_environment


def test_commands_run_with_the_venv_on_the_path(venv: Venv, gather: Callable[..., Facts]) -> None:
    tool = venv.path / "bin/tool"
    tool.write_text("#!/bin/sh\necho $1; exit 4\n")
    tool.chmod(0o755)
    done = only(gather(commands={"": (("tool", "hello"), ("no-such-tool",))})).commands

    assert (done[0].output.strip(), done[0].resolved) == ("hello", str(tool))
    assert [(r.returncode, r.cut_off) for r in done] == [(4, False), (127, False)]


def test_a_command_that_hangs_leaves_time_for_the_others_and_costs_no_other_fact(
    venv: Venv, gather: Callable[..., Facts]
) -> None:
    # More names than a pipe holds: the answer about the files waits while the command hangs.
    for number in range(2000):
        (venv.path / f"bin/{'long' * 12}-{number}").touch()
    facts = gather(commands={"": (("sleep", "30"), ("true",), ("sleep", "31"))}, timeout=4.0)
    env = only(facts)

    assert facts.missing == ()
    assert len(env.bin_names) == 2002
    assert [(c.argv[0], c.returncode, c.cut_off) for c in env.commands] == [
        ("sleep", None, False), ("true", 0, False), ("sleep", None, True),
    ]  # fmt: skip


def test_an_import_may_take_most_of_the_time_and_one_that_never_ends_leaves_some(
    venv: Venv, gather: Callable[..., Facts]
) -> None:
    venv.add("slow", {"slow.py": "import time\ntime.sleep(5.5)"})
    venv.add("hang", {"hang.py": "import time\ntime.sleep(600)"})
    then = {"": (("true",),)}
    slow = only(gather("slow", commands=then, timeout=10.0))
    assert ([i.status for i in slow.imports], slow.commands[0].returncode) == (["ok"], 0)
    hung = only(gather("hang", commands=then, timeout=5.0))
    assert [(i.status, i.cut_off) for i in hung.imports] == [("timeout", False)]
    assert hung.commands[0].returncode == 0


def test_the_manifest_names_what_is_to_work(venv: Venv, gather: Callable[..., Facts]) -> None:
    venv.add("good", {"good.py": ""})
    (venv.path / ".venvsmith").mkdir()
    text = '{"imports": ["good"], "commands": [["true"]]}'
    (venv.path / ".venvsmith/manifest.json").write_text(text)
    env = only(gather())

    assert env.manifest == text
    assert [result.status for result in env.imports] == ["ok"]
    assert [result.returncode for result in env.commands] == [0]


def test_where_nothing_is_asked_what_nobody_requires_is_imported(
    venv: Venv, gather: Callable[..., Facts]
) -> None:
    venv.add("app", {"app.py": "import part", "tests/__init__.py": ""}, requires="part")
    venv.add("part", {"part.py": ""})
    assert [result.module for result in only(gather()).imports] == ["app"]


@pytest.mark.network
def test_libraries_opened_by_name_are_wanted_in_their_own_major(
    venv: Venv, gather: Callable[..., Facts]
) -> None:
    install = [find_uv_bin(), "pip", "install", "--quiet", "--no-deps", "ctranslate2==4.4.0"]
    subprocess.run([*install, "--python", venv.path / "bin/python"], check=True)
    assert only(gather(static=True)).missing_dlopens == ()

    sample = next((venv.site / "ctranslate2.libs").glob("*.so*")).read_bytes()
    (venv.site / "nvidia").mkdir()
    for name in ("libcudnn_ops.so.9", "libcudnn.so.9", "libcublas.so.12"):
        (venv.site / "nvidia" / name).write_bytes(sample)
    found = only(gather(static=True)).missing_dlopens
    assert {(item.wanted, item.present) for item in found} >= {
        ("libcudnn_ops_infer.so.8", ("libcudnn.so.9",))
    }
    assert not [item for item in found if "cublas" in item.wanted]


def test_unchecked_bytecode_that_is_not_its_source_is_stale(
    venv: Venv, gather: Callable[..., Facts]
) -> None:
    venv.add("mod", {"fresh.py": "x = 1", "stale.py": "x = 1", "timed.py": "x = 1"})
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    for name in ("fresh", "stale"):
        py_compile.compile(str(venv.site / f"{name}.py"), invalidation_mode=unchecked)
    py_compile.compile(
        str(venv.site / "timed.py"), invalidation_mode=py_compile.PycInvalidationMode.TIMESTAMP
    )
    (venv.site / "stale.py").write_text("x = 2")
    (venv.site / "timed.py").write_text("x = 22")
    (venv.site / "alone.pyc").write_bytes(b"\x00" * 16)
    env = only(gather(static=True))

    found = {Path(item.path).name.split(".")[0]: item.reason for item in env.stale_bytecode}
    assert found == {"stale": "unchecked-hash", "alone": "bad-magic"}
