"""Doing several things at a time: one failure, or an interrupt, ends them all.

`together` is for tasks that are known beforehand; `threads` and `settle` are what it is made of.
"""

from __future__ import annotations

from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future
    from threading import Event

_Result = TypeVar("_Result")


def together(tasks: Sequence[Callable[[], _Result]], *, workers: int, stop: Event) -> list[_Result]:
    """Run tasks in threads and return what each of them returns, in their order.

    The first failure is raised; what the others say once they are stopped is no reason.

    :param workers: how many run at a time, at most.
    :param stop: as `threads` takes it.
    """
    with threads(workers, stop=stop) as pool:
        futures = [pool.submit(task) for task in tasks]
        settle(*futures)
        return [future.result() for future in futures]


@contextmanager
def threads(count: int, *, stop: Event) -> Iterator[ThreadPoolExecutor]:
    """Yield a pool of threads whose work is waited for at the end of the block.

    :param stop: set where the block fails: what has not begun by then never does, and what runs
        ends by it (see `process.run` and `process.ended_by`).
    """
    pool = ThreadPoolExecutor(count)
    try:
        yield pool
    except BaseException:
        stop.set()
        pool.shutdown(cancel_futures=True)
        raise
    pool.shutdown()


def settle(*futures: Future[Any]) -> None:
    """Wait until all have ended; raise what one raises without waiting for the others."""
    wait(futures, return_when=FIRST_EXCEPTION)
    for future in futures:
        if future.done():
            future.result()
