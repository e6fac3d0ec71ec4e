"""Which base images and which Python a Dockerfile's environment is for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from venvsmith.config.formats import IMAGE
from venvsmith.config.kinds import Problems
from venvsmith.dockerfile.arguments import minor_in
from venvsmith.dockerfile.expand import has_unknown
from venvsmith.dockerfile.installs import events
from venvsmith.dockerfile.packages import packages
from venvsmith.dockerfile.pythons import Base, base_of, reference
from venvsmith.init.heavy import heavy_of, name_of
from venvsmith.init.lines import source_text
from venvsmith.init.sketch import DEFAULT_PYTHON, BaseSketch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.init.container.scene import Scene

_EXACT: Final = re.compile(r"python(3\.\d+)(?:-.+)?")
_TAGGED: Final = re.compile(r"(?:^|[-_])(?:python|py)-?(3\.\d+)")
_PYTORCH: Final = re.compile(r"(\d+\.\d+\.\d+)-cuda(\d+)\.(\d+)")
_NO_SHELL: Final = re.compile(r"distroless|chainguard")
_RPM: Final = re.compile(
    r"(^|/)(fedora|centos|rockylinux|almalinux|ubi\d|ubi-minimal|amazonlinux)|-ubi\d"
)
_CONDA: Final = ("continuumio/", "conda-forge/", "condaforge/", "mambaorg/", "pytorch/pytorch")


def read_base(scene: Scene) -> None:
    """Settle the sketch's base and Python."""
    sketch, reading = scene.sketch, scene.reading
    final = reading.facts.final
    image = reading.root_base(final)
    line = reading.chain(final)[0].line
    known = base_of(image)
    wanted, why = _python(scene, known, image)
    if wanted and _refused_minor(wanted):
        scene.note("project", line, f"Python {wanted}", "is older than 3.8", "set a newer one")
        wanted = ""
    if wanted or not sketch.python:
        sketch.python = wanted or DEFAULT_PYTHON
        sketch.python_why = why if wanted else "nothing says which; check it"
    if problem := _unusable(image, known):
        if image.rpartition("/")[0] == "pytorch" or "pytorch/pytorch" in image:
            _pytorch(scene, image)
        standing = f"python:{sketch.python}-slim-bookworm"
        scene.note("base", line, f"FROM {image}", problem, f"{standing} stands in for it; try it")
        sketch.base = BaseSketch(build=standing, runtime=standing, comment="glibc, and apt")
        return
    source = _source(scene, known, line)
    build = _build(scene, known, image) if source == "image" else image
    sketch.base = BaseSketch(build=build, runtime=image, python=source)
    if known.kind == "unknown":
        why = "what Python it holds is not known from its name"
        todo = 'compare `python`; where it has none, python = "apt" or "uv" in this table'
        scene.note("base", line, f"FROM {image}", why, todo)
    _tell_cuda(scene, image, line)


def _refused_minor(minor: str) -> bool:
    return int(minor.partition(".")[2]) < 8  # noqa: PLR2004 - what the configuration takes


def _unusable(image: str, known: Base) -> str | None:
    """Return why no venv of ours can stand on an image."""
    problems: Problems = []
    IMAGE.read(image, "", problems)
    name = reference(image).name
    reasons = (
        (has_unknown(image), "which image that is, the command line says"),
        (bool(problems), problems[0][1] if problems else ""),
        (name == "scratch", "an empty image has no Python"),
        (known.libc == "musl", "musl has no wheels of most native packages"),
        (bool(_NO_SHELL.search(name)), "there is no shell in it, which a build needs"),
        (name.startswith(_CONDA), "its Python is conda's, which wheels do not need"),
        (bool(_RPM.search(name)), "its packages are not Debian's (apt)"),
    )
    return next((reason for holds, reason in reasons if holds), None)


def _python(scene: Scene, known: Base, image: str) -> tuple[str, str]:
    """Return the minor of the Python that the image runs, and what says so."""
    if known.kind in {"image", "system"} and known.minor:
        return known.minor, f"that of {image}"
    for minor, why in (*_named_pythons(scene), *_hinted_pythons(scene, known, image)):
        if minor:
            return minor, why
    return "", ""


def _named_pythons(scene: Scene) -> Iterator[tuple[str | None, str]]:
    """Yield the Pythons that commands name, those of the image's own stage first."""
    reading, shown = scene.reading, scene.shown
    for stage in (reading.facts.stages[i] for i in sorted(reading.built, reverse=True)):
        for event in events(reading, stage):
            named = [event.python, event.step.env.get("UV_PYTHON")]
            named += list(event.texts) if event.action == "fetch-python" else []
            yield from ((minor_in(text), f"{shown}:{event.line}") for text in named)
        for package in packages(reading.steps(stage)):
            if match := _EXACT.fullmatch(package.name):
                yield match[1], f"{shown}:{package.line} installs {package.name}"


def _hinted_pythons(scene: Scene, known: Base, image: str) -> Iterator[tuple[str | None, str]]:
    pinned = scene.context / ".python-version"
    if pinned.is_file():
        yield minor_in(source_text(pinned).strip()[:40]), ".python-version"
    if match := _PYTORCH.search(image):
        old = tuple(map(int, match[1].split("."))) < (2, 4)
        yield "3.10" if old else "3.11", f"{image} has it, as far as is known"
    if match := _TAGGED.search(image):
        yield match[1], f"the name of {image}"
    yield known.minor, f"that of {image}'s own packages"
    for stage in scene.reading.facts.stages:
        base = scene.reading.root_base(stage)
        yield base_of(base).minor, f"that of {base}"


def _source(scene: Scene, known: Base, line: int) -> str:
    """Return where the base's Python comes from."""
    if known.kind in {"image", "system", "unknown"}:
        return "image"
    final = scene.reading.final_steps
    exact = {m[1] for p in packages(final) if (m := _EXACT.fullmatch(p.name))}
    foreign = any("deadsnakes" in step.instruction.args for step in final)
    python = scene.sketch.python
    if not foreign and (python == known.minor or python in exact):
        return "apt"
    why = f"its own packages have {'Python ' + known.minor if known.minor else 'another Python'}"
    if foreign:
        why = "that Python comes from deadsnakes, whose packages lack ensurepip"
    todo = 'python = "uv" takes uv\'s own; or take a base that has it'
    scene.note("base", line, f"Python {python}", why, todo)
    return "uv"


def _build(scene: Scene, known: Base, image: str) -> str:
    """Return the image in which to build: a builder stage's, where its Python is the same."""
    reading = scene.reading
    if known.kind != "image":
        return image
    for stage in reading.facts.stages:
        other = reading.root_base(stage)
        theirs = base_of(other)
        if stage.index in reading.built and theirs.kind == "image" and theirs.libc == "glibc":
            same = theirs.minor == known.minor and not _unusable(other, theirs)
            if same and reference(other).name == reference(image).name and other != image:
                return other
    return image


def _pytorch(scene: Scene, image: str) -> None:
    """Require the torch that the base has, unless a command installs another one."""
    sketch = scene.sketch
    match = _PYTORCH.search(image)
    if match and not sketch.backends:
        sketch.backends.append(f"cu{match[2]}{match[3]}")
    if "torch" not in map(name_of, sketch.all_requires()):
        sketch.requires.append(f"torch=={match[1]}" if match else "torch")


def _tell_cuda(scene: Scene, image: str, line: int) -> None:
    name, tag = reference(image).name, reference(image).tag or ""
    if heavy_of(scene.sketch.all_requires())[0] != "torch":
        return  # CTranslate2 and others do need the base's
    if name.endswith("nvidia/cuda") and "base" not in tag:
        why = "PyTorch's wheels bring CUDA and cuDNN with them: both are in the image twice"
        scene.sketch.note(
            "base",
            f"{scene.shown}:{line}",
            f"FROM {image}",
            why,
            f"try python:{scene.sketch.python}-slim-bookworm, where nothing else needs CUDA",
        )
