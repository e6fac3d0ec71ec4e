"""Doing several things at a time: one that fails ends them all, and none is waited for in vain."""

from __future__ import annotations

from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from threading import Event

_Result = TypeVar("_Result")


def together(tasks: Sequence[Callable[[], _Result]], *, workers: int, stop: Event) -> list[_Result]:
    """Run tasks in threads and return what each of them returns, in their order.

    The first failure, or an interrupt, ends all of it: what has not begun by then never does, and
    what runs is told by ``stop`` to come to its end; what it then says is no reason.

    :param workers: how many run at a time, at most.
    :param stop: set before a failure is raised; see `process.run` and `process.ended_by`.
    """
    with ThreadPoolExecutor(workers) as pool:
        try:
            futures = [pool.submit(task) for task in tasks]
            ended, _ = wait(futures, return_when=FIRST_EXCEPTION)
            failed = [each for each in futures if each in ended and each.exception() is not None]
            return [each.result() for each in failed or futures]
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
