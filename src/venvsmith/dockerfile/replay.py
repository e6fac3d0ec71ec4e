"""A Dockerfile gone through line by line: what each step knows of variables, folders and stages."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from venvsmith.dockerfile.expand import expand, has_unknown, split_words, unquote
from venvsmith.dockerfile.shell import SHELLS, Script, ShellCommand, parse_script
from venvsmith.model.dockerfile import DockerfileFacts, DockerStage, Instruction, Piece

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PLATFORM_ARGS = frozenset(
    f"{side}{part}"
    for side in ("TARGET", "BUILD")
    for part in ("PLATFORM", "OS", "ARCH", "VARIANT", "OSVERSION")
) | {"TARGETSTAGE"}
"""Set by BuildKit: in FROM as they are, in a stage only where ARG declares them."""
PROXY_ARGS = frozenset(
    name
    for upper in ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
    for name in (upper, upper.lower())
)
"""May be used without an ARG."""
CHAIN_LIMIT = 32
"""Stages that build on one another; a longer row is followed no further."""
_ENV_LIMIT = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """An instruction at its place: what holds when it is carried out."""

    instruction: Instruction
    stage: int
    env: Mapping[str, str | None]
    """ENV variables and ARGs in force; None where the value cannot be known."""
    args: frozenset[str]
    """The names of the ARGs in force."""
    set_env: frozenset[str]
    """The names of the ENV variables in force."""
    workdir: str
    user: str
    """As USER names it; empty where no USER was met."""
    script: Script
    """The shell commands of a RUN; empty for everything else and for other shells."""

    @property
    def line(self) -> int:
        """Return the instruction's first line."""
        return self.instruction.line

    def expanded(self, text: str) -> str:
        """Return a word with the variables of this place, without quotes."""
        return unquote(expand(text, self.env))

    def path(self, text: str) -> str | None:
        """Return an absolute path for a word, or None where it depends on what is unknown."""
        raw = expand(text, self.env)
        if has_unknown(raw):
            return None
        return posixpath.normpath(posixpath.join(self.workdir, unquote(raw)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Copy:
    """A COPY or ADD of paths."""

    step: Step
    sources: tuple[str, ...]
    target: str | None
    """Absolute; None where it depends on what is unknown."""
    is_folder: bool
    """Whether the target is surely a folder into which the sources go."""
    from_stage: int | None
    from_image: str | None
    """Another image; None with ``from_stage`` None too means the build context."""

    @property
    def from_context(self) -> bool:
        """Tell whether the paths come from the folder that is built from."""
        return self.from_stage is None and self.from_image is None


class Reading:
    """A Dockerfile with its stages joined: who builds on whom, and what each step knows."""

    def __init__(self, facts: DockerfileFacts) -> None:
        self.facts = facts
        self.memo: dict[tuple[str, int], tuple[object, ...]] = {}
        """What readers made of a stage, by their name and its index: made once, asked for often."""
        self._steps: dict[int, tuple[Step, ...]] = {}
        self._copies: dict[int, tuple[Copy, ...]] = {}
        self._scripts: dict[int, Script] = {}
        self._ends: dict[int, Mapping[str, str | None]] = {}

    @cached_property
    def globals(self) -> Mapping[str, str | None]:
        """Return the ARGs before the first FROM; None where only the command line gives a value."""
        found: dict[str, str | None] = dict.fromkeys(PLATFORM_ARGS)
        for instruction in self.facts.global_args:
            for name, value in assignments(instruction):
                raw = None if value is None else expand(value, found)
                found[name] = None if raw is None or has_unknown(raw) else unquote(raw)
        return found

    def base(self, stage: DockerStage) -> str:
        """Return a stage's base with the global ARGs filled in; a variable stays where unknown."""
        return unquote(expand(stage.base, self.globals))

    def parent(self, stage: DockerStage) -> DockerStage | None:
        """Return the stage that a stage builds on, None where that is an image."""
        return self.stage_named(self.base(stage), before=stage.index)

    def stage_named(self, name: str, *, before: int) -> DockerStage | None:
        """Return the stage of a name or number among those above; the latest of equal names."""
        for stage in reversed(self.facts.stages[:before]):
            if stage.name == name.lower() or str(stage.index) == name:
                return stage
        return None

    def chain(self, stage: DockerStage) -> tuple[DockerStage, ...]:
        """Return the stages from the one on a real base down to the given one."""
        found = [stage]
        while (parent := self.parent(found[-1])) is not None and len(found) < CHAIN_LIMIT:
            found.append(parent)
        return tuple(reversed(found))

    def root_base(self, stage: DockerStage) -> str:
        """Return the image at the ground of a stage."""
        return self.base(self.chain(stage)[0])

    @cached_property
    def final_chain(self) -> frozenset[int]:
        """Return the stages that the image consists of."""
        return frozenset(stage.index for stage in self.chain(self.facts.final))

    @cached_property
    def built(self) -> frozenset[int]:
        """Return the stages that the image needs; BuildKit never builds the others."""
        found: set[int] = set()
        todo = [self.facts.final]
        while todo:
            stage = todo.pop()
            if stage.index in found:
                continue
            found.add(stage.index)
            parent = self.parent(stage)
            todo.extend([parent] if parent else [])
            for instruction in stage.instructions:
                for name in _mentioned(instruction):
                    source = self.stage_named(name, before=stage.index)
                    todo.extend([source] if source else [])
        return frozenset(found)

    def steps(self, stage: DockerStage) -> tuple[Step, ...]:
        """Return all steps from the ground of a stage to its end, those of its parents first."""
        if stage.index not in self._steps:
            chain = self.chain(stage)
            walk = _Walk(self.globals, self._scripts)
            found: list[Step] = []
            for one in chain:
                found.extend(walk.over(one))
            self._steps[stage.index] = tuple(found)
            self._ends[stage.index] = walk.env
        return self._steps[stage.index]

    @property
    def final_steps(self) -> tuple[Step, ...]:
        """Return the steps that the image consists of."""
        return self.steps(self.facts.final)

    @property
    def final_env(self) -> Mapping[str, str | None]:
        """Return the variables of the image, as far as its own lines set them."""
        self.steps(self.facts.final)
        return self._ends[self.facts.final.index]

    def copies(self, stage: DockerStage) -> tuple[Copy, ...]:
        """Return the COPYs and ADDs of a stage and its parents."""
        if stage.index not in self._copies:
            self._copies[stage.index] = tuple(
                self._copy(step)
                for step in self.steps(stage)
                if step.instruction.keyword in {"COPY", "ADD"} and not step.instruction.on_build
            )
        return self._copies[stage.index]

    def _copy(self, step: Step) -> Copy:
        instruction = step.instruction
        words = list(instruction.exec_form or split_words(instruction.args))
        target = words.pop() if words else "."
        source = instruction.flag("from")
        stage = None
        if source is not None:
            stage = self.stage_named(source, before=step.stage)
        place = step.path(target)
        is_folder = target.endswith("/") or len(words) > 1 or target in {".", "./"}
        return Copy(
            step=step,
            sources=tuple(step.expanded(word) for word in words if not word.startswith("<<")),
            target=place,
            is_folder=is_folder,
            from_stage=stage.index if stage else None,
            from_image=source if source is not None and stage is None else None,
        )


def _mentioned(instruction: Instruction) -> Iterator[str]:
    for flag in instruction.flags:
        if flag.name == "from":
            yield flag.value
        elif flag.name == "mount":
            yield from (
                part.removeprefix("from=")
                for part in flag.value.split(",")
                if part.startswith("from=")
            )


class _Walk:
    """What is known, carried from step to step."""

    def __init__(self, global_args: Mapping[str, str | None], scripts: dict[int, Script]) -> None:
        self._globals = global_args
        self._scripts = scripts
        self._args: dict[str, str | None] = {}
        self.env: dict[str, str | None] = {"PATH": None}
        """The ENV variables so far."""
        self._workdir = "/"
        self._user = ""
        self._posix = True

    def over(self, stage: DockerStage) -> Iterator[Step]:
        for instruction in stage.instructions:
            script = Script(commands=())
            if instruction.keyword == "RUN" and self._posix:
                known = self._scripts.get(instruction.line)
                script = known or script_of(instruction)
                self._scripts[instruction.line] = script
            step = Step(
                instruction=instruction,
                stage=stage.index,
                env={**self._args, **self.env},
                args=frozenset(self._args),
                set_env=frozenset(self.env),
                workdir=self._workdir,
                user=self._user,
                script=script,
            )
            yield step
            if not instruction.on_build:
                self._after(step)

    def _after(self, step: Step) -> None:
        instruction = step.instruction
        if instruction.keyword == "ENV" and len(self.env) < _ENV_LIMIT:
            for name, value in assignments(instruction):
                raw = expand(value or "", step.env)
                self.env[name] = unquote(raw)
        elif instruction.keyword == "ARG" and len(self._args) < _ENV_LIMIT:
            for name, value in assignments(instruction):
                self._args[name] = self._argument(name, value, step)
        elif instruction.keyword == "WORKDIR":
            self._workdir = step.path(instruction.args) or "/?"
        elif instruction.keyword == "USER":
            self._user = step.expanded(instruction.args)
        elif instruction.keyword == "SHELL":
            shell = (instruction.exec_form or ("sh",))[0]
            self._posix = posixpath.basename(shell).lower() in SHELLS

    def _argument(self, name: str, value: str | None, step: Step) -> str | None:
        if value is None:
            return self._globals.get(name)
        raw = expand(value, step.env)
        return None if has_unknown(raw) else unquote(raw)


def assignments(instruction: Instruction) -> Iterator[tuple[str, str | None]]:
    """Yield what ENV, ARG or LABEL sets; None where ARG names no default. Values keep quotes."""
    words = split_words(instruction.args)
    if not words:
        return
    if instruction.keyword != "ARG" and "=" not in words[0]:
        name, _, rest = instruction.args.partition(" ")
        yield name, rest.strip()
        return
    for word in words:
        name, equals, value = word.partition("=")
        yield name, value if equals else None


def script_of(instruction: Instruction) -> Script:
    """Return the shell commands of a RUN: its line, its heredocs, or its words."""
    if instruction.exec_form is not None:
        words = " ".join(quoted(word) for word in instruction.exec_form)
        return parse_script((Piece(line=instruction.line, text=words),))
    scripts = [h for h in instruction.heredocs if _is_shell(h.fed_to, h.content)]
    if not instruction.heredocs:
        return parse_script(instruction.pieces)
    commands: list[ShellCommand] = []
    if instruction.args.partition("<<")[0].strip():
        commands.extend(parse_script(instruction.pieces).commands)
    for heredoc in scripts:
        joined = _joined(heredoc.content, heredoc.line)
        commands.extend(parse_script(joined).commands)
    return Script(commands=tuple(commands))


def _is_shell(fed_to: str, content: str) -> bool:
    first = content.partition("\n")[0]
    if first.startswith("#!"):
        return any(first.rstrip().endswith(name) or f"{name} " in first for name in SHELLS)
    program = posixpath.basename(fed_to.split(maxsplit=1)[0]) if fed_to.split() else ""
    return program == "" or (program in SHELLS and "-c" not in fed_to.split())


def _joined(content: str, line: int) -> tuple[Piece, ...]:
    pieces: list[Piece] = []
    for number, text in enumerate(content.split("\n"), start=line):
        continued = text.endswith("\\")
        pieces.append(Piece(line=number, text=text[:-1] if continued else text + "\n"))
    return tuple(pieces)


def quoted(word: str) -> str:
    """Return a word as a shell takes it whole."""
    return "'" + word.replace("'", "'\\''") + "'"
