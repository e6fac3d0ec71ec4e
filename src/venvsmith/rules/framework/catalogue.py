"""The catalogue: every rule of `venvsmith.rules`, found by looking, and the run over them."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import venvsmith.rules
from venvsmith.model.expected import Expected
from venvsmith.model.finding import RANK, Finding, Skipped
from venvsmith.rules.framework.context import Context
from venvsmith.rules.framework.rule import Need, Rule
from venvsmith.rules.framework.view import View

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from venvsmith.model.facts import Environment, Facts

MOST = 300
"""Findings of one rule about one environment; nobody reads more, and diagnosing them takes long."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleRun:
    """What came of checking all rules."""

    findings: tuple[Finding, ...]
    """In the order of the rules' codes, not yet diagnosed; of each rule and environment, `MOST`."""
    ran: int
    """Checks that were made: one for each rule and environment."""
    skipped: tuple[Skipped, ...]


@cache
def load_rules() -> tuple[Rule, ...]:
    """Import every module of `venvsmith.rules` and return its rules, sorted by code."""
    found: list[Rule] = []
    for module in pkgutil.iter_modules(venvsmith.rules.__path__):
        if module.ispkg:
            continue
        loaded = importlib.import_module(f"venvsmith.rules.{module.name}")
        found.extend(
            value()
            for value in vars(loaded).values()
            if isinstance(value, type)
            and issubclass(value, Rule)
            and value.__module__ == loaded.__name__
        )
    return tuple(sorted(found, key=lambda rule: rule.code))


def contexts(facts: Facts, expectations: Mapping[str, Expected]) -> tuple[Context, ...]:
    """Return one context for each environment and, first, one for the target as a whole.

    :param expectations: path of an environment to what is expected of it.
    """
    none = Expected()
    views = tuple(View(facts, env, expectations.get(env.path, none)) for env in facts.environments)
    whole = Context(facts=facts, views=views)
    return whole, *(
        Context(
            facts=facts,
            environment=view.env,
            expected=view.expected,
            view_or_none=view,
            views=views,
        )
        for view in views
    )


def run_rules(rules: Iterable[Rule], all_contexts: Sequence[Context]) -> RuleRun:
    """Check every rule where it applies; skip, with the reason, what lacks its facts."""
    findings: list[Finding] = []
    skipped: dict[Skipped, None] = {}
    ran = 0
    for rule in rules:
        for ctx in _where(rule, all_contexts):
            reason = missing_need(rule, ctx)
            if reason is not None:
                skipped[Skipped(rule=rule.name, reason=reason)] = None
                continue
            ran += 1
            findings.extend(_gravest(rule.check(ctx)))
        whole = all_contexts[0]
        if whole.facts.dockerfile is not None and type(rule).foresee is not Rule.foresee:
            ran += 1
            findings.extend(_gravest(rule.foresee(whole)))
    return RuleRun(findings=tuple(findings), ran=ran, skipped=tuple(skipped))


def _gravest(findings: Iterable[Finding]) -> list[Finding]:
    """Return no more findings than `MOST`, the gravest; the last of them tells of the others."""
    found = list(findings)
    more = len(found) - MOST
    if more <= 0:
        return found
    *told, last = sorted(found, key=lambda finding: RANK[finding.severity])[:MOST]
    message = f"{last.message} (And {more} more of this kind.)"
    return [*told, replace(last, message=message, evidence={**last.evidence, "more": more})]


def _where(rule: Rule, all_contexts: Sequence[Context]) -> Iterator[Context]:
    for ctx in all_contexts:
        if (rule.scope == "target") != (ctx.environment is None):
            continue
        if ("dockerfile" in rule.needs) != (ctx.facts.dockerfile is not None):
            continue
        # Where a question does not arise, nothing was left out.
        if "venv" in rule.needs and ctx.env.kind != "venv":
            continue
        if ctx.environment is not None and not _fits(rule, ctx.environment):
            continue
        yield ctx


def _fits(rule: Rule, environment: Environment) -> bool:
    """Tell whether a rule is about this kind of environment: most know nothing of frozen ones."""
    if environment.kind == "bundle":
        return rule.of_bundles or "bundle" in rule.needs
    return "bundle" not in rule.needs


def missing_need(rule: Rule, ctx: Context) -> str | None:
    """Return why a rule cannot be checked here, or None where it can."""
    for missing in ctx.facts.missing:
        if missing.what == "commands" and ctx.environment is not None and ctx.env.commands:
            continue  # those that there was time for are judged
        blind = missing.what == "files" and not rule.needs & {"imports", "commands", "probe"}
        if blind or missing.what in rule.needs:
            return missing.reason
        if missing.what == "runs" and rule.needs & {"imports", "commands", "gpu"}:
            return missing.reason
    for need in sorted(rule.needs):
        reason = _lacks(need, ctx)
        if reason is not None:
            return reason
    return None


def _lacks(need: Need, ctx: Context) -> str | None:
    reason: str | None = None
    if need == "image" and ctx.facts.target.config is None:
        reason = "the target is no image"
    elif need == "pins" and ctx.expected.pins is None:
        reason = "no lock to compare with (--lock FILE, or --stage)"
    elif need == "gpu" and not any(env.cuda_available for env in _environments(ctx)):
        reason = "no GPU here"
    elif need == "runs":
        reason = _not_started(ctx)
    elif need in {"imports", "commands"}:
        reason = _nothing_run(need, ctx)
    return reason


def _environments(ctx: Context) -> tuple[Environment, ...]:
    return ctx.facts.environments if ctx.environment is None else (ctx.environment,)


def _not_started(ctx: Context) -> str | None:
    for env in _environments(ctx):
        if env.interpreter is not None and env.interpreter.run is not None:
            return None
    return "no interpreter was started"


def _nothing_run(need: Need, ctx: Context) -> str | None:
    if ctx.environment is None:
        return None
    results = ctx.env.imports if need == "imports" else ctx.env.commands
    if any(getattr(result, "status", "ran") != "skipped" for result in results):
        return None
    wanted = ctx.expected.imports if need == "imports" else ctx.expected.commands
    where = f" in {ctx.env.path}" if len(ctx.views) > 1 else ""
    if results or (wanted and ctx.view.starts is False):
        return f"the interpreter{where} did not start, so no {need} were tried"
    if wanted:
        return f"no {need} were tried{where}"
    return f"no {need} were asked for{where}"
