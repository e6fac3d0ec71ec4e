"""Which files below the output folder we have written, and the folder that is ours alone.

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
from venvsmith.files import write_files
from venvsmith.lock import parse_pins
from venvsmith.model.plan import MANIFEST_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from venvsmith.model.project import Project

OWN = ".venvsmith"
SBOM = ".cdx.json"
RENDERED = "# Written by `venvsmith render`."
HEAD = 10_000
"""Characters of a Dockerfile among which that line stands; a user's template may put some first."""
LIMIT = 4 * 1024 * 1024
"""Bytes of the largest pins or manifest that are read."""
_DELTA = re.compile(r"[a-z0-9-]+\.[a-z0-9-]+(\.[a-z0-9-]+)?(@[A-Za-z0-9-]+)?\.txt")


def make_own_folder(root: Path) -> Path:
    """Make the project's folder for what builds leave and nobody commits; return it.

    :raises SurroundingsError: where the disk refuses.
    """
    folder = root / OWN
    ignore = folder / ".gitignore"
    if not ignore.exists():
        write_files({ignore: b"*\n"})
    return folder


def sbom_path(project: Project, name: str) -> Path:
    """Return where the bill of materials of a plan's image goes."""
    return project.root / project.output / "sbom" / f"{name}{SBOM}"


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
    """Yield the files below the output folder that are ours, of these plans or of former ones.

    `build` wrote the bills of materials among them, `render` all else.
    """
    output = project.root / project.output
    for pattern, is_ours in _KINDS.items():
        yield from (path for path in sorted(output.glob(pattern)) if is_ours(path))


def _is_delta(path: Path) -> bool:
    return _DELTA.fullmatch(path.name) is not None and _holds_pins(path)


def _is_step(path: Path) -> bool:
    return _is_script(path) or (path.name == "uv.txt" and _holds_pins(path))


def _is_dockerfile(path: Path) -> bool:
    """Tell whether it is one that we wrote, or the allow-list of one."""
    file = path.with_suffix("") if path.suffix == ".dockerignore" else path
    return file.is_file() and RENDERED in file.read_text("utf-8", "replace")[:HEAD]


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


def _is_sbom(path: Path) -> bool:
    """Tell whether it is of an image whose name is the file's, as a build calls both."""
    image, _, variant = path.name.removesuffix(SBOM).rpartition(".")
    with suppress(ValueError, RecursionError, KeyError, TypeError):
        content = json.loads(_text(path))
        of = content["metadata"]["component"]
        return bool(content["bomFormat"] == "CycloneDX" and of["name"] == f"{image}:{variant}")
    return False


def _text(path: Path) -> str:
    """Return a file's text, or none where it is no file or far too long to be ours."""
    if not path.is_file() or path.stat().st_size > LIMIT:
        return ""
    return path.read_text("utf-8", "replace")


_KINDS = {
    "deltas/*.txt": _is_delta,
    "manifests/*.json": _is_manifest,
    "steps/*": _is_step,
    f"sbom/*{SBOM}": _is_sbom,
    "Dockerfile.*": _is_dockerfile,
}
"""Patterns of paths below the output folder, and what tells ours among them."""
