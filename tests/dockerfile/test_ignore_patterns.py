"""Patterns of a .dockerignore: which paths they leave out, and that matching them stays quick."""

import time

import pytest

from venvsmith.dockerfile.ignore import ignores, patterns_of


@pytest.mark.parametrize(
    ("pattern", "out", "kept"),
    [
        (".venv", [".venv", ".venv/bin/python"], ["backend/.venv", ".venv2"]),
        ("*/temp*", ["a/temp", "a/temporary/x"], ["temp", "a/b/temp"]),
        ("**/*.pyc", ["x.pyc", "a/b/x.pyc"], ["x.py", "a/x.pyc.txt"]),
        ("**/a/**/c", ["a/c", "x/a/b/c", "a/x/a/y/c/z"], ["a", "c", "a/b"]),
        ("a/**", ["a/b", "a/b/c"], ["a", "b/a"]),
        ("**", ["a", "a/b"], []),
        ("**venv", ["venv", "my-venv", "a/venv/x"], ["venv2"]),
        ("fil?[0-9]*x", ["file1x", "file12x", "fila0xx"], ["file1", "filx", "fil/1x"]),
        ("a*b*c", ["abc", "aXbYc", "abcbc"], ["abcd", "acb", "a/bc"]),
        ("we[ird", ["we[ird"], ["wei"]),
        ("z[9-0]", ["z[9-0]"], ["z9"]),
        ("", [], ["a"]),
    ],
)
def test_a_pattern_leaves_out_what_buildkit_leaves_out(
    pattern: str, out: list[str], kept: list[str]
) -> None:
    assert [path for path in out if not ignores([pattern], path)] == []
    assert [path for path in kept if ignores([pattern], path)] == []


def test_the_last_pattern_that_fits_decides() -> None:
    patterns = patterns_of("# all but one\n*.md\n!README.md\n/docs/\n")
    paths = ["a.md", "README.md", "docs/x", "src/docs/x"]
    assert [ignores(patterns, path) for path in paths] == [True, False, True, False]


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*a" * 200 + "*b", "a" * 2000),
        ("**/a/" * 200 + "b", "a/" * 1000 + "c"),
        ("**/*a*/" * 100 + "b", "aa/" * 500 + "c"),
    ],
)
def test_a_pattern_of_many_stars_is_matched_in_no_time(pattern: str, path: str) -> None:
    started = time.monotonic()
    assert not ignores([pattern], path)
    assert time.monotonic() - started < 2
