"""A resolver's long proof is told in the few clauses that one can act on."""

from __future__ import annotations

from venvsmith.process import Command, Completed
from venvsmith.resolve.uv_output import explain

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


def test_long_proof_keeps_what_it_has_come_to_and_each_requirement_its_own_words() -> None:
    done = Completed(command=Command(argv=("uv",), timeout=1), returncode=1, stderr=PROOF.encode())
    assert explain(done).explanation == (
        "every allowed status depends on proto>=5.26.1,<6.0.dev0 or proto>=6.30.0,<7.0.dev0; "
        "board>=2.10.0,<=2.10.1 depends on proto>=3.9.2,<3.20, so status>=1.66.0 and "
        "board>=2.10.0,<=2.10.1 are incompatible; you require status>=1.66 and you require "
        "board==2.10.*"
    )
