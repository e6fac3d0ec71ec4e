"""Environments that a COPY puts at another path than the one that their scripts name."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from venvsmith.data.knowledge import programs_of_packages
from venvsmith.dockerfile.forecast import target_of
from venvsmith.dockerfile.installs import SYSTEM, events
from venvsmith.dockerfile.pips import VENV_LIMIT
from venvsmith.dockerfile.shell import SHELLS
from venvsmith.dockerfile.starts import Call, starts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from venvsmith.dockerfile.installs import Event
    from venvsmith.dockerfile.replay import Copy, Reading, Step

_REWRITES = re.compile(r"\b(?:sed|perl)\b|relocat|venv-pack|virtualenv-clone|update-path")
"""What may put the scripts right again."""
_PYTHON = re.compile(r"python[0-9.]*")
_OTHERS = SHELLS | {"cat", "echo", "java", "ls", "sleep", "tail", "true", "uv", "uvx"}
"""Programs that no environment is meant to bring, besides those of system packages."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Relocated:
    """An environment that was made at one path and lies at another one in the image."""

    made_at: str
    made_line: int
    lies_at: str
    copy: Copy
    old_on_path: bool
    """Whether the image's PATH names the old place."""
    breaks: Call | None
    """The first of what the image starts that cannot, None where none is known."""


def relocated(reading: Reading) -> Iterator[Relocated]:
    """Yield the environments of which the image has nothing at the path that they were made at."""
    final = reading.facts.final
    copies = reading.copies(final)
    entries = (reading.final_env.get("PATH") or "").split(":")
    for index in dict.fromkeys(c.from_stage for c in copies if c.from_stage is not None):
        for event in islice(_fixed(events(reading, reading.facts.stages[index])), VENV_LIMIT):
            old = event.place or ""
            if _stays(reading, old) or _is_rewritten(reading, index, old):
                continue
            for copy in copies:
                new = target_of(copy, old) if copy.from_stage == index else None
                if new is None:
                    continue
                new = posixpath.normpath(new)
                broken = (c for c in starts(reading) if _is_broken(c, old, new, entries))
                yield Relocated(
                    made_at=old,
                    made_line=event.line,
                    lies_at=new,
                    copy=copy,
                    old_on_path=f"{old}/bin" in entries,
                    breaks=next(broken, None),
                )


def _fixed(found: Sequence[Event]) -> Iterator[Event]:
    """Yield what makes each environment, without those whose scripts find their own python."""
    done: set[str] = set()
    for event in found:
        makes = event.action == "create" or (event.action == "sync" and event.tool == "uv")
        if not makes or event.place in {None, SYSTEM, *done} or event.conditional:
            continue
        done.add(event.place or "")
        relocatable = event.step.env.get("UV_VENV_RELOCATABLE", "0")
        if "--relocatable" not in event.options and relocatable in {"", "0", "false"}:
            yield event


def _stays(reading: Reading, place: str) -> bool:
    """Tell whether the image has something at a path, or a RUN of it that may see to that."""
    if any(target_of(copy, place) == place for copy in reading.copies(reading.facts.final)):
        return True
    if any(event.place == place for event in events(reading, reading.facts.final)):
        return True
    name = _named(place)
    return any(name.search(text) for text in _runs(reading.final_steps))


def _is_rewritten(reading: Reading, stage: int, place: str) -> bool:
    """Tell whether the stage that makes an environment may put its scripts right itself."""
    name = _named(place)
    texts = _runs(reading.steps(reading.facts.stages[stage]))
    return any(_REWRITES.search(text) and name.search(text) for text in texts)


def _named(place: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w./-]){re.escape(place)}(?![\w-])")


def _runs(steps: Sequence[Step]) -> Iterator[str]:
    for step in steps:
        if step.instruction.keyword == "RUN":
            heredocs = (heredoc.content for heredoc in step.instruction.heredocs)
            yield step.expanded("\n".join([step.instruction.args, *heredocs]))


def _is_broken(call: Call, old: str, new: str, entries: Sequence[str]) -> bool:
    """Tell whether a program is one of the environment, and does not start."""
    is_python = _PYTHON.fullmatch(call.program) is not None
    if "/" in call.path:
        in_new = call.path.startswith(f"{new}/bin/")
        return call.path.startswith(f"{old}/bin/") or (in_new and not is_python)
    if call.program in _OTHERS or any(call.program in p for p in programs_of_packages().values()):
        return False
    return not is_python if f"{new}/bin" in entries else f"{old}/bin" in entries
