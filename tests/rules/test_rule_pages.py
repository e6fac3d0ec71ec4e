"""The rules' pages: complete, and the same in the docs as on the command line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from venvsmith.rules.framework.catalogue import load_rules
from venvsmith.rules.framework.follows import EVERY
from venvsmith.rules.framework.pages import FOLDER, pages
from venvsmith.rules.framework.rule import SECTIONS, Rule

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("rule", load_rules(), ids=lambda rule: rule.name)
def test_a_page_has_all_sections_in_order(rule: Rule) -> None:
    assert re.findall(r"^## (.+)$", rule.page(), re.MULTILINE) == list(SECTIONS)
    sections = re.split(r"^## .+$", rule.page(), flags=re.MULTILINE)
    assert all(section.strip() for section in sections)


def test_names_and_codes_are_unique_and_the_file_is_named_after_the_rule() -> None:
    rules = load_rules()
    assert len({r.name for r in rules}) == len({r.code for r in rules}) == len(rules)
    for rule in rules:
        assert type(rule).__module__ == f"venvsmith.rules.{rule.name.replace('-', '_')}"


def test_docs_are_what_explain_prints() -> None:
    there = {path.name: path.read_text() for path in (ROOT / FOLDER).glob("*.md")}
    assert there == pages(load_rules()), "run: python -m venvsmith.rules.framework.pages"


@pytest.mark.parametrize("rule", load_rules(), ids=lambda rule: rule.name)
def test_a_rule_that_explains_findings_names_the_rules_that_it_may_claim(rule: Rule) -> None:
    assert bool(rule.claims) == (type(rule).explains is not Rule.explains)
    assert rule.claims <= {one.name for one in load_rules()} | EVERY
