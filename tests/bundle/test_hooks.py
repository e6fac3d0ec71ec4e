"""`venvsmith bundle hooks` on a real stack: what fails frozen, and works with what was written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from venvsmith.bundle.hook import text_of
from venvsmith.bundle.hooks import derive
from venvsmith.bundle.installed import InstalledModules
from venvsmith.cli.main import cli
from venvsmith.verify import Options, examine

CONFIG = """\
[project]
name = "app"
python = "3.11"
[bases.slim]
image = "python:3.11-slim-bookworm"
[variants.cpu]
base = "slim"
platforms = ["linux/amd64"]
[stages.asr]
requires = ["faster-whisper", "soundfile", "av"]
imports = ["ctranslate2", "faster_whisper.vad", "soundfile", "av", "plugged"]
commands = [["hf", "--help"]]
"""
APP = """\
import venvsmith_diagnose; venvsmith_diagnose.run()
import sys
import av, ctranslate2, faster_whisper, numpy, soundfile
from faster_whisper.vad import get_speech_timestamps
if __name__ == "__main__" and sys.argv[1:] == ["plug"]:
    import plugged
    print(plugged.backend())
elif __name__ == "__main__":
    print(get_speech_timestamps(numpy.zeros(16000, dtype="float32")), "heard")
"""
PLUGGED = {
    "__init__.py": """\
import importlib
def backend():
    return importlib.import_module("plugged._backend").NAME
""",
    "_backend.py": "NAME = 'plugged in'\n",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project with a venv that holds a real stack and PyInstaller."""
    folder = tmp_path_factory.mktemp("asr")
    (folder / "venvsmith.toml").write_text(CONFIG)
    (folder / "app.py").write_text(APP)
    uv = [sys.executable, "-m", "uv", "--quiet"]
    subprocess.run([*uv, "venv", "--python", sys.executable, str(folder / "venv")], check=True)
    python = str(folder / "venv" / "bin" / "python")
    # Of known versions: whether the newest ones work too, the corpus of applications tells.
    packages = ["faster-whisper==1.2.1", "soundfile==0.14.0", "av==18.1.0", "pyinstaller"]
    subprocess.run([*uv, "pip", "install", "--python", python, *packages], check=True)
    (site,) = folder.glob("venv/lib/python3.*/site-packages")
    (site / "plugged").mkdir()
    for name, text in PLUGGED.items():
        (site / "plugged" / name).write_text(text)
    return folder


def hooks(project: Path, *options: str) -> tuple[int, str]:
    argv = ["--config", str(project / "venvsmith.toml"), "bundle", "hooks", "asr"]
    where = ["--venv", str(project / "venv"), "--output", str(project / "hooks")]
    result = CliRunner().invoke(cli, [*argv, *where, *options], standalone_mode=False)
    assert result.exception is None, result.exception
    return int(result.return_value or 0), result.output


def freeze(project: Path, name: str, *options: str) -> Path:
    program = str(project / "venv" / "bin" / "pyinstaller")
    paths = ["--paths", str(project / "hooks"), "--name", name]
    argv = [program, "--noconfirm", "--log-level", "ERROR", *paths, *options, "app.py"]
    subprocess.run(argv, cwd=project, check=True, capture_output=True)
    return project / "dist" / name


def start(bundle: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "HOME": str(bundle)}
    return subprocess.run([bundle / bundle.name, *words], env=env, capture_output=True, text=True)


@pytest.mark.network
def test_what_fails_frozen_is_foretold_and_works_with_the_hooks(project: Path) -> None:
    code, _ = hooks(project, "--trace")
    assert code == 0
    bare = freeze(project, "bare")
    _, report = examine(f"bundle:{bare}", options=Options(static=True))
    assert [(f.rule, f.subject) for f in report.findings if f.severity == "error"] == [
        ("bundle-data-missing", "silero_vad_v6.onnx")
    ]
    assert "silero_vad_v6.onnx" in start(bare).stderr
    assert "No module named 'plugged._backend'" in start(bare, "plug").stderr

    mended = freeze(project, "mended", "--additional-hooks-dir", str(project / "hooks"))
    assert start(mended).stdout == "[] heard\n"
    assert start(mended, "plug").stdout == "plugged in\n"
    assert examine(f"bundle:{mended}", options=Options(static=True))[1].findings == ()


@pytest.mark.network
def test_each_entry_says_why_and_what_pyinstaller_knows_is_left_to_it(project: Path) -> None:
    installed = InstalledModules(project / "venv")
    known = installed.hooks()
    found = {h.module: text_of(h) for h in derive(installed, ["faster_whisper"], known=known)}
    assert not set(found) & known
    text = found["faster_whisper.vad"]
    assert "# opened by faster_whisper.vad.get_vad_model()" in text
    assert '*collect_data_files("faster_whisper", includes=["assets/silero_vad_v6.onnx"])' in text
    for hook in found.values():
        compile(hook, "hook.py", "exec")
        entries = [line for line in hook.splitlines() if line.startswith("    ")]
        assert [line.startswith("    #") for line in entries] == [True, False] * (len(entries) // 2)


@pytest.mark.network
def test_a_spec_that_excludes_what_is_needed_is_told_before_anything_is_frozen(
    project: Path,
) -> None:
    spec = project / "app.spec"
    spec.write_text("a = Analysis(['app.py'],\n  excludes=['tkinter',\n    'huggingface_hub'])\n")
    code, output = hooks(project, "--spec", str(spec))
    assert code == 1
    (line,) = [line for line in output.splitlines() if "excludes" in line]
    assert line.startswith(f"{spec}:3: excludes huggingface_hub, and importing needs it: ")
