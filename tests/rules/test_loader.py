"""The simulated loader, where a stranger's libraries form what no real ones do."""

import time
from typing import Any

from rule_facts import SITE, expected_of, facts_of
from venvsmith.rules.framework.loader import simulation
from venvsmith.rules.framework.view import View


def test_a_chain_of_any_length_is_followed_down_to_what_is_missing() -> None:
    length = 1500
    elves: list[dict[str, Any]] = [
        {"path": f"{SITE}/a/lib{i}.so", "needed": [f"lib{i + 1}.so"], "machine": "x86_64"}
        for i in range(length)
    ]
    first = "_a.cpython-311-x86_64-linux-gnu.so"
    elves[0] |= {"path": f"{SITE}/a/{first}", "exports_init": True, "rpath": ["$ORIGIN"]}
    case = {"env": {"elves": elves}}
    facts = facts_of(case)
    started = time.monotonic()
    (gap,) = simulation(View(facts, facts.environments[0], expected_of(case))).gaps
    assert (gap.name, len(gap.chain)) == (f"lib{length}.so", length)
    assert (gap.chain[0], gap.chain[-1]) == (elves[0]["path"], gap.by.path)
    assert time.monotonic() - started < 10
