"""Judge a target: gather facts, check rules, find causes, report.

`examine` is the room's door, for the command line and for builds; `judge` is its pure half.
"""

from __future__ import annotations

import shlex
import time
from dataclasses import dataclass, field, replace
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING

from venvsmith.collect import CollectRequest, collect
from venvsmith.diagnose import diagnose
from venvsmith.errors import NothingCheckedError
from venvsmith.model.expected import Expected
from venvsmith.model.facts import CommandResult, ImportResult
from venvsmith.model.finding import Checks, Report, ReportedTarget, Skipped
from venvsmith.rules.framework.catalogue import contexts, load_rules, run_rules
from venvsmith.target import kind_of, open_target
from venvsmith.verify.expectations import assign, suited, united
from venvsmith.verify.outcome import FailOn, environment_of, score_of, verdict_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from venvsmith.model.facts import Facts
    from venvsmith.rules.framework.context import Context

__all__ = ["Options", "examine", "exit_code", "judge"]

NOT_BUILT = "a Dockerfile is read, not built: judge its image"
NO_ENVIRONMENT = "no Python environment was found in this target"
EXIT_CODES = {"pass": 0, "fail": 1, "inconclusive": 5}


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """How to judge.

    ``asked`` is what the command line named itself: where it could not be checked, the verdict
    stays open. ``ignore`` maps names of rules to the reason for which they do not count;
    ``timeout`` is in seconds; ``project`` is the folder of the project whose own local builds may
    be run, where there is one. ``shown`` is what reports call the target; its own reference where
    empty.
    """

    asked: Expected = field(default_factory=Expected)
    static: bool = False
    fail_on: FailOn = "error"
    ignore: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 600.0
    project: Path | None = None
    shown: str = ""


def judge(
    facts: Facts,
    *,
    expectations: Sequence[Expected] = (),
    options: Options | None = None,
    seconds: float = 0.0,
) -> Report:
    """Judge facts: pure, so that the facts of a stranger's target can be judged again.

    :param seconds: how long it took to gather them.
    :raises NothingCheckedError: where there was nothing to judge.
    :raises UsageError: where what is expected is for other machines.
    """
    options = options or Options()
    started = time.monotonic()
    said = suited(facts, (*expectations, options.asked))
    expected, elsewhere = _of_application(facts, assign(facts, said), options)
    everything = contexts(facts, expected)
    rules = load_rules()
    run = run_rules(rules, everything)
    findings = diagnose(run.findings, rules, everything, options.ignore)
    environments = tuple(
        environment_of(ctx.view, findings) for ctx in everything if ctx.environment is not None
    )
    unanswered = (
        tuple(_unbuilt(said, options)) if facts.dockerfile else _unanswered(everything, options)
    )
    is_open = any(each.asked for each in unanswered) or any(
        missing.what == "files" for missing in facts.missing
    )
    if not facts.environments and not findings and facts.dockerfile is None:
        raise NothingCheckedError(
            NO_ENVIRONMENT,
            where=facts.target.ref,
            hint="name its folder with venv:DIR, or install a Python into it",
        )
    judged = time.monotonic() - started
    return Report(
        schema="venvsmith/report/1",
        target=_target(facts),
        verdict=verdict_of(findings, fail_on=options.fail_on, unanswered=is_open),
        score=score_of(everything, environments),
        environments=environments,
        findings=findings,
        checks=Checks(
            ran=run.ran,
            skipped=(
                *unanswered,
                *elsewhere,
                *_left_out(everything),
                *(each for each in run.skipped if each.rule not in {s.rule for s in elsewhere}),
            ),
        ),
        timings={
            "total_s": round(seconds + judged, 3),
            **{f"{name}_s": round(value, 3) for name, value in facts.seconds.items()},
            "rules_s": round(judged, 3),
        },
    )


def exit_code(report: Report) -> int:
    """Return the contract's exit code; an engine that fails is raised, and never gets here."""
    return EXIT_CODES[report.verdict]


def _facts(target: str, request: CollectRequest, options: Options) -> Facts:
    kind, rest = kind_of(target)
    if kind == "bundle":
        from venvsmith.bundle.gather import gather  # noqa: PLC0415 - other kinds need none of it

        return gather(
            Path(rest),
            ref=rest,
            imports=tuple(
                dict.fromkeys(name for each in request.imports.values() for name in each)
            ),
            commands=options.asked.commands,
            of_stage=tuple(argv for each in request.commands.values() for argv in each),
            static=request.static,
            timeout=request.timeout,
        )
    if kind == "dockerfile":
        from venvsmith.target.dockerfile import dockerfile_facts  # noqa: PLC0415

        return dockerfile_facts(rest)
    with open_target(target, project=options.project) as opened:
        facts = collect(opened, request)
    return replace(facts, target=replace(facts.target, ref=options.shown or facts.target.ref))


def _target(facts: Facts) -> ReportedTarget:
    target = facts.target
    return ReportedTarget(
        kind=target.kind, ref=target.ref, digest=target.digest, platform=target.platform
    )


def _of_application(
    facts: Facts, expected: Mapping[str, Expected], options: Options
) -> tuple[Mapping[str, Expected], tuple[Skipped, ...]]:
    """Leave out what a stage's image can do and a frozen application cannot: its other programs.

    :return: what remains, and what was left out, with the reason.
    """
    remaining, skipped = dict(expected), list[Skipped]()
    for env in facts.environments:
        if env.bundle is None or env.path not in expected:
            continue
        commands = expected[env.path].commands
        own = [c for c in commands if c in options.asked.commands or env.bundle.starts(c)]
        remaining[env.path] = replace(expected[env.path], commands=tuple(own))
        skipped += [
            _of_command(
                argv,
                f"was not run: {argv[0]} is a program of the stage's image; APP, or its "
                "executable's name, starts this application",
                asked=False,
            )
            for argv in commands
            if argv not in own
        ]
    return remaining, tuple(skipped)


def _unanswered(everything: Sequence[Context], options: Options) -> tuple[Skipped, ...]:
    """Return what was asked for and has no answer, neither good nor bad.

    Under ``--static`` only what the same command line named counts as asked for.
    """
    found: list[Skipped] = []
    for ctx in everything:
        if ctx.environment is None:
            continue
        wanted = options.asked if options.static else united(options.asked, ctx.expected)
        why = _why(ctx)
        imports = {i.module: _why_open(i) for i in ctx.env.imports}
        commands = {c.argv: _why_open(c) for c in ctx.env.commands}
        found.extend(
            _of_import(module, said)
            for module in ctx.expected.imports
            if (said := imports.get(module, f"was not imported: {why}"))
            and module in wanted.imports
        )
        found.extend(
            _of_command(argv, said)
            for argv in ctx.expected.commands
            if (said := commands.get(argv, f"was not run: {why}")) and argv in wanted.commands
        )
    return tuple(found)


def _left_out(everything: Sequence[Context]) -> Iterator[Skipped]:
    """Yield the lines of a lockfile that name nothing to look for."""
    lines = dict.fromkeys(line for ctx in everything for line in ctx.expected.left_out)
    for line in lines:
        reason = f"{line} names no distribution to look for"
        yield Skipped(rule="dist-missing", reason=reason, subject=line)


def _unbuilt(said: Sequence[Expected], options: Options) -> Iterator[Skipped]:
    """Yield what is expected of a Dockerfile and only its image could answer.

    Under ``--static`` only what the same command line named counts as asked for, ``--lock`` too.
    """
    expected = reduce(united, said)
    if expected.pins is not None:
        yield Skipped(
            rule="dist-missing",
            reason=f"{expected.source} was not compared with what is installed: {NOT_BUILT}",
            asked=bool(expected.locked) or not options.static,
        )
    for module in expected.imports:
        asked = module in options.asked.imports or not options.static
        yield _of_import(module, f"was not imported: {NOT_BUILT}", asked=asked)
    for argv in expected.commands:
        asked = argv in options.asked.commands or not options.static
        yield _of_command(argv, f"was not run: {NOT_BUILT}", asked=asked)


def _of_import(module: str, said: str, *, asked: bool = True) -> Skipped:
    return Skipped(rule="import-failed", reason=f"{module} {said}", subject=module, asked=asked)


def _of_command(argv: Sequence[str], said: str, *, asked: bool = True) -> Skipped:
    shown = shlex.join(argv)
    return Skipped(rule="command-failed", reason=f"{shown} {said}", subject=shown, asked=asked)


def _why_open(result: ImportResult | CommandResult) -> str:
    """Say why a run has no answer, neither good nor bad; nothing where it has one."""
    if result.cut_off:
        return f"was stopped after {result.seconds:.0f} s: all that runs shares --timeout"
    if isinstance(result, ImportResult) and result.status == "skipped":
        return f"was not imported: {result.message or 'nothing could run'}"
    return ""


def _why(ctx: Context) -> str:
    for missing in ctx.facts.missing:
        if missing.what in {"runs", "imports", "commands"}:
            return missing.reason
    return "the interpreter did not start" if ctx.view.starts is False else "nothing could run"


def examine(
    target: str, *, expectations: Sequence[Expected] = (), options: Options | None = None
) -> tuple[Facts, Report]:
    """Judge a target and return what is known of it, too.

    :param target: as the command line takes it (``image:tag``, ``venv:DIR``, …).
    :param expectations: what it should hold and do, besides its own manifest.
    :raises UsageError: where there is no such target.
    :raises UnsafeInputError: where it cannot be judged safely.
    :raises SurroundingsError: where the engine or the machine fails us.
    :raises NothingCheckedError: where nothing in it could be judged.
    """
    options = options or Options()
    begin = time.monotonic()
    wanted: dict[str, Expected] = {}
    for expected in (*expectations, options.asked):
        # The command line's own wishes, like all without a path, are for the environment in use.
        wanted[expected.path or ""] = united(wanted.get(expected.path or "", Expected()), expected)
    request = CollectRequest(
        venvs=tuple(path for path in wanted if path),
        imports={path: expected.imports for path, expected in wanted.items()},
        commands={path: expected.commands for path, expected in wanted.items()},
        static=options.static,
        timeout=options.timeout,
    )
    facts = _facts(target, request, options)
    report = judge(
        facts, expectations=expectations, options=options, seconds=time.monotonic() - begin
    )
    return facts, report
