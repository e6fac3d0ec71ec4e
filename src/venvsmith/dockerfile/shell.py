"""Shell text divided into simple commands, well enough to know which programs run with what.

No command is run, no file looked up. What is not understood (functions, arithmetic) comes out as
commands that no reader knows.
"""

from __future__ import annotations

import bisect
import re
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from venvsmith.dockerfile.expand import unquote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from venvsmith.model.dockerfile import Piece

_OPERATORS = ("&&", "||", ";;", "|&", ";", "|", "&", "(", ")", "\n")
_REDIRECTION = re.compile(r"\d*(?:<<<|<<-?|<>|<&|<|>>|>\||>&|>|&>>|&>)")
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)\+?=(.*)", re.DOTALL)
_OPENING = frozenset({"if", "while", "until", "then", "else", "elif", "do", "!", "{", "time"})
_BLOCKS = {"if": 1, "while": 1, "until": 1, "for": 1, "case": 1, "fi": -1, "done": -1, "esac": -1}
_WRAPPERS = frozenset({"sudo", "exec", "command", "eatmydata", "nice", "nohup", "env", "time"})
SHELLS: Final = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh"})
"""Programs that take shell text."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Word:
    """A word of a command as written, and the line on which it starts."""

    text: str
    line: int

    @property
    def value(self) -> str:
        """Return it without quotes."""
        return unquote(self.text)


@dataclass(frozen=True, kw_only=True, slots=True)
class ShellCommand:
    """A simple command: assignments before it, its program and arguments, without redirections."""

    words: tuple[Word, ...]
    assignments: tuple[tuple[str, str], ...] = ()
    joiner: str = ""
    """The operator before it: ``&&``, ``||``, ``;``, ``|``, a newline, or nothing."""
    conditional: bool = False
    """Whether it may be left out: in an if, a loop, a case, or behind ``||``."""
    line: int = 0
    in_words: bool = False
    """Whether it was read out of the words of ``sh -c``."""

    @property
    def program(self) -> str:
        """Return the program's name without folders, seen through sudo, env and the like."""
        return PurePosixPath(self.argv[0]).name if self.argv else ""

    @property
    def argv(self) -> tuple[str, ...]:
        """Return program and arguments without quotes, wrappers left out."""
        return tuple(word.value for word in self.effective)

    @property
    def effective(self) -> tuple[Word, ...]:
        """Return the words from the program on that does the work."""
        words = self.words
        while words and PurePosixPath(words[0].value).name in _WRAPPERS:
            words = words[1:]
            while words and (words[0].text.startswith("-") or _ASSIGNMENT.fullmatch(words[0].text)):
                words = words[1:]
        return words


@dataclass(frozen=True, kw_only=True, slots=True)
class Script:
    """A shell text divided."""

    commands: tuple[ShellCommand, ...]
    comment_line: int | None = None
    """The line of a comment that swallows lines after it."""
    dangling: str = ""
    """The operator after which nothing follows."""


@dataclass(slots=True)
class _Token:
    kind: str
    text: str
    start: int


class _Lexer:
    """Words, operators and redirections of a text; newlines are operators."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.comment_at: int | None = None

    def tokens(self) -> Iterator[_Token]:
        position = 0
        while position < len(self.text):
            char = self.text[position]
            if char in " \t\r\v\f":
                position += 1
            elif char == "#":
                end = self.text.find("\n", position)
                if end < 0:
                    self.comment_at = position
                    return
                position = end
            elif match := _REDIRECTION.match(self.text, position):
                yield _Token("redirect", match[0], position)
                position = match.end()
            elif operator := self._operator(position):
                yield _Token("operator", operator, position)
                position += len(operator)
            else:
                end = self._word(position)
                yield _Token("word", self.text[position:end], position)
                position = end

    def _operator(self, position: int) -> str:
        return next((o for o in _OPERATORS if self.text.startswith(o, position)), "")

    def _word(self, position: int) -> int:
        text = self.text
        while position < len(text):
            char = text[position]
            if char == "\\":
                position += 2
            elif char in "\"'`":
                position = self._quoted(position, char)
            elif text.startswith(("$(", "<(", ">("), position):
                position = self._nested(position + 2, ")")
            elif text.startswith("${", position):
                position = self._nested(position + 2, "}")
            elif char in " \t\r\v\f\n;|&()<>":
                break
            else:
                position += 1
        return min(position, len(text))

    def _quoted(self, position: int, quote: str) -> int:
        position += 1
        while position < len(self.text) and self.text[position] != quote:
            if self.text[position] == "\\" and quote != "'":
                position += 1
            elif quote == '"' and self.text.startswith("$(", position):
                position = self._nested(position + 2, ")") - 1
            position += 1
        return position + 1

    def _nested(self, position: int, closing: str) -> int:
        opening = {")": "(", "}": "{"}[closing]
        depth = 1
        while position < len(self.text):
            char = self.text[position]
            if char == "\\":
                position += 1
            elif char == "'" or (char == '"' and closing == ")"):
                # Quotes inside quotes are left to their own pair; deeper nesting is not followed.
                end = self.text.find(char, position + 1)
                position = end if end > 0 else position
            elif char == opening:
                depth += 1
            elif char == closing:
                depth -= 1
                if depth == 0:
                    return position + 1
            position += 1
        return position


def parse_script(pieces: Sequence[Piece]) -> Script:
    """Divide the shell text of an instruction (pieces joined) or of a heredoc (lines)."""
    text = "".join(piece.text for piece in pieces)
    starts: list[int] = []
    length = 0
    for piece in pieces:
        starts.append(length)
        length += len(piece.text)
    lexer = _Lexer(text)

    def line_at(position: int) -> int:
        return pieces[max(bisect.bisect_right(starts, position) - 1, 0)].line

    commands, dangling = _commands(lexer.tokens(), line_at)
    comment = lexer.comment_at
    swallowed = (
        line_at(comment)
        if comment is not None and pieces and line_at(comment) < _last_line(pieces)
        else None
    )
    return Script(commands=tuple(_opened(commands)), comment_line=swallowed, dangling=dangling)


def _last_line(pieces: Sequence[Piece]) -> int:
    return max((piece.line for piece in pieces if piece.text.strip()), default=0)


class _Grouping:
    """Collects tokens into commands and keeps count of blocks."""

    def __init__(self) -> None:
        self.found: list[ShellCommand] = []
        self.words: list[Word] = []
        self.assignments: list[tuple[str, str]] = []
        self.joiner = ""
        self.depth = 0
        self.parentheses = 0

    def end(self, operator: str) -> None:
        if self.words or self.assignments:
            self.found.append(
                ShellCommand(
                    words=tuple(self.words),
                    assignments=tuple(self.assignments),
                    joiner=self.joiner,
                    conditional=self.depth + self.parentheses > 0 or self.joiner == "||",
                    line=self.words[0].line if self.words else 0,
                )
            )
            self.joiner = operator
        elif operator not in {"\n", ""}:
            self.joiner = operator
        self.words = []
        self.assignments = []
        # A case's pattern ends in a parenthesis that none opened.
        self.parentheses = max(self.parentheses + {"(": 1, ")": -1}.get(operator, 0), 0)

    def word(self, word: Word) -> None:
        if not self.words:
            self.depth = max(self.depth + _BLOCKS.get(word.text, 0), 0)
            if word.text in _OPENING:
                return
            match = _ASSIGNMENT.fullmatch(word.text)
            if match:
                self.assignments.append((match[1], match[2]))
                return
        self.words.append(word)


def _commands(
    tokens: Iterator[_Token], line_at: Callable[[int], int]
) -> tuple[list[ShellCommand], str]:
    group = _Grouping()
    skip = False
    last = ""
    for token in tokens:
        if token.kind == "operator":
            group.end(token.text)
            last = token.text
            skip = False
        elif token.kind == "redirect":
            skip = True
            last = ""
        elif skip:
            skip = False
        else:
            last = ""
            group.word(Word(text=token.text, line=line_at(token.start)))
    group.end("")
    return group.found, last if last in {"&&", "||", "|"} else ""


def _opened(commands: Sequence[ShellCommand]) -> Iterator[ShellCommand]:
    """Yield the commands, those inside ``sh -c '...'`` after the shell itself."""
    for command in commands:
        yield command
        words = command.effective
        if len(words) < 3 or PurePosixPath(words[0].value).name not in SHELLS:  # noqa: PLR2004
            continue
        flag = next((i for i, w in enumerate(words) if w.text.startswith("-") and "c" in w.text), 0)
        if flag and flag + 1 < len(words) and not words[flag].text.startswith("--"):
            inner = _Lexer(words[flag + 1].value)
            line = words[flag + 1].line
            found, _ = _commands(inner.tokens(), lambda _, line=line: line)  # type: ignore[misc]
            for one in found:
                yield replace(
                    one,
                    in_words=True,
                    line=line,
                    conditional=one.conditional or command.conditional,
                )
