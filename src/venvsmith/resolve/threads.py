"""Several things at once, all of which one failure or an interrupt ends."""

from __future__ import annotations

from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future
    from threading import Event


@contextmanager
def threads(count: int, *, stop: Event) -> Iterator[ThreadPoolExecutor]:
    """Yield a pool of threads whose work is waited for at the end of the block.

    :param stop: set where the block fails: what has not begun by then never does, and what runs
        ends by it.
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
