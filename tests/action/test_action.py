"""The GitHub action's step, as the runner calls it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def act(folder: Path, **inputs: str) -> tuple[subprocess.CompletedProcess[str], dict[str, str]]:
    """Run the step with the action's defaults; return it with the outputs it set."""
    given = {"TARGET": "", "IMPORT": "", "COMMAND": "", "LOCK": "", "IGNORE": "", **inputs}
    given = {"STATIC": "false", "FAIL_ON": "error", "ANNOTATE": "true", **given}
    env = {
        "PATH": os.environ["PATH"],
        "VENVSMITH_PYTHON": sys.executable,
        "VENVSMITH_RESULTS": str(folder / "results"),
        "GITHUB_OUTPUT": str(folder / "output"),
        "GITHUB_STEP_SUMMARY": str(folder / "summary"),
        **{f"INPUT_{name}": value for name, value in given.items()},
    }
    done = subprocess.run(
        ["bash", ROOT / "scripts/action.sh"],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = (folder / "output").read_text().splitlines()
    return done, dict(line.partition("=")[::2] for line in lines)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "Dockerfile").write_text("FROM python\nRUN pip install rich\nrich\n")
    return tmp_path


def test_a_failing_target_annotates_its_line_and_fails_the_step(folder: Path) -> None:
    done, outputs = act(folder, TARGET="dockerfile:Dockerfile")
    assert done.returncode == 1
    assert re.search(r"^::error title=.*,file=Dockerfile,line=3::", done.stdout, re.MULTILINE)
    assert (outputs["verdict"], outputs["exit-code"]) == ("fail", "1")
    assert json.loads(Path(outputs["report"]).read_text())["verdict"] == "fail"
    assert json.loads(Path(outputs["sarif"]).read_text())["version"] == "2.1.0"
    assert "dockerfile-stray-words" in (folder / "summary").read_text()


def test_inputs_of_several_lines_are_given_on_and_are_no_shell_text(folder: Path) -> None:
    ignore = "dockerfile-stray-words=$(touch pwned)\n\ndockerfile-unpinned=we know; touch pwned\n"
    done, outputs = act(folder, TARGET="dockerfile:Dockerfile", IGNORE=ignore, FAIL_ON="warning")
    assert (done.returncode, outputs["verdict"]) == (0, "pass")
    report = json.loads(Path(outputs["report"]).read_text())
    assert {f["ignored"] for f in report["findings"]} == {"$(touch pwned)", "we know; touch pwned"}
    assert not (folder / "pwned").exists()


def test_a_target_that_does_not_exist_fails_the_step_without_a_report(folder: Path) -> None:
    done, outputs = act(folder, TARGET="dockerfile:nowhere")
    assert (done.returncode, outputs) == (2, {"exit-code": "2"})
    assert "nowhere" in done.stderr


def test_every_input_of_the_action_reaches_the_step_and_every_output_is_set() -> None:
    text = (ROOT / "action.yml").read_text()
    script = (ROOT / "scripts/action.sh").read_text()
    declared = re.search(r"^inputs:\n(.*?)^outputs:\n(.*?)^runs:", text, re.MULTILINE | re.DOTALL)
    assert declared is not None
    inputs, outputs = (
        re.findall(r"^  ([a-z-]+):", part, re.MULTILINE) for part in declared.groups()
    )
    for name in set(inputs) - {"upload-sarif"}:
        assert f"INPUT_{name.upper().replace('-', '_')}: ${{{{ inputs.{name} }}}}" in text
        assert f"$INPUT_{name.upper().replace('-', '_')}" in script
    for name in outputs:
        assert f'echo "{name}=' in script
