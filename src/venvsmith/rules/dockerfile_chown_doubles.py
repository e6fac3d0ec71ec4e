"""dockerfile-chown-doubles."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from venvsmith.dockerfile.arguments import arguments
from venvsmith.dockerfile.forecast import target_of
from venvsmith.dockerfile.installs import SYSTEM, environments_of, events
from venvsmith.rules.framework.dockerfiles import at, reading_of, spot, written
from venvsmith.rules.framework.rule import Rule, Scope

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from venvsmith.dockerfile.replay import Copy, Reading
    from venvsmith.dockerfile.shell import ShellCommand
    from venvsmith.model.finding import Finding, Severity
    from venvsmith.rules.framework.context import Context


@dataclass(frozen=True, kw_only=True, slots=True)
class _Held:
    """What a folder holds before its owner is changed."""

    environments: Mapping[str, int]
    """Paths to the lines they come from."""
    copies: tuple[Copy, ...]


class DockerfileChownDoubles(Rule):
    """A recursive chown or chmod stores a copied environment a second time.

    ## What it looks for
    `chown -R`, `chgrp -R` and `chmod -R` in the final image's own stages, over a folder that holds
    an environment which an earlier instruction copied or installed.

    ## Why it happens
    A layer keeps whole files. Changing a file's owner or mode in a later instruction writes it
    again, in full: a venv of 7 GB becomes 14 GB of image, pushed and pulled each time.

    ## How to see it by hand
    `docker history IMAGE` shows the RUN with the size of the folder.

    ## How to mend it
    Give the owner where the files come in, or make them readable for all and leave them root's:

        COPY --chown=1001:1001 --from=build /venv /venv

    A running program needs no ownership of its venv: read and execute rights are enough.

    ## When it is fine
    In the same RUN that wrote the files, in a build stage that is not part of the image, and for
    small folders; code copied from the build context is reported as info.
    """

    name = "dockerfile-chown-doubles"
    code = "VS805"
    severity: ClassVar[Severity] = "warning"
    needs = frozenset({"dockerfile"})
    scope: ClassVar[Scope] = "target"

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Hold each recursive change against what earlier steps left below its folders."""
        reading = reading_of(ctx)
        environments = dict(_environments(reading))
        copies = tuple(reading.copies(reading.facts.final))
        for step in reading.final_steps:
            if step.instruction.keyword != "RUN":
                continue
            for command in step.script.commands:
                folders = [step.path(word) for word in _folders(command)]
                for folder in dict.fromkeys(f for f in folders if f):
                    there = _Held(
                        environments={
                            path: since
                            for path, since in environments.items()
                            if since < step.line and _below(path, folder)
                        },
                        copies=tuple(
                            copy
                            for copy in copies
                            if copy.step.line < step.line
                            and copy.target is not None
                            and _below(copy.target, folder)
                        ),
                    )
                    if there.environments or (there.copies and not _has_owner(there.copies)):
                        line = command.line or step.line
                        yield self._doubled(ctx, reading, command, folder, there, line)

    def _doubled(  # noqa: PLR0917 - private, called in one place
        self,
        ctx: Context,
        reading: Reading,
        command: ShellCommand,
        folder: str,
        there: _Held,
        line: int,
    ) -> Finding:
        venv = next(iter(there.environments), None)
        since = there.environments[venv] if venv else there.copies[-1].step.line
        what = f"the environment {venv}" if venv else f"what line {since} copied"
        copy = next((copy for copy in there.copies if copy.step.line == since), None)
        return self.finding(
            ctx,
            subject=spot(reading, line),
            severity="warning" if venv else "info",
            message=(
                f"{command.program} -R {folder} on line {line} stores {what} a second time, in a "
                "layer of its own."
            ),
            cause=f"The files came in on line {since}; a layer keeps whole files.",
            fix=_fix(copy, command, since, line),
            evidence=at(reading, line, folder=folder, since=since),
        )


def _environments(reading: Reading) -> Iterator[tuple[str, int]]:
    """Yield the environments that the image's own stages hold, with the line they come from."""
    final = reading.facts.final
    for event in events(reading, reading.facts.final):
        if event.place not in {None, SYSTEM} and event.action in {"install", "sync"}:
            yield str(event.place), event.step.line
    for copy in reading.copies(final):
        if copy.from_stage is None or copy.target is None:
            continue
        for place in environments_of(reading, reading.facts.stages[copy.from_stage]):
            target = target_of(copy, place)
            if target is not None:
                yield posixpath.normpath(target), copy.step.line


def _folders(command: ShellCommand) -> list[str]:
    """Return the folders that a recursive change names."""
    argv = command.argv
    if command.program not in {"chown", "chgrp", "chmod"} or len(argv) < 3:  # noqa: PLR2004
        return []
    flags = [word for word in argv[1:] if word.startswith("-")]
    recursive = any("R" in f for f in flags if not f.startswith("--")) or "--recursive" in flags
    words = [word for word in arguments(argv[1:]) if not word.startswith("-")]
    return words[1:] if recursive and not any("reference" in f for f in flags) else []


def _below(path: str, folder: str) -> bool:
    folder = posixpath.normpath(posixpath.join("/", folder))
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _has_owner(copied: Sequence[Copy]) -> bool:
    return all(copy.step.instruction.flag("chown") for copy in copied)


def _fix(copy: Copy | None, command: ShellCommand, since: int, line: int) -> str:
    mended = _mended(copy, command)
    if mended:
        return f"Line {since}: {mended}, and no {command.program} on line {line}"
    if copy is not None:
        flag = "--chmod" if command.program == "chmod" else "--chown"
        return f"Give {flag}=… to the {copy.step.instruction.keyword} on line {since} instead"
    return f"Run it on line {since}, in the same RUN that writes the files"


def _mended(copy: Copy | None, command: ShellCommand) -> str:
    if copy is None or copy.step.instruction.exec_form or len(copy.step.instruction.pieces) > 1:
        return ""
    flag = "chmod" if command.program == "chmod" else "chown"
    words = arguments(command.argv[1:])
    owner = words[0] if words else ""
    line = written(copy.step.instruction, copy.step.line)
    keyword, _, rest = line.partition(" ")
    return f"{keyword} --{flag}={owner} {rest}"
