"""Work shared out over processes: forks that hand their result back through a pipe."""

from __future__ import annotations

import os
import select
import signal
import time
from typing import Any, Callable, List, Optional, Sequence

NO_MEMORY = 71
"""How a worker ends that could not get the memory that it asked for."""


class WorkerError(Exception):
    """A worker ended without a result."""


class Worker:
    """A forked process that computes one answer."""

    def __init__(self, work: Callable[[], bytes], nice: int = 0) -> None:
        reader, writer = os.pipe()
        self._pid = os.fork()
        self._pipe = reader
        if self._pid:
            os.close(writer)
            return
        code = 70
        try:
            os.close(reader)
            if nice:
                os.nice(nice)
            data = work()
            with os.fdopen(writer, "wb") as pipe:
                pipe.write(data)
            code = 0
        except MemoryError:
            code = NO_MEMORY
        finally:
            # No clean-up of the parent's buffers and handlers may run twice.
            os._exit(code)

    def result(self, deadline: Optional[float] = None) -> bytes:
        """Wait for the answer and return it.

        :param deadline: when to give up, on the monotonic clock.
        :raises WorkerError: where the process ended without one, or did not end in time.
        """
        chunks = []
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not select.select([self._pipe], [], [], left)[0]:
                os.kill(self._pid, signal.SIGKILL)
                os.close(self._pipe)
                os.waitpid(self._pid, 0)
                raise WorkerError("it did not end in time")
            chunk = os.read(self._pipe, 1024 * 1024)
            if not chunk:
                break
            chunks.append(chunk)
        os.close(self._pipe)
        _, status = os.waitpid(self._pid, 0)
        if status:
            raise WorkerError(_why(status))
        return b"".join(chunks)


def _why(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"it was ended by signal {os.WTERMSIG(status)}: out of memory, most likely"
    code = os.WEXITSTATUS(status)
    return "it ran out of memory" if code == NO_MEMORY else f"it failed with status {code}"


def cores() -> int:
    """Return how many processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        return os.cpu_count() or 1


def spread(items: Sequence[Any], weights: Sequence[int], parts: int) -> List[List[Any]]:
    """Return the items in so many shares of about the same total weight."""
    shares: List[List[Any]] = [[] for _ in range(max(1, parts))]
    loads = [0] * len(shares)
    for index in sorted(range(len(items)), key=lambda i: -weights[i]):
        lightest = loads.index(min(loads))
        shares[lightest].append(items[index])
        loads[lightest] += weights[index]
    return [share for share in shares if share]
