"""Diagnosis: one cause however many symptoms, each independent cause a root, in mending order."""

from __future__ import annotations

import time
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from rule_facts import SITE, expected_of, facts_of
from venvsmith.rules.framework.catalogue import MOST
from venvsmith.verify import Options, judge

CASES = tomllib.loads((Path(__file__).parent / "diagnosis.toml").read_text())["case"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_findings_stand_in_the_order_of_mending(case: dict[str, Any]) -> None:
    facts = facts_of(case)
    report = judge(
        facts,
        expectations=(expected_of(case),),
        options=Options(ignore=case.get("ignore", {}), fail_on=case.get("fail_on", "error")),
    )
    told = [
        f"{'' if f.root else '  '}{f.rule} {f.subject}"
        + (f" {list(f.explains)}" if f.explains else "")
        for f in report.findings
    ]
    assert told == case["told"]
    assert report.verdict == case["verdict"]
    assert report.score == case.get("score")


def test_of_a_target_in_which_all_is_broken_the_gravest_are_told_in_little_time() -> None:
    many = range(1500)
    requires = [
        {"name": f"d{i}", "version": "1", "location": SITE, "requires": [f"gone-{i}"]} for i in many
    ]
    failed = [
        {"module": f"d{i}", "status": "failed", "missing": f"gone_{i}", "exception": "E"}
        for i in many
    ]
    case = {"env": {"distributions": requires, "imports": failed}}
    started = time.monotonic()
    report = judge(facts_of(case), expectations=(expected_of(case),))
    taken = time.monotonic() - started
    told = Counter(finding.rule for finding in report.findings)
    assert told["requirement-unmet"] == told["import-failed"] == MOST
    (last,) = (f for f in report.findings if f.rule == "import-failed" and "more" in f.evidence)
    assert last.message.endswith("(And 1200 more of this kind.)")
    assert taken < 10
