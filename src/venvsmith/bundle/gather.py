"""From a frozen application to facts: first what its files say, then what it says itself."""

from __future__ import annotations

import os
import secrets
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from venvsmith.bundle import wants
from venvsmith.bundle.contents import Bundle, read_bundle
from venvsmith.bundle.frozen import FrozenModules
from venvsmith.bundle.graph import Graph, walk
from venvsmith.bundle.said import of_import, with_said
from venvsmith.collect.probe.runs import Setting
from venvsmith.errors import UnsafeInputError
from venvsmith.model.bundle import BundleFacts
from venvsmith.model.facts import (
    CommandResult,
    Distribution,
    Elf,
    Environment,
    Facts,
    ImportResult,
    MissingFact,
    System,
    Target,
)
from venvsmith.process import Command, Completed, run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from venvsmith.bundle.archive import Archive

DIAGNOSE = "venvsmith_diagnose"
WORD = "venvsmith-diagnose"
OUTPUT_LIMIT = 1024 * 1024
TOLD = 4000
HEARD = 64 * 1024
"""Characters of a failing run's end in which its cause is looked for."""
WIDTH = "400"
"""Columns that the application is told to have, so that it breaks no message or path into lines."""
NO_ENTRY = (
    "a frozen application is no interpreter; it would answer through a line of its entry script: "
    "see 'venvsmith bundle hooks --help'"
)
# What a started application sees of this machine: its own variables would differ from run to run.
_PASSED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "DISPLAY", "SYSTEMROOT")


class _Import(msgspec.Struct):
    module: str
    status: str
    exception: str | None = None
    message: str = ""
    missing: str | None = None
    traceback: tuple[str, ...] = ()


class _Torch(msgspec.Struct):
    cuda: bool | None = None


class _Answer(msgspec.Struct):
    imports: tuple[_Import, ...]
    python: str = ""
    torch: _Torch | None = None


def gather(
    path: Path,
    *,
    ref: str,
    imports: Sequence[str] = (),
    commands: Sequence[tuple[str, ...]] = (),
    of_stage: Sequence[tuple[str, ...]] = (),
    static: bool = False,
    timeout: float = 300.0,
) -> Facts:
    """Return the facts of a frozen application.

    :param path: its folder or executable.
    :param imports: modules that must import; asked through its diagnose entry, where it has one.
    :param commands: started as they are; the first word ``APP`` stands for the executable.
    :param of_stage: commands of a stage, started where they start the application: the others are
        an image's, and here they would find some program of this machine.
    :param static: run nothing of it.
    :param timeout: seconds for all that is started together, each in its turn.
    :raises UsageError: where there is no such file.
    :raises UnsafeInputError: where it is no bundle, malformed, or over a limit.
    """
    bundle = read_bundle(path)
    with bundle.archive:
        modules, graph = _walked(bundle, imports)
        objects = wants.elves(bundle)
        own = _own(bundle.archive)
        facts = _static(bundle, modules, graph, objects)
        wanted = dict.fromkeys((*commands, *(argv for argv in of_stage if facts.starts(argv))))
        tried = _Tried() if static else _try(facts, imports, tuple(wanted), timeout)
        facts = replace(facts, version=tried.version)
        facts = with_said(facts, bundle, modules, tried.failures)
    elves = (*own, *objects.values())
    machines = Counter(elf.machine for elf in elves if elf.machine)
    environment = Environment(
        path=str(bundle.root if facts.form == "folder" else bundle.archive.path),
        kind="bundle",
        distributions=tuple(_distributions(bundle)),
        elves=elves,
        imports=tried.imports,
        commands=tried.commands,
        cuda_available=tried.cuda,
        bundle=facts,
    )
    machine = machines.most_common(1)[0][0] if machines else os.uname().machine
    return Facts(
        target=Target(kind="bundle", ref=ref),
        system=System(machine=machine, libc="glibc"),
        environments=(environment,),
        missing=tried.missing,
    )


def _walked(bundle: Bundle, imports: Sequence[str]) -> tuple[FrozenModules, Graph]:
    try:
        modules = FrozenModules(bundle)
        starts = modules.bootstrap()
        return modules, walk(modules, scripts=modules.scripts(), bootstrap=starts, asked=imports)
    except KeyError as exc:
        raise UnsafeInputError(
            f"it was frozen with Python {bundle.archive.python}, whose bytecode is not known",
            where=str(bundle.archive.path),
            code="unsupported",
        ) from exc


def _own(archive: Archive) -> tuple[Elf, ...]:
    """Return what the kernel would read of the executable; nothing where it is no ELF file."""
    found = wants.object_of(str(archive.path), archive.executable())
    return () if found is None or found.error == "not ELF" else (found,)


def _static(
    bundle: Bundle, modules: FrozenModules, graph: Graph, objects: dict[str, Elf]
) -> BundleFacts:
    archive = bundle.archive
    tops = {name.partition(".")[0] for name in archive.modules} | {
        name.partition(".")[0] for name in graph.reached if name in modules.known
    }
    tops |= {name for name in archive.modules if _below_namespace(archive, name)}
    # Compiled modules that this Python does not know are there for another one.
    natives = sorted(path for path in bundle.files if path.endswith((".so", ".pyd")))
    compiled = {wants.module_of(path): path for path in natives}
    return BundleFacts(
        form=bundle.form,
        executable=str(archive.path),
        contents=bundle.contents,
        python=archive.python,
        scripts=tuple(graph.scripts),
        modules=len(archive.modules),
        read=sum(code is not None for code in graph.codes.values()),
        files=len(bundle.files),
        packages=tuple(sorted(tops)),
        has_diagnose=DIAGNOSE in archive.modules,
        missing_modules=tuple(
            replace(gap, beside=compiled.get(gap.module, "")) for gap in graph.missing.values()
        ),
        missing_data=tuple(wants.missing_data(graph, bundle)),
        missing_metadata=tuple(wants.missing_metadata(graph, bundle)),
        missing_sources=tuple(wants.missing_sources(graph, bundle)),
        missing_libraries=tuple(wants.missing_libraries(graph, bundle, objects)),
    )


def _below_namespace(archive: Archive, name: str) -> bool:
    """Tell whether it is the first module with code below a namespace: ``pyannote.audio``."""
    top, _, rest = name.partition(".")
    entry = archive.modules.get(top)
    return bool(rest) and "." not in rest and (entry is None or entry.kind == "namespace")


def _distributions(bundle: Bundle) -> list[Distribution]:
    return [
        Distribution(
            name=name,
            version=version,
            location=bundle.contents,
            metadata_path=folder,
        )
        for name, (version, folder) in sorted(wants.distributions(bundle).items())
    ]


# -- running ---------------------------------------------------------------------------------------

NOTHING_RUNS = "nothing of the target is to be run"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Tried:
    """What came of starting the application, and what was not tried."""

    imports: tuple[ImportResult, ...] = ()
    commands: tuple[CommandResult, ...] = ()
    failures: tuple[str, ...] = ()
    """What failing commands and imports said."""
    version: str = ""
    cuda: bool | None = None
    missing: tuple[MissingFact, ...] = (
        MissingFact(what="imports", reason=NOTHING_RUNS),
        MissingFact(what="runs", reason=NOTHING_RUNS),
    )


def _try(
    facts: BundleFacts,
    imports: Sequence[str],
    commands: Sequence[tuple[str, ...]],
    timeout: float,
) -> _Tried:
    answer: _Answer | None = None
    problem = "" if facts.has_diagnose else NO_ENTRY
    turns = Setting(env=_env(), cwd=None, deadline=time.monotonic() + timeout, whole=timeout)
    if imports and not problem:
        answer, problem = _asked(facts.executable, imports, turns, len(commands))
    imported = tuple(map(_result, answer.imports)) if answer else ()
    failures = [of_import(result)[-HEARD:] for result in imported if result.exception]
    missing = [MissingFact(what="imports", reason=problem)] if problem else []
    ran: list[CommandResult] = []
    for waiting, argv in reversed(tuple(enumerate(reversed(commands)))):
        if turns.is_over():
            missing.append(MissingFact(what="commands", reason="no time was left"))
            break
        result, output = _ran(facts, argv, turns, waiting)
        ran.append(result)
        failures += [output] if result.returncode else []
    version = answer.python if answer else ""
    return _Tried(
        imports=imported,
        commands=tuple(ran),
        failures=tuple(failures),
        version=version if version.startswith(f"{facts.python}.") else "",
        cuda=answer.torch.cuda if answer and answer.torch else None,
        missing=tuple(missing),
    )


def _env() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _PASSED if name in os.environ}
    return {**kept, "COLUMNS": WIDTH}


def _asked(
    executable: str, imports: Sequence[str], turns: Setting, waiting: int
) -> tuple[_Answer | None, str]:
    """Ask the application's own entry; return its answer, or why there is none.

    :param waiting: how many runs come after it.
    """
    mark = f"venvsmith:{secrets.token_hex(8)}:"
    argv = (executable, WORD, "--json", f"--mark={mark}", *imports)
    done, _ = _run_in_turn(argv, turns, waiting)
    text = done.stdout.decode("utf-8", "replace")
    line = next((line for line in text.splitlines() if line.startswith(mark)), None)
    if line is None:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        last = f": {said[-1][:300]}" if said else ""
        if done.timed_out:
            return None, f"its diagnose entry did not answer within {done.seconds:.0f} s"
        return None, f"its diagnose entry did not answer (status {done.returncode}){last}"
    try:
        return msgspec.json.decode(line[len(mark) :], type=_Answer), ""
    except msgspec.DecodeError as exc:
        return None, f"its diagnose entry gave an answer that does not fit: {exc}"


def _result(one: _Import) -> ImportResult:
    known = {"ok", "failed", "namespace"}
    return ImportResult(
        module=one.module,
        status=one.status if one.status in known else "failed",  # type: ignore[arg-type]
        exception=one.exception,
        message=one.message,
        missing=one.missing,
        traceback=one.traceback,
    )


def _ran(
    facts: BundleFacts, argv: tuple[str, ...], turns: Setting, waiting: int
) -> tuple[CommandResult, str]:
    """Run a command; return what came of it, and all the output in which its cause may stand."""
    words = (facts.executable, *argv[1:]) if facts.starts(argv) else argv
    done, is_full = _run_in_turn(words, turns, waiting)
    output = (done.stdout + done.stderr).decode("utf-8", "replace")
    result = CommandResult(
        argv=argv,
        returncode=None if done.timed_out else done.returncode,
        output=output[-TOLD:],
        seconds=done.seconds,
        resolved=words[0] if done.started else None,
        cut_off=done.timed_out and not is_full,
    )
    return result, output[-HEARD:]


def _run_in_turn(argv: tuple[str, ...], turns: Setting, waiting: int) -> tuple[Completed, bool]:
    """Run a program in its share of the time; tell too whether that was at least half of all."""
    seconds, is_full = turns.share(waiting)
    command = Command(argv=argv, timeout=seconds, env=turns.env, output_limit=OUTPUT_LIMIT)
    return run(command), is_full
