"""Every rule against its fixture: one TOML file a rule, cases that fire and cases that must not."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from rule_facts import expected_of, facts_of
from venvsmith.model.facts import Facts, Target
from venvsmith.rules.framework.catalogue import contexts, load_rules, run_rules

HERE = Path(__file__).parent / "cases"
RULES = {rule.name: rule for rule in load_rules()}


def _cases() -> list[Any]:
    return [
        pytest.param(path.stem, case, id=f"{path.stem}: {case['name']}")
        for path in sorted(HERE.glob("*.toml"))
        for case in tomllib.loads(path.read_text())["case"]
    ]


@pytest.mark.parametrize(("rule", "case"), _cases())
def test_a_rule_says_what_its_fixture_expects(rule: str, case: dict[str, Any]) -> None:
    facts = facts_of(case)
    expected = {env.path: expected_of(case) for env in facts.environments[:1]}
    run = run_rules([RULES[rule]], contexts(facts, expected))
    told = [
        {key: getattr(finding, key) for key in wanted}
        for finding, wanted in zip(run.findings, case["expect"], strict=False)
    ]
    assert [f.subject for f in run.findings] == [wanted["subject"] for wanted in case["expect"]]
    assert told == case["expect"]
    assert [s.reason for s in run.skipped] == case.get("skipped", [])


OF_IMAGES = re.compile(
    r"\bimages?\b|IMAGE|Dockerfile|\.dockerignore|\bdocker\b|COPY|FROM |RUN |ENV "
    r"|(?:build|final|both) stages?\b"
)


@pytest.mark.parametrize(("rule", "case"), _cases())
def test_of_a_venv_on_this_machine_no_finding_speaks_of_images(
    rule: str, case: dict[str, Any]
) -> None:
    facts = facts_of(case)
    if facts.dockerfile is not None or facts.environments[0].bundle is not None:
        return
    expected = {env.path: expected_of(case) for env in facts.environments[:1]}
    here = replace(facts, target=Target(kind="venv", ref="/venv"))
    for finding in run_rules([RULES[rule]], contexts(here, expected)).findings:
        for text in (finding.cause, finding.fix):
            assert not OF_IMAGES.search(text), text


def test_every_rule_has_a_case_that_fires_and_one_that_must_not() -> None:
    for name in RULES:
        path = HERE / f"{name}.toml"
        assert path.exists(), f"{name} has no fixture"
        expected = [bool(case["expect"]) for case in tomllib.loads(path.read_text())["case"]]
        assert {True, False} <= set(expected), name


def test_a_healthy_environment_carries_no_finding_of_any_rule() -> None:
    case = tomllib.loads((Path(__file__).parent / "healthy.toml").read_text())
    facts = facts_of(case)
    run = run_rules(RULES.values(), contexts(facts, {"/venv": expected_of(case)}))
    assert run.findings == ()
    assert [(s.rule, s.reason) for s in run.skipped] == [("gpu-arch-unsupported", "no GPU here")]
    others = [rule for rule in RULES.values() if rule.needs & {"dockerfile", "bundle"}]
    assert run.ran == len(RULES) - len(others) - 1


COMMAND = re.compile(r"\b(?:RUN|COPY|ENV|docker run|uv (?:venv|pip)|venvsmith verify) .*")
QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


@pytest.mark.parametrize(("rule", "case"), _cases())
def test_what_a_target_calls_its_folders_and_packages_is_quoted_in_a_mend(
    rule: str, case: dict[str, Any]
) -> None:
    facts = facts_of(case)
    if facts.dockerfile is not None:
        return
    twisted = msgspec.to_builtins(facts)
    for env in twisted["environments"]:
        for dist in env["distributions"]:
            dist["name"] += "$(id)"
    told = json.dumps(twisted).replace("/venv", "/v; id").replace("/usr/bin", "/b; id")
    for text in (json.dumps(msgspec.to_builtins(facts)).replace("/venv", "/v; id"), told):
        odd = msgspec.json.decode(text, type=Facts)
        expected = {env.path: expected_of(case) for env in odd.environments[:1]}
        for finding in run_rules([RULES[rule]], contexts(odd, expected)).findings:
            command = COMMAND.search(finding.fix)
            bare = QUOTED.sub("", command[0]) if command else ""
            assert "; id" not in bare, finding.fix
            assert "$(id)" not in bare, finding.fix
