"""A PyInstaller spec file, read without running it: what it excludes."""

from __future__ import annotations

import ast
from collections import defaultdict
from typing import TYPE_CHECKING

from venvsmith.errors import UnsafeInputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZE_LIMIT = 4 * 1024 * 1024
PLACE = 8
"""How many positional arguments of ``Analysis`` stand before its excludes."""
_COPIES = frozenset({"list", "tuple", "set", "sorted"})
_PARTS = (ast.List, ast.Tuple, ast.Set, ast.Starred, ast.BinOp, ast.operator, ast.expr_context)
"""Of what a list of names is written, besides the names."""


def excludes(path: Path) -> tuple[dict[str, int], list[int]]:
    """Return the modules that a spec excludes, each with its line, and lines that compute others.

    Lists are understood, put together from others and from variables, with what is appended to
    these.

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
    reader = _Reader(tree)
    for value in _given(tree):
        reader.read(value)
    return reader.names, sorted(reader.computed)


def excluded_by(module: str, excluded: dict[str, int]) -> str | None:
    """Return the entry that excludes a module: itself or a package of it."""
    parts = module.split(".")
    candidates = (".".join(parts[:count]) for count in range(len(parts), 0, -1))
    return next((name for name in candidates if name in excluded), None)


def _given(tree: ast.AST) -> Iterator[ast.expr]:
    """Yield what a spec gives ``Analysis`` as its excludes, or adds to them later."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from (word.value for word in node.keywords if word.arg == "excludes")
            if isinstance(node.func, ast.Name) and node.func.id == "Analysis":
                yield from node.args[PLACE : PLACE + 1]
        elif isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            yield from (
                v for k, v in pairs if isinstance(k, ast.Constant) and k.value == "excludes"
            )


class _Reader:
    """The names in expressions, as far as they stand there.

    :ivar names: each with its line.
    :ivar computed: lines with what only running them would tell.
    """

    def __init__(self, tree: ast.AST) -> None:
        self.names: dict[str, int] = {}
        self.computed: set[int] = set()
        self._seen: set[str] = set()
        self._bound: defaultdict[str, list[ast.expr]] = defaultdict(list)
        for node in ast.walk(tree):
            for name, value in _bindings(node):
                self._bound[name].append(value)

    def read(self, value: ast.expr) -> None:
        """Take the names out of an expression."""
        pending: list[ast.AST] = [value]
        while pending:
            node = pending.pop()
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                self.names.setdefault(node.value, node.lineno)
            elif isinstance(node, ast.Name) and node.id in self._bound:
                if node.id not in self._seen:
                    self._seen.add(node.id)
                    pending += self._bound[node.id]
            elif isinstance(node, ast.Call):
                pending += self._called(node)
            elif isinstance(node, _PARTS):
                pending += ast.iter_child_nodes(node)
            elif not isinstance(node, ast.Constant):
                self.computed.add(getattr(node, "lineno", value.lineno))

    def _called(self, node: ast.Call) -> list[ast.expr]:
        """Return what a call hands on; take the names that it splits."""
        function = node.func
        if isinstance(function, ast.Name) and function.id in _COPIES:
            return node.args
        text = function.value if isinstance(function, ast.Attribute) else None
        plain = isinstance(text, ast.Constant) and isinstance(text.value, str) and not node.args
        if plain and isinstance(function, ast.Attribute) and function.attr == "split":
            for name in str(getattr(text, "value", "")).split():
                self.names.setdefault(name, node.lineno)
        else:
            self.computed.add(node.lineno)
        return []


def _bindings(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Yield the variables that a statement gives a value, or more of one."""
    if isinstance(node, ast.Assign):
        yield from ((t.id, node.value) for t in node.targets if isinstance(t, ast.Name))
    elif isinstance(node, ast.AugAssign | ast.AnnAssign | ast.NamedExpr):
        if isinstance(node.target, ast.Name) and node.value is not None:
            yield node.target.id, node.value
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        adds = node.func.attr in {"append", "extend", "add", "update", "insert"} and node.args
        if adds and isinstance(node.func.value, ast.Name):
            yield node.func.value.id, node.args[-1]
