"""Mistakes of the configuration that only uv, or this machine's disk, can tell."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

from venvsmith.config.wording import join, shown, suggestion
from venvsmith.errors import ConfigError
from venvsmith.lock.source import BUILD_VARIANT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from venvsmith.model.project import LockKey, Project
    from venvsmith.resolve.uv import UvResolver


def refuse_unusable(project: Project, keys: Iterable[LockKey], uv: UvResolver) -> None:
    """Refuse folders that are not there, and torch backends that this uv does not know.

    :param keys: the locks that are resolved; what other variants say is left alone.
    :raises ConfigError: with each such key.
    """
    names = {
        project.stages[key.stage].variants[0] if key.variant == BUILD_VARIANT else key.variant
        for key in keys
    }
    problems = [problem for name in sorted(names) for problem in _of_variant(project, name, uv)]
    if names:
        for index in project.indexes.values():
            problems += _missing(f"{join('indexes', index.name)}.url", index.url, project.root)
    if problems:
        raise ConfigError(problems, file=project.file.name)


def _of_variant(project: Project, name: str, uv: UvResolver) -> Iterator[tuple[str, str]]:
    path, variant = join("variants", name), project.variants[name]
    for number, link in enumerate(variant.find_links):
        yield from _missing(f"{path}.find-links[{number}]", link, project.root)
    backend = variant.torch_backend
    if backend is not None:
        known = uv.backends_but(backend)
        if known:
            message = f"uv {uv.version} knows no {shown(backend)}; {suggestion(backend, known)}"
            yield f"{path}.torch-backend", message


def _missing(key: str, place: str, root: Path) -> Iterator[tuple[str, str]]:
    path = root / place
    if "://" in place:
        parts = urlsplit(place)
        if parts.scheme != "file":
            return
        path = Path(url2pathname(parts.path))
    if not path.is_dir():
        yield key, f"there is no folder {shown(place)}"
