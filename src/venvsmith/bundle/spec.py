"""A PyInstaller spec file, read without running it: what it excludes."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from venvsmith.errors import UnsafeInputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZE_LIMIT = 4 * 1024 * 1024


def excludes(path: Path) -> dict[str, int]:
    """Return the modules that a spec excludes, each with its line.

    Literal lists are understood, given to ``Analysis`` or to a variable of any name with
    "exclude" in it; what a spec computes is not.

    :raises UsageError: where there is no such file.
    :raises UnsafeInputError: where it is no Python source.
    """
    try:
        if path.stat().st_size > SIZE_LIMIT:
            raise UnsafeInputError("larger than any spec", where=str(path), code="spec-malformed")
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise UsageError(f"cannot be read: {exc.strerror}", where=str(path)) from exc
    except (SyntaxError, ValueError, RecursionError) as exc:
        raise UnsafeInputError(
            f"no Python source: {exc}", where=str(path), code="spec-malformed"
        ) from exc
    return {name: line for node in ast.walk(tree) for name, line in _names(node)}


def excluded_by(module: str, excluded: dict[str, int]) -> str | None:
    """Return the entry that excludes a module: itself or a package of it."""
    parts = module.split(".")
    candidates = (".".join(parts[:count]) for count in range(len(parts), 0, -1))
    return next((name for name in candidates if name in excluded), None)


def _names(node: ast.AST) -> Iterator[tuple[str, int]]:
    values: list[ast.expr] = []
    if isinstance(node, ast.keyword) and node.arg == "excludes":
        values = [node.value]
    elif isinstance(node, ast.Assign | ast.AugAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if any(isinstance(t, ast.Name) and "exclude" in t.id.lower() for t in targets):
            values = [node.value]
    for value in values:
        for element in ast.walk(value):
            if isinstance(element, ast.Constant) and isinstance(element.value, str):
                yield element.value, element.lineno
