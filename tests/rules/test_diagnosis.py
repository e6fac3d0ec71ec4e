"""Diagnosis: one cause however many symptoms, each independent cause a root, in mending order."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from rule_facts import expected_of, facts_of
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
