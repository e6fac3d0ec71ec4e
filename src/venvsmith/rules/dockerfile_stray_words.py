"""dockerfile-stray-words."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, ClassVar, Final

from venvsmith.dockerfile.arguments import arguments
from venvsmith.dockerfile.expand import split_words
from venvsmith.dockerfile.parse import KEYWORDS
from venvsmith.dockerfile.replay import script_of
from venvsmith.rules.framework.dockerfiles import at, reading_of, spot, written
from venvsmith.rules.framework.rule import Rule, Scope

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from venvsmith.dockerfile.replay import Reading
    from venvsmith.dockerfile.shell import ShellCommand, Word
    from venvsmith.model.dockerfile import Instruction
    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context

# Programs that take names or paths, never another command.
PLAIN: Final = frozenset(
    {"apt-get", "apt", "apk", "pip", "pip3", "uv", "mkdir", "rm", "cp", "mv", "ln", "chmod"}
    | {"chown", "curl", "wget", "tar", "git", "cd", "useradd", "groupadd", "yum", "dnf", "touch"}
)
# The start of a command that nobody means as an argument of those.
STARTS: Final = re.compile(
    r"(?:apt-get|apt) (?:update|install|upgrade|clean|remove|purge|autoremove)\b"
    r"|apk (?:add|del|update|upgrade)\b"
    r"|pip3? (?:install|uninstall|list|freeze|check|cache)\b"
    r"|uv (?:sync|venv|lock|run) ?(?:-.*)?$|uv pip (?:install|sync|list|check)\b"
    r"|(?:\S*/)?python3?(?:\.\d+)? -[mc]\b"
    r"|rm -[rf]+\b|mkdir -p\b|cd /\S*$|chmod (?:\d{3,4}|[augo]*\+\S+) |chown -R\b|ln -s\S* "
    r"|git (?:clone|config)\b|(?:useradd|groupadd) -"
)
# Commands that take no names at all, and whether the program refuses them.
ALONE: Final = {
    ("uv", "pip", "list"): True,
    ("uv", "pip", "freeze"): True,
    ("uv", "pip", "check"): True,
    ("uv", "sync"): True,
    ("uv", "lock"): True,
    ("apt-get", "update"): True,
    ("pip", "list"): False,
    ("pip", "freeze"): False,
    ("pip", "check"): False,
    ("pip3", "list"): False,
    ("pip3", "freeze"): False,
}
# Instructions whose arguments a remark spoils; RUN gives it to the shell, which drops it.
TAKES_NO_REMARK: Final = frozenset(
    {"ADD", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "LABEL", "USER", "WORKDIR"}
)
_REMARK = re.compile(r"(?:^|\s)#(?:\s|$)")
OWN_WORDS: Final = {"HEALTHCHECK": frozenset({"CMD", "NONE"}), "ONBUILD": KEYWORDS}


class DockerfileStrayWords(Rule):
    r"""Words stand where a lost backslash or && has left them.

    ## What it looks for
    Lines whose first word is no instruction; an instruction that a backslash too many has drawn
    into the RUN above; a command that became an argument of the one before, because `&&` is
    missing; a requirement behind a command that takes none (`uv pip list pyannote.audio==3.3.2`);
    a `#` that turns the continued lines after it into a comment, or that Docker takes for an
    argument (`EXPOSE 80 # web`); an `&&` with nothing behind it.

    ## Why it happens
    Long RUN lines are edited one line at a time. A backslash or `&&` gets lost, or stays when the
    last line goes; comments and empty lines between continued lines are dropped by Docker, so a
    backslash reaches over them to the next instruction.

    ## How to see it by hand
    `docker build --check .` names unknown instructions. For the rest, read the joined line:
    `docker history --no-trunc IMAGE` shows each RUN as it was carried out.

    ## How to mend it
    End a line with ` && \` where another command follows, with ` \` where arguments follow, with
    neither where the instruction ends. Or write a heredoc, where a line is a command:

        RUN <<EOF
        set -e
        uv pip install whisperx==3.3.2
        uv pip list
        EOF

    ## When it is fine
    Never. Files for another frontend (`# syntax=`) may have instructions of their own; of those,
    unknown instructions are not told.
    """

    name = "dockerfile-stray-words"
    code = "VS803"
    needs = frozenset({"dockerfile"})
    scope: ClassVar[Scope] = "target"

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Look at unknown lines, then at every instruction."""
        reading = reading_of(ctx)
        everything = [i for stage in reading.facts.stages for i in stage.instructions]
        everything = [*reading.facts.global_args, *everything]
        yield from self._unknown(ctx, reading, everything)
        for instruction in everything:
            swallowed = next(_swallowed(instruction), None)
            if swallowed is not None:
                yield self._drawn_in(ctx, reading, instruction, swallowed)
            elif _remark(instruction):
                yield self._remarked(ctx, reading, instruction)
            elif instruction.keyword == "RUN" and instruction.exec_form is None:
                yield from self._run(ctx, reading, instruction)

    def _unknown(
        self, ctx: Context, reading: Reading, known: Sequence[Instruction]
    ) -> Iterator[Finding]:
        syntax = (reading.facts.syntax or "docker/dockerfile").removeprefix("docker.io/")
        if not syntax.startswith(("docker/dockerfile", "docker/buildkit")):
            return
        froms = [stage.line for stage in reading.facts.stages]
        lines = sorted([*(i.line for i in known), *froms])
        told: set[int] = set()
        for stray in reading.facts.unknown:
            before = max((line for line in lines if line < stray.line), default=0)
            if before in told:
                continue  # one lost backslash leaves all the lines after it alone
            told.add(before)
            above = next((i for i in known if i.line == before), None)
            yield self._no_instruction(ctx, reading, stray, above)

    def _no_instruction(
        self, ctx: Context, reading: Reading, stray: Instruction, above: Instruction | None
    ) -> Finding:
        close = difflib.get_close_matches(stray.keyword, KEYWORDS, n=1, cutoff=0.7)
        text = written(stray, stray.line)
        cause = "A word stands where Docker expects an instruction."
        fix = f"Remove line {stray.line}, or begin it with an instruction."
        if close:
            fix = f"Line {stray.line}: {close[0]} {text.partition(' ')[2]}".rstrip()
            cause = f"It looks like {close[0]}, misspelt."
        elif above is not None and above.keyword in {"RUN", "ENV", "COPY", "LABEL", "CMD", "ARG"}:
            last = above.pieces[-1].line
            join = " && \\" if STARTS.match(_lower(text)) else " \\"
            cause = f"Line {last} has lost the backslash that continued {above.keyword}."
            fix = f"Line {last}: {written(above, last)}{join}"
        return self.finding(
            ctx,
            subject=spot(reading, stray.line),
            message=(
                f"Line {stray.line} starts with '{stray.keyword.lower()[:40]}', which is no "
                "Dockerfile instruction."
            ),
            cause=cause,
            fix=fix,
            evidence=at(reading, stray.line),
        )

    def _drawn_in(
        self, ctx: Context, reading: Reading, outer: Instruction, inner: tuple[int, str]
    ) -> Finding:
        line, keyword = inner
        lines = [piece.line for piece in outer.pieces if piece.line < line]
        before = written(outer, lines[-1])
        ending = re.search(r"\s*(&&|\|\||;|\|)\s*$", before)
        mended = before[: ending.start()] if ending else before
        what = f"ends in {ending[1]} and a backslash" if ending else "ends in a backslash"
        return self.finding(
            ctx,
            subject=spot(reading, line),
            message=(
                f"{keyword} on line {line} is no instruction but a part of the {outer.keyword} "
                f"that starts on line {outer.line}."
            ),
            cause=f"Line {lines[-1]} {what}, so what follows belongs to it.",
            fix=f"Line {lines[-1]}: {mended}",
            evidence=at(reading, line, continued_on=lines[-1]),
        )

    def _remarked(self, ctx: Context, reading: Reading, instruction: Instruction) -> Finding:
        lines = [p.line for p in instruction.pieces if _REMARK.search(p.text)]
        line = next(iter(lines), instruction.line)
        text = written(instruction, line)
        remark = _REMARK.search(text)
        mended = text[: remark.start()].rstrip() if remark else text
        return self.finding(
            ctx,
            subject=spot(reading, line),
            message=(
                f"The # on line {line} starts no comment: {instruction.keyword} takes it and what "
                "follows as arguments."
            ),
            cause="Docker knows comments only on lines of their own.",
            fix=f"Line {line}: {mended}",
            evidence=at(reading, line),
        )

    def _run(self, ctx: Context, reading: Reading, run: Instruction) -> Iterator[Finding]:
        script = script_of(run)
        if script.comment_line is not None:
            yield self._commented(ctx, reading, run, script.comment_line)
        if script.dangling:
            last = max(piece.line for piece in run.pieces if piece.text.strip())
            text = written(run, last).removesuffix(script.dangling).rstrip()
            yield self.finding(
                ctx,
                subject=spot(reading, last),
                message=f"The RUN of line {run.line} ends in {script.dangling}, with no command.",
                cause="The command after it was removed, or the backslash on this line is lost.",
                fix=f"Line {last}: {text}" if text else f"Remove line {last}",
                evidence=at(reading, last),
            )
        for command in script.commands:
            if command.in_words:
                continue
            glued = _glued(command)
            if glued is not None:
                yield self._no_join(ctx, reading, run, glued)
                continue
            yield from self._leftover(ctx, reading, run, command)

    def _commented(self, ctx: Context, reading: Reading, run: Instruction, line: int) -> Finding:
        text = written(run, line)
        mended = text[: text.rfind("#")].rstrip() if "#" in text else text
        return self.finding(
            ctx,
            subject=spot(reading, line),
            message=(
                f"The # on line {line} makes a comment of the rest of this RUN: nothing of the "
                "lines that continue it is carried out."
            ),
            cause="Docker joins continued lines into one before the shell sees them.",
            fix=f"Line {line}: {mended} \\",
            evidence=at(reading, line),
        )

    def _no_join(
        self, ctx: Context, reading: Reading, run: Instruction, glued: tuple[Word, Word, str]
    ) -> Finding:
        before, word, program = glued
        text = written(run, before.line)
        return self.finding(
            ctx,
            subject=spot(reading, word.line),
            message=(
                f"Line {word.line} starts a command, but is read as arguments of {program} on the "
                "line before."
            ),
            cause=f"Line {before.line} ends in a backslash without &&.",
            fix=f"Line {before.line}: {text} && \\",
            evidence=at(reading, word.line),
        )

    def _leftover(
        self, ctx: Context, reading: Reading, run: Instruction, command: ShellCommand
    ) -> Iterator[Finding]:
        argv = command.argv
        key = next((k for k in ALONE if argv[: len(k)] == k), None)
        if key is None or any("$" in word for word in argv):
            return
        for word in _positional(command, len(key)):
            mended = written(run, word.line).replace(word.text, "").replace("  ", " ").strip()
            said = " ".join(key)
            yield self.finding(
                ctx,
                subject=spot(reading, word.line),
                severity="error" if ALONE[key] else "warning",
                message=f"{said} takes no names, but {word.text} stands behind it.",
                cause="The word was left behind, or the && before its own command is lost.",
                fix=f"Line {word.line}: {mended}" if mended else f"Remove line {word.line}",
                evidence=at(reading, word.line),
            )
            return


def _remark(instruction: Instruction) -> bool:
    """Tell whether a comment stands behind an instruction that takes it for arguments."""
    if instruction.keyword not in TAKES_NO_REMARK:
        return False
    if instruction.exec_form is not None or instruction.heredocs or not instruction.args:
        return False
    if instruction.keyword in {"CMD", "ENTRYPOINT"} and not instruction.args.startswith("["):
        return False  # the shell form: a comment for the shell
    if instruction.keyword in {"ENV", "LABEL"} and "=" not in instruction.args.split()[0]:
        return False  # the old form, whose value is the rest of the line
    return "#" in split_words(instruction.args)


def _lower(text: str) -> str:
    head, _, tail = text.partition(" ")
    return f"{head.lower()} {tail}"


def _swallowed(instruction: Instruction) -> Iterator[tuple[int, str]]:
    """Yield line and keyword of instructions that a backslash has drawn into this one."""
    own = OWN_WORDS.get(instruction.keyword, frozenset())
    before = ""
    for number, piece in enumerate(instruction.pieces):
        word = piece.text.split(maxsplit=1)[0] if piece.text.split() else ""
        plain = number > 0 and word in KEYWORDS and word not in own
        if plain and len(piece.text.split()) > 1 and not _in_quotes(before):
            yield piece.line, word
        before += piece.text


def _in_quotes(text: str) -> bool:
    quote = ""
    position = 0
    while position < len(text):
        char = text[position]
        if char == "\\" and quote != "'":
            position += 1
        elif quote:
            quote = "" if char == quote else quote
        elif char in "\"'`":
            quote = char
        position += 1
    return bool(quote)


def _glued(command: ShellCommand) -> tuple[Word, Word, str] | None:
    """Return where a physical line starts a command in the middle of another one."""
    words = command.words
    if not words or words[0].value not in PLAIN:
        return None
    for number in range(1, len(words)):
        before, word = words[number - 1], words[number]
        if word.line == before.line:
            continue
        rest = " ".join(w.text for w in words[number:] if w.line == word.line)
        if STARTS.match(rest):
            return before, word, words[0].value
    return None


def _positional(command: ShellCommand, skip: int) -> Iterator[Word]:
    """Yield words behind a command that are surely no option's value."""
    words = command.effective
    plain = arguments([word.value for word in words])
    for number in range(skip, len(words)):
        word = words[number]
        if word.text.startswith("-") or word.value not in plain:
            continue
        if "==" in word.text or not words[number - 1].text.startswith("-"):
            yield word
