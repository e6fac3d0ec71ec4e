"""How values of the configuration are written into a Dockerfile so that they stay values.

The grammar is that of BuildKit's Dockerfile frontend: `ENV`, `LABEL`, `COPY`, `WORKDIR` and
`FROM` expand ``$name`` with a backslash as escape; `RUN`, `CMD` and `ENTRYPOINT` expand nothing.
No value holds a control character: the configuration refuses them.
https://docs.docker.com/reference/dockerfile/#environment-replacement
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence


def quoted(value: str) -> str:
    r"""Return a double-quoted word in which nothing is expanded.

    >>> quoted('a "b" $c')
    '"a \\"b\\" \\$c"'
    """
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'"{escaped}"'


def words(values: Sequence[str]) -> str:
    """Return the JSON form of `COPY`, whose words are expanded after decoding, quotes too."""
    return json.dumps([_unexpanded(value) for value in values], ensure_ascii=False)


def exec_form(argv: Sequence[str]) -> str:
    """Return the JSON form of `ENTRYPOINT` and `CMD`, in which nothing is expanded."""
    return json.dumps(list(argv), ensure_ascii=False)


def ignore_pattern(path: str) -> str:
    """Return a ``.dockerignore`` line that re-includes one path.

    The configuration refuses paths that no pattern names exactly.
    """
    return "!" + path


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


def kept_by_bake(value: str) -> bool:
    r"""Return whether bake hands a text on as it is.

    HCL's values are in normal form C, and what reads its templates drops a byte order mark before
    them. https://github.com/zclconf/go-cty/blob/main/docs/types.md#cty-string

    >>> kept_by_bake("\u00e9"), kept_by_bake("e\u0301")
    (True, False)
    """
    return not value.startswith("\ufeff") and unicodedata.is_normalized("NFC", value)


def word(value: str) -> str:
    """Return one word that is expanded (`WORKDIR`, a label's name): bare where it may be."""
    return value if re.fullmatch("[A-Za-z0-9._/][A-Za-z0-9._/-]*", value) else quoted(value)


def comment(value: str) -> str:
    """Return text that stays on the line of its comment."""
    return "".join(char if char.isprintable() else "?" for char in value)


def mount(source: str, target: str) -> str:
    """Return a bind mount as a flag of `RUN`.

    It is read four times: as words of the line, as CSV, as ``key=value``, and for ``$name``.
    """
    fields = [f"source={_unexpanded(source)}", f"target={_unexpanded(target)}"]
    fields = [field if re.fullmatch('[^",]*', field) else _csv(field) for field in fields]
    flag = ",".join(["type=bind", *fields])
    return "--mount=" + re.sub(r"([\s\\'\"])", r"\\\1", flag)


def _unexpanded(value: str) -> str:
    return re.sub(r"""([\\$"'])""", r"\\\1", value)


def _csv(field: str) -> str:
    return '"' + field.replace('"', '""') + '"'
