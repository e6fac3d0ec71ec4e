"""The table of import names: what is told of a module that nothing brings."""

from __future__ import annotations

import tomllib
from importlib import resources

import pytest
from packaging.utils import canonicalize_name

from venvsmith import data
from venvsmith.collect.probe.graph import DISTRIBUTION_OF
from venvsmith.data.modules import distribution_of, import_names, names_of, stand_ins


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("sklearn", "scikit-learn"),
        ("Crypto", "pycryptodome"),
        ("git", "gitpython"),
        ("yaml", "pyyaml"),
        ("psycopg2", "psycopg2-binary"),
        ("tensorflow", "tensorflow"),
        ("pyannote", "pyannote"),
        ("typing_extensions", "typing-extensions"),
        ("google", None),
    ],
)
def test_a_module_leads_to_the_distribution_to_install(module: str, name: str | None) -> None:
    assert distribution_of(module) == name


def test_where_several_bring_a_module_the_table_says_which_is_the_usual_one() -> None:
    table = tomllib.loads(resources.files(data).joinpath("modules.toml").read_text("utf-8"))
    settled = {*table["modules"]["usual"], *table["modules"]["shared"]}
    brought = [module for modules in import_names().values() for module in modules]
    several = {module for module in brought if brought.count(module) > 1}
    assert several <= settled
    # A stand-in that is called as the module is may be the usual one, or not.
    assert {module for module in brought if stand_ins(module)} <= settled


def test_what_a_probe_knows_by_heart_stands_in_the_table() -> None:
    # A probe runs where nothing but the standard library is.
    modules: dict[str, str] = {
        canonicalize_name(m): m for found in import_names().values() for m in found
    }
    for module, name in DISTRIBUTION_OF.items():
        assert name in names_of(modules.get(module, module)), module
