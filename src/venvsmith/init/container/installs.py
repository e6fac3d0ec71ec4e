"""Commands of a RUN that install Python distributions."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from venvsmith.dockerfile.arguments import Arguments, divide
from venvsmith.dockerfile.expand import has_unknown
from venvsmith.dockerfile.replay import Step
from venvsmith.init.container.scene import Scene
from venvsmith.init.places import is_file
from venvsmith.init.pyproject import read_pyproject
from venvsmith.init.requirements import Requirements

TOOLS: Final = frozenset(
    {"pip", "uv", "wheel", "poetry", "pipenv", "pip-tools", "pdm", "virtualenv", "pipx", "build"}
)
_KEPT: Final = frozenset({"setuptools"})
_TAKEN: Final = frozenset(
    {
        "--index-url", "--extra-index-url", "--find-links", "--constraint", "--no-binary", "--pre",
        "--trusted-host", "--no-deps", "--no-index", "--no-build-isolation", "--target",
        "--override", "--exclude-newer", "--platform",
    }
)  # fmt: skip
_ALIASES: Final = {
    "-i": "--index-url",
    "--default-index": "--index-url",
    "--index": "--extra-index-url",
    "-f": "--find-links",
    "-c": "--constraint",
    "--constraints": "--constraint",
    "-t": "--target",
    "--no-build-isolation-package": "--no-build-isolation",
    "--no-binary-package": "--no-binary",
    "--overrides": "--override",
    "--python-platform": "--platform",
}
"""Other spellings of pip, and what uv calls the same."""
_FOLDERS: Final = {
    "uv": (("--directory",), ("--project",)),
    "poetry": (("--directory", "-C"), ("--project", "-P")),
    "pdm": (("--project", "-p"),),
}
"""Options that lead to the project, in the order in which they are followed."""
_REPLACED: Final = "lock and build do it"


@dataclass(frozen=True, kw_only=True, slots=True)
class _At:
    """Where an install stands."""

    step: Step
    line: int
    cwd: str


def pip(scene: Scene, step: Step, argv: Sequence[str], line: int, cwd: str) -> None:
    """Take ``pip install`` or ``uv pip install``; other commands of pip only look."""
    what = " ".join(argv)
    at = next((n for n, word in enumerate(argv) if word in {"install", "sync"}), None)
    if at is None:
        scene.enter(line, what, "replaced", "it leaves nothing behind in the image")
        return
    args = divide(argv[at + 1 :])
    sketch, origin = scene.sketch, f"{scene.shown}:{line}"
    place = _At(step=step, line=line, cwd=cwd)
    before = len(sketch.notes), _size(scene)
    reader = Requirements(sketch, _folder(scene, step, cwd))
    _options(scene, step, reader, args, origin)
    backend = args.value("--torch-backend")
    if backend and backend != "auto":
        sketch.add_backend(backend, origin)
    words = list(args.words)
    if argv[at] == "sync":  # uv pip sync FILE
        _files(scene, place, reader, words)
        words = []
    tools = [word for word in words if _is_tool(word, alone=len(words))]
    for word in (w for w in words if w not in tools):
        _word(scene, place, reader, word)
    for word in (*args.values.get("-e", ()), *args.values.get("--editable", ())):
        _word(scene, place, reader, word)
    files = [*args.values.get("-r", ()), *args.values.get("--requirement", ())]
    _files(scene, place, reader, [*files, *args.values.get("--requirements", ())])
    reader.tell_unused(origin)
    told = len(sketch.notes) > before[0] and _size(scene) == before[1]
    if told:
        scene.enter(line, what, "noted", "see its note")
    elif tools and len(tools) == len(words) and not files:
        scene.enter(line, what, "replaced", f"a tool of the build: {_REPLACED}")
    else:
        scene.enter(line, what, "carried", "requires")


def _size(scene: Scene) -> int:
    sketch = scene.sketch
    return len(sketch.all_requires()) + len(sketch.requires_files) + (sketch.source is not None)


def _is_tool(word: str, *, alone: int) -> bool:
    """Tell a tool of the build: pip and its like; setuptools only where it comes with them."""
    try:
        name = canonicalize_name(Requirement(word).name)
    except InvalidRequirement:
        return False
    return name in TOOLS or (name in _KEPT and alone > 1)


def _folder(scene: Scene, step: Step, cwd: str) -> Path:
    return scene.in_context(step, cwd) or scene.context


def _options(scene: Scene, step: Step, reader: Requirements, args: Arguments, origin: str) -> None:
    base = _folder(scene, step, step.workdir)
    for name, values in args.values.items():
        for value in values:
            long = _ALIASES.get(name, name)
            if long in _TAKEN and not has_unknown(value):
                reader.option(long, value, origin, base=base)
            elif long in _TAKEN:
                why = "it depends on what the command line says"
                scene.sketch.note("indexes", origin, f"{long} {value}", why, "write it out")
    if args.value("--prerelease") == "allow":
        reader.option("--pre", "", origin, base=base)
    for name in (_ALIASES.get(name, name) for name in args.options - set(args.values)):
        if name in _TAKEN:
            reader.option(name, "", origin, base=base)


def _word(scene: Scene, at: _At, reader: Requirements, word: str) -> None:
    """Take a requirement, an address or a folder that an install names."""
    origin = f"{scene.shown}:{at.line}"
    if has_unknown(word) or "$(" in word or "`" in word:
        why = "it depends on what the command line or another command says"
        scene.sketch.note("stage", origin, word, why, "write the version out, into requires")
        return
    if word.startswith((".", "/")) and not word.endswith((".whl", ".gz", ".zip")):
        bare, _, extras = word.partition("[")
        path = posixpath.normpath(posixpath.join(at.cwd, bare))
        folder = _copied(scene, at.step, path)
        if folder is not None:
            project(scene, folder, [e.strip() for e in extras.rstrip("]").split(",") if e.strip()])
            if folder / "pyproject.toml" in scene.projects:
                scene.projects[folder / "pyproject.toml"].install()
            if folder.is_dir() and not (folder / "pyproject.toml").is_file():
                why = "its folder has no pyproject.toml, by which a project is built and locked"
                todo = "add one (setuptools reads the rest), then name it under source"
                scene.sketch.note("stage", origin, word, why, todo)
            return
        why = "that folder does not come from the context"
        scene.sketch.note("stage", origin, word, why, "name the project under source")
        return
    reader.take(reader.requirement(word, origin))


def _copied(scene: Scene, step: Step, path: str) -> Path | None:
    """Return the folder of the context that a folder of the build is, whole or by its project."""
    whole = scene.in_context(step, path)
    for name in () if whole is not None else ("pyproject.toml", "setup.py"):
        found = scene.in_context(step, posixpath.join(path, name))
        if found is not None:
            return found.parent
    return whole


def _files(scene: Scene, at: _At, reader: Requirements, files: Sequence[str]) -> None:
    for name in files:
        path = scene.in_context(at.step, posixpath.normpath(posixpath.join(at.cwd, name)))
        if path is None and is_file(scene.context / posixpath.basename(name)):
            path = scene.context / posixpath.basename(name)
        if path is not None and path.is_file():
            if path.name == "pyproject.toml":
                project(scene, path.parent, [])
            else:
                reader.file(path, path.name)
        elif not scene.exported:
            why = "the file is not in this folder"
            todo = f'put it here and add requires-file = ["{posixpath.basename(name)}"]'
            scene.sketch.note("stage", f"{scene.shown}:{at.line}", f"-r {name}", why, todo)


def project(scene: Scene, folder: Path, extras: Sequence[str]) -> bool:
    """Read the pyproject of a folder, once, and what is asked of it; tell whether there is one."""
    path = folder / "pyproject.toml"
    if not path.is_file():
        return False
    if path not in scene.projects:
        shown = path.name if folder == scene.context else str(path.relative_to(scene.context))
        scene.projects[path] = read_pyproject(scene.sketch, path, shown, extras)
    else:
        scene.projects[path].ask(extras)
    return True


def managed(scene: Scene, step: Step, argv: Sequence[str], line: int, cwd: str) -> None:
    """Take uv sync, poetry install, pdm and pipenv: what the pyproject says."""
    what = " ".join(argv)
    args = divide(argv[2:])
    extras = [*args.values.get("--extra", ()), *args.values.get("-E", ())]
    extras += [e for v in args.values.get("--extras", ()) for e in re.split(r"[ ,]+", v)]
    extras += [*args.values.get("--group", ()), *args.values.get("--with", ())]
    if "--all-extras" in args.options:
        extras.append("*")
    named = (args.value(*names) or "." for names in _FOLDERS.get(argv[0], ()))
    place = posixpath.normpath(posixpath.join(cwd, *named))
    found = scene.in_context(step, posixpath.join(place, "pyproject.toml"))
    folder = found.parent if found is not None else scene.context
    if argv[0] == "pipenv":
        why = "a Pipfile is not read"
        todo = "pipenv requirements > requirements.txt, and add it to requires-file"
        scene.note("stage", line, what, why, todo)
    elif project(scene, folder, extras):
        scene.enter(line, what, "carried", "source, requires-file or requires")
    else:
        why = "its pyproject.toml is not in this folder"
        scene.note("stage", line, what, why, "put the configuration beside it; run init again")


def conda(scene: Scene, argv: Sequence[str], line: int) -> None:
    """Tell what conda installs: its packages have other names and are no wheels."""
    what = " ".join(argv)
    if not {"install", "create", "update"} & set(argv):
        scene.enter(line, what, "replaced", "there is no conda in the image")
        return
    args = divide(argv[2:])
    names = [w for w in args.words if re.match(r"[a-z0-9_.-]+([=<>].*)?$", w) and w != "create"]
    python = next((n.partition("=")[2] for n in names if n.startswith("python=")), "")
    if match := re.match(r"=?(3\.\d+)", python):
        scene.sketch.python = scene.sketch.python or match[1]
        scene.sketch.python_why = f"{scene.shown}:{line}"
    why = "conda's packages are no wheels, and may have other names"
    listed = ", ".join(n for n in names if not n.startswith("python="))
    todo = f"add their wheels to requires: {listed}" if listed else "add their wheels to requires"
    scene.note("stage", line, what, why, todo)
