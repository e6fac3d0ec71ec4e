"""Docker's own push, one tag at a time: heard line by line, tried again, ended in time.

The engine compresses and sends layers, asks the registry which ones it has, and tries a layer that
fails five times with growing pauses. What it does not try again (the manifest, the first word with
the registry) is tried again here.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING

from venvsmith.engine import DOCKER, call, check_reachable, first_line
from venvsmith.engine.faults import AGAIN, registry_error
from venvsmith.engine.registry import look_up
from venvsmith.errors import SurroundingsError, UsageError
from venvsmith.patience import PUSH, patience
from venvsmith.process import Command, environment, run
from venvsmith.push.model import Pushed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from venvsmith.process import Completed

PAUSES = (1.0, 2.0, 4.0)
"""Seconds before each further try."""
SETUP_SECONDS, SLOWEST_RATE = 600.0, 500_000
"""An image may take ten minutes, and a second more for each so many uncompressed bytes."""
_LAYER = re.compile(r"^([0-9a-f]{12}): (\w.*)")
_DIGEST = re.compile(r"\bdigest: (sha256:[0-9a-f]{64})")
_RETRY = re.compile(r"Retrying in (\d+) second")
_DONE = {"Pushed": "pushed", "Layer already exists": "there"}


def time_for(size: int) -> float:
    """Return the seconds that so many uncompressed bytes may take to their registry."""
    return SETUP_SECONDS + size / SLOWEST_RATE


@dataclass(frozen=True, kw_only=True, slots=True)
class Docker:
    """Docker with the logins of this run.

    :param variables: environment that names them.
    :param secrets: values that nothing may show.
    :param say: told how far it is.
    :param stop: once set, what runs is stopped.
    """

    variables: Mapping[str, str]
    secrets: tuple[str, ...]
    say: Callable[[str], None]
    stop: Event

    def push(self, image_id: str, tag: str, *, layers: Mapping[str, int], size: int) -> Pushed:
        """Put an image into a registry under a tag.

        :param layers: of each layer's digest the size in bytes, 0 where it is not known.
        :param size: bytes that may have to be sent, which set how long it may take.
        :raises SurroundingsError: where the registry, the network or the engine fails, for good
            or after all tries, or it takes too long.
        :raises JudgedError: where the registry rejects the image.
        :raises UsageError: where the image is gone from the engine.
        """
        for pause in (*PAUSES, None):
            named = call("tag", image_id, tag)
            if named.returncode:
                raise UsageError(
                    first_line(named), where=tag, hint="run 'venvsmith build'", code="not-built"
                )
            ear = _Ear(say=self.say, layers={key[7:19]: size for key, size in layers.items()})
            allowed = patience(PUSH, time_for(size))
            done = self._run("push", tag, timeout=allowed, on_output=ear.hear)
            if done.timed_out:
                raise _too_slow(where=tag, seconds=allowed, retried=len(ear.retried))
            if done.returncode == 0:
                return ear.pushed()
            check_reachable(done)
            error, again = registry_error(done.error_text, where=tag, doing="push")
            # Where the engine has tried five times itself, a minute has gone by already.
            if pause is None or not again or ear.retried:
                raise error
            self.say(f"{error.message}; trying again in {pause:.0f} s")
            self.stop.wait(pause)
        raise AssertionError("the last try ends in an error")  # pragma: no cover

    def look_up(self, tag: str) -> str | None:
        """Return the digest that a tag stands for in its registry.

        :return: empty where there is no such tag, None where the registry does not tell (some do
            not, of a repository that is still to be made).
        :raises SurroundingsError: where the registry cannot be reached or never answers.
        """
        for pause in (*PAUSES, None):
            answer = look_up(tag, ask=self._run)
            if answer.digest or answer.absent:
                return answer.digest
            error, again = registry_error(answer.words, where=tag, doing="push")
            if not again:
                return None
            if pause is None:
                raise error
            self.say(f"{error.message}; trying again in {pause:.0f} s")
            self.stop.wait(pause)
        raise AssertionError("the last try ends in an error")  # pragma: no cover

    def _run(
        self, *words: str, timeout: float, on_output: Callable[[str], None] | None = None
    ) -> Completed:
        command = Command(
            argv=(DOCKER, *words),
            timeout=timeout,
            env=environment(self.variables),
            secrets=self.secrets,
        )
        return run(command, on_output=on_output, stop=self.stop)


def _too_slow(*, where: str, seconds: float, retried: int) -> SurroundingsError:
    """Return the error for a push that did not end in time."""
    why = f"; the engine was retrying {retried} of its layers" if retried else ""
    return SurroundingsError(
        f"not pushed within {seconds:.0f} s{why}",
        where=where,
        hint=f"{AGAIN['push']}; VENVSMITH_PUSH_TIMEOUT=3600 gives it an hour",
        code="push-timeout",
    )


@dataclass(kw_only=True, slots=True)
class _Ear:
    """Hears what docker says while it pushes, and counts.

    :param layers: of each layer's short name the size in bytes.
    """

    say: Callable[[str], None]
    layers: Mapping[str, int]
    seen: dict[str, str] = field(default_factory=dict)
    retried: dict[str, int] = field(default_factory=dict)
    digest: str = ""

    def hear(self, line: str) -> None:
        if found := _DIGEST.search(line):
            self.digest = found[1]
        if (found := _LAYER.match(line)) is None:
            return
        layer, status = found[1], found[2]
        if (retry := _RETRY.match(status)) is not None:
            self._count_down(layer, int(retry[1]))
        elif status in _DONE or status.startswith("Mounted from"):
            self.seen[layer] = _DONE.get(status, "mounted")
            if self.seen[layer] != "there":
                self._tell(layer, status.lower())
        else:
            self.seen.setdefault(layer, "")

    def pushed(self) -> Pushed:
        counts = Counter(status for status in self.seen.values() if status)
        sent = sum(
            self.layers.get(layer, 0) for layer, status in self.seen.items() if status == "pushed"
        )
        return Pushed(digest=self.digest, layers=dict(counts), sent=sent)

    def _tell(self, layer: str, status: str) -> None:
        done = sum(map(bool, self.seen.values()))
        size = self.layers.get(layer, 0)
        told = f", {size / 1e6:.1f} MB" if size else ""
        self.say(f"  {layer} {status}{told} ({done} of {len(self.seen)} layers)")

    def _count_down(self, layer: str, seconds: int) -> None:
        """Tell of a countdown once; docker says each second of it."""
        if seconds > self.retried.get(layer, 0):
            self.say(f"  {layer} failed; the engine tries it again in {seconds} s")
        self.retried[layer] = seconds
