"""Which files below the output folder `render` has written.

The output folder is the user's too. So a file counts as ours by its name and its content, never by
its place alone.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from venvsmith.errors import UnsafeInputError
from venvsmith.lock import parse_pins
from venvsmith.model.plan import MANIFEST_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from venvsmith.model.project import Project

RENDERED = "# Written by `venvsmith render`."
HEAD = 10_000
"""Characters of a Dockerfile among which that line stands; a user's template may put some first."""
LIMIT = 4 * 1024 * 1024
"""Bytes of the largest pins or manifest that are read."""
_DELTA = re.compile(r"[a-z0-9-]+\.[a-z0-9-]+(\.[a-z0-9-]+)?(@[A-Za-z0-9-]+)?\.txt")


@cache
def step_scripts() -> Mapping[str, bytes]:
    """Return the scripts that builds run, by their names."""
    folder = resources.files("venvsmith") / "steps"
    return {
        file.name: file.read_bytes()
        for file in folder.iterdir()
        if file.name.endswith((".sh", ".py")) and file.name != "__init__.py"
    }


def find_ours(project: Project) -> Iterator[Path]:
    """Yield the files below the output folder that `render` wrote, now or for another plan."""
    output = project.root / project.output
    for path in sorted(output.glob("deltas/*.txt")):
        if _DELTA.fullmatch(path.name) and _holds_pins(path):
            yield path
    for path in sorted(output.glob("manifests/*.json")):
        if _is_manifest(path):
            yield path
    for path in sorted(output.glob("steps/*")):
        if _is_script(path) or (path.name == "uv.txt" and _holds_pins(path)):
            yield path
    for path in sorted(output.glob("Dockerfile.*")):
        dockerfile = path.with_suffix("") if path.suffix == ".dockerignore" else path
        if dockerfile.is_file() and RENDERED in dockerfile.read_text("utf-8", "replace")[:HEAD]:
            yield path


def _is_script(path: Path) -> bool:
    """Tell whether it is a script as it ships; one of another content is the user's."""
    script = step_scripts().get(path.name)
    return script is not None and path.is_file() and path.read_bytes() == script


def _holds_pins(path: Path) -> bool:
    with suppress(UnsafeInputError):
        return bool(parse_pins(_text(path), where=path.name))
    return False


def _is_manifest(path: Path) -> bool:
    with suppress(ValueError, RecursionError):
        content = json.loads(_text(path))
        schema = content.get("schema") if isinstance(content, dict) else None
        return str(schema).rpartition("/")[0] == MANIFEST_SCHEMA.rpartition("/")[0]
    return False


def _text(path: Path) -> str:
    """Return a file's text, or none where it is no file or far too long to be ours."""
    if not path.is_file() or path.stat().st_size > LIMIT:
        return ""
    return path.read_text("utf-8", "replace")
