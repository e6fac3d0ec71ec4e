"""Counts what a run has done, and tells whoever watches."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """How far a run has come.

    :param started: what has just been begun, empty where something ended.
    :param running: what is being worked on, the latest last.
    """

    started: str
    running: tuple[str, ...]
    done: int
    total: int


class Tracker:
    """Counts pieces of work, from several threads.

    :param watch: told of each beginning and end, one at a time.
    """

    def __init__(self, total: int, watch: Callable[[Work], None]) -> None:
        self._total = total
        self._watch = watch
        self._running: list[str] = []
        self._done = 0
        self._lock = Lock()

    @contextmanager
    def working(self, on: str) -> Iterator[None]:
        """Count a piece of work, done at the end of the block."""
        with self._lock:
            self._running.append(on)
            self._tell(on)
        yield
        with self._lock:
            self._running.remove(on)
            self._done += 1
            self._tell("")

    def _tell(self, started: str) -> None:
        work = Work(
            started=started, running=tuple(self._running), done=self._done, total=self._total
        )
        self._watch(work)
