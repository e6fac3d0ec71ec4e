"""Running things as the target's user would: the interpreter, imports, commands. All bounded."""

from __future__ import annotations

import ast
import contextlib
import os
import select
import signal
import subprocess
import time
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from . import child
from .tree import Fact

TAIL = 8 * 1024
MAX_RESULTS = 8 * 1024 * 1024
GRACE = 0.2
KEPT = 2.0
"""Seconds kept for each run that waits, as long as they are no tenth of the time left."""
STATUSES = ("ok", "failed", "namespace")
"""What an import child can say of a module; the rest is seen from outside."""
FLOOD = 256 * 1024 * 1024
"""After so much output a program is stopped: nobody reads that."""


class Setting(NamedTuple):
    """The surroundings in which the target's programs run."""

    env: Dict[str, str]
    cwd: Optional[str]
    deadline: float
    """When everything must have ended, on the monotonic clock."""
    whole: float
    """Seconds for all runs together."""

    def is_over(self) -> bool:
        """Return whether no time is left to start anything."""
        return time.monotonic() > self.deadline

    def share(self, waiting: int) -> Tuple[float, bool]:
        """Return how many seconds a run may take, and whether these are at least half of all.

        Of less than that, nobody can say that it should have been enough.

        :param waiting: how many runs come after it.
        """
        left = self.deadline - time.monotonic()
        seconds = max(0.5, left - min(KEPT * waiting, left / 10))
        return seconds, seconds >= self.whole / 2


class Ended(NamedTuple):
    """How a program ended: ``returncode`` is None where it was stopped."""

    returncode: Optional[int]
    output: str
    results: bytes
    seconds: float
    flooded: bool = False
    cut_off: bool = False
    """Whether it was stopped with less than half of the time, because others had the rest."""


def run_in_turn(
    argv: Sequence[str], setting: Setting, waiting: int, *, results: bool = False
) -> Ended:
    """Run a program as `run` does, in its share of the time.

    :param waiting: how many runs come after it.
    """
    seconds, is_full = setting.share(waiting)
    ended = run(argv, setting, seconds, results=results)
    stopped = ended.returncode is None and not ended.flooded
    return ended._replace(cut_off=stopped and not is_full)


def run(argv: Sequence[str], setting: Setting, timeout: float, *, results: bool = False) -> Ended:
    """Run a program in a session of its own until it ends or the time is over.

    :param results: open a pipe for answers; ``{fd}`` in the arguments becomes its number.
    """
    begin = time.monotonic()
    answer_reader, answer_writer = os.pipe()
    output_reader, output_writer = os.pipe()
    argv = [word.replace("{fd}", str(answer_writer)) for word in argv] if results else list(argv)
    try:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=output_writer, stderr=output_writer,
            env=setting.env, cwd=setting.cwd, start_new_session=True,
            pass_fds=(answer_writer,) if results else (),
        )  # fmt: skip
    except (OSError, ValueError) as exc:
        for fd in (answer_reader, answer_writer, output_reader, output_writer):
            os.close(fd)
        code = 127 if isinstance(exc, FileNotFoundError) else 126
        return Ended(code, str(exc), b"", 0.0)
    os.close(answer_writer)
    os.close(output_writer)
    try:
        return _follow(process, output_reader, answer_reader, begin, timeout)
    finally:
        _kill(process)
        os.close(answer_reader)
        os.close(output_reader)


def _follow(
    process: "subprocess.Popen[bytes]", output: int, answers: int, begin: float, timeout: float
) -> Ended:
    """Read both pipes until the program has ended; descendants may hold them open after that."""
    kept, results, size = b"", b"", 0
    open_pipes = [output, answers]
    ended_at: Optional[float] = None
    while open_pipes:
        ready, _, _ = select.select(open_pipes, [], [], 0.02 if ended_at is None else 0)
        for fd in ready:
            data = os.read(fd, 65536)
            if not data:
                open_pipes.remove(fd)
            elif fd == output:
                size += len(data)
                kept = (kept + data)[-TAIL:]
            else:
                results = (results + data)[:MAX_RESULTS]
        now = time.monotonic()
        if ended_at is None and process.poll() is not None:
            ended_at = now
        if (ended_at is not None and not ready) or now - begin > timeout or size > FLOOD:
            break
    if process.poll() is None and not open_pipes:
        _wait(process, begin + timeout)
    text = kept.decode("utf-8", "backslashreplace")
    return Ended(process.poll(), text, results, time.monotonic() - begin, size > FLOOD)


def _wait(process: "subprocess.Popen[bytes]", until: float) -> None:
    try:
        process.wait(max(0.0, until - time.monotonic()))
    except subprocess.TimeoutExpired:
        return


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """Stop the program and all that it started in its session."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is None or number == signal.SIGKILL:
            with contextlib.suppress(OSError):
                os.killpg(process.pid, number)
        if process.poll() is None:
            _wait(process, time.monotonic() + GRACE)


class Imports:
    """The outcome of starting an interpreter and importing modules with it."""

    def __init__(self, python: str, setting: Setting, waiting: int) -> None:
        """:param waiting: how many runs come after all imports."""
        self._python = python
        self._setting = setting
        self._waiting = waiting
        self.run: Fact = {}
        self.torch: Optional[Fact] = None
        self.results: Dict[str, Fact] = {}

    def _once(self, names: Sequence[str], others: int) -> Tuple[Ended, List[Fact]]:
        argv = [self._python, "-X", "faulthandler", "-c", child.SOURCE, "{fd}", "1", *names]
        ended = run_in_turn(argv, self._setting, others + self._waiting, results=True)
        return ended, read_answers(ended.results)

    def start(self, names: Sequence[str]) -> None:
        """Import everything in one process; afterwards alone what failed or came after a crash.

        A failure that no earlier import can have caused is not tried again.
        """
        ended, answers = self._once(names, max(0, len(names) - 1))
        self.run = _interpreter_run(ended, answers)
        current, succeeded, again = None, False, []
        for answer in answers:
            current = answer.get("start", current)
            self.torch = answer.get("torch", self.torch)
            if answer.get("module") in names and answer.get("status") in STATUSES:
                current = None
                self.results[answer["module"]] = _result(answer)
                if answer["status"] == "failed" and succeeded and not answer.get("missing"):
                    again.append(answer["module"])
                succeeded = succeeded or answer["status"] == "ok"
        rest = [name for name in names if name not in self.results]
        if not self.run.get("version"):
            for name in rest:
                self.results[name] = {"module": name, "status": "skipped",
                                      "message": "its interpreter does not start"}  # fmt: skip
            return
        if current is not None and rest:
            self.results[current] = _broken(current, ended)
            if rest[0] == names[0] or ended.cut_off:  # nothing came before it, or it had its time
                rest.remove(current)
        alone = [name for name in names if name in again or name in rest]
        for number, name in enumerate(alone, 1):
            self._alone(name, len(alone) - number)

    def _alone(self, name: str, others: int) -> None:
        if self._setting.is_over():
            self.results.setdefault(
                name, {"module": name, "status": "skipped", "message": "no time was left"}
            )
            return
        ended, answers = self._once([name], others)
        result = next((_result(item) for item in answers if item.get("module") == name), None)
        self.results[name] = result or _broken(name, ended)


def _result(answer: Fact) -> Fact:
    answer["traceback"] = list(answer.get("traceback", ()))
    return answer


def _broken(name: str, ended: Ended) -> Fact:
    """Return the result of a module during whose import the process ended."""
    fact: Fact = {"module": name, "output": ended.output, "seconds": ended.seconds}
    if ended.returncode is None:
        fact["status"] = "timeout"
        fact["cut_off"] = ended.cut_off
        fact["message"] = (
            "it printed without end" if ended.flooded else f"no end after {ended.seconds:.0f} s"
        )
    else:
        fact["status"] = "crashed"
        fact["signal"] = -ended.returncode if ended.returncode < 0 else None
        fact["message"] = f"the process ended with status {ended.returncode}"
    return fact


def read_answers(data: bytes) -> List[Fact]:
    """Return the child's answers: one literal a line; what is none is left out."""
    found = []
    for line in data.split(b"\n"):
        if line.startswith(b"{"):
            try:
                value = ast.literal_eval(line.decode("utf-8", "backslashreplace"))
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                continue
            if isinstance(value, dict):
                found.append(value)
    return found


def _interpreter_run(ended: Ended, answers: List[Fact]) -> Fact:
    first: Dict[str, Any] = next((item for item in answers if "sys_path" in item), {})
    started = bool(first)
    fact: Fact = {"returncode": 0 if started else ended.returncode}
    if started:
        fact.update(first)
        fact["sys_path"] = list(first["sys_path"])
    else:
        fact["stderr"] = ended.output
    return fact


def command(argv: Sequence[str], resolved: Optional[str], setting: Setting, waiting: int) -> Fact:
    """Run one command as a user would and return a `model.facts.CommandResult`.

    :param waiting: how many runs come after it.
    """
    ended = run_in_turn(argv, setting, waiting)
    return {
        "argv": list(argv), "returncode": ended.returncode, "output": ended.output,
        "seconds": round(ended.seconds, 3), "resolved": resolved, "cut_off": ended.cut_off,
    }  # fmt: skip
