"""What an image's name means to docker: which registry, which repository there, which tag.

The grammar is https://pkg.go.dev/github.com/distribution/reference.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

HUB = "docker.io"
_OFFICIAL = "library/"
"""Before Docker Hub's repositories that have no account."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """A tag of an image, read as docker reads it.

    :param host: the registry's host and port; ``docker.io`` where none is named.
    :param path: the repository there, ``acme/asr``; ``library/asr`` for Docker Hub's ``asr``.
    :param tag: ``latest`` where none is named.
    """

    host: str
    path: str
    tag: str

    @classmethod
    def of(cls, text: str) -> Reference:
        """Read a name without a digest: ``asr``, ``acme/asr:1``, ``localhost:5000/asr``.

        What stands before the first slash is a host where it has a dot, a colon or a capital, or
        is ``localhost``.
        """
        first, slash, rest = text.partition("/")
        odd = "." in first or ":" in first or first != first.lower()
        host, name = (first, rest) if slash and (odd or first == "localhost") else (HUB, text)
        if host == f"index.{HUB}":
            host = HUB
        path, _, tag = name.partition(":")
        if host == HUB and "/" not in path:
            path = _OFFICIAL + path
        return cls(host=host, path=path, tag=tag or "latest")

    @property
    def repository(self) -> str:
        """Return the repository as docker writes it: Docker Hub's without a host."""
        if self.host != HUB:
            return f"{self.host}/{self.path}"
        own = self.path.removeprefix(_OFFICIAL)
        return self.path if "/" in own else own

    def __str__(self) -> str:
        return f"{self.repository}:{self.tag}"


def registry_tags(tags: Iterable[str]) -> tuple[Reference, ...]:
    """Return those tags that are to be pushed: with a registry or an account before the name.

    ``ghcr.io/acme/asr:1``, and ``acme/asr:1``, which is Docker Hub's. The others are the engine's
    own.
    """
    return tuple(dict.fromkeys(Reference.of(tag) for tag in tags if "/" in tag))
