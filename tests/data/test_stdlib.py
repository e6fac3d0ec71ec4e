"""The standard library by minor: what venvsmith says of another Python's."""

import sys

from venvsmith.data.removals import load_removals, removed_from_python
from venvsmith.data.stdlib import standard_library


def test_the_table_agrees_with_the_python_that_runs() -> None:
    here = "{}.{}".format(*sys.version_info)
    public = {name for name in sys.stdlib_module_names if not name.startswith("_")}
    assert {name for name in standard_library(here) if not name.startswith("_")} == public


def test_a_minor_has_what_it_had_and_not_what_came_or_went() -> None:
    asked = {"graphlib", "tomllib", "annotationlib", "binhex", "imp", "cgi", "json"}
    has = {minor: sorted(asked & standard_library(minor)) for minor in ("3.8", "3.12", "3.14")}
    assert has == {
        "3.8": ["binhex", "cgi", "imp", "json"],
        "3.12": ["cgi", "graphlib", "json", "tomllib"],
        "3.14": ["annotationlib", "graphlib", "json", "tomllib"],
    }
    assert standard_library("3.99") == standard_library("3.14")
    assert asked < standard_library(None)


def test_what_python_removed_has_a_sign_for_each_module_and_its_submodules() -> None:
    (gone,) = (r for r in load_removals() if (r.provider, r.version) == ("python", "3.12"))
    assert {"No module named 'imp'", "No module named 'distutils."} < set(gone.signs)
    assert not any(sign in "No module named 'important'" for sign in gone.signs)
    told = [removed_from_python("telnetlib", minor) for minor in ("3.12", "3.13", "3.14")]
    assert told == [False, True, True]
