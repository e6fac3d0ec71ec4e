"""The one place that starts a program.

Every call has a timeout and an explicit environment; a program that overstays is interrupted,
then terminated, then killed, with all its children. Secrets are redacted wherever a command is
shown. No shell is ever involved.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread, current_thread, main_thread
from typing import IO

GRACE_SECONDS = 3.0
"""How long a program may take to end after each step of the kill ladder."""
POLL_SECONDS = 0.1
"""How often a running program is looked after; its end is seen at once."""
NOT_FOUND, NOT_STARTABLE = 127, 126
"""Exit codes of programs that do not exist or cannot be started, as a shell has them."""
_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)
_NOT_STARTED = {errno.ENOENT, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.ENOEXEC}
LINE_LIMIT = 64 * 1024
"""Bytes that are read at a time, and the longest line that is handed on in one part."""
DEFAULT_OUTPUT_LIMIT = 64 * 1024 * 1024
_ended_by: ContextVar[Event | None] = ContextVar("ended_by", default=None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """A program to start.

    :param argv: program and arguments; the program is looked up in ``env``'s PATH.
    :param timeout: seconds until the kill ladder starts.
    :param env: the whole environment; this process's own where None.
    :param stdin: bytes to send, or None for an empty input.
    :param secrets: values that must not be shown.
    :param output_limit: bytes kept of each of stdout and stderr; the rest is read and dropped.
    :param stop_when_full: stop the program once it has written more than that.
    """

    argv: tuple[str, ...]
    timeout: float
    env: Mapping[str, str] | None = None
    cwd: Path | None = None
    stdin: bytes | None = None
    secrets: tuple[str, ...] = ()
    output_limit: int = DEFAULT_OUTPUT_LIMIT
    stop_when_full: bool = False

    def redact(self, text: str) -> str:
        """Return the text with every secret replaced by ``***``."""
        for secret in self.secrets:
            if secret:
                text = text.replace(secret, "***")
        return text

    def __str__(self) -> str:
        """Return the command as one could paste it, secrets redacted."""
        return self.redact(shlex.join(self.argv))


@dataclass(frozen=True, kw_only=True, slots=True)
class Completed:
    """How a program ended.

    ``returncode`` is negative for a signal, 127 where the program does not exist and 126 where it
    cannot be started, as a shell has it. ``timed_out`` says that it was stopped before its end,
    for want of time or because ``stop`` was set: what it wrote then is no reason. ``started`` is
    false where no such program could be started at all, and ``stderr`` then says why.
    """

    command: Command
    returncode: int
    stdout: bytes = b""
    stderr: bytes = b""
    timed_out: bool = False
    truncated: bool = False
    seconds: float = 0.0
    started: bool = True

    @property
    def text(self) -> str:
        """Return stdout as text, undecodable bytes escaped."""
        return self.stdout.decode("utf-8", "backslashreplace")

    @property
    def error_text(self) -> str:
        """Return stderr as text, secrets redacted."""
        return self.command.redact(self.stderr.decode("utf-8", "backslashreplace"))


@dataclass(slots=True)
class _Sink:
    """Reads a pipe to its end, keeps at most so many bytes, and hands on each line."""

    limit: int
    on_line: Callable[[str], None] | None
    kept: list[bytes] = field(default_factory=list)
    size: int = 0
    truncated: bool = False
    failure: Exception | None = None
    """What ``on_line`` raised. The pipe is read all the same, or its writer would wait forever."""

    def drain(self, pipe: IO[bytes]) -> None:
        begun = b""
        with pipe:
            for chunk in iter(lambda: pipe.read1(LINE_LIMIT), b""):  # type: ignore[attr-defined]
                room = self.limit - self.size
                self.kept.append(chunk[:room])
                self.size += min(len(chunk), room)
                self.truncated |= len(chunk) > room
                if self.on_line is not None:
                    *lines, begun = (begun + chunk).split(b"\n")
                    if len(begun) >= LINE_LIMIT:
                        lines, begun = [*lines, begun], b""
                    self._hand_on(lines)
            self._hand_on([begun] if begun else [])

    def _hand_on(self, lines: Sequence[bytes]) -> None:
        for line in lines:
            if self.on_line is None or self.failure is not None:
                return
            try:
                self.on_line(line.decode("utf-8", "backslashreplace").rstrip("\r"))
            except Exception as exc:  # noqa: BLE001 - for the thread that started the program
                self.failure = exc


def run(
    command: Command,
    *,
    on_line: Callable[[str], None] | None = None,
    on_output: Callable[[str], None] | None = None,
    stop: Event | None = None,
) -> Completed:
    """Run a program to its end and return how it ended; a non-zero exit is not an error here.

    :param on_line: called with each line of stderr as it comes, with a very long one in parts; it
        is collected all the same. What it raises ends the program, and is raised here.
    :param on_output: the same for stdout. Each is called from a thread of its own.
    :param stop: once set, the program is stopped: an interrupt reaches the main thread alone, so
        one that runs in another thread has to be told. See also `ended_by`.
    :raises KeyboardInterrupt: after the program was stopped, where the user interrupted.
    """
    ended = None if stop is not None else _ended_by.get()
    _refuse_once_set(ended)
    start = time.monotonic()
    out = _Sink(limit=command.output_limit, on_line=on_output)
    err = _Sink(limit=command.output_limit, on_line=on_line)
    process: subprocess.Popen[bytes] | None = None
    timed_out = False
    try:
        # One that has started and is not known yet could not be stopped.
        with _signals_later():
            process = _start(command)
            readers = _attend(process, command.stdin, out, err)
        if not _wait(process, command, (out, err), stop or ended):
            _refuse_once_set(ended)
            timed_out = not (command.stop_when_full and (out.truncated or err.truncated))
            _stop(process)
    except BaseException as exc:
        if process is not None:
            _stop(process)
        elif isinstance(exc, OSError) and exc.errno in _NOT_STARTED:
            code = NOT_FOUND if exc.errno == errno.ENOENT else NOT_STARTABLE
            said = str(exc).encode()
            return Completed(command=command, returncode=code, stderr=said, started=False)
        raise
    for reader in readers:
        # A grandchild that left the group may hold the pipe open; its output is not ours.
        reader.join(GRACE_SECONDS)
    for sink in (out, err):
        if sink.failure is not None:
            raise sink.failure
    return Completed(
        command=command,
        returncode=process.returncode,
        stdout=b"".join(out.kept),
        stderr=b"".join(err.kept),
        timed_out=timed_out,
        truncated=out.truncated or err.truncated,
        seconds=time.monotonic() - start,
    )


@contextlib.contextmanager
def ended_by(event: Event) -> Iterator[None]:
    """End what this thread does at its next program once an event is set: the main thread's Ctrl-C.

    `run` then raises `KeyboardInterrupt` here too; what has to be tidied up names a ``stop`` of
    its own.
    """
    token = _ended_by.set(event)
    try:
        yield
    finally:
        _ended_by.reset(token)


def environment(
    extra: Mapping[str, str] | None = None, *, drop: Sequence[str] = ()
) -> dict[str, str]:
    """Return this process's environment with variables added and dropped.

    :param drop: names, or prefixes that end in ``*``.
    """
    prefixes = tuple(name[:-1] for name in drop if name.endswith("*"))
    names = set(drop)
    kept = {
        key: value
        for key, value in os.environ.items()
        if key not in names and not (prefixes and key.startswith(prefixes))
    }
    return {**kept, **(extra or {})}


def _refuse_once_set(ended: Event | None) -> None:
    if ended is not None and ended.is_set():
        raise KeyboardInterrupt


def _start(command: Command) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command.argv,
        stdin=subprocess.PIPE if command.stdin is not None else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=None if command.env is None else dict(command.env),
        cwd=command.cwd,
        start_new_session=True,
    )


def _attend(
    process: subprocess.Popen[bytes], data: bytes | None, out: _Sink, err: _Sink
) -> tuple[Thread, ...]:
    """Begin to feed a program and to read what it writes; return the threads that read."""
    feeder = Thread(target=_feed, args=(process, data), daemon=True)
    readers = tuple(
        Thread(target=sink.drain, args=(pipe,), daemon=True)
        for sink, pipe in ((out, process.stdout), (err, process.stderr))
    )
    for thread in (feeder, *readers):
        thread.start()
    return readers


@contextlib.contextmanager
def _signals_later() -> Iterator[None]:
    """Put off what would interrupt this thread to the end of the block.

    A signal that is ignored stays so, as programs that are started inherit that.
    """
    if current_thread() is not main_thread():  # no signal interrupts another one
        yield
        return
    came: list[int] = []
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    caught = {number: handler for number, handler in handlers.items() if callable(handler)}
    try:
        for number in caught:
            signal.signal(number, lambda number, _: came.append(number))
        yield
    finally:
        for number, handler in caught.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


def _wait(
    process: subprocess.Popen[bytes], command: Command, sinks: Sequence[_Sink], stop: Event | None
) -> bool:
    """Wait for the end and return True, or False once there is a reason to stop the program.

    Reasons are its time, ``stop``, a line that could not be handed on, and, where the command says
    so, more output than it may write.
    """
    deadline = time.monotonic() + command.timeout
    while True:
        left = deadline - time.monotonic()
        try:
            process.wait(min(POLL_SECONDS, max(left, 0.0)))
        except subprocess.TimeoutExpired:
            full = command.stop_when_full and any(sink.truncated for sink in sinks)
            failed = any(sink.failure for sink in sinks)
            if left <= 0 or full or failed or (stop is not None and stop.is_set()):
                return False
        else:
            return True


def _feed(process: subprocess.Popen[bytes], data: bytes | None) -> None:
    if process.stdin is None:
        return
    with contextlib.suppress(BrokenPipeError), process.stdin:
        process.stdin.write(data or b"")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Interrupt, terminate, kill: each with its grace, to the whole process group.

    Whoever interrupts that too has no more patience: then it is killed at once.
    """
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            _signal(process, number)
            try:
                process.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                continue
            break
    finally:
        _signal(process, _KILL)
        process.wait()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, number)
        else:  # Windows knows no signals: whatever is sent ends the program at once
            process.terminate()
