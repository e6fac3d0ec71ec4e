"""What a failing application says, held against a small bundle."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from frozen_archives import Archive, Pyz, code
from venvsmith.bundle.contents import Bundle, read_bundle
from venvsmith.bundle.frozen import FrozenModules
from venvsmith.bundle.said import with_said
from venvsmith.model.bundle import BundleFacts, MissingModule, MissingPart

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
        ("alpha/vad", "OSError: could not get source code", ("<module>", "alpha/vad.py")),
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
