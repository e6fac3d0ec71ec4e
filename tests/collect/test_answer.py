"""The probe's output is a claim: only what fits is believed."""

import json

import pytest

from venvsmith.collect import read_answer
from venvsmith.model.facts import Facts, Target
from venvsmith.target import ProbeRun

NONCE = "00ff"
GOOD = {"environments": [{"path": "/venv", "kind": "venv"}], "system": {"uid": 7}}


def answer(stdout: bytes, returncode: int | None = 0, *, truncated: bool = False) -> Facts:
    run = ProbeRun(stdout=stdout, stderr="boom", returncode=returncode, truncated=truncated)
    return read_answer(run, NONCE, Target(kind="image", ref="x"))


def line(value: object, nonce: str = NONCE) -> bytes:
    return b"venvsmith-probe:" + nonce.encode() + b":" + json.dumps(value).encode() + b"\n"


def test_one_answer_that_fits_is_taken() -> None:
    facts = answer(b"noise\n" + line(GOOD))
    assert facts.environments[0].path == "/venv"
    assert facts.system.uid == 7
    assert facts.probe_problems == ()


@pytest.mark.parametrize(
    ("stdout", "returncode", "problem"),
    [
        (b"", 1, "output: no answer"),
        (b"all is well\n", 0, "output: no answer"),
        (line(GOOD, "beef"), 0, "output: no answer"),
        (line(GOOD) + line(GOOD), 0, "output: 2 answers"),
        (line({**GOOD, "system": {"uid": "root"}}), 0, "output: an answer that does not fit"),
        (line({"environments": [{"path": "/v", "kind": "weird"}]}), 0, "output: an answer that"),
        (line(GOOD)[:-4], 0, "output: an answer that does not fit"),
        (b"venvsmith-probe:00ff:" + b"[" * 100000, 0, "output: an answer that does not fit"),
        (line(GOOD), None, "timeout:"),
    ],
)
def test_everything_else_is_a_problem_and_no_fact(
    stdout: bytes, returncode: int | None, problem: str
) -> None:
    facts = answer(stdout, returncode)
    assert facts.environments == ()
    assert facts.probe_problems[0].startswith(problem)
    assert facts.missing[0].what == "files"


def test_a_flood_is_a_problem() -> None:
    assert answer(line(GOOD), truncated=True).probe_problems[0].startswith("output: more than")
