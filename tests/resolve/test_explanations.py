"""A resolver's long proof is told in the few clauses that one can act on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from venvsmith.process import Command, Completed
from venvsmith.resolve.uv_output import explain

if TYPE_CHECKING:
    from venvsmith.resolve.protocol import Reason

PROOF = """\
  x No solution found when resolving dependencies:
  \u2570\u2500\u25b6 Because all of:
          status>=1.66.0,<=1.71.2
          status>=1.72.1,<=1.73.1
      depend on proto>=5.26.1,<6.0.dev0 and status==1.72.0rc1 depends on proto>=6.30.0,<7.0.dev0,
      we can conclude that all of:
          status>=1.66.0,<=1.72.0rc1
          status>=1.72.1,<=1.73.1
      depend on one of:
          proto>=5.26.1,<6.0.dev0
          proto>=6.30.0,<7.0.dev0

      And because all of:
          status==1.72.0
          status==1.78.1
      have no usable wheels and board>=2.10.0,<=2.10.1 depends on proto>=3.9.2,<3.20, we can
      conclude that status>=1.66.0 and board>=2.10.0,<=2.10.1 are incompatible.
      And because you require status>=1.66 and board==2.10.*, we can conclude that your
      requirements are unsatisfiable.
"""


def failed(words: str) -> Completed:
    command = Command(argv=("uv",), timeout=1)
    return Completed(command=command, returncode=1, stderr=words.encode())


NONE = "  x No solution found when resolving dependencies:\n  \u2570\u2500\u25b6 Because "
END = ", we can\n      conclude that your requirements are unsatisfiable.\n"
REASONS: list[tuple[str, Reason, set[str]]] = [
    ("left==1 depends on lib==1 and you require lib==2 and left==1", "conflict", set()),
    ("all versions of lib have no usable wheels and you require lib", "no-wheel", set()),
    ("lib==1 has no wheels with a matching Python ABI tag and you require lib==1",
     "no-wheel-here", set()),
    ("lib was not\n      found in the package registry and you require lib", "unknown", {"lib"}),
    ("lib was not found in the provided package locations and you require lib",
     "unknown", {"lib"}),
    ("there is no version of\n      lib==1.0 and there is no version of left==2 and you want both",
     "conflict", {"lib", "left"}),
]  # fmt: skip


@pytest.mark.parametrize(("proof", "why", "missing"), REASONS)
def test_a_proof_says_of_what_kind_it_is_and_which_names_the_index_lacks(
    proof: str, why: Reason, missing: set[str]
) -> None:
    answer = explain(failed(f"{NONE}{proof}{END}"))
    assert answer.why == why
    assert answer.missing == missing


def test_long_proof_keeps_what_it_has_come_to_and_each_requirement_its_own_words() -> None:
    answer = explain(failed(PROOF))
    assert answer.why == "conflict", "the wheels that are told of are left out of it"
    assert answer.explanation == (
        "every allowed status depends on proto>=5.26.1,<6.0.dev0 or proto>=6.30.0,<7.0.dev0; "
        "board>=2.10.0,<=2.10.1 depends on proto>=3.9.2,<3.20, so status>=1.66.0 and "
        "board>=2.10.0,<=2.10.1 are incompatible; you require status>=1.66 and you require "
        "board==2.10.*"
    )
