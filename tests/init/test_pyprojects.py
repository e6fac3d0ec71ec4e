"""Pyprojects of uv, of setuptools and of poetry."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from init.drafts import Made, told
from venvsmith.init.poetry import requirement_of

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
    assert project.stages["dependencies"].requires == (
        "django>=5.1,<6",
        "psycopg[binary]>=3.2,<3.3",
        "acme @ git+https://github.com/acme/acme.git@v2",
        "colorama ; sys_platform == 'win32'",
    )
    assert project.stages["bookings"].source == "."
    notes = told(result)
    for what in ("local = ", "[tool.poetry.dependencies]", "[tool.poetry.group.dev]"):
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


def test_alternatives_have_no_single_form() -> None:
    assert requirement_of("x", "^1.0 || ^2.0") is None
