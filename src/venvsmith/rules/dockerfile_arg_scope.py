"""dockerfile-arg-scope."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from venvsmith.dockerfile.expand import Variable, has_unknown, split_words, variables
from venvsmith.dockerfile.pythons import base_of, reference
from venvsmith.dockerfile.replay import PLATFORM_ARGS, PROXY_ARGS, assignments
from venvsmith.rules.framework.dockerfiles import at, reading_of, spot, stage_name
from venvsmith.rules.framework.rule import Rule, Scope

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from venvsmith.dockerfile.replay import Reading, Step
    from venvsmith.model.dockerfile import DockerStage, Instruction
    from venvsmith.model.finding import Finding, Severity
    from venvsmith.rules.framework.context import Context

EXPANDING: Final = frozenset(
    {"ADD", "COPY", "ENV", "EXPOSE", "LABEL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"}
)
"""Instructions in which BuildKit itself fills in variables."""
AT_RUN_TIME: Final = frozenset({"CMD", "ENTRYPOINT", "HEALTHCHECK"})
# What official images set themselves, https://github.com/docker-library/python, 2026-11.
BASE_VARIABLES: Final = re.compile(
    r"PATH|HOME|LANG|HOSTNAME|TERM|GPG_KEY|PYTHON_.*|UV_TOOL_BIN_DIR|NVIDIA_.*|NV_.*|NVARCH"
    r"|CUDA_VERSION|LD_LIBRARY_PATH|LIBRARY_PATH|SSL_CERT_FILE"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Use:
    """A variable that is used where nothing gives it a value."""

    step: Step
    variable: Variable
    text: str
    """The word or line that uses it."""


class DockerfileArgScope(Rule):
    """An ARG is used where it has no value.

    ## What it looks for
    Variables in a stage that only an ARG above the first FROM, an ARG of another stage, or an ARG
    further down declares; BuildKit's own (`TARGETARCH`, …) without an `ARG` in the stage; FROM
    lines that use an ARG declared inside a stage; variables in `COPY --from`, which BuildKit
    refuses; and ARGs in the shell form of CMD and ENTRYPOINT, which run when all ARGs are gone.

    ## Why it happens
    An ARG ends with its stage, and one above the first FROM counts in FROM lines alone. Used
    elsewhere it is empty, without a word: `torch==${TORCH_VERSION}` becomes `torch==`.

    ## How to see it by hand
    `docker build --check .` names some of them (UndefinedVar, UndefinedArgInFrom).

    ## How to mend it
    Declare it again in the stage; without a value it takes the one from above:

        ARG TORCH_VERSION=2.8.0
        FROM python:3.11-slim
        ARG TORCH_VERSION

    ## When it is fine
    Where the base image sets a variable of that name, or the command line of the shell does; those
    are not told where they are known.
    """

    name = "dockerfile-arg-scope"
    code = "VS802"
    severity: ClassVar[Severity] = "warning"
    needs = frozenset({"dockerfile"})
    scope: ClassVar[Scope] = "target"

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Look at the FROM lines, then at each stage's own instructions."""
        reading = reading_of(ctx)
        declared = _declarations(reading)
        for stage in reading.facts.stages:
            yield from self._from(ctx, reading, stage, declared)
            lost: dict[str, _Use] = {}
            own = [s for s in reading.steps(stage) if s.stage == stage.index]
            for step in own:
                if step.instruction.on_build:
                    continue
                yield from self._sources(ctx, reading, step.instruction)
                for use in _uses(step):
                    first = lost.get(use.variable.name)
                    worse = first is None or (_breaks(use) and not _breaks(first))
                    if worse and self._is_lost(reading, stage, use, declared):
                        lost[use.variable.name] = use
            for use in lost.values():
                yield self._lost(ctx, reading, stage, use, declared)
            told = set(lost)
            for step in own:
                yield from self._too_late(ctx, reading, step, told)

    def _from(
        self,
        ctx: Context,
        reading: Reading,
        stage: DockerStage,
        declared: Mapping[str, Mapping[int, int]],
    ) -> Iterator[Finding]:
        for variable in variables(stage.base):
            name = variable.name
            if name in reading.globals or variable.operator in {":-", "-", ":+", "+"}:
                continue
            lines = declared.get(name, {})
            where = next((f" on line {line}, inside a stage" for line in lines.values()), "")
            yield self.finding(
                ctx,
                subject=spot(reading, stage.line),
                severity="error",
                message=(
                    f"FROM on line {stage.line} uses {name}, which has no value there"
                    f"{', although ARG declares it' + where if where else ''}."
                ),
                cause="FROM sees only the ARGs above the first FROM.",
                fix=f"Above the first FROM (line {reading.facts.stages[0].line}): ARG {name}=…",
                evidence=at(reading, stage.line, variable=name),
            )

    def _sources(
        self, ctx: Context, reading: Reading, instruction: Instruction
    ) -> Iterator[Finding]:
        source = instruction.flag("from")
        if source is None or not has_unknown(source):
            return
        line = instruction.line
        yield self.finding(
            ctx,
            subject=spot(reading, line),
            severity="error",
            message=f"{instruction.keyword} --from={source} on line {line} uses a variable.",
            cause="BuildKit fills in no variables there and refuses the file.",
            fix=f"Above, a stage of its own: FROM {source} AS source; then: --from=source",
            evidence=at(reading, line),
        )

    @staticmethod
    def _is_lost(
        reading: Reading,
        stage: DockerStage,
        use: _Use,
        declared: Mapping[str, Mapping[int, int]],
    ) -> bool:
        name = use.variable.name
        if name in use.step.env or name in PROXY_ARGS:
            return False
        if name not in declared and name not in PLATFORM_ARGS:
            return False
        return not _base_sets(reading, stage, name)

    def _lost(
        self,
        ctx: Context,
        reading: Reading,
        stage: DockerStage,
        use: _Use,
        declared: Mapping[str, Mapping[int, int]],
    ) -> Finding:
        name, line = use.variable.name, _line_of(use)
        places = declared.get(name, {})
        here = places.get(stage.index)
        if here is not None:
            cause = f"ARG {name} stands on line {here}, below its use."
            fix = f"Move ARG {name} from line {here} above line {use.step.line}"
        else:
            cause = _cause(reading, name, places)
            fix = f"Below line {stage.line} (FROM {stage.base}): ARG {name}"
        sure = base_of(reading.root_base(stage)).kind != "unknown" and _breaks(use)
        return self.finding(
            ctx,
            subject=spot(reading, line),
            severity="error" if sure else "warning",
            message=f"{name} is empty on line {line}, in stage {stage_name(stage)}: {use.text}",
            cause=cause,
            fix=fix,
            evidence=at(reading, line, variable=name, stage=stage.name),
        )

    def _too_late(
        self, ctx: Context, reading: Reading, step: Step, told: set[str]
    ) -> Iterator[Finding]:
        """Find ARGs of the stage in what runs only when the container does."""
        instruction = step.instruction
        if instruction.keyword not in AT_RUN_TIME or instruction.exec_form is not None:
            return
        for variable in variables(instruction.args):
            name = variable.name
            if name in told or variable.operator or name not in step.args or name in step.set_env:
                continue
            told.add(name)
            line = instruction.line
            yield self.finding(
                ctx,
                subject=spot(reading, line),
                message=(
                    f"{instruction.keyword} on line {line} uses {name}, an ARG, which is gone when "
                    "the container starts."
                ),
                cause="ARGs exist while the image is built; ENV variables stay.",
                fix=f"Above line {line}: ENV {name}=${{{name}}}",
                evidence=at(reading, line, variable=name),
            )


def _declarations(reading: Reading) -> Mapping[str, Mapping[int, int]]:
    """Map the name of each ARG to the stages that declare it, with the line; -1 is above all."""
    found: dict[str, dict[int, int]] = {}
    for instruction in reading.facts.global_args:
        for name, _ in assignments(instruction):
            found.setdefault(name, {})[-1] = instruction.line
    for stage in reading.facts.stages:
        for instruction in stage.instructions:
            if instruction.keyword == "ARG":
                for name, _ in assignments(instruction):
                    found.setdefault(name, {}).setdefault(stage.index, instruction.line)
    return found


def _uses(step: Step) -> Iterator[_Use]:
    instruction = step.instruction
    if instruction.keyword in EXPANDING:
        texts = [flag.value for flag in instruction.flags if flag.name != "from"]
        texts += [piece.text for piece in instruction.pieces]
    elif instruction.keyword == "RUN" and instruction.exec_form is None and step.script.commands:
        texts = [piece.text for piece in instruction.pieces]
        texts += [h.content for h in instruction.heredocs if not h.fed_to]
    else:
        return
    whole = "\n".join(texts)
    for variable in variables(whole):
        if variable.operator in {":-", "-", ":+", "+", ":?", "?"}:
            continue
        if instruction.keyword == "RUN" and _shell_sets(variable.name, whole):
            continue
        yield _Use(step=step, variable=variable, text=_word_around(whole, variable))


def _shell_sets(name: str, text: str) -> bool:
    return (
        re.search(
            rf"\b{name}\+?=|\bfor\s+{name}\b|\bread\s[^|;&]*\b{name}\b|\bgetopts\s\S+\s+{name}\b"
            rf"|^\s*(?:\.|source)\s|[;&]\s*(?:\.|source)\s|\bprintf\s+-v\s+{name}\b",
            text,
            re.MULTILINE,
        )
        is not None
    )


def _word_around(text: str, variable: Variable) -> str:
    start = max(text.rfind(char, 0, variable.start) for char in " \n\t") + 1
    ends = [at for char in " \n\t" if (at := text.find(char, variable.end)) >= 0]
    return text[start : min(ends, default=len(text))][:80]


def _line_of(use: _Use) -> int:
    needle = use.text
    for piece in use.step.instruction.pieces:
        if needle in piece.text:
            return piece.line
    for heredoc in use.step.instruction.heredocs:
        for number, text in enumerate(heredoc.content.split("\n"), start=heredoc.line):
            if needle in text:
                return number
    return use.step.line


def _cause(reading: Reading, name: str, places: Mapping[int, int]) -> str:
    if -1 in places:
        return f"ARG {name} on line {places[-1]} stands above the first FROM and counts there only."
    if name in PLATFORM_ARGS:
        return f"BuildKit sets {name} only in stages that declare it."
    index, line = next(iter(places.items()))
    other = stage_name(reading.facts.stages[index])
    return f"ARG {name} on line {line} belongs to stage {other} and ends with it."


def _base_sets(reading: Reading, stage: DockerStage, name: str) -> bool:
    """Tell whether the base image may set a variable of that name."""
    image = reading.root_base(stage)
    base = base_of(image)
    if base.kind != "unknown":
        return BASE_VARIABLES.fullmatch(name) is not None
    # node sets NODE_VERSION, golang GOLANG_VERSION: a base's variables carry its name.
    words = re.split(r"[^a-z0-9]+", reference(image).name.lower())
    return has_unknown(image) or any(
        len(word) > 1 and name.lower().startswith(word.rstrip("0123456789")) for word in words
    )


def _breaks(use: _Use) -> bool:
    """Tell whether an empty value surely fails: an unfinished pin, a COPY of nothing."""
    value = use.variable
    mark = f"=={'${' if '${' in use.text else '$'}{value.name}"
    if use.step.instruction.keyword == "RUN":
        return mark in use.text
    if use.step.instruction.keyword in {"COPY", "ADD"}:
        words = split_words(use.step.instruction.args)
        return any(word.strip("\"'") in {f"${value.name}", f"${{{value.name}}}"} for word in words)
    return False
