"""The one tree of errors: what venvsmith raises when it cannot do its job.

A broken target is not an error but a finding (`model.finding`). Errors are raised anywhere and
caught once, in `cli.main`, which prints them as one line and exits with their code.
"""

from __future__ import annotations

from collections.abc import Sequence


class VenvsmithError(Exception):
    """Root of all errors of venvsmith.

    Printed as ``venvsmith: <code>: <where>: <message>; <hint>`` on one line.

    :param message: what happened and its likely cause, without a final full stop.
    :param where: the key, file, stage or command that it is about.
    :param hint: what to do next: a command or the line to change.
    :param code: a stable slug that scripts may match; the class's own unless given.
    """

    exit_code = 70
    code = "internal"

    def __init__(
        self, message: str, *, where: str = "", hint: str = "", code: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint
        if code is not None:
            self.code = code

    def lines(self) -> list[str]:
        """Return what to print: one line for each thing that is wrong."""
        parts = [self.code, *([self.where] if self.where else []), self.message]
        return [": ".join(parts) + (f"; {self.hint}" if self.hint else "")]


class JudgedError(VenvsmithError):
    """The judged thing fails: drift, a hash mismatch, no resolution, a failed build step."""

    exit_code = 1
    code = "failed"


class UsageError(VenvsmithError):
    """A wrong command line, or a target that does not exist."""

    exit_code = 2
    code = "usage"


class ConfigError(UsageError):
    """The configuration is wrong; carries every mistake that was found, not only the first.

    :param problems: pairs of key path (``stages.whisperx.requires[1]``) and message.
    :param file: the configuration file, as the user would name it.
    """

    code = "config"

    def __init__(self, problems: Sequence[tuple[str, str]], *, file: str, hint: str = "") -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{key}: {text}" for key, text in problems), where=file)
        self.hint = hint

    def lines(self) -> list[str]:
        """Return one line for each mistake."""
        lines = [f"{self.code}: {self.where}: {key}: {text}" for key, text in self.problems]
        if self.hint:
            lines[-1] += f"; {self.hint}"
        return lines


class UnsafeInputError(VenvsmithError):
    """The input cannot be judged safely: malformed, unsupported, or over a limit."""

    exit_code = 3
    code = "unsafe-input"


class SurroundingsError(VenvsmithError):
    """The surroundings failed us and a retry may help: network, engine, tool, disk, lock."""

    exit_code = 4
    code = "environment"


class NothingCheckedError(VenvsmithError):
    """No check could run, so there is no verdict."""

    exit_code = 5
    code = "nothing-checked"
