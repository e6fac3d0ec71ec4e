"""A first configuration: from a requirements file, a pyproject, a Dockerfile, or from nothing.

Nothing is resolved, built or written here: files in, the text of a configuration out, with a note
for each thing that could not be carried over.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from venvsmith.config import check
from venvsmith.dockerfile.arguments import minor_in
from venvsmith.errors import ConfigError, UsageError, VenvsmithError
from venvsmith.init.compose import compose
from venvsmith.init.container import read_dockerfile
from venvsmith.init.lines import source_text
from venvsmith.init.places import is_file
from venvsmith.init.pyproject import read_pyproject, says_dependencies
from venvsmith.init.requirements import Requirements
from venvsmith.init.sketch import BaseSketch, Entry, Note, Sketch
from venvsmith.texts import read_text, read_toml

if TYPE_CHECKING:
    from venvsmith.model.project import Project

__all__ = ["Answers", "Draft", "Entry", "Note", "draft", "sources"]

Kind = Literal["dockerfile", "pyproject", "requirements"]
_FOUND: Final = (
    "Dockerfile",
    "Containerfile",
    "docker/Dockerfile",
    "pyproject.toml",
    "requirements.txt",
    "requirements.in",
)
_PYTHON: Final = re.compile(r"\b(pip3?|uv|poetry|conda|pipenv|python3?)\b")


@dataclass(frozen=True, kw_only=True, slots=True)
class Answers:
    """What a person said; empty where they left it to us."""

    name: str = ""
    python: str = ""
    image: str = ""
    requires: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """A configuration that `config.load` takes, and how it came about."""

    text: str
    notes: tuple[Note, ...]
    entries: tuple[Entry, ...]
    """What became of each instruction of a Dockerfile."""
    missing: tuple[str, ...]
    """Keys without which nothing would be installed: nothing was found for them."""


def sources(root: Path) -> list[Path]:
    """Return the files in a folder that `draft` can start from, the one that says most first."""
    found = [root / name for name in _FOUND if is_file(root / name)]
    return [path for path in found if _says_what_to_install(path)]


def _says_what_to_install(path: Path) -> bool:
    """Tell whether a file is of use; one that cannot be read is told when it is read."""
    kind = _kind(path)
    try:
        if kind == "dockerfile":
            return bool(_PYTHON.search(read_text(path)))
        return kind != "pyproject" or says_dependencies(read_toml(path))
    except (OSError, ValueError):
        return True


def draft(source: Path | None, *, target: Path, answers: Answers | None = None) -> Draft:
    """Return a first configuration.

    :param source: what to make it from; from the answers alone where None.
    :param target: the file that it is meant for; paths in it are relative to its folder.
    :raises UsageError: where the source cannot be read.
    :raises UnsafeInputError: where it is not what its name says.
    """
    target = target.parent.resolve() / target.name
    answers = answers or Answers()
    sketch = Sketch(root=target.parent)
    if source is not None:
        _read(sketch, source)
    sketch.name = answers.name or sketch.name or target.parent.name
    if answers.python:
        sketch.python, sketch.python_why = answers.python, ""
    _ask(sketch, answers)
    if not sketch.python:
        _pinned_python(sketch)
    text = compose(sketch)
    try:
        made = check(text, file=target)
    except ConfigError as exc:
        message = f"the first configuration would be refused: {exc.message}"
        raise VenvsmithError(message, where=str(source or ""), hint="report this") from exc
    missing = tuple(f"stages.{name}.requires" for name in made.stages if _is_empty(made, name))
    return Draft(
        text=text, notes=tuple(sketch.notes), entries=tuple(sketch.entries), missing=missing
    )


def _is_empty(project: Project, name: str) -> bool:
    stage = project.stages[name]
    return not (stage.requires or stage.requires_file or stage.source or stage.extends)


def _pinned_python(sketch: Sketch) -> None:
    """Take the Python that pyenv and uv take in this folder, where a file names one."""
    path = sketch.root / ".python-version"
    if path.is_file() and (minor := minor_in(source_text(path).strip()[:40])):
        sketch.python, sketch.python_why = minor, path.name


def _ask(sketch: Sketch, answers: Answers) -> None:
    if answers.image and answers.image != f"python:{answers.python}-slim-bookworm":
        sketch.base = BaseSketch(build=answers.image, runtime=answers.image)
    reader = Requirements(sketch, sketch.root)
    for line in answers.requires:
        sketch.requires += reader.requirement(line, "answer")


def _read(sketch: Sketch, source: Path) -> None:
    source = source.absolute()
    shown = _shown(source, sketch.root)
    sketch.origin = shown
    kind = _kind(source)
    if kind == "pyproject":
        read_pyproject(sketch, source, shown)
    elif kind == "requirements":
        reader = Requirements(sketch, source.parent)
        reader.file(source, shown)
        reader.tell_unused(shown)
    else:
        read_dockerfile(sketch, source, shown)


def _kind(path: Path) -> Kind:
    """Tell what a file is, by its name, or else by how it begins."""
    name = path.name.lower()
    if path.is_dir():
        raise UsageError("is a folder", where=str(path), hint="name a file in it")
    if "dockerfile" in name or "containerfile" in name:
        return "dockerfile"
    if name == "pyproject.toml":
        return "pyproject"
    if name.endswith((".txt", ".in", ".pip")):
        return "requirements"
    if re.search(r"^\s*FROM\s+\S", source_text(path), re.MULTILINE | re.IGNORECASE):
        return "dockerfile"
    hint = "name a requirements file (*.txt, *.in), a pyproject.toml or a Dockerfile"
    raise UsageError("is nothing that init reads", where=str(path), hint=hint)


def _shown(path: Path, root: Path) -> str:
    try:
        return path.resolve().relative_to(root).as_posix()
    except ValueError:
        return str(path)
