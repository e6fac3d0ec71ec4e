"""Hooks derived from small packages, laid out as they are installed."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec import _core

from venvsmith.bundle.hook import Hook, text_of
from venvsmith.bundle.hooks import derive
from venvsmith.bundle.installed import InstalledModules
from venvsmith.bundle.spec import excludes
from venvsmith.bundle.traced import Trace, trace
from venvsmith.cli.main import cli
from venvsmith.errors import JudgedError, SurroundingsError

OPENS = "import os\nD = open(os.path.join(os.path.dirname(__file__), 'a.yaml')).read()\n"


def installed(folder: Path, files: dict[str, str], *, record: bool = True) -> InstalledModules:
    """Install packages: those of one top-level name are one distribution, `x.y` of `x/y` as well.

    :param files: paths below site-packages to their texts.
    """
    site = folder / "venv" / "lib" / "python3.11" / "site-packages"
    brought: dict[str, list[str]] = {}
    for path, text in files.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_text(text)
        top, _, rest = path.partition("/")
        name = f"ns_{rest.partition('/')[0]}" if top == "ns" else top
        brought.setdefault(name, []).append(path)
    for name, paths in brought.items() if record else ():
        info = site / f"{name}-1.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Name: {name}\n")
        (info / "RECORD").write_text("".join(f"{path},,\n" for path in paths))
    site.mkdir(parents=True, exist_ok=True)
    return InstalledModules(folder / "venv")


def told(hooks: tuple[Hook, ...]) -> list[str]:
    return [f"{hook.module}: {need.kind} {need.what}" for hook in hooks for need in hook.needs]


@pytest.mark.parametrize(
    "call", ["import_module('pk._hidden')", "import_module('._hidden', __package__)"]
)
def test_a_module_imported_by_a_string_is_a_hidden_import(tmp_path: Path, call: str) -> None:
    source = f"from importlib import import_module\ndef load():\n    return {call}\n"
    there = installed(
        tmp_path,
        {
            "pk/__init__.py": source,
            "pk/_hidden.py": "from pk import _next\n",
            "pk/_next.py": OPENS,
            "pk/a.yaml": "",
        },
    )
    found = derive(there, ["pk"])
    assert told(found) == ["pk: import pk._hidden", "pk._next: data a.yaml"]
    assert "hiddenimports = [\n" in text_of(found[0])


def test_what_is_imported_by_a_statement_too_is_not_hidden(tmp_path: Path) -> None:
    source = "import importlib, pk._seen\nimportlib.import_module('pk._seen')\n"
    assert derive(installed(tmp_path, {"pk/__init__.py": source, "pk/_seen.py": ""}), ["pk"]) == ()


def test_a_module_that_only_a_run_loads_is_a_hidden_import(tmp_path: Path) -> None:
    files = {"pk/__init__.py": "", "pk/_a.py": "import pk._b\n", "pk/_b.py": "", "other/x.py": ""}
    seen = Trace(modules=("pk", "pk._a", "pk._b", "other", "other.x"))
    assert told(derive(installed(tmp_path, files), ["pk"], trace=seen)) == [
        "other: import other.x",
        "pk: import pk._a",
        "pk: import other",
    ]


def test_a_package_of_one_file_and_a_leaf_of_one_are_packages(tmp_path: Path) -> None:
    files = {
        "one/__init__.py": OPENS,
        "one/a.yaml": "",
        "pk/__init__.py": "from .leaf import f\n",
        "pk/leaf/__init__.py": "from ..core import g\nf = g\n",
        "pk/core.py": f"{OPENS}g = 1\n",
        "pk/a.yaml": "",
    }
    found = derive(installed(tmp_path, files), ["one", "pk"])
    assert told(found) == ["one: data a.yaml", "pk.core: data a.yaml"]


@pytest.mark.parametrize("name", ['we"ird[1].txt', "o'clock.txt", "ünicode.txt", "two\nlines.txt"])
def test_a_hook_names_files_of_any_name(tmp_path: Path, name: str) -> None:
    source = (
        "import os\ndef load(n):\n    return open(os.path.dirname(__file__) + '/assets/' + n)\n"
    )
    source += "FOLDER = os.path.join(os.path.dirname(__file__), 'assets')\n"
    there = installed(tmp_path, {"pk/__init__.py": source, f"pk/assets/{name}": "x"})
    (hook,) = derive(there, ["pk"])
    taken: list[str] = []
    lines = text_of(hook).splitlines()
    assert all(line.isascii() for line in lines)
    code = "\n".join(line for line in lines if "import" not in line.split())

    def collect_data_files(_: str, includes: list[str]) -> list[str]:
        taken.extend(includes)
        return []

    exec(code, {"collect_data_files": collect_data_files})  # noqa: S102 - a hook is run by PyInstaller just so
    (pattern,) = taken
    assert [p.name for p in (there.folder / "pk").glob(pattern)] == [name]


def test_any_file_that_is_there_is_data_whatever_its_ending(tmp_path: Path) -> None:
    """Named in a class, and in a folder that a function for resources knows."""
    source = (
        "from importlib.resources import files\nclass K:\n"
        "    folder = files(__package__) / 'data'\n    words = 'words.db'\n    no = 'absent.db'\n"
    )
    files = {"pk/__init__.py": source, "pk/in/words.db": "", "pk/data/x.en": "", "pk/y.en": ""}
    found = derive(installed(tmp_path, files), ["pk"])
    assert told(found) == ["pk: data data/x.en", "pk: data in/words.db"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import pkgutil, ext\ndef f():\n    return pkgutil.iter_modules(ext.__path__)\n", "ext.a"),
        (
            "import pkgutil\nfrom pk import sub\nlist(pkgutil.iter_modules(sub.__path__))\n",
            "pk.sub.b",
        ),
        (
            "import pkgutil as p\ndef f():\n    import ext\n    p.walk_packages(ext.__path__)",
            "ext.a",
        ),
        ("import pkgutil\nlist(pkgutil.iter_modules(__path__))\n", "pk.sub"),
    ],
)
def test_modules_that_code_finds_in_a_folder_are_hidden_imports(
    tmp_path: Path, source: str, expected: str
) -> None:
    files = {"pk/__init__.py": source, "pk/sub/__init__.py": "", "pk/sub/b.py": "", "ext/a.py": ""}
    assert told(derive(installed(tmp_path, files), ["pk"])) == [f"pk: import {expected}"]


def test_what_an_entry_point_leads_to_is_collected_with_its_metadata(tmp_path: Path) -> None:
    source = "from importlib.metadata import entry_points\nFOUND = entry_points(group='pk.kinds')\n"
    there = installed(tmp_path, {"pk/__init__.py": source, "plug/__init__.py": "", "plug/a.py": ""})
    points = "[console_scripts]\nx = plug.b:main\n[pk.kinds]\none = plug.a:Kind [extra]\n"
    (there.folder / "plug-1.dist-info" / "entry_points.txt").write_text(points)
    found = derive(InstalledModules(tmp_path / "venv"), ["pk"])
    assert told(found) == ["pk: import plug.a", "pk: metadata plug"]


def test_code_that_nests_too_deep_is_told_and_the_rest_is_read(tmp_path: Path) -> None:
    deep = "x = " + "lambda: " * 199 + "1\n"
    there = installed(
        tmp_path, {"pk/__init__.py": f"from pk import a\n{OPENS}", "pk/a.py": deep, "pk/a.yaml": ""}
    )
    assert told(derive(there, ["pk"])) == ["pk: data a.yaml"]
    assert list(there.unread) == ["pk.a"]


def test_what_no_record_lists_has_hooks_too(tmp_path: Path) -> None:
    there = installed(tmp_path, {"pk/__init__.py": OPENS, "pk/a.yaml": ""}, record=False)
    (hook,) = derive(there, ["pk"])
    assert text_of(hook).startswith('"""Hook for pk.\n')


def test_metadata_of_each_distribution_of_a_namespace_are_collected(tmp_path: Path) -> None:
    there = installed(tmp_path, {"ns/a/__init__.py": "", "ns/b/__init__.py": ""})
    found = derive(there, ["ns.a", "ns.b"], trace=Trace(metadata=("ns-a", "ns_b")))
    assert [(hook.module, hook.distribution, hook.needs[0].what) for hook in found] == [
        ("ns", "ns-a 1", "ns-a"),
        ("ns.b", "ns-b 1", "ns-b"),
    ]


def test_libraries_that_a_run_opened_are_collected(tmp_path: Path) -> None:
    library = Path(_core.__file__)  # any shared library
    there = installed(tmp_path, {"pk/__init__.py": "", "pk/lib/x": "", "pk.libs/x": ""})
    places = ("pk/lib/libown-1.so.2", "pk.libs/libbeside.so")
    for place in places:
        shutil.copyfile(library, there.folder / place)
    (hook,) = derive(InstalledModules(tmp_path / "venv"), ["pk"], trace=Trace(libraries=places))
    text = text_of(hook)
    assert '*collect_dynamic_libs("pk", search_patterns=["lib/libown-1.so.2"])' in text
    assert '(get_package_paths("pk")[0] + "/pk.libs/libbeside.so", "pk.libs")' in text
    assert text.count("libown") == 1


# -- the command -----------------------------------------------------------------------------------

CONFIG = """\
[project]
name = "app"
python = "3.11"
[bases.slim]
image = "python:3.11-slim-bookworm"
[variants.cpu]
base = "slim"
platforms = ["linux/amd64"]
[stages.app]
requires = ["pk"]
"""


def hooks(folder: Path, imports: str = "", *options: str) -> tuple[str, BaseException | None]:
    (folder / "venvsmith.toml").write_text(CONFIG + imports)
    argv = ["--config", str(folder / "venvsmith.toml"), "bundle", "hooks", "app"]
    where = ["--venv", str(folder / "venv"), "--output", str(folder / "hooks")]
    result = CliRunner().invoke(cli, [*argv, *where, *options], standalone_mode=False)
    return result.output, result.exception


def test_a_folder_that_cannot_be_made_is_the_surroundings_fault(tmp_path: Path) -> None:
    installed(tmp_path, {"pk/__init__.py": ""})
    (tmp_path / "hooks").symlink_to(tmp_path / "venvsmith.toml" / "below a file")
    _, problem = hooks(tmp_path)
    assert isinstance(problem, SurroundingsError)
    assert problem.where == str(tmp_path / "hooks")


@pytest.mark.parametrize("imports", ["", 'imports = ["pk"]\n'])
def test_a_venv_without_the_stage_is_refused_and_earlier_hooks_stay(
    tmp_path: Path, imports: str
) -> None:
    installed(tmp_path, {"pk/__init__.py": OPENS, "pk/a.yaml": ""})
    output, problem = hooks(tmp_path, imports)
    assert problem is None
    assert "1 hook: " in output
    (tmp_path / "venv").rename(tmp_path / "right")
    installed(tmp_path, {"unrelated/__init__.py": ""})
    _, problem = hooks(tmp_path, imports)
    assert isinstance(problem, JudgedError)
    assert problem.message == "not installed there: pk"
    assert (tmp_path / "hooks" / "hook-pk.py").exists()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("_mine.pth", "{source}\n"),
        (
            "__editable___mine_1_finder.py",
            "MAPPING: dict[str, str] = {{'mine': '{source}/mine'}}\n",
        ),
    ],
    ids=["a folder", "an import hook"],
)
def test_what_an_editable_imports_and_opens_has_hooks(tmp_path: Path, name: str, text: str) -> None:
    there = installed(tmp_path, {"pk/__init__.py": OPENS, "pk/a.yaml": "", "other/x.py": ""})
    source = tmp_path / "source"
    for path, content in {
        "mine/__init__.py": f"import pk\n{OPENS}",
        "mine/a.yaml": "",
    }.items():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_text(content)
    (there.folder / name).write_text(text.format(source=source))
    if name.endswith(".py"):
        hook = name.removesuffix(".py")
        (there.folder / "__editable__.mine-1.pth").write_text(f"import {hook}; {hook}.install()")
    output, problem = hooks(tmp_path, 'imports = ["mine"]\n')
    assert problem is None, output
    written = {path.name for path in (tmp_path / "hooks").glob("hook-*.py")}
    assert written == {"hook-mine.py", "hook-pk.py"}


def test_sources_that_this_python_cannot_read_are_told(tmp_path: Path) -> None:
    later = "def f[T](x: T) -> T:\n    return <later syntax>\n"
    installed(
        tmp_path, {"pk/__init__.py": "from pk import _a, _b", "pk/_a.py": later, "pk/_b.py": later}
    )
    output, problem = hooks(tmp_path, 'imports = ["pk"]\n')
    assert problem is None
    assert "warning: Python 3." in output
    assert "cannot read pk._a and 1 more (" in output


EXCLUDED = """\
a = Analysis(["app.py"], excludes=["a.b", *("c",)])

MORE = ["a.b"]
MORE += ["x"] + list(OTHER)
OTHER = "c d".split()
a = Analysis(["app.py"], excludes=MORE)

own = []
own.append("a.b")
own.extend({"c"})
a = Analysis(["app.py"], [], None, None, None, None, None, None, own)

options = {"excludes": ["a.b", "c"]}
a = Analysis(["app.py"], **options)
"""


@pytest.mark.parametrize("spec", EXCLUDED.split("\n\n"))
def test_what_a_spec_excludes_is_read_however_its_list_is_made(tmp_path: Path, spec: str) -> None:
    (tmp_path / "app.spec").write_text(spec)
    names, computed = excludes(tmp_path / "app.spec")
    assert {"a.b", "c"} <= names.keys() <= {"a.b", "c", "d", "x"}
    assert computed == []


def test_what_a_spec_computes_is_told_as_not_checked(tmp_path: Path) -> None:
    installed(tmp_path, {"pk/__init__.py": ""})
    spec = tmp_path / "app.spec"
    spec.write_text("a = Analysis(\n  excludes=['tk'] + [n for n in sys.argv] + read('x'))\n")
    output, problem = hooks(tmp_path, "", "--spec", str(spec))
    assert problem is None
    assert f"warning: {spec}:2: excludes what is computed, which is not checked" in output


# -- the recorded run ------------------------------------------------------------------------------


def traced(folder: Path, *words: str) -> Trace:
    """Run one command in a venv of this Python, which has a package that loads others."""
    packages = {
        "pk/__init__.py": "def load(name):\n    __import__(name)\n",
        "pk/_late.py": "",
    }
    site = installed(folder, packages).folder
    (folder / "venv" / "bin").mkdir()
    (folder / "venv" / "bin" / "python").symlink_to(sys.executable)
    (folder / "venv" / "pyvenv.cfg").write_text(f"home = {Path(sys.executable).parent}\n")
    return trace(folder / "venv", site, modules=(), commands=[words], timeout=60)


@pytest.mark.parametrize(
    "words",
    [
        ["python", "-u", "app.py"],
        ["python3", "-W", "error", "-m", "app"],
        ["python3.11", "-Wignore", "-Xdev", "-Im", "app"],
        ["python", "-uc", "import app"],
    ],
)
def test_an_interpreter_s_command_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    (tmp_path / "app.py").write_text("import beside, pk\npk.load('pk._late')\npk.load('shlex')\n")
    (tmp_path / "beside.py").write_text("")
    monkeypatch.chdir(tmp_path)
    found = traced(tmp_path, *words)
    assert found.failed == {}
    assert {"pk._late", "shlex"} <= set(found.asked) & set(found.modules)
    assert {"beside", "pk"}.isdisjoint(found.asked)
    hooks = derive(InstalledModules(tmp_path / "venv"), ["pk"], trace=found)
    assert told(hooks) == ["pk: import pk._late", "pk: import shlex"]


def test_code_on_the_command_line_is_recorded(tmp_path: Path) -> None:
    found = traced(tmp_path, "python", "-c", "import pk; pk.load('shlex')")
    assert (found.failed, found.asked) == ({}, ("shlex",))


def test_a_script_whose_name_begins_like_python_s_is_no_interpreter(tmp_path: Path) -> None:
    script = tmp_path / "python-config"
    script.write_text("import sys, pk\npk.load(sys.argv[1].strip('-'))\n")
    found = traced(tmp_path, str(script), "--shlex")
    assert (found.failed, "shlex" in found.modules) == ({}, True)


def test_a_program_that_is_no_python_script_is_told_as_that(tmp_path: Path) -> None:
    found = traced(tmp_path, shutil.which("sh") or "")
    (why,) = found.failed.values()
    assert why == "no Python script: what it does cannot be recorded"
