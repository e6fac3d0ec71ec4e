"""The whole story of a frozen torch application: excluded, named, mended, working.

Takes 6 GB and some minutes. torch comes from pip's own settings: a CPU build where they offer one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from venvsmith.cli.main import cli
from venvsmith.model.expected import Expected
from venvsmith.verify import Options, examine

pytestmark = [pytest.mark.e2e, pytest.mark.network]
EXCLUDED = "torch._inductor.test_operators"
CONFIG = """\
[project]
name = "speech"
python = "3.11"
[bases.slim]
image = "python:3.11-slim-bookworm"
[variants.cpu]
base = "slim"
platforms = ["linux/amd64"]
[stages.speech]
requires = ["torch", "torchaudio", "pyannote.audio"]
imports = ["torch", "torchaudio", "pyannote.audio"]
"""
APP = """\
import venvsmith_diagnose; venvsmith_diagnose.run()
import torch, torchaudio, pyannote.audio
if __name__ == "__main__":
    print("heard", torch.ones(2).sum().item(), pyannote.audio.__version__)
"""
SPEC = """\
a = Analysis(
    ["speech.py"], pathex=["hooks"], hookspath=["hooks"], excludes={excludes},
)
exe = EXE(PYZ(a.pure), a.scripts, exclude_binaries=True, name="speech", strip=False)
COLLECT(exe, a.binaries, a.datas, name="{name}")
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("speech")
    (folder / "venvsmith.toml").write_text(CONFIG)
    (folder / "speech.py").write_text(APP)
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    python = str(folder / "venv" / "bin" / "python")
    packages = ["torch", "torchaudio", "pyannote.audio", "pyinstaller"]
    subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
    return folder


def hooks(project: Path, *options: str) -> tuple[int, str]:
    argv = ["--config", str(project / "venvsmith.toml"), "bundle", "hooks", "speech", *options]
    where = ["--venv", str(project / "venv"), "--output", str(project / "hooks")]
    result = CliRunner().invoke(cli, [*argv, *where], standalone_mode=False)
    assert result.exception is None, result.exception
    return int(result.return_value or 0), result.output


def spec(project: Path, name: str, *excludes: str) -> Path:
    path = project / f"{name}.spec"
    path.write_text(SPEC.format(name=name, excludes=list(excludes)))
    return path


def freeze(project: Path, file: Path) -> Path:
    program = str(project / "venv" / "bin" / "pyinstaller")
    argv = [program, "--noconfirm", "--log-level", "ERROR", str(file)]
    subprocess.run(argv, cwd=project, check=True, capture_output=True)
    return project / "dist" / file.stem


def test_an_excluded_module_of_torch_is_named_mended_and_the_bundle_runs(project: Path) -> None:
    cut = spec(project, "cut", EXCLUDED)
    code, output = hooks(project, "--trace", "--spec", str(cut))
    assert code == 1
    assert f"excludes {EXCLUDED}" in output, "told before anything is frozen"

    bundle = freeze(project, cut)
    _, report = examine(f"bundle:{bundle}", options=Options(static=True))
    errors = [f for f in report.findings if f.severity == "error"]
    assert [(f.rule, f.subject) for f in errors] == [("bundle-module-missing", EXCLUDED)]
    assert "torch._dynamo.trace_rules -> " in errors[0].cause

    whole = freeze(project, spec(project, "whole"))
    env = {"PATH": os.environ["PATH"], "HOME": str(project)}
    done = subprocess.run([whole / "speech"], env=env, capture_output=True, text=True)
    assert done.stdout.startswith("heard 2.0 "), done.stderr
    asked = Expected(imports=("torch", "torchaudio", "pyannote.audio"), commands=(("APP",),))
    _, report = examine(f"bundle:{whole}", options=Options(asked=asked))
    assert report.verdict == "pass", report.findings
    assert report.score == 100
