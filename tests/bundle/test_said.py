"""What a failing application says, held against a small bundle."""

from __future__ import annotations

import time
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from frozen_archives import Archive, Pyz, code
from venvsmith.bundle.contents import Bundle, read_bundle
from venvsmith.bundle.frozen import FrozenModules
from venvsmith.bundle.said import of_import, with_said
from venvsmith.model.bundle import BundleFacts, MissingModule, MissingPart
from venvsmith.model.facts import ImportResult

TRACE = "Traceback (most recent call last):\n"
FRAME = '  File "{}", line 3, in {}\n'
BOOTLOADER = "[PYI-77:ERROR] Failed to execute script 'app' due to unhandled exception!\n"


@pytest.fixture
def bundle(tmp_path: Path) -> Iterator[Bundle]:
    modules = {name: zlib.compress(code("A = 1")) for name in ("alpha", "alpha.vad", "beta")}
    whole = Archive(pyz=Pyz(modules=modules, packages=frozenset({"alpha"})))
    whole.extra = [("alpha/there.onnx", "b", b"x", None), ("beta.py", "b", b"x", None)]
    (tmp_path / "app").write_bytes(whole.data())
    bundle = read_bundle(tmp_path / "app")
    with bundle.archive:
        yield bundle


def heard(bundle: Bundle, *outputs: str, missing: tuple[MissingModule, ...] = ()) -> BundleFacts:
    facts = BundleFacts(
        form="file", executable="/app", contents="", python="3.11", missing_modules=missing
    )
    return with_said(facts, bundle, FrozenModules(bundle), outputs)


def parts(found: tuple[MissingPart, ...]) -> list[tuple[str, str, bool]]:
    return [
        (part.what, f"{part.asker}.{part.function}".rstrip("."), part.certain) for part in found
    ]


@pytest.mark.parametrize(
    "words",
    [
        "importlib.metadata.PackageNotFoundError: No package metadata was found for tqdm",
        "pkg_resources.DistributionNotFound: The 'tqdm' distribution was not found and is required",
        "PackageNotFoundError: The 'tqdm>=4.27' distribution was not found and is required by this",
        "PackageNotFoundError: The 'tqdm[all]<5,>=4.27' distribution was not found",
    ],
)
def test_metadata_are_asked_for_in_several_ways(bundle: Bundle, words: str) -> None:
    said = f"{TRACE}{FRAME.format('alpha/vad.py', 'load')}{words}\n{BOOTLOADER}"
    assert parts(heard(bundle, said).missing_metadata) == [("tqdm", "alpha.vad.load", True)]


@pytest.mark.parametrize(
    "words",
    [
        "FileNotFoundError: [Errno 2] No such file or directory: '/tmp/_MEI9x/alpha/{}'",
        "[ONNXRuntimeError] : 3 : NO_SUCHFILE : Load model from /tmp/_MEI9x/alpha/{} failed:Load.",
    ],
)
def test_a_file_is_opened_in_several_ways(bundle: Bundle, words: str) -> None:
    frame = FRAME.format("alpha/vad.py", "load")
    here, there = (f"{TRACE}{frame}{words.replace('{}', n)}" for n in ("gone.onnx", "there.onnx"))
    assert parts(heard(bundle, here).missing_data) == [("alpha/gone.onnx", "alpha.vad.load", True)]
    assert heard(bundle, there).missing_data == ()


@pytest.mark.parametrize(
    ("module", "words", "expected"),
    [
        ("alpha/vad", "OSError: Can't get source for <function f at 0x7f>.", ("f", "alpha/vad.py")),
        (
            "alpha",
            "OSError: Can't get source for <class 'alpha.X'>.",
            ("alpha.X", "alpha/__init__.py"),
        ),
        ("alpha/vad", "OSError: could not get source code", ("alpha.vad", "alpha/vad.py")),
        ("beta", "OSError: Can't get source for <function f at 0x7f>.", None),
    ],
)
def test_a_source_that_torchscript_wants_is_that_of_who_called_it(
    bundle: Bundle, module: str, words: str, expected: tuple[str, str] | None
) -> None:
    file = f"{module}/__init__.py" if module == "alpha" else f"{module}.py"
    frames = [(file, "<module>"), ("torch/jit/_script.py", "script"), ("inspect.py", "findsource")]
    said = TRACE + "".join(FRAME.format(*frame) for frame in frames) + words
    found = [(part.what, part.expected) for part in heard(bundle, said).missing_sources]
    assert found == ([expected] if expected else [])


def gone(name: str, file: str = "alpha/vad.py") -> str:
    return f"{TRACE}{FRAME.format(file, 'load')}ModuleNotFoundError: No module named '{name}'\n"


LOGGED = "WARNING tensorflow is not available: No module named 'tensorflow'\n"
LINK = "\nThe above exception was the direct cause of the following exception:\n\n"
OTHER = f"{TRACE}{FRAME.format('alpha/vad.py', 'load')}RuntimeError: something else\n"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (gone("gamma") + BOOTLOADER, {"gamma": True}),
        (LOGGED + gone("gamma") + BOOTLOADER, {"gamma": True, "tensorflow": False}),
        (LOGGED + OTHER, {"tensorflow": False}),
        (gone("tensorflow") + "INFO going on without\n" + OTHER, {"tensorflow": False}),
        (gone("gamma") + LINK + OTHER + BOOTLOADER, {"gamma": True}),
        (
            gone("first") + "went on\n" + gone("gamma") + LINK + OTHER,
            {"gamma": True, "first": False},
        ),
        (LOGGED + "error: No module named 'gamma'\n", {"gamma": True, "tensorflow": False}),
        (LOGGED + BOOTLOADER, {"tensorflow": True}),
        (gone("gamma").removeprefix(TRACE), {"gamma": True}),
        (gone("beta"), {}),
        ("", {}),
    ],
)
def test_only_what_ended_the_run_is_certain(
    bundle: Bundle, said: str, expected: dict[str, bool]
) -> None:
    found = heard(bundle, said).missing_modules
    assert [(module.module, module.certain) for module in found] == list(expected.items())


def test_a_run_makes_certain_what_was_only_possible(bundle: Bundle) -> None:
    possible = tuple(
        MissingModule(module=name, importer="beta", chain=("app", "beta"), certain=False)
        for name in ("delta", "gamma")
    )
    found = heard(bundle, LOGGED.replace("tensorflow", "delta") + gone("gamma"), missing=possible)
    assert [(m.module, m.importer, m.certain) for m in found.missing_modules] == [
        ("gamma", "beta", True),
        ("delta", "beta", False),
    ]


IMPORTING = FRAME.format("<frozen importlib._bootstrap>", "_find_and_load") + FRAME.format(
    "pyimod02_importers.py", "exec_module"
)


@pytest.mark.parametrize(
    ("frames", "owner"),
    [
        (["app.py", "alpha/vad.py", "beta_reader/wrap.py", "beta_reader/_code.py"], "alpha.vad"),
        (["app.py", "alpha/vad.py", "functools.py", "beta_reader/_code.py"], "alpha.vad"),
        (["app.py", "-", "beta_reader/_code.py"], "beta_reader._code"),
        (["app.py", "beta_reader/_code.py"], None),
    ],
)
def test_a_source_that_is_read_is_that_of_who_handed_it_over(
    tmp_path: Path, frames: list[str], owner: str | None
) -> None:
    """Whatever reads it; what only imports the reader handed it nothing."""
    names = ("alpha", "alpha.vad", "beta_reader", "beta_reader._code", "beta_reader.wrap")
    packages = frozenset({"alpha", "beta_reader"})
    modules = {name: zlib.compress(code("A = 1")) for name in names}
    (tmp_path / "app").write_bytes(Archive(pyz=Pyz(modules=modules, packages=packages)).data())
    bundle = read_bundle(tmp_path / "app")
    stack = "".join(IMPORTING if f == "-" else FRAME.format(f, "<module>") for f in frames)
    said = f"{TRACE}{stack}{FRAME.format('inspect.py', 'findsource')}OSError: could not get source"
    with bundle.archive:
        found = heard(bundle, f"{said} code\n").missing_sources
    told = [(part.asker, part.reader, part.expected) for part in found]
    expected = [(owner, "beta_reader._code", f"{owner.replace('.', '/')}.py")] if owner else []
    assert told == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("RuntimeError: data path not exists at /tmp/_MEI9x/alpha/voices.", ["alpha/voices"]),
        ("ValueError: no model in '/tmp/_MEI9x/alpha/m/big.bin' (tried once)", ["alpha/m/big.bin"]),
        ("RuntimeError: cannot read /tmp/_MEI9x/alpha/there.onnx", []),
        ("ImportError: cannot use alpha (/tmp/_MEI9x/alpha/gone.pyc)", []),
        ("ValueError: not in /tmp/_MEI9x/alpha/vad", []),
        ("ValueError: nothing at /tmp/_MEI9x/elsewhere/x.bin", []),
        ("PermissionError: [Errno 13] Permission denied: '/tmp/_MEI9x/alpha/cache'", []),
        ("OSError: cannot write /tmp/_MEI9x/alpha/cache.db", []),
        ("OSError: no model at `/tmp/_MEI9x/alpha/gone.bin`", ["alpha/gone.bin"]),
        ("OSError: cannot read '/tmp/_MEI9x/alpha/my gone.bin'", ["alpha/my gone.bin"]),
        ("OSError: not found: /tmp/_MEI9x/alpha/x/../gone.bin", ["alpha/gone.bin"]),
        ("OSError: no 'alpha' below /tmp/_MEI9x/alpha/gone and no other", []),
        ("OSError: cannot read /tmp/_MEI9x/alpha/there", []),
        ("OSError: cannot read '/tmp/_MEI9x/alpha/there.onnx v2'", []),
        ("OSError: cannot read `/tmp/_MEI9x/alpha/there.onnx`", []),
        ("OSError: cannot read [/tmp/_MEI9x/alpha/there.onnx]", []),
        ("ValueError: /tmp/_MEI9x/alpha/there.onnx#/x cannot be found", []),
        ("ValueError: cannot find /tmp/_MEI9x/alpha/gone.onnx=3", []),
        ("ValueError: no files match '/tmp/_MEI9x/alpha/*.bin'", []),
        ("TimeoutError: cannot open, locked: /tmp/_MEI9x/alpha/cache", []),
        ("RuntimeError: could not save to /tmp/_MEI9x/alpha/out.bin", []),
        ("ValueError: bad header in /tmp/_MEI9x/alpha/gone.bin", []),
    ],
)
def test_a_path_of_a_frozen_package_that_is_not_there_is_missing_in_any_words(
    bundle: Bundle, words: str, expected: list[str]
) -> None:
    said = f"{TRACE}{FRAME.format('alpha/vad.py', 'load')}{words}\n{BOOTLOADER}"
    assert [part.what for part in heard(bundle, said).missing_data] == expected
    passing = f"{words}\n{TRACE}{FRAME.format('alpha/vad.py', 'load')}ValueError: other\n"
    assert heard(bundle, passing).missing_data == ()


def possible(what: str, function: str = "load") -> MissingPart:
    return MissingPart(what=what, asker="alpha.vad", function=function, certain=False, direct=False)


@pytest.mark.parametrize(
    ("known", "frames", "certain"),
    [
        ([possible("a.bin")], [("alpha/vad.py", "load"), ("alpha/vad.py", "_raise")], {"a.bin"}),
        ([possible("a.bin")], [("alpha/vad.py", "load"), ("beta.py", "f")], set()),
        ([possible("a.bin")], [("alpha/vad.py", "load"), ("json/decoder.py", "f")], set()),
        ([possible("a.bin"), possible("b.bin")], [("alpha/vad.py", "load")], set()),
        ([possible("a.bin", "other")], [("alpha/vad.py", "load")], set()),
        ([possible("a.bin", "")], [("alpha/vad.py", "<module>")], set()),
    ],
)
def test_a_run_that_ends_where_one_file_is_asked_for_ends_for_want_of_it(
    bundle: Bundle, known: list[MissingPart], frames: list[tuple[str, str]], certain: set[str]
) -> None:
    facts = BundleFacts(
        form="file", executable="/app", contents="", python="3.11", missing_data=tuple(known)
    )
    said = TRACE + "".join(FRAME.format(*frame) for frame in frames) + "RuntimeError: no data\n"
    found = with_said(facts, bundle, FrozenModules(bundle), [said])
    assert {part.what for part in found.missing_data if part.certain} == certain
    other = said.replace("RuntimeError: no data", "ModuleNotFoundError: No module named 'gamma'")
    found = with_said(facts, bundle, FrozenModules(bundle), [other])
    assert not any(part.certain for part in found.missing_data)


@pytest.mark.parametrize(
    ("words", "certain"),
    [
        (
            'RuntimeError: The data files are not available. Run "python setup.py x".',
            {"data/a.bin"},
        ),
        ("ValueError: a.bin is no archive", {"data/a.bin"}),
        ("OSError", {"data/a.bin"}),
        ("ValueError: invalid literal for int() with base 10: 'ten'", set()),
        ("ValueError: 'ten' is not available", set()),
        ("ValueError: invalid value: ten", set()),
        ("TypeError: main() missing 1 required positional argument: 'x'", set()),
        ("FileNotFoundError: [Errno 2] No such file or directory: 'my input'", set()),
        ("OSError: /home/me/input not found", set()),
        ("OSError: input.wav not found", set()),
        ("OSError: [Errno 98] Address already in use", set()),
    ],
)
def test_a_possible_file_is_certain_only_where_the_exception_can_be_about_it(
    bundle: Bundle, words: str, certain: set[str]
) -> None:
    facts = BundleFacts(
        form="file",
        executable="/app",
        contents="",
        python="3.11",
        missing_data=(possible("data/a.bin"),),
    )
    said = f"{TRACE}{FRAME.format('alpha/vad.py', 'load')}    open('a.bin')\n{words}\n{BOOTLOADER}"
    found = with_said(facts, bundle, FrozenModules(bundle), [said]).missing_data
    assert {part.what for part in found if part.certain} == certain


def test_a_bundle_s_own_folder_says_nothing_of_what_is_missing(tmp_path: Path) -> None:
    folder = tmp_path / "creative"
    (folder / "_internal" / "alpha").mkdir(parents=True)
    modules = {"alpha": zlib.compress(code("A = 1"))}
    whole = Archive(pyz=Pyz(modules=modules, packages=frozenset({"alpha"})), base_library=False)
    (folder / "app").write_bytes(whole.data())
    (folder / "app").chmod(0o755)
    with zipfile.ZipFile(folder / "_internal" / "base_library.zip", "w") as library:
        library.writestr("os.pyc", b"")
        library.writestr("encodings/__init__.pyc", b"")
    (folder / "_internal" / "alpha" / "there.bin").write_text("x")
    bundle = read_bundle(folder)
    with bundle.archive:
        said = f"ValueError: no model at {folder}/_internal/alpha/{{}}.bin"
        found = [heard(bundle, said.format(name)).missing_data for name in ("gone", "there")]
    assert [[part.what for part in parts] for parts in found] == [["alpha/gone.bin"], []]


CYTHON = '  File "src/alpha/tree.pyx", line 75, in {}\n'


@pytest.mark.parametrize(
    ("frames", "words", "expected"),
    [
        (CYTHON.format("init alpha.vad"), "cannot import name gone", ("alpha.gone", "alpha.vad")),
        (
            CYTHON.format("alpha.vad.Tree.parse"),
            "No module named 'gone'",
            ("gone", "alpha.vad.Tree.parse"),
        ),
        (
            FRAME.format("alpha/vad.py", "f") + IMPORTING,
            "No module named 'x'",
            ("x", "alpha.vad.f"),
        ),
    ],
)
def test_who_asks_for_a_module_is_one_of_the_application_s(
    bundle: Bundle, frames: str, words: str, expected: tuple[str, str]
) -> None:
    (found,) = heard(bundle, f"{TRACE}{frames}ImportError: {words}\n").missing_modules
    assert (found.module, f"{found.importer}.{found.function}".rstrip(".")) == expected


REPORT = '{{\n  "errors": [\n    "No module named \'gamma\'"{}\n  ]\n}}\n'


@pytest.mark.parametrize(
    ("said", "certain"),
    [
        (REPORT.format(""), {"gamma"}),
        (LOGGED + REPORT.format(""), {"gamma"}),
        (REPORT.format(",\n    \"No module named 'delta'\""), set()),
        ("+---------+\n| No module named 'gamma' |\n+---------+\n", {"gamma"}),
        (LOGGED + "}\n", set()),
    ],
)
def test_a_report_that_ends_the_output_tells_why_if_it_names_one_thing(
    bundle: Bundle, said: str, certain: set[str]
) -> None:
    found = heard(bundle, said).missing_modules
    assert {module.module for module in found if module.certain} == certain


def test_a_failing_import_is_placed_by_its_traceback() -> None:
    result = ImportResult(
        module="alpha",
        status="failed",
        exception="OSError",
        message="could not get source code",
        traceback=("alpha/vad.py:7 in load", "inspect.py:9 in findsource"),
    )
    assert FRAME.format("alpha/vad.py", "load").replace("3", "7") in of_import(result)


@pytest.mark.parametrize(
    "unit",
    ["a", "a-", "\n", "'a", "a.so", ".so.1", "The 'a", "The 'aaaa.", "/_MEIa/", "No module named ",
     " | ", TRACE,
     "NO_SUCHFILE : Load model from ", "cannot import name a ", "/_MEIx/alpha/a ",
     "/_MEIa/not found/", "No such file or directory: '"],
)  # fmt: skip
def test_long_outputs_are_read_in_no_time(bundle: Bundle, unit: str) -> None:
    size = 64 * 1024
    said = TRACE + FRAME.format("alpha/vad.py", "load") + unit * (size // len(unit))
    facts = BundleFacts(
        form="file", executable="", contents="", python="3.11", missing_data=(possible("a.bin"),)
    )
    begin = time.process_time()
    with_said(facts, bundle, FrozenModules(bundle), [said])
    assert time.process_time() - begin < 1
