"""Pyprojects of uv, of setuptools and of poetry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

from init.drafts import Made, told
from venvsmith.config import check
from venvsmith.init import draft
from venvsmith.init.poetry import requirement_of
from venvsmith.init.pyproject import minor_for

UV = """\
[project]
name = "asr-service"
version = "1.0"
requires-python = ">=3.10,<3.12"
dependencies = ["torch>=2.8", "fastapi", "acme-audio"]

[project.scripts]
asr = "asr_service:main"

[project.optional-dependencies]
cpu = ["torch>=2.8"]
cu128 = ["torch>=2.8"]
diarize = ["pyannote.audio>=4"]
dev = ["ruff"]

[dependency-groups]
evaluate = ["jiwer"]
test = ["pytest"]

[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[tool.uv]
conflicts = [[{ extra = "cpu" }, { extra = "cu128" }]]
exclude-newer = "2026-10-01"

[tool.uv.sources]
torch = [
  { index = "torch-cpu", extra = "cpu" },
  { index = "torch-cu128", extra = "cu128" },
]
acme-audio = { index = "acme" }
acme-tools = { workspace = true }

[[tool.uv.index]]
name = "torch-cpu"
url = "https://mirror.example.com/whl/cpu"
explicit = true

[[tool.uv.index]]
name = "torch-cu128"
url = "https://mirror.example.com/whl/cu128"
explicit = true

[[tool.uv.index]]
name = "acme"
url = "https://wheels.example.com/simple"
"""
SETUPTOOLS = """\
[build-system]
requires = ["setuptools"]

[project]
name = "Shop_Front"
requires-python = ">=3.9"
dynamic = ["version", "dependencies"]

[tool.setuptools.dynamic]
dependencies = { file = ["requirements.in"] }
"""
POETRY = """\
[tool.poetry]
name = "bookings"
version = "0.3.0"

[tool.poetry.dependencies]
python = "^3.11"
django = "^5.1"
psycopg = { version = "~3.2", extras = ["binary"] }
acme = { git = "https://github.com/acme/acme.git", tag = "v2" }
local = { path = "../local" }
colorama = { version = "*", markers = "sys_platform == 'win32'" }

[tool.poetry.group.dev.dependencies]
pytest = "^8"

[build-system]
requires = ["poetry-core"]
build-backend = "poetry.core.masonry.api"
"""


def test_a_project_of_uv_becomes_stages_that_extend_one_another(make: Callable[..., Made]) -> None:
    project, result = make(
        "pyproject.toml", **{"pyproject.toml": UV, "src__asr_service____init__.py": ""}
    )
    assert project.python == "3.11"
    assert project.exclude_newer == "2026-10-01"
    assert {name: s.extends for name, s in project.stages.items()} == {
        "torch": None,
        "dependencies": "torch",
        "asr-service": "dependencies",
        "diarize": "dependencies",
        "evaluate": "dependencies",
    }
    assert project.stages["dependencies"].requires_file == ("pyproject.toml",)
    assert project.stages["asr-service"].source == "."
    assert project.stages["diarize"].requires == ("pyannote.audio>=4",)
    assert project.stages["evaluate"].requires_file == ("pyproject.toml:evaluate",)
    assert {v.name: v.torch_backend for v in project.variants.values()} == {
        "cpu": "cpu",
        "cuda": "cu128",
    }
    assert project.indexes["acme"].packages == ("acme-audio",)
    assert project.images["asr-service"].entrypoint == ("asr",)
    notes = told(result)
    for what in ("extra dev", "dependency group test", "tool.uv.conflicts", "acme-tools"):
        assert what in notes
    assert len(result.notes) == 4


def test_dynamic_dependencies_are_read_where_setuptools_reads_them(
    make: Callable[..., Made],
) -> None:
    project, result = make(
        "pyproject.toml", **{"pyproject.toml": SETUPTOOLS, "requirements.in": "flask\n"}
    )
    assert project.name == "Shop_Front"
    assert project.python == "3.12"
    assert project.stages["shop-front"].requires_file == ("requirements.in",)
    assert "dynamic dependencies" in told(result)


def test_poetry_s_own_table_is_translated_and_told(make: Callable[..., Made]) -> None:
    project, result = make("pyproject.toml", **{"pyproject.toml": POETRY})
    assert project.python == "3.12"
    assert project.stages["bookings"].source is None
    assert project.stages["bookings"].requires == (
        "django>=5.1,<6",
        "psycopg[binary]>=3.2,<3.3",
        "acme @ git+https://github.com/acme/acme.git@v2",
        "colorama ; sys_platform == 'win32'",
    )
    notes = told(result)
    for what in (
        "local = ",
        "the project itself",
        "[tool.poetry.dependencies]",
        "[tool.poetry.group.dev]",
    ):
        assert what in notes


@pytest.mark.parametrize(
    ("constraint", "specifier"),
    [
        ("^1.2.3", ">=1.2.3,<2"),
        ("^0.2.3", ">=0.2.3,<0.3"),
        ("^0.0.3", ">=0.0.3,<0.0.4"),
        ("^0.0", ">=0.0,<0.1"),
        ("^0", ">=0,<1"),
        ("~1.2.3", ">=1.2.3,<1.3"),
        ("~1", ">=1,<2"),
        ("1.2", "==1.2"),
        (">= 1.2, < 1.5", ">=1.2,<1.5"),
        ("*", ""),
    ],
)
def test_constraints_mean_what_poetry_documents(constraint: str, specifier: str) -> None:
    assert requirement_of("x", constraint) == f"x{specifier}"


@pytest.mark.parametrize(
    ("value", "requirement"),
    [
        ("^1.0 || ^2.0", None),
        (">=1.2 <2", "x>=1.2,<2"),
        ({"version": "*", "python": "^3.9"},
         "x ; python_version >= '3.9' and python_version < '4'"),
        ({"version": "1", "python": "<3.9.2 || ~3.11", "platform": "linux"},
         ("x==1 ; (python_full_version < '3.9.2' or python_version >= '3.11'"
         " and python_version < '3.12') and (sys_platform == 'linux')")),
        ({"git": "https://h/r.git", "rev": "abc", "subdirectory": "py"},
         "x @ git+https://h/r.git@abc#subdirectory=py"),
        ({"git": "git@h.example.com:o/r.git", "marker": "os_name == 'nt'"},
         "x @ git+ssh://git@h.example.com/o/r.git ; os_name == 'nt'"),
        ({"url": "https://h/x.zip", "subdirectory": "py", "extras": ["a", "b"]},
         "x[a,b] @ https://h/x.zip#subdirectory=py"),
        ({"git": "https://h/r.git", "extra": "fast"}, None),
        ({"version": "1", "allow-prereleases": True}, None),
        ({"version": "1", "extras": "fast"}, None),
    ],
)  # fmt: skip
def test_all_that_a_dependency_says_is_in_its_requirement_or_there_is_none(
    value: object, requirement: str | None
) -> None:
    assert requirement_of("x", value) == requirement


PLAIN = '[project]\nname = "shop"\nversion = "1"\ndependencies = ["flask"]\n'
INDEX = """\
[tool.uv.sources]
{name} = {{ index = "Acme" }}
[[tool.uv.index]]
name = "Acme"
url = "{url}"
"""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[tool.uv]\nexclude-newer = "1 week"\n', "tool.uv.exclude-newer = '1 week'"),
        ("[tool.uv]\nindex = 3\nsources = 4\nno-binary-package = 5\n", ""),
        ('[dependency-groups]\n"Inference GPU" = ["x"]\n', "dependency group Inference GPU"),
        (INDEX.format(name="flask", url="./packages"), "flask from ./packages"),
        (INDEX.format(name='"a b"', url="https://h/simple"), "a b from https://h/simple"),
        (INDEX.format(name="flask", url="https://[h/simple"), "flask from https://[h/simple"),
        ('[tool.uv.sources]\nflask = { git = "https://a:b@h/r" }\n', "holds credentials"),
        ('[tool.uv.sources]\nflask = { git = "../r" }\n', "only git's repositories"),
        ('[project.optional-dependencies]\n"rocm6." = ["x"]\n', ""),
        ('[tool.poetry.dependencies]\npython = "nonsense"\n', "Python nonsense: no Python"),
        ('[tool.poetry.group.x.dependencies]\ny = "no way"\n', "y = 'no way'"),
        ('[tool.uv]\nfind-links = ["https://[h"]\n', "--find-links https://[h"),
        ('[tool.uv]\nno-binary-package = ["a b"]\n', "no wheel of a b"),
        ('[tool.uv.pip]\ntorch-backend = "rocm6."\n', "torch backend rocm6."),
        ("[tool.pdm.resolution.overrides]\nx = '1'\n", "tool.pdm.resolution.overrides"),
    ],
)
def test_what_has_no_form_in_the_configuration_is_told_and_the_rest_is_written(
    make: Callable[..., Made], text: str, says: str
) -> None:
    project, result = make("pyproject.toml", **{"pyproject.toml": PLAIN + text})
    assert project.stages["shop"].requires_file == ("pyproject.toml",)
    assert project.python == "3.12"
    assert "3.12 # pyproject" not in result.text.replace("  ", "")
    assert says in told(result)
    assert bool(result.notes) == bool(says)


def test_an_index_with_credentials_is_named_without_them(make: Callable[..., Made]) -> None:
    text = PLAIN + INDEX.format(name="flask", url="https://me:hun@ter2@h/simple")
    project, result = make("pyproject.toml", **{"pyproject.toml": text})
    assert project.indexes["acme"].url == "https://h/simple"
    assert "VENVSMITH_INDEX_ACME_USERNAME" in told(result)
    assert "ter2" not in result.text + told(result)


def test_a_source_for_another_system_counts_for_nothing(make: Callable[..., Made]) -> None:
    text = """
        [tool.uv.sources]
        torch = [
          { index = "mac", marker = "sys_platform == 'darwin'" },
          { index = "linux", marker = "sys_platform == 'linux'" },
        ]
        [[tool.uv.index]]
        name = "mac"
        url = "https://mirror.example.com/whl/cpu"
        [[tool.uv.index]]
        name = "linux"
        url = "https://mirror.example.com/whl/cu126"
    """
    project, _ = make("pyproject.toml", **{"pyproject.toml": PLAIN + text})
    assert [v.torch_backend for v in project.variants.values()] == ["cu126"]


def test_projects_beside_this_one_are_required_by_their_folders(make: Callable[..., Made]) -> None:
    text = """
        [tool.uv.sources]
        acme-core = { path = "libs/core", editable = true }
        acme-web = { workspace = true }
        acme-gone = { path = "libs/gone" }
        [tool.uv.workspace]
        members = ["packages/*"]
    """
    project, result = make(
        "pyproject.toml",
        **{
            "pyproject.toml": PLAIN + text,
            "libs__core__pyproject.toml": PLAIN,
            "packages__w__pyproject.toml": PLAIN.replace("shop", "Acme_Web"),
        },
    )
    assert project.stages["shop"].requires == (
        "acme-core @ ./libs/core",
        "acme-web @ ./packages/w",
    )
    assert "tool.uv.sources.acme-gone" in told(result)


def test_poetry_s_sources_cases_and_extras_are_followed(make: Callable[..., Made]) -> None:
    text = """
        [tool.poetry]
        name = "shop"
        package-mode = false
        [tool.poetry.dependencies]
        python = "~3.11"
        torch = { version = "^2.8", source = "pytorch" }
        acme = { version = "1", source = "corp" }
        foo = [{ version = "<1", python = "<3.9" }, { version = "^2", python = ">=3.9" }]
        pg = { version = "^3", optional = true }
        [tool.poetry.extras]
        db = ["pg"]
        [[tool.poetry.source]]
        name = "pytorch"
        url = "https://mirror.example.com/whl/cu126"
        priority = "explicit"
        [[tool.poetry.source]]
        name = "corp"
        url = "https://corp.example.com/simple"
    """
    project, result = make("pyproject.toml", **{"pyproject.toml": text})
    assert project.python == "3.11"
    assert project.variants["cuda"].torch_backend == "cu126"
    assert project.indexes["corp"].packages == ("acme",)
    assert project.stages["shop"].requires == (
        "acme==1",
        "foo<1 ; python_version < '3.9'",
        "foo>=2,<3 ; python_version >= '3.9'",
    )
    assert project.stages["db"].requires == ("pg>=3,<4",)
    assert len(result.notes) == 1  # that all this was copied


def test_an_extra_that_names_others_stands_for_what_they_name(make: Callable[..., Made]) -> None:
    text = """
        [project.optional-dependencies]
        web = ["uvicorn"]
        all = ["shop[web,all]", "rich"]
    """
    project, _ = make("pyproject.toml", **{"pyproject.toml": PLAIN + text})
    assert project.stages["all"].requires == ("uvicorn", "rich")


VALUES = st.sampled_from(
    [3, True, "", [], {}, [3], {"a": "b"}, [{"a": 3}], "a b", "x\x00y", "../..", "https://[x",
     "git+x", "https://u:p@h/x", "${A}", "a" * 300, "cu1281", "1 week", ["./x"],
     ["a @ file:///x"], ["((("]]
)  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(st.sampled_from([UV, POETRY, SETUPTOOLS]), st.lists(st.integers(0, 99)), VALUES)
def test_no_pyproject_breaks_it_and_what_it_writes_loads(
    tmp_path_factory: pytest.TempPathFactory, text: str, way: list[int], value: object
) -> None:
    document = tomlkit.parse(text).unwrap()
    at: Any = document
    for number, step in enumerate(way):
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        key = keys[step % len(keys)]
        if number == len(way) - 1 or not isinstance(at[key], dict | list) or not at[key]:
            at[key] = value
            break
        at = at[key]
    root = tmp_path_factory.getbasetemp() / "any"
    root.mkdir(exist_ok=True)
    (root / "pyproject.toml").write_text(tomlkit.dumps(document), encoding="utf-8")
    result = draft(root / "pyproject.toml", target=root / "venvsmith.toml")
    check(result.text, file=root / "venvsmith.toml")
    assert "u:p@" not in result.text


@pytest.mark.parametrize(
    ("wanted", "minor"),
    [("==3.11.7", "3.11"), (">=3.11.1,<=3.11.9", "3.11"), (">=3.9", "3.12"), ("<3", None)],
)
def test_a_minor_suits_where_any_of_its_releases_does(wanted: str, minor: str | None) -> None:
    assert minor_for(wanted) == minor
