"""How far a run has come: a live line on a terminal, plain lines elsewhere, nothing when quiet."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console
    from rich.status import Status

    from venvsmith.cli.main import Shared
    from venvsmith.resolve import Work


class Progress(Protocol):
    """Shows progress; called from several threads."""

    def say(self, text: str) -> None:
        """Show a line that stays."""

    def watch(self, work: Work) -> None:
        """Show how far the families are."""


class _Lines:
    """A line for each family that is begun."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared

    def say(self, text: str) -> None:
        self.shared.say(text)

    def watch(self, work: Work) -> None:
        if work.started:
            self.shared.say(f"resolving {work.started}")


class _Live:
    """One line that is written over and over, and gone at the end."""

    def __init__(self, console: Console, status: Status) -> None:
        self.console = console
        self.status = status

    def say(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False)

    def watch(self, work: Work) -> None:
        from rich.text import Text  # noqa: PLC0415 - only where there is a terminal

        count = f"{work.done} of {work.total} families resolved"
        now = f"; at {', '.join(work.running)}" if work.running else ""
        self.status.update(Text(f"{count}{now}", no_wrap=True, overflow="ellipsis"))


@contextmanager
def shown(shared: Shared) -> Iterator[Progress]:
    """Show progress on stderr for as long as the block runs."""
    if shared.verbosity != 0 or not sys.stderr.isatty():
        yield _Lines(shared)
        return
    from rich.console import Console  # noqa: PLC0415 - only where there is a terminal

    console = Console(stderr=True, no_color=not shared.use_color(stderr=True))
    if console.is_dumb_terminal:
        yield _Lines(shared)
        return
    with console.status("reading the configuration") as status:
        yield _Live(console, status)
