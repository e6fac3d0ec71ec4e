"""Gathering facts about a target: what to ask, how to send it, what to believe of the answer."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from venvsmith.collect import bundle
from venvsmith.errors import SurroundingsError, UnsafeInputError, UsageError, VenvsmithError
from venvsmith.model.facts import Environment, Facts, ImageConfig, MissingFact, System, Target
from venvsmith.target import OpenTarget, ProbeRun

__all__ = ["CollectRequest", "collect"]


@dataclass(frozen=True, kw_only=True, slots=True)
class CollectRequest:
    """What to gather.

    :param venvs: paths of environments; all that are found where none is given.
    :param imports: modules to import, by the environment's path; "" stands for the first
        environment. Where nothing is given for an environment, its own manifest's are used.
    :param commands: commands to run, in the same way.
    :param static: run nothing of the target.
    :param timeout: seconds for all that runs, imports and commands together. One that hangs
        leaves some of it to the others, and is marked as cut off.
    """

    venvs: tuple[str, ...] = ()
    imports: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    commands: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    static: bool = False
    timeout: float = 300.0


class _Refusal(msgspec.Struct):
    code: str
    message: str


class _Identity(msgspec.Struct):
    digest: str | None = None
    platform: str | None = None
    config: ImageConfig | None = None


class _Claims(msgspec.Struct):
    """The probe's answer: `Facts`, or why an archive cannot be judged."""

    environments: tuple[Environment, ...] = ()
    system: System = msgspec.field(default_factory=System)
    missing: tuple[MissingFact, ...] = ()
    seconds: dict[str, float] = msgspec.field(default_factory=dict)
    problems: tuple[str, ...] = ()
    target: _Identity = msgspec.field(default_factory=_Identity)
    refused: _Refusal | None = None


def collect(target: OpenTarget, request: CollectRequest) -> Facts:
    """Return all facts of a target that can be had.

    What could not be had stands in `Facts.missing`, and what the probe did that it should not in
    `Facts.probe_problems`: a broken target is no error.

    :raises SurroundingsError: where the engine fails, or there is no room on the disk.
    :raises UnsafeInputError: for an archive that is malformed, ambiguous or over a limit.
    :raises UsageError: for an archive that holds several images and none is named.
    """
    nonce = secrets.token_hex(16)
    placement = target.placement
    asked = {
        "nonce": nonce,
        "roots": placement.roots,
        "inside": placement.inside,
        "run": placement.can_run and not request.static,
        "venvs": request.venvs or placement.venvs,
        "env": dict(placement.env),
        "cwd": placement.cwd,
        "activate": placement.activate,
        "archive": placement.archive and dict(placement.archive),
        "why_not": "nothing of the target is to be run" if request.static else placement.why_not,
        "config": msgspec.to_builtins(target.facts_target.config),
        "imports": dict(request.imports),
        "commands": dict(request.commands),
        "timeout": request.timeout,
    }

    def script(more: Mapping[str, Any]) -> bytes:
        return bundle.script({**asked, **more})

    run = target.run_probe(
        script,
        mark=bundle.MARK + nonce.encode() + b":",
        venvs=tuple(asked["venvs"]),
        timeout=request.timeout,
    )
    return read_answer(run, nonce, target.facts_target)


def read_answer(run: ProbeRun, nonce: str, target: Target) -> Facts:
    """Return the facts that a probe's output claims; strictly: what does not fit is no fact.

    The nonce keeps an old answer from being played back. It cannot keep an interpreter from
    lying: the probe runs inside it.
    """
    mark = bundle.MARK + nonce.encode() + b":"
    answers = [line[len(mark) :] for line in run.stdout.split(b"\n") if line.startswith(mark)]
    problem = None
    facts = None
    if run.truncated:
        problem = "output: more than any answer is long"
    elif run.returncode is None:
        problem = "timeout: the probe did not end in time"
    elif len(answers) > 1:
        problem = f"output: {len(answers)} answers instead of one"
    elif not answers:
        problem = f"output: no answer (status {run.returncode}): {run.stderr[-2000:].strip()}"
    else:
        try:
            facts = msgspec.json.decode(answers[0], type=_Claims)
        except (msgspec.DecodeError, RecursionError) as exc:
            problem = f"output: an answer that does not fit: {exc}"
    if facts is None:
        return Facts(
            target=target,
            missing=(MissingFact(what="files", reason=problem or ""),),
            probe_problems=(problem or "",),
        )
    if facts.refused is not None:
        raise _refusal(facts.refused, target)
    return Facts(
        target=replace(
            target,
            digest=facts.target.digest or target.digest,
            platform=facts.target.platform or target.platform,
            config=facts.target.config or target.config,
        ),
        system=facts.system,
        environments=facts.environments,
        missing=facts.missing,
        probe_problems=(
            *(f"output: {python} ended well, but did nothing of it" for python in run.silent),
            *facts.problems,
        ),
        seconds=facts.seconds,
    )


def _refusal(refused: _Refusal, target: Target) -> VenvsmithError:
    kind: type[VenvsmithError] = UnsafeInputError
    if refused.code in ("usage", "no-such-target"):
        kind = UsageError
    elif refused.code in ("disk-full", "engine-failed"):
        kind = SurroundingsError
    return kind(refused.message, where=f"{target.kind}:{target.ref}", code=refused.code)
