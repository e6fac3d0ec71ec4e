"""From diagnosed findings to the report: verdict, score, and what each environment holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from packaging.utils import canonicalize_name

from venvsmith.data.modules import modules_of, names_of
from venvsmith.model.finding import (
    Finding,
    ReportedEnvironment,
    ReportedPackage,
    ReportedPython,
    Verdict,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from venvsmith.rules.framework.context import Context
    from venvsmith.rules.framework.view import View

FailOn = Literal["error", "warning"]
BLIND = frozenset({"python-minor-mismatch", "venv-config-broken"})
"""Findings after which no installed package is visible to the interpreter."""


def verdict_of(findings: Iterable[Finding], *, fail_on: FailOn, unanswered: bool) -> Verdict:
    """Judge: a finding that counts fails, a question that was asked and not answered is open.

    :param unanswered: whether something that was asked for could not be checked.
    """
    grave = {"error"} if fail_on == "error" else {"error", "warning"}
    if any(f.ignored is None and f.severity in grave for f in findings):
        return "fail"
    return "inconclusive" if unanswered else "pass"


def score_of(
    contexts: Sequence[Context], environments: Sequence[ReportedEnvironment]
) -> int | None:
    """Return the share of expected packages, imports and commands that work, 0 to 100."""
    good = total = 0
    packages = {env.path: env.packages for env in environments}
    for ctx in contexts:
        if ctx.environment is None:
            continue
        expected = ctx.expected
        wanted = _expected(ctx.view, packages[ctx.env.path])
        good += sum(p.available for p in wanted)
        total += len(wanted)
        if any(missing.what == "runs" for missing in ctx.facts.missing):
            continue  # nothing was to run: what was not tried neither works nor fails
        total += len(expected.imports) + len(expected.commands)
        fine = {i.module for i in ctx.env.imports if i.status == "ok"}
        good += sum(module in fine for module in expected.imports)
        ended = {c.argv for c in ctx.env.commands if c.returncode == 0}
        good += sum(argv in ended for argv in expected.commands)
    return good * 100 // total if total else None


def environment_of(view: View, findings: Sequence[Finding]) -> ReportedEnvironment:
    """Return one environment as the report tells it."""
    env = view.env
    mine = [f for f in findings if f.environment == env.path and f.ignored is None]
    errors = tuple(f.message for f in mine if f.severity == "error")
    status: Literal["ok", "failed", "unknown"] = "failed" if errors else "ok"
    unread = any(missing.what == "files" for missing in view.facts.missing)
    if not errors and (unread or (env.interpreter is None and env.bundle is None)):
        status = "unknown"
    blind = view.starts is False or any(f.rule in BLIND and f.severity == "error" for f in mine)
    name = view.expected.name or env.path.rstrip("/").rpartition("/")[2] or env.path
    return ReportedEnvironment(
        name=name,
        path=env.path,
        kind=env.kind,
        status=status,
        python=_python(view),
        packages=_packages(view, blind=blind),
        devices={"cuda": env.cuda_available},
        errors=errors,
    )


def _python(view: View) -> ReportedPython | None:
    bundle = view.env.bundle
    if bundle is not None:
        return ReportedPython(
            version=bundle.version or bundle.python,
            executable=bundle.executable,
            resolves_to=None,
        )
    interpreter = view.env.interpreter
    if interpreter is None:
        return None
    version = interpreter.run.version if interpreter.run else None
    return ReportedPython(
        version=version or interpreter.minor,
        executable=interpreter.path,
        resolves_to=interpreter.resolves_to,
    )


def _packages(view: View, *, blind: bool) -> tuple[ReportedPackage, ...]:
    pins: dict[str, str] = {canonicalize_name(k): v for k, v in (view.expected.pins or {}).items()}
    bundle = view.env.bundle
    # A frozen package need not have its metadata along: its modules are what counts.
    frozen = {name for top in bundle.packages for name in names_of(top)} if bundle else set()
    failed = _failed(view) if bundle else frozenset()
    known = set(pins) | view.expected.named | set(view.by_name)
    asked = {m: _names(m) for m in view.expected.imports} if bundle else {}
    known |= {canonicalize_name(m) for m, names in asked.items() if not names & known}
    return tuple(
        ReportedPackage(
            name=name,
            version=dist.version if dist else None,
            locked=pins.get(name),
            available=(dist is not None or name in frozen) and not blind and name not in failed,
        )
        for name in sorted(known)
        for dist in [view.by_name.get(name)]
    )


def _names(module: str) -> frozenset[str]:
    """Return the names under which a distribution may bring a module: ``pyannote.audio``."""
    return names_of(module.partition(".")[0]) | {canonicalize_name(module)}


def _failed(view: View) -> frozenset[str]:
    """Return the names of what a frozen application could not import when it was asked."""
    failed = (i.module for i in view.env.imports if i.status in {"failed", "crashed", "namespace"})
    return frozenset().union(*map(_names, failed))


def _expected(view: View, packages: Iterable[ReportedPackage]) -> list[ReportedPackage]:
    """Return the packages that should be there: the pins, and what is expected by name alone.

    An application is frozen with what its code imports, not with all that is locked: what it holds
    counts, and what its code looks for in vain.
    """
    expected = [p for p in packages if p.locked is not None or p.name in view.expected.named]
    bundle = view.env.bundle
    if bundle is None:
        return expected
    wanted = {gap.module.partition(".")[0] for gap in bundle.missing_modules}
    asked = {canonicalize_name(m.partition(".")[0]) for m in view.expected.imports}
    return [
        p
        for p in expected
        if p.available or p.name in asked or not wanted.isdisjoint(modules_of(p.name))
    ]
