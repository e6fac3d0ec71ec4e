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
            key = f"{join('indexes', index.name)}.url"
            problems += _missing(key, index.url, _of_url(index.url))
    if problems:
        raise ConfigError(problems, file=project.file.name)


def _of_variant(project: Project, name: str, uv: UvResolver) -> Iterator[tuple[str, str]]:
    path, variant = join("variants", name), project.variants[name]
    for number, link in enumerate(variant.find_links):
        folder = _of_url(link) if "://" in link else project.root / link
        yield from _missing(f"{path}.find-links[{number}]", link, folder)
    backend = variant.torch_backend
    if backend is not None:
        known = uv.backends_but(backend)
        if known:
            message = f"uv {uv.version} knows no {shown(backend)}; {suggestion(backend, known)}"
            yield f"{path}.torch-backend", message


def _of_url(url: str) -> Path | None:
    """Return the folder that a URL names; None where it is elsewhere."""
    parts = urlsplit(url)
    return Path(url2pathname(parts.path)) if parts.scheme == "file" else None


def _missing(key: str, place: str, folder: Path | None) -> Iterator[tuple[str, str]]:
    if folder is not None and not folder.is_dir():
        yield key, f"there is no folder {shown(place)}"
