"""How an image starts: ENV, USER, WORKDIR, ENTRYPOINT, CMD, LABEL and the rest."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from typing import Final

from venvsmith.config.formats import ABSOLUTE, ENV_NAME, VALUE, WRITABLE
from venvsmith.config.keys import HIGHEST_UID
from venvsmith.dockerfile.expand import expand, has_unknown, split_words, unquote
from venvsmith.dockerfile.replay import PLATFORM_ARGS, Step, assignments
from venvsmith.init.container.scene import Scene
from venvsmith.init.sketch import refusal

_BUILD_ONLY: Final = re.compile(
    r"(PIP|UV|POETRY|CONDA|MAMBA|PDM|PIPX|PIPENV|DEBIAN|VIRTUALENV|PYSETUP|PYENV)_.*|VIRTUAL_ENV|"
    r"VENV_PATH|PATH_VENV|PYENV_ROOT|MAKEFLAGS|PYTHON_VERSION"
)
_RUNNERS: Final = (("uv", "run"), ("poetry", "run"), ("pipenv", "run"), ("pdm", "run"))
_SYSTEM: Final = re.compile(r"/(?:usr|usr/local)/bin/(.+)")
DEFAULT_UID: Final = 1000
_OF_DEBIAN: Final = {"daemon": 1, "www-data": 33, "nobody": 65534}
"""Users that each base has."""


def env(scene: Scene, step: Step) -> None:
    """Take ENV: what programs of the image read goes to it, what steers a build does not."""
    for name, raw in assignments(step.instruction):
        value = expand(raw or "", step.env)
        what = f"ENV {name}={raw}"
        if _BUILD_ONLY.fullmatch(name):
            scene.enter(step.line, what, "replaced", "it steers a build, which venvsmith does")
        elif name == "PATH":
            _path(scene, step, what, value)
        elif has_unknown(value):
            why = "it refers to a variable that the base or the command line sets"
            scene.note("image", step.line, what, why, "write its value into env")
        elif trouble := refusal(ENV_NAME, name) or refusal(VALUE, unquote(value)):
            todo = "give it when the container starts (docker run --env, compose)"
            scene.note("image", step.line, f"ENV {name}", trouble, todo)
        else:
            scene.sketch.env[name] = unquote(value)
            scene.enter(step.line, what, "carried", "env")


def _path(scene: Scene, step: Step, what: str, value: str) -> None:
    others = []
    for part in unquote(value).split(":"):
        if part in {"$PATH", "${PATH}"} or part.startswith(("/usr/", "/bin", "/sbin")):
            continue
        venv = re.search(r"(venv|virtualenv|/env|\.local|poetry|conda|uv|cargo)", part)
        if venv is None and part != f"{scene.sketch.venv}/bin" and part:
            others.append(part)
    if others:
        why = "PATH begins with the venv's bin and ends as the base has it"
        todo = f"call what lies in {', '.join(others)} by its path"
        scene.note("image", step.line, what, why, todo)
    else:
        scene.enter(step.line, what, "replaced", "the venv's bin comes first in PATH anyway")


def label(scene: Scene, step: Step) -> None:
    """Take LABEL and MAINTAINER."""
    instruction = step.instruction
    if instruction.keyword == "MAINTAINER":
        pairs: list[tuple[str, str | None]] = [("maintainer", instruction.args)]
    else:
        pairs = [(unquote(name), value) for name, value in assignments(instruction)]
    for name, raw in pairs:
        value = expand(raw or "", step.env)
        what = f"LABEL {name}={raw}"
        if has_unknown(value) or not name:
            why = "its value comes from the command line (--build-arg)"
            scene.note("image", step.line, what, why, "write its value into labels")
        elif trouble := refusal(VALUE, unquote(value)):
            scene.note("image", step.line, what, trouble, "write it into labels")
        else:
            scene.sketch.labels[name] = unquote(value)
            scene.enter(step.line, what, "carried", "labels")


def arg(scene: Scene, step: Step) -> None:
    """Take ARG: its default was filled in where it is used."""
    for name, value in assignments(step.instruction):
        tell_arg(scene, step.line, name, value)


def tell_arg(scene: Scene, line: int, name: str, value: str | None) -> None:
    """Write down an ARG, inside a stage or before the first."""
    if value is None and name not in PLATFORM_ARGS and name not in scene.reading.globals:
        how = "no default: told where it is used"
    else:
        how = "its value is filled in where it is used"
    scene.enter(line, f"ARG {name}", "replaced", how)


def user(scene: Scene, step: Step) -> None:
    """Take USER: the configuration has numbers."""
    sketch = scene.sketch
    text = step.expanded(step.instruction.args).strip()
    name, _, group = text.partition(":")
    if name in {"root", "0", ""}:
        sketch.user, sketch.user_why = None, ""
        scene.enter(step.line, f"USER {text}", "carried", "no user: root")
        return
    users = {**_OF_DEBIAN, **scene.users}
    number = int(name) if name.isdecimal() and len(name) < 11 else users.get(name)  # noqa: PLR2004
    if number is not None and number <= HIGHEST_UID:
        sketch.user = number
        sketch.user_why = "" if name.isdecimal() else name
        scene.enter(step.line, f"USER {text}", "carried", "user")
    else:
        sketch.user, sketch.user_why = DEFAULT_UID, ""
        why = (
            f"a user is a number here, and nothing gives {name}'s; {DEFAULT_UID} is useradd's first"
        )
        scene.note("image", step.line, f"USER {text}", why, "compare it with your volumes' owner")
    if group.isdecimal() and group != str(sketch.user):
        why = "the group's number is that of the user"
        scene.note("image", step.line, f"USER {text}", why, "set the group when it starts (--user)")


def workdir(scene: Scene, step: Step) -> None:
    """Take WORKDIR; the last one holds."""
    path = step.path(step.instruction.args)
    if path is None or refusal(ABSOLUTE, path) is not None:
        why = "it depends on what the command line says"
        scene.note("image", step.line, f"WORKDIR {step.instruction.args}", why, "set workdir")
        return
    scene.sketch.workdir = path
    scene.enter(step.line, f"WORKDIR {path}", "carried", "workdir")


def start(scene: Scene, step: Step) -> None:
    """Take ENTRYPOINT and CMD."""
    instruction = step.instruction
    what = f"{instruction.keyword} {instruction.args}"
    words = list(instruction.exec_form) if instruction.exec_form is not None else []
    if instruction.exec_form is None and instruction.args:
        words = _shell_words(instruction.args)
    if any(refusal(VALUE, word) for word in words):
        scene.note("image", step.line, what, "a control character stands in it", "write it anew")
        return
    words, how = _plain(words)
    if instruction.keyword == "ENTRYPOINT":
        scene.sketch.entrypoint = words if any(words) else None
    else:
        scene.sketch.cmd = words or None
    if how:
        scene.sketch.note("image", f"{scene.shown}:{step.line}", what, how, "see that it starts")
    scene.enter(step.line, what, "carried", instruction.keyword.lower())


def _shell_words(text: str) -> list[str]:
    """Return the words that start a shell form; the shell is left out where it does nothing."""
    if re.search(r"[$&|;<>`*?(){}~#\"'\\]", text):
        return ["/bin/sh", "-c", text]
    return split_words(text)


def _plain(words: list[str]) -> tuple[list[str], str]:
    """Return the words without runners, and programs by the name that the venv has them under."""
    for runner in _RUNNERS:
        if tuple(words[:2]) == runner:
            rest = words[2:]
            while rest and rest[0].startswith("-"):
                rest = rest[1:]
            return rest, f"`{' '.join(runner)}` is left out: the venv's programs are on PATH"
    if words[:2] == ["conda", "run"]:
        rest = words[2:]
        while rest and rest[0].startswith("-"):
            rest = rest[2:] if rest[0] in {"-n", "--name", "-p", "--prefix"} else rest[1:]
        return rest, "`conda run` is left out: the venv's programs are on PATH"
    if words and (match := _SYSTEM.fullmatch(words[0])) and re.match(r"python|pip", match[1]):
        return ["python", *words[1:]], f"{words[0]} is the base's, python the venv's"
    return words, ""


def volume(scene: Scene, step: Step) -> None:
    """Take VOLUME: a folder that the image may write."""
    words = step.instruction.exec_form or split_words(step.instruction.args)
    for word in words:
        path = step.path(word)
        what = f"VOLUME {word}"
        if path is None or refusal(WRITABLE, path) is not None:
            scene.note("image", step.line, what, "no path that is known", "add it to writable")
        else:
            add_writable(scene, path)
            why = "an anonymous volume is made by docker run --volume, not by the image"
            scene.note("image", step.line, what, why, f"{path} is writable; mount it where it runs")


def add_writable(scene: Scene, path: str) -> bool:
    """Add a folder that the image's user may write, where the configuration takes it."""
    if refusal(WRITABLE, path) is not None or posixpath.normpath(path) in {"/tmp", "/var/tmp"}:  # noqa: S108
        return False
    if path not in scene.sketch.writable:
        scene.sketch.writable.append(path)
    return True


_TOLD: Final = {
    "EXPOSE": (
        "it publishes nothing and there is no key for it",
        "publish the port where it runs (docker run -p, compose)",
    ),
    "HEALTHCHECK": (
        "there is no key for it",
        "put it into compose, the orchestrator, or a template (render --template)",
    ),
    "STOPSIGNAL": ("there is no key for it", "docker run --stop-signal, or compose"),
}


def told(scene: Scene, step: Step) -> None:
    """Tell an instruction that the configuration has no key for."""
    why, todo = _TOLD[step.instruction.keyword]
    scene.note("image", step.line, f"{step.instruction.keyword} {step.instruction.args}", why, todo)


def shell(scene: Scene, step: Step) -> None:
    """Take SHELL: it matters for what is run, and that is told with each RUN."""
    scene.enter(step.line, f"SHELL {step.instruction.args}", "replaced", "it steers the build")


READERS: Final[dict[str, Callable[[Scene, Step], None]]] = {
    "ENV": env,
    "LABEL": label,
    "MAINTAINER": label,
    "ARG": arg,
    "USER": user,
    "WORKDIR": workdir,
    "ENTRYPOINT": start,
    "CMD": start,
    "VOLUME": volume,
    "EXPOSE": told,
    "HEALTHCHECK": told,
    "STOPSIGNAL": told,
    "SHELL": shell,
}
