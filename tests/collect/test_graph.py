"""The import graph: what is surely missing is named, what may be guarded is not."""

import sys
import time
from pathlib import Path

import pytest

from venvsmith.collect.probe.compiled import NAMELESS, built_in
from venvsmith.collect.probe.finder import Finder
from venvsmith.collect.probe.graph import Graph, Owner, imports_of
from venvsmith.collect.probe.python import describe
from venvsmith.collect.probe.tree import Tree


def missing(
    tmp_path: Path,
    files: dict[str, str],
    *,
    roots: str = "app",
    required: str = "",
    own: bool = False,
    built_in: frozenset[str] | None = None,
) -> list[tuple[str, str, int]]:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    tree = Tree()
    owner = Owner("app", set(required.split()), own)
    owners = {str(tmp_path / name): owner for name in files}
    graph = Graph(tree, Finder(tree, [str(tmp_path)], "3.11", built_in), owners)
    graph.walk([(roots, False)])
    return [(fact["module"], fact["importer"], fact["line"]) for fact in graph.found]


def test_a_missing_module_is_named_with_its_importer_and_line(tmp_path: Path) -> None:
    files = {"app/__init__.py": "from . import a\n", "app/a.py": "import sys\n\nimport gone.sub\n"}
    assert missing(tmp_path, files) == [("gone", "app.a", 3)]


def test_what_may_lie_in_an_interpreter_is_missed_only_where_its_binary_is_known(
    tmp_path: Path,
) -> None:
    files = {"app.py": "import sys\nimport unicodedata\nimport gone\n"}
    gone = ("gone", "app", 3)
    assert missing(tmp_path, files) == [gone]
    unicodedata = ("unicodedata", "app", 2)
    assert missing(tmp_path, files, built_in=frozenset({"sys"})) == [unicodedata, gone]


def test_what_lies_in_an_interpreter_is_told_by_its_binary() -> None:
    tree = Tree()
    interpreter = describe(tree, str(Path(sys.executable).resolve()))
    assert built_in(tree, interpreter) == NAMELESS | set(sys.builtin_module_names)
    assert built_in(tree, describe(tree, "/bin/sh")) is None


def test_a_missing_submodule_of_a_package_and_of_a_namespace(tmp_path: Path) -> None:
    files = {
        "app.py": "import pkg.gone\nfrom space import lost\n",
        "pkg/__init__.py": "",
        "space/x.py": "",
    }
    assert missing(tmp_path, files) == [("pkg.gone", "app", 1), ("space.lost", "app", 2)]


def test_an_excluded_submodule_is_missing_although_python_speaks_of_a_circle(
    tmp_path: Path,
) -> None:
    files = {
        "app/__init__.py": "from .core import x\n",
        "app/core.py": "from . import gone\nx = 1\n",
    }
    assert missing(tmp_path, files) == [("app.gone", "app.core", 1)]


@pytest.mark.parametrize(
    "text",
    [
        "try:\n    import gone\nexcept ImportError:\n    gone = None\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import gone\n",
        "import sys\nif sys.platform == 'win32':\n    import gone\n",
        "def later():\n    import gone\n",
        '"""Example:\n\nimport gone\n"""\n',
        "import contextlib\nwith contextlib.suppress(ImportError):\n    import gone\n",
        "import sys\nsys.path.insert(0, 'x')\nimport gone\n",
        "raise ImportError('not here')\nimport gone\n",
        "import plain.sub\n",
        "import lazy.sub\n",
        "import native.sub\n",
        "import vendored\n",
        "import cython_pure\n",
    ],
)  # fmt: skip
def test_what_may_be_guarded_or_made_at_run_time_is_not_held_against_anyone(
    tmp_path: Path, text: str
) -> None:
    files = {
        "app/__init__.py": text,
        "typing.py": "TYPE_CHECKING = False",
        "contextlib.py": "",
        "plain.py": "",
        "lazy/__init__.py": "import sys\nsys.modules[__name__ + '.sub'] = sys\n",
        "native.cpython-311-x86_64-linux-gnu.so": "",
        "app/_vendor/vendored.py": "",
        "cython_pure.py": "import gone",
        "cython_pure.abi3.so": "",
    }
    assert missing(tmp_path, files) == []


def test_names_in_parentheses_are_read_past_what_comments_say_of_them(tmp_path: Path) -> None:
    text = (
        "from .pkg import (\n    a,  # (once b)\n    c as d,\n)\nfrom .pkg import e, \\\n  f # g\n"
    )
    files = {"app/__init__.py": text, "app/pkg/__init__.py": "a = 1\n"}
    gone = [(f"app.pkg.{name}", "app", line) for name, line in [("c", 1), ("e", 5), ("f", 5)]]
    assert missing(tmp_path, files) == gone


@pytest.mark.parametrize(
    "text",
    ["from " + "." * 50_000, "from" + " " * 50_000, "from a import (\n" * 50_000],
    ids=["dots", "spaces", "parentheses"],
)
def test_a_source_that_only_looks_like_imports_is_read_in_no_time(text: str) -> None:
    started = time.monotonic()
    imports_of(text)
    assert time.monotonic() - started < 2


def test_an_extension_for_another_python_does_not_count(tmp_path: Path) -> None:
    files = {"app.py": "import native\n", "native.cpython-312-x86_64-linux-gnu.so": ""}
    assert missing(tmp_path, files) == [("native", "app", 1)]


def test_in_the_roots_own_functions_only_required_names_count(tmp_path: Path) -> None:
    files = {
        "app/__init__.py": "def run():\n    from .cli import main\n    main()\n",
        "app/cli.py": "def main():\n    import optional\n    import needed\n",
    }
    assert missing(tmp_path, files, required="needed", own=True) == [("needed", "app.cli", 3)]
    assert missing(tmp_path, files, required="needed", own=False) == []
