"""From a Dockerfile's text to instructions, as BuildKit's own parser divides them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from venvsmith.dockerfile.expand import split_words
from venvsmith.errors import UnsafeInputError
from venvsmith.model.dockerfile import (
    DockerfileFacts,
    DockerStage,
    Flag,
    Heredoc,
    Instruction,
    Piece,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SIZE_LIMIT: Final = 1024 * 1024
"""Bytes; the largest of those that people write have 60 kB."""
INSTRUCTION_LIMIT: Final = 1000
"""The longest known have some two hundred."""
LINE_LIMIT: Final = 65_535
"""Characters of a line, BuildKit's own limit."""
KEYWORDS: Final = frozenset(
    {
        "ADD",
        "ARG",
        "CMD",
        "COPY",
        "ENTRYPOINT",
        "ENV",
        "EXPOSE",
        "FROM",
        "HEALTHCHECK",
        "LABEL",
        "MAINTAINER",
        "ONBUILD",
        "RUN",
        "SHELL",
        "STOPSIGNAL",
        "USER",
        "VOLUME",
        "WORKDIR",
    }
)
_DIRECTIVE = re.compile(r"#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.+?)\s*$")
_HEREDOC = re.compile(r"^\d*<<(-?)\s*([^<\s]+)$")
_TEMPLATE = re.compile(r"^\s*(\{[%{#]|<%)")
_JSON = frozenset({"ADD", "CMD", "COPY", "ENTRYPOINT", "RUN", "SHELL", "VOLUME", "HEALTHCHECK"})
_HEREDOC_KEYWORDS = frozenset({"ADD", "COPY", "RUN"})


@dataclass(frozen=True, kw_only=True, slots=True)
class _Directives:
    escape: str = "\\"
    syntax: str | None = None


def parse(text: str, path: str) -> DockerfileFacts:
    """Return what a Dockerfile says, without its context.

    A line whose first word is no instruction is kept in ``unknown``: BuildKit refuses the file.

    :param path: as the user named it, for messages.
    :raises UnsafeInputError: where it is no Dockerfile, or one that no builder takes.
    """
    if len(text) > SIZE_LIMIT:
        raise _refused(path, f"larger than {SIZE_LIMIT} characters")
    lines = text.removeprefix("\ufeff").split("\n")
    directives = _directives(lines)
    instructions = list(_Lines(lines, directives.escape, path).instructions())
    if len(instructions) > INSTRUCTION_LIMIT:
        raise _refused(path, f"more than {INSTRUCTION_LIMIT} instructions")
    known = [i for i in instructions if i.keyword in KEYWORDS]
    stages, global_args = _stages(known, path)
    return DockerfileFacts(
        path=path,
        stages=stages,
        global_args=global_args,
        unknown=tuple(i for i in instructions if i.keyword not in KEYWORDS),
        syntax=directives.syntax,
    )


def _refused(path: str, message: str, line: int | None = None) -> UnsafeInputError:
    where = f"{path}:{line}" if line else path
    hint = "name the Dockerfile that is built"
    return UnsafeInputError(message, where=where, hint=hint, code="dockerfile-malformed")


def _directives(lines: Sequence[str]) -> _Directives:
    found: dict[str, str] = {}
    start = 1 if lines[0].startswith("#!") else 0
    for line in lines[start:]:
        match = _DIRECTIVE.match(line.strip())
        if not match or match[1].lower() not in {"syntax", "escape", "check"}:
            break
        found.setdefault(match[1].lower(), match[2])
    escape = found.get("escape", "\\")
    return _Directives(escape=escape if escape in {"\\", "`"} else "\\", syntax=found.get("syntax"))


class _Lines:
    """A reader over physical lines."""

    def __init__(self, lines: Sequence[str], escape: str, path: str) -> None:
        self._lines = lines
        self._at = 0
        self._path = path
        self._escape = escape
        mark = re.escape(escape)
        self._continued = re.compile(rf"(?<!{mark}){mark}[ \t]*$")

    def instructions(self) -> Iterator[Instruction]:
        """Yield the instructions in order."""
        while self._at < len(self._lines):
            line = self._take()
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            if _TEMPLATE.match(line):
                message = "this is a template that makes Dockerfiles, not a Dockerfile"
                raise _refused(self._path, message, self._at)
            pieces = self._continue(line.lstrip())
            if any(piece.text.strip() for piece in pieces):
                yield self._instruction(pieces)

    def _take(self) -> str:
        line = self._lines[self._at].rstrip("\r")
        self._at += 1
        if len(line) > LINE_LIMIT:
            raise _refused(self._path, f"a line of more than {LINE_LIMIT} characters", self._at)
        return line

    def _continue(self, line: str) -> list[Piece]:
        pieces: list[Piece] = []
        while True:
            shortened = self._continued.sub("", line)
            pieces.append(Piece(line=self._at, text=shortened))
            if shortened == line:
                return pieces
            following = self._next_content()
            if following is None:
                return pieces
            line = following

    def _next_content(self) -> str | None:
        """Return the next line that is neither empty nor a comment; both are passed over."""
        while self._at < len(self._lines):
            line = self._take()
            if line.strip() and not line.lstrip().startswith("#"):
                return line
        return None

    def _instruction(self, pieces: list[Piece]) -> Instruction:
        first, *rest = pieces
        keyword, args = _first_word(first.text)
        head = Instruction(
            keyword=keyword.upper(),
            line=first.line,
            pieces=(Piece(line=first.line, text=args), *rest),
        )
        return self._dispatched(head)

    def _dispatched(self, head: Instruction) -> Instruction:
        if head.keyword == "ONBUILD":
            return replace(self._instruction(_from_first_word(head.pieces)), on_build=True)
        flags, pieces = _flags(head.pieces, self._escape)
        head = replace(head, flags=flags, pieces=pieces)
        if head.keyword in _JSON:
            head = replace(head, exec_form=_exec_form(head))
        if head.keyword in _HEREDOC_KEYWORDS and "<<" in head.args:
            head = replace(head, heredocs=tuple(self._heredocs(head)))
        return head

    def _heredocs(self, head: Instruction) -> Iterator[Heredoc]:
        for word in split_words(head.args):
            match = _HEREDOC.match(word)
            if not match:
                continue
            name = re.sub(r"[\"'\\]", "", match[2])
            start = self._at + 1
            content: list[str] = []
            while True:
                if self._at >= len(self._lines):
                    raise _refused(self._path, f"the heredoc {name} has no end", head.line)
                line = self._take()
                if (line.lstrip("\t") if match[1] else line) == name:
                    break
                content.append(line)
            before = head.args.partition("<<")[0].rstrip("0123456789").strip()
            yield Heredoc(name=name, content="\n".join(content), line=start, fed_to=before)


def _first_word(text: str) -> tuple[str, str]:
    parts = text.strip().split(None, 1)
    return parts[0] if parts else "", parts[1] if len(parts) > 1 else ""


def _from_first_word(pieces: Sequence[Piece]) -> list[Piece]:
    kept = list(pieces)
    while len(kept) > 1 and not kept[0].text.strip():
        kept.pop(0)
    return kept


def _flags(pieces: tuple[Piece, ...], escape: str) -> tuple[tuple[Flag, ...], tuple[Piece, ...]]:
    """Take the leading ``--name=value`` words off the arguments."""
    flags: list[Flag] = []
    rest = list(pieces)
    while rest:
        text = rest[0].text.lstrip()
        if not text:
            if len(rest) == 1:
                break
            rest.pop(0)
            continue
        if not text.startswith("--") or text.startswith("-- ") or text == "--":
            rest[0] = replace(rest[0], text=text)
            break
        word, after = _flag_word(text, escape)
        name, _, value = word[2:].partition("=")
        flags.append(Flag(name=name, value=value))
        rest[0] = replace(rest[0], text=after)
    return tuple(flags), tuple(rest)


def _flag_word(text: str, escape: str) -> tuple[str, str]:
    word: list[str] = []
    quote = ""
    position = 0
    while position < len(text):
        char = text[position]
        if quote:
            if char == quote:
                quote = ""
            else:
                word.append(char)
        elif char in "\"'":
            quote = char
        elif char == escape and position + 1 < len(text):
            position += 1
            word.append(text[position])
        elif char.isspace():
            break
        else:
            word.append(char)
        position += 1
    return "".join(word), text[position:]


def _exec_form(head: Instruction) -> tuple[str, ...] | None:
    text = head.args
    if head.keyword == "HEALTHCHECK":
        text = text.partition(" ")[2].strip()
    if not text.startswith("["):
        return None
    try:
        words = json.loads(text)
    except (ValueError, RecursionError):
        return None  # BuildKit takes it for the shell form, too
    if isinstance(words, list) and all(isinstance(word, str) for word in words):
        return tuple(words)
    return None


def _stages(
    instructions: Sequence[Instruction], path: str
) -> tuple[tuple[DockerStage, ...], tuple[Instruction, ...]]:
    starts = [i for i, one in enumerate(instructions) if one.keyword == "FROM"]
    if not starts:
        raise _refused(path, "this is no Dockerfile: it has no FROM")
    global_args = tuple(i for i in instructions[: starts[0]] if i.keyword == "ARG")
    stages = tuple(
        _stage(index, instructions[start], tuple(instructions[start + 1 : end]), path)
        for index, (start, end) in enumerate(
            zip(starts, [*starts[1:], len(instructions)], strict=True)
        )
    )
    return stages, global_args


def _stage(
    index: int, head: Instruction, instructions: tuple[Instruction, ...], path: str
) -> DockerStage:
    words = head.args.split()
    if not words:
        raise _refused(path, "FROM names no base", head.line)
    named = len(words) >= 3 and words[1].upper() == "AS"  # noqa: PLR2004 - FROM base AS name
    return DockerStage(
        index=index,
        line=head.line,
        base=words[0].strip("\"'"),
        name=words[2].lower() if named else None,
        platform=head.flag("platform"),
        instructions=instructions,
    )
