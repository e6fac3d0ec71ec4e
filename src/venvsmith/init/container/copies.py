"""COPY and ADD: what of the context goes into the image, and what only the build needed."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Final

from venvsmith.config.formats import ABSOLUTE, INSIDE
from venvsmith.dockerfile.forecast import target_of
from venvsmith.dockerfile.ignore import ignores, patterns_of
from venvsmith.dockerfile.installs import SYSTEM, environments_of, events
from venvsmith.dockerfile.replay import Copy, Step
from venvsmith.init.container.scene import Scene
from venvsmith.init.lines import source_text
from venvsmith.init.places import inside
from venvsmith.init.sketch import refusal
from venvsmith.model.dockerfile import DockerStage

_BUILD_INPUT: Final = re.compile(
    r"(.*requirements.*\.(txt|in)|constraints.*\.txt|pyproject\.toml|uv\.lock|poetry\.lock|"
    r"poetry\.toml|pdm\.lock|Pipfile(\.lock)?|setup\.(py|cfg)|\.python-version|environment\.ya?ml|"
    r"MANIFEST\.in)"
)
_LEAVINGS: Final = re.compile(
    r"\..*|.*Dockerfile.*|.*Containerfile.*|(docker-)?compose.*\.ya?ml|venvsmith\.toml|locks|docker|"
    r"venv|env|__pycache__|node_modules|tests?|docs|dist|build|.*\.egg-info|.*\.md|LICEN[CS]E.*|"
    r"Makefile"
)
LISTED: Final = 20
"""Files and folders that are named one by one; more are a checkout, which wants thought."""
_UV: Final = re.compile(r"(ghcr\.io/)?astral(-sh)?/uv(:|@|$)|(^|/)uv(:|@|$)")
_LIBRARIES: Final = re.compile(
    r"/\.?venv(/|$)|/lib/python3\.\d+|/site-packages|/\.local(/|$)|/wheels?(/|$)"
)
_PROGRAMS: Final = ("/usr/local/bin", "/usr/local", "/opt/conda", "/usr/bin")


def copy(scene: Scene, step: Step) -> None:
    """Take a COPY or ADD."""
    what = f"{step.instruction.keyword} {step.instruction.args}"
    found = next((c for c in scene.reading.copies(scene.stage(step)) if c.step is step), None)
    if found is None:
        scene.note("image", step.line, what, "is not understood", "see `copy`")
    elif not found.from_context:
        _from_elsewhere(scene, step, found, what)
    elif step.instruction.heredocs:
        why = "its text stands in the Dockerfile"
        scene.note("image", step.line, what, why, "make it a file, and name that under copy")
    elif any("://" in source or source.startswith("git@") for source in found.sources):
        why = "a download is not carried over"
        scene.note("image", step.line, what, why, "put the file beside the configuration; copy it")
    elif not scene.is_final(step):
        scene.enter(step.line, what, "replaced", "read where an install needs it")
    else:
        _into_image(scene, step, found, what)


def _from_elsewhere(scene: Scene, step: Step, found: Copy, what: str) -> None:
    """Take a COPY --from: environments and uv come from venvsmith."""
    if found.from_image is not None and _UV.search(found.from_image):
        scene.enter(step.line, what, "replaced", "uv is there where something is installed")
        return
    if found.from_stage is not None:
        stage = scene.reading.facts.stages[found.from_stage]
        places = environments_of(scene.reading, stage)
        venvs = [place for place in places if place != SYSTEM and target_of(found, place)]
        sources = [posixpath.normpath(posixpath.join("/", s)) for s in found.sources]
        venvs += [s for s in sources if _filled(scene, stage, s)]
        if venvs or any(_LIBRARIES.search(source) or source in _PROGRAMS for source in sources):
            scene.enter(step.line, what, "replaced", "the environment is built and copied anyway")
            rest = [s for s in sources if not _LIBRARIES.search(s) and s not in _PROGRAMS]
            if venvs and any(s not in venvs and venvs[0].startswith(f"{s}/") for s in rest):
                _app_around(scene, step, found, what)
            return
        if _brought_in(scene, step, found):
            return
    if "ffmpeg" in (found.from_image or ""):
        if "ffmpeg" not in scene.sketch.apt:
            scene.sketch.apt.append("ffmpeg")
        why = f"Debian's ffmpeg stands in for that of {found.from_image}"
        scene.note("stage", step.line, what, why, "compare their versions")
        return
    why = "files that another stage makes are not carried over"
    if found.from_image is not None:
        why = f"files of the image {found.from_image} are not carried over"
    todo = "make them before, and name them under copy; or FROM this image in a Dockerfile"
    scene.note("image", step.line, what, why, todo)


def _filled(scene: Scene, stage: DockerStage, path: str) -> bool:
    """Tell whether an install of a stage went to a folder by --prefix or --target."""
    if any(event.prefix == path for event in events(scene.reading, stage)):
        return True
    option = re.compile(rf"(--target|-t)[= ]{re.escape(path)}(\s|$)")
    return any(
        step.instruction.keyword == "RUN" and option.search(step.instruction.args)
        for step in scene.reading.steps(stage)
    )


def _app_around(scene: Scene, step: Step, found: Copy, what: str) -> None:
    """Follow what lies around an environment in a folder that is copied whole."""
    why = "more than the environment lies in that folder"
    todo = "name the application's own files under copy"
    if not _brought_in(scene, step, found):
        scene.note("image", step.line, what, why, todo)


def _brought_in(scene: Scene, step: Step, found: Copy) -> bool:
    """Follow files that another stage only passes on from the context."""
    if found.from_stage is None or found.target is None:
        return False
    stage = scene.reading.facts.stages[found.from_stage]
    origin = posixpath.normpath(posixpath.join("/", found.sources[0] if found.sources else "/"))
    passed = [
        c
        for c in scene.reading.copies(stage)
        if c.from_context and c.target and (c.target + "/").startswith(origin.rstrip("/") + "/")
    ]
    taken = False
    for one in passed:
        below = (one.target or "")[len(origin.rstrip("/")) :].lstrip("/")
        target = posixpath.normpath(posixpath.join(found.target, below))
        taken = _take(scene, one, target) or taken
    if taken:
        scene.enter(step.line, f"COPY --from={stage.name or stage.index}", "carried", "copy")
    return taken


def _into_image(scene: Scene, step: Step, found: Copy, what: str) -> None:
    if all(_BUILD_INPUT.fullmatch(posixpath.basename(s.rstrip("/"))) for s in found.sources):
        scene.enter(step.line, what, "replaced", "read where an install needs it")
        return
    target = found.target
    if target is None or refusal(ABSOLUTE, target) is not None:
        scene.note("image", step.line, what, "its target is not known", "name both under copy")
        return
    if not _take(scene, found, target):
        why = "what it names does not lie in this folder"
        todo = f'once it does: copy = [{{ from = "{found.sources[0]}", to = "{target}" }}]'
        scene.note("image", step.line, what, why, todo)
        return
    scene.enter(step.line, what, "carried", "copy")
    owner = step.instruction.flag("chown")
    if owner is not None and owner.partition(":")[0] not in {"root", "0"}:
        scene.sketch.note(
            "image",
            f"{scene.shown}:{step.line}",
            f"--chown={owner}",
            "copied files belong to root, and the user reads them",
            "name folders that it has to write under writable",
        )


def _take(scene: Scene, found: Copy, target: str) -> bool:
    """Put what a COPY takes into the sketch; tell whether there was anything."""
    pairs: list[tuple[str, str]] = []
    for source in found.sources:
        for origin in scene.sources(source):
            entry = inside(origin, scene.sketch.root)
            if entry is None or refusal(INSIDE, entry) is not None:
                continue
            if found.sources != (source,) and _BUILD_INPUT.fullmatch(origin.name):
                continue
            pairs.append((entry, _place(origin, target, is_folder=found.is_folder)))
    for pair in pairs:
        if pair not in scene.sketch.copy:
            scene.sketch.copy.append(pair)
    return bool(pairs)


def write_out(scene: Scene) -> None:
    """Name what ``COPY .`` takes: the build reads no .dockerignore, only what is named."""
    sketch = scene.sketch
    for pair in [pair for pair in sketch.copy if pair[0] == "."]:
        names = _lying(scene)
        if 0 < len(names) <= LISTED:
            at = sketch.copy.index(pair)
            sketch.copy[at : at + 1] = [(name, posixpath.join(pair[1], name)) for name in names]
            why = "what lies here now is named one by one, without what builds and tests leave"
            todo = "add what comes later to copy"
        else:
            why = "it takes all that lies here; a .dockerignore is not read"
            todo = "name the files and folders that the program needs"
        sketch.note("image", scene.shown, f"COPY . {pair[1]}", why, todo)


def _lying(scene: Scene) -> list[str]:
    """Return what lies in the folder for a program: no configuration, no leavings, no secrets."""
    root = scene.sketch.root
    ignore = root / ".dockerignore"
    patterns = patterns_of(source_text(ignore)) if ignore.is_file() else ()
    names = sorted(path.name for path in root.iterdir())
    return [
        name
        for name in names
        if not (_LEAVINGS.fullmatch(name) or _BUILD_INPUT.fullmatch(name))
        and not ignores(patterns, name)
        and refusal(INSIDE, name) is None
    ]


def _place(origin: Path, target: str, *, is_folder: bool) -> str:
    if origin.is_dir() or not is_folder:
        return target
    return posixpath.join(target, origin.name)
