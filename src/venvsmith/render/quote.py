"""How values of the configuration are written into a Dockerfile so that they stay values.

The grammar is that of BuildKit's Dockerfile frontend: `ENV`, `LABEL`, `COPY`, `WORKDIR` and
`FROM` expand ``$name`` with a backslash as escape; `RUN`, `CMD` and `ENTRYPOINT` expand nothing.
No value holds a control character: the configuration refuses them.
https://docs.docker.com/reference/dockerfile/#environment-replacement
"""

from __future__ import annotations

import json
from collections.abc import Sequence


def quoted(value: str) -> str:
    r"""Return a double-quoted word in which nothing is expanded.

    >>> quoted('a "b" $c')
    '"a \\"b\\" \\$c"'
    """
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'"{escaped}"'


def words(values: Sequence[str]) -> str:
    """Return the JSON form of `COPY`, whose words are still expanded after decoding."""
    escaped = [value.replace("\\", "\\\\").replace("$", "\\$") for value in values]
    return json.dumps(escaped, ensure_ascii=False)


def exec_form(argv: Sequence[str]) -> str:
    """Return the JSON form of `ENTRYPOINT` and `CMD`, in which nothing is expanded."""
    return json.dumps(list(argv), ensure_ascii=False)


def literal(path: str) -> str:
    """Return a `COPY` source that names one file, not a pattern (Go's ``filepath.Match``)."""
    for char in "\\*?[":
        path = path.replace(char, "\\" + char)
    return path


def ignore_pattern(path: str) -> str:
    """Return a ``.dockerignore`` line that re-includes one path and nothing else."""
    return "!" + literal(path)


def unspaced(value: str) -> str:
    """Return a `WORKDIR` argument: the rest of the line, expanded, not quoted."""
    return value.replace("\\", "\\\\").replace("$", "\\$").replace('"', '\\"').replace("'", "\\'")


def bake(value: object) -> object:
    r"""Return a JSON value whose strings and keys bake reads as they are.

    Bake takes JSON strings for HCL templates, in which ``$${`` and ``%%{`` stand for ``${`` and
    ``%{``. https://github.com/hashicorp/hcl/blob/main/json/spec.md

    >>> bake({"a": ["${b}"]})
    {'a': ['$${b}']}
    """
    match value:
        case str():
            return value.replace("${", "$${").replace("%{", "%%{")
        case dict():
            return {bake(key): bake(item) for key, item in value.items()}
        case list():
            return [bake(item) for item in value]
        case _:
            return value
