"""Prove a case by its plain symptom, ask verify and its peers, and count."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from corpuslib.cases import WORK, Case
from corpuslib.engine import Output, call, run_in, tools

RESULTS = WORK / "results"
_UNKNOWN = frozenset({"import-failed", "import-crashed", "import-timeout", "command-failed"})
_VERIFY_S = 300.0
_JUDGED = frozenset({0, 1, 5})


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What verify said of one image, and what that is worth."""

    outcome: str  # right, unknown, wrong, missed, failed; for the healthy: clean, alarm, failed
    rule: str
    message: str
    seconds: float | None
    roots: tuple[str, ...]
    code: int
    asked: str = ""  # the outcome with the failing module named, where the bare one was not right


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """Everything learned of one case."""

    name: str
    kind: str
    expect: tuple[str, ...]
    problem: str = ""  # the case itself is wrong: it does not build, or its symptom disagrees
    symptom: str = ""
    verdict: Verdict | None = None
    peers: dict[str, bool | None] = field(default_factory=dict)  # True: it complained

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def prove(case: Case) -> tuple[str, str]:
    """Run the plain symptom; return (why the case is wrong or "", what the command said)."""
    output = run_in(case.image, case.symptom, timeout=case.timeout, extra=case.docker_args)
    failed = output.code != 0
    if case.kind == "healthy" and failed:
        return f"a healthy image must work; rc {output.code}", output.said
    if case.kind == "broken" and not failed:
        return "a broken image must fail; rc 0", output.said
    if case.says and case.says not in output.said:
        return f"fails without saying {case.says!r}", output.said
    return "", output.said


def judge(case: Case) -> Verdict:
    """Ask ``venvsmith verify`` about the image and grade the answer.

    Where the bare question was not answered rightly, the module that fails is named as well
    (``--import``); what comes of that is told beside the score and counts nothing.
    """
    verdict = grade(case, *_ask(case.image, case.arguments, name=case.name))
    if case.kind == "broken" and verdict.outcome in {"missed", "wrong"} and not case.verify:
        named = tuple(word for module in case.imports for word in ("--import", module))
        again = grade(case, *_ask(case.image, named, name=f"{case.name}.asked"))
        return replace(verdict, asked=again.outcome)
    return verdict


def judge_image(image: str, words: tuple[str, ...]) -> tuple[list[dict[str, Any]], int]:
    """Ask verify about any image; return its findings and its exit code."""
    report, code, _ = _ask(image, words, name="mutant")
    return report.get("findings", []), code


def _ask(image: str, words: tuple[str, ...], *, name: str) -> tuple[dict[str, Any], int, str]:
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.unlink(missing_ok=True)
    program = str(Path(sys.executable).with_name("venvsmith"))
    argv = [program, "verify", f"docker:{image}", "--format", "json", "--output", str(path)]
    output = call([*argv, *words], timeout=_VERIFY_S)
    (RESULTS / f"{name}.log").write_text(output.said, encoding="utf-8")
    if output.code not in _JUDGED or not path.exists():
        return {}, output.code, output.said[-300:].strip()
    return json.loads(path.read_text(encoding="utf-8")), output.code, ""


def grade(case: Case, report: dict[str, Any], code: int, said: str) -> Verdict:
    """Compare a report with what the case expects of its first finding."""
    if not report:
        return Verdict(outcome="failed", rule="", message=said, seconds=None, roots=(), code=code)
    findings = [f for f in report["findings"] if not f.get("ignored")]
    errors = [f for f in findings if f["severity"] == "error"]
    first = (findings if case.kind == "broken" else errors)[:1]
    rule = first[0]["rule"] if first else ""
    if case.kind == "healthy":
        outcome = "alarm" if errors else "clean"
    elif rule in case.expect and first[0]["severity"] in {case.severity, "error"}:
        outcome = "right"
    elif not errors:
        outcome = "missed"
    else:
        outcome = "unknown" if rule in _UNKNOWN else "wrong"
    return Verdict(
        outcome=outcome,
        rule=rule,
        message=first[0]["message"] if first else "",
        seconds=report.get("timings", {}).get("total_s"),
        roots=tuple(f["rule"] for f in errors if f.get("root")),
        code=code,
    )


def ask_peers(case: Case) -> dict[str, bool | None]:
    """Run the usual checks on the image; True: it complained, None: it could not be asked."""
    binds = ("-v", f"{tools()}:/corpus-tools:ro", "-v", f"{_pip()}:/corpus-pip.whl:ro")
    extra = (*case.docker_args, "-e", "UV_CACHE_DIR=/tmp/corpus-uv")
    imports = "; ".join(f"import {name}" for name in case.imports)
    answers: dict[str, bool | None] = {"import": None}
    if imports:
        seen = run_in(case.image, (case.python, "-c", imports), timeout=case.timeout, extra=extra)
        answers["import"] = seen.code != 0
    asked = {
        "pip check": (case.python, "/corpus-pip.whl/pip", "check"),
        "uv pip check": ("/corpus-tools/uv", "pip", "check", "--python", case.python),
    }
    for peer, argv in asked.items():
        seen = run_in(case.image, argv, timeout=case.timeout, extra=(*binds, *extra))
        answers[peer] = _complained(seen)
    return answers


def _complained(seen: Output) -> bool | None:
    return None if seen.code == 124 else seen.code != 0  # noqa: PLR2004


def _pip() -> Path:
    found = sorted((WORK / "pip").glob("pip-*.whl"))
    if not found:
        call(
            [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--python-version", "3.9",
             "--only-binary", ":all:", "-d", str(WORK / "pip"), "pip==25.3"],
            timeout=120,
        )  # fmt: skip
        found = sorted((WORK / "pip").glob("pip-*.whl"))
    return found[0]
