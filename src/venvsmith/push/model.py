"""What is pushed, and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from venvsmith.errors import VenvsmithError

ContentStatus = Literal["pushed", "there", "failed", "not-tried"]
TagStatus = Literal["new", "moved", "there", "failed", "not-moved"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Shipment:
    """One image on its way to one repository.

    :param name: of its plan, ``whisperx.cuda``.
    :param host: the registry's host and port.
    :param repository: as docker writes it, ``ghcr.io/acme/whisperx``; Docker Hub's without a host.
    :param tags: the real ones, in full; never empty.
    :param image_id: digest of what the engine holds, ``sha256:…``.
    :param digests: what the engine knows this image as in the repository.
    :param layers: of each layer's digest the uncompressed size in bytes; 0 where the engine does
        not tell.
    :param size: uncompressed bytes of the whole image.
    """

    name: str
    host: str
    repository: str
    tags: tuple[str, ...]
    image_id: str
    digests: frozenset[str]
    layers: Mapping[str, int]
    size: int

    @property
    def content_tag(self) -> str:
        """Return the tag under which its content goes ahead: one that says what it is."""
        return f"{self.repository}:venvsmith-{self.image_id.removeprefix('sha256:')[:12]}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Pushed:
    """What docker did to put one tag into a registry.

    :param layers: ``pushed``, ``there`` or ``mounted`` (from another repository) to how many.
    :param sent: uncompressed bytes of the layers that were pushed, as far as they are known.
    """

    digest: str = ""
    layers: Mapping[str, int] = field(default_factory=dict)
    sent: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """What came of a shipment's content."""

    shipment: Shipment
    status: ContentStatus
    pushed: Pushed = field(default_factory=Pushed)
    error: VenvsmithError | None = None


UNKNOWN = "unknown"
"""In a digest's place, where the registry does not tell it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tag:
    """What came of a real tag: from which digest to which.

    They are empty where there was or is none, and `UNKNOWN` where nobody knows.
    """

    tag: str
    status: TagStatus
    before: str = ""
    after: str = ""
    error: VenvsmithError | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """What came of a push."""

    contents: tuple[Content, ...]
    tags: tuple[Tag, ...]

    @property
    def errors(self) -> tuple[VenvsmithError, ...]:
        """Return what failed, in order."""
        found = [content.error for content in self.contents] + [tag.error for tag in self.tags]
        return tuple(error for error in found if error is not None)

    @property
    def layers(self) -> Counter[str]:
        """Return how many layers were pushed, there, or mounted from another repository."""
        total: Counter[str] = Counter()
        for content in self.contents:
            total.update(content.pushed.layers)
        return total


class PushError(VenvsmithError):
    """A push of which something failed; carries each failure, and exits as the worst one."""

    code = "push-failed"

    def __init__(self, errors: tuple[VenvsmithError, ...]) -> None:
        super().__init__("; ".join(error.message for error in errors), code=errors[0].code)
        self.errors = errors
        self.exit_code = max(error.exit_code for error in errors)

    def lines(self) -> list[str]:
        """Return one line for each failure."""
        return [line for error in self.errors for line in error.lines()]
