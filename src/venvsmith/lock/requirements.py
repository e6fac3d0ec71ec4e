"""Requirements files as pip reads them: logical lines, and those of the files that they name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from venvsmith.lock.pyproject import ProblemError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FILES = 100
"""Files that one file may bring in; nobody has that many, and a few can name each other often."""
_COMMENT = re.compile(r"(?:^|\s)#.*$")
_INCLUDE = re.compile(r"(?:-r|--requirement)(?:\s+|=|(?<=-r))(\S.*)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """What stands on one or, with a backslash at their ends, several lines; without comments.

    :param number: of its first line.
    """

    file: Path
    number: int
    text: str

    @property
    def requirement(self) -> str:
        """Return the line without the options behind it, such as ``--hash``."""
        return re.split(r"\s--", self.text, maxsplit=1)[0].strip()


def requirement_lines(path: Path, read: Callable[[Path], str]) -> Iterator[Line]:
    """Yield the lines of a requirements file, in place of ``-r FILE`` the lines of that file.

    Its path is relative to the file that names it. Other options, and a ``-r`` with an address,
    are yielded as they stand.

    :param read: returns a file's text, and raises what a caller wants raised.
    :raises ProblemError: where a file includes itself, or too many are named.
    """
    yield from _lines(path, read, above=(), count=[0])


def _lines(
    path: Path, read: Callable[[Path], str], *, above: tuple[Path, ...], count: list[int]
) -> Iterator[Line]:
    here = path.resolve()
    count[0] += 1
    if here in above or count[0] > FILES:
        named = "includes itself" if here in above else f"is one of more than {FILES} files"
        message = f"{path.name} {named}"
        raise ProblemError(message)
    for number, text in _logical(read(path)):
        included = _INCLUDE.fullmatch(text)
        if included is None or "://" in included[1]:
            yield Line(file=path, number=number, text=text)
        else:
            below = path.parent / included[1].strip("'\" ")
            yield from _lines(below, read, above=(*above, here), count=count)


def _logical(text: str) -> Iterator[tuple[int, str]]:
    first, parts = 1, [""]
    for number, raw in enumerate([*text.splitlines(), ""], start=1):
        first = number if parts == [""] else first
        line = _COMMENT.sub("", raw)
        parts.append(line.removesuffix("\\"))
        if not line.endswith("\\"):
            joined = " ".join(parts).strip()
            parts = [""]
            if joined:
                yield first, joined
