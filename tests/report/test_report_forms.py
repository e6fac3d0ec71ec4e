"""The report's forms: what each promises to those who read it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import pytest

from venvsmith.model.finding import (
    Checks,
    Finding,
    Report,
    ReportedEnvironment,
    ReportedPackage,
    ReportedPython,
    ReportedTarget,
    Skipped,
)
from venvsmith.report import FORMATS, render
from venvsmith.report.schema import SCHEMA_FILE, json_schema

ROOT = Path(__file__).parents[2]
ENVIRONMENT = ReportedEnvironment(
    name="app",
    path="/venv",
    kind="venv",
    status="ok",
    python=ReportedPython(
        version="3.11.2", executable="/venv/bin/python", resolves_to="/usr/bin/python3.11"
    ),
    packages=(ReportedPackage(name="torch", version="2.8.0", locked="2.8.0", available=True),),
    devices={"cuda": None},
)
HEALTHY = Report(
    schema="venvsmith/report/1",
    target=ReportedTarget(
        kind="image", ref="app:1", digest="sha256:" + "ab" * 32, platform="linux/amd64"
    ),
    verdict="pass",
    score=100,
    environments=(ENVIRONMENT,),
    findings=(),
    checks=Checks(ran=48),
    timings={"total_s": 7.12},
)
ROOT_CAUSE = Finding(
    rule="interpreter-dangling",
    code="VS301",
    severity="error",
    environment="/venv",
    subject="/venv/bin/python",
    message="/venv/bin/python leads to /usr/local/bin/python3.11, which is not in this target.",
    cause="The venv was made in a stage whose Python lies there.",
    fix="FROM python:3.11-slim in both stages",
    evidence={"chain": "a -> b"},
    explains=(1, 2),
)
FOLLOWS = replace(
    ROOT_CAUSE, rule="shebang-broken", code="VS501", subject="/venv/bin/x", root=False, explains=()
)
HOSTILE = replace(
    ROOT_CAUSE,
    rule="record-escape",
    code="VS210",
    severity="warning",
    subject="evil\x1b[31m\r\n::error::x",
    message="<script>alert(1)</script> 100% \x00 & \x1b]0;title\x07",
    explains=(),
)
IGNORED = replace(HOSTILE, rule="dist-unlocked", code="VS202", ignored="ours, see #12")
BROKEN = replace(
    HEALTHY,
    verdict="fail",
    score=50,
    findings=(
        ROOT_CAUSE,
        FOLLOWS,
        replace(FOLLOWS, subject="/venv/bin/y"),
        HOSTILE,
        IGNORED,
    ),
    checks=Checks(ran=40, skipped=(Skipped(rule="gpu-arch-unsupported", reason="no GPU here"),)),
)


def test_json_fits_the_schema_that_ships() -> None:
    schema = json.loads((ROOT / SCHEMA_FILE).read_text())
    for report in (HEALTHY, BROKEN):
        jsonschema.validate(json.loads(render(report, "json")), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"schema": "venvsmith/report/1"}, schema)


def test_schema_is_what_the_model_says() -> None:
    assert (ROOT / SCHEMA_FILE).read_text() == json_schema()


def test_json_has_the_keys_of_the_contract_in_its_order() -> None:
    told = json.loads(render(BROKEN, "json"))
    assert list(told) == [
        "schema", "target", "verdict", "score", "environments", "findings", "checks", "timings",
    ]  # fmt: skip
    assert list(told["findings"][0]) == [
        "rule", "code", "severity", "environment", "subject", "message", "cause", "fix", "evidence",
        "root", "explains", "ignored",
    ]  # fmt: skip


def test_text_of_a_healthy_target_is_short() -> None:
    assert render(HEALTHY, "text") == (
        "app:1 · linux/amd64 · abababababab\n"
        "  /venv · Python 3.11.2 (/usr/bin/python3.11) · 1 package\n"
        "\n"
        "PASS  nothing is wrong, 100 % of what is expected works\n"
        "\n"
        "48 checks in 7.1 s\n"
    )


def test_text_tells_what_was_asked_for_and_not_checked_first_and_each_reason_once() -> None:
    no_lock, still = "no lock to compare with (--lock FILE, or --stage)", "nothing is to be run"
    skipped = (
        *(
            Skipped(rule="import-failed", reason=f"{name} was not imported: {still}", asked=True)
            for name in ("torch", "torch", "numpy", "scipy", "torchaudio", "whisperx")
        ),
        Skipped(rule="dist-unlocked", reason=no_lock),
        Skipped(rule="version-drift", reason=no_lock),
        Skipped(rule="gpu-arch-unsupported", reason="no GPU here"),
    )
    open_one = replace(HEALTHY, verdict="inconclusive", checks=Checks(ran=40, skipped=skipped))
    assert render(open_one, "text").splitlines()[5:] == [
        "Not checked: torch was not imported: nothing is to be run",
        "Not checked: numpy was not imported: nothing is to be run",
        "Not checked: scipy was not imported: nothing is to be run",
        "Not checked: 2 more that were asked for",
        "40 checks in 7.1 s, 3 not made: no lock to compare with (--lock FILE, or",
        "  --stage); no GPU here",
    ]


def test_text_shows_the_end_of_what_a_program_printed_whole() -> None:
    end = "ERROR: nothing was installed, because the required " + "dependencies " * 5 + "clash"
    printed = "\n".join([*(f"line {n}" for n in range(9)), end])
    failed = replace(ROOT_CAUSE, rule="command-failed", explains=(), evidence={"output": printed})
    lines = render(replace(BROKEN, findings=(failed,)), "text").splitlines()
    shown = lines[lines.index("   It printed last:") + 1 : lines.index("", 12)]
    assert max(map(len, shown)) <= 80
    assert " ".join(" ".join(shown).split()) == f"line 6 line 7 line 8 {end}"


def test_text_tells_the_cause_and_the_mend_and_folds_the_rest() -> None:
    assert render(BROKEN, "text").splitlines()[3:12] == [
        "FAIL  1 error, 1 warning, 2 consequences of them, 50 % of what is expected works",
        "",
        "1. error  interpreter-dangling",
        "   /venv/bin/python leads to /usr/local/bin/python3.11, which is not in this",
        "   target.",
        "   Why:  The venv was made in a stage whose Python lies there.",
        "   Mend: FROM python:3.11-slim in both stages",
        "   Explains 2 more findings: shebang-broken (/venv/bin/x, /venv/bin/y)",
        "",
    ]


def test_text_keeps_to_its_width_and_carries_no_colour_into_a_pipe() -> None:
    text = render(BROKEN, "text", width=80)
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text
    coloured = render(BROKEN, "text", color=True)
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == text


@pytest.mark.parametrize("form", FORMATS)
def test_no_form_lets_a_target_speak_to_the_terminal(form: str) -> None:
    told = render(BROKEN, form)  # type: ignore[arg-type]
    controls = {c for c in told if ord(c) < 32 and c != "\n"}
    assert not controls


def test_junit_fails_what_fails_and_skips_what_was_not_checked() -> None:
    suite = ET.fromstring(render(BROKEN, "junit"))  # noqa: S314 - our own
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("7", "3", "3")
    failed = suite.find("testcase/failure")
    assert failed is not None
    assert failed.get("type") == "interpreter-dangling"
    assert "Mend: FROM python:3.11-slim" in (failed.text or "")
    healthy = ET.fromstring(render(HEALTHY, "junit"))  # noqa: S314 - our own
    assert healthy.get("failures") == "0"


def test_sarif_names_rules_places_and_suppressions() -> None:
    log = json.loads(render(BROKEN, "sarif"))
    (run,) = log["runs"]
    assert log["version"] == "2.1.0"
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert [rules[r["ruleIndex"]] for r in run["results"]] == [r["ruleId"] for r in run["results"]]
    first, last = run["results"][0], run["results"][-1]
    place = first["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert (first["level"], place) == ("error", "venv/bin/python")
    assert last["suppressions"] == [{"kind": "external", "justification": "ours, see #12"}]


def test_sarif_points_to_the_line_of_a_dockerfile() -> None:
    target = ReportedTarget(kind="dockerfile", ref="docker/Dockerfile", digest=None, platform=None)
    finding = replace(ROOT_CAUSE, evidence={"line": 7}, explains=())
    log = json.loads(render(replace(HEALTHY, target=target, findings=(finding,)), "sarif"))
    assert log["runs"][0]["results"][0]["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "docker/Dockerfile"},
        "region": {"startLine": 7},
    }


def test_github_annotations_are_one_line_each_and_escaped() -> None:
    lines = render(BROKEN, "github").splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("::error title=interpreter-dangling (app%3A1)::/venv/bin/python")
    assert "%0AMend: FROM python:3.11-slim" in lines[0]
    assert "100%25" in lines[1]


def test_html_stands_alone_and_runs_nothing() -> None:
    page = render(BROKEN, "html")
    assert "<script" not in page
    assert "src=" not in page
    assert "&lt;script&gt;" in page
