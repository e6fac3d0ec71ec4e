"""RUN: each command of it is carried over, done by venvsmith anyway, or told."""

from __future__ import annotations

import itertools
import posixpath
import re
from collections.abc import Callable, Sequence
from typing import Final

from venvsmith.config.formats import MODULE
from venvsmith.dockerfile.arguments import divide, uv_words, verb_first
from venvsmith.dockerfile.expand import has_unknown
from venvsmith.dockerfile.packages import MANAGERS
from venvsmith.dockerfile.placed import placed
from venvsmith.dockerfile.replay import Step
from venvsmith.dockerfile.shell import SHELLS
from venvsmith.init.container import installs
from venvsmith.init.container.image import add_writable
from venvsmith.init.container.scene import Command, Scene
from venvsmith.init.container.system import packages
from venvsmith.init.sketch import refusal

# fmt: off
_PLUMBING: Final = frozenset(
    {
        "cd", "set", "export", "true", ":", "false", "exit", "test", "[", "[[", "ls", "which",
        "pwd", "umask", "sleep", "date", "wait", "source", ".", "command", "type", "du", "df",
        "uname", "id", "whoami", "sync", "unset", "shopt", "trap", "hash", "nproc", "file", "fi",
        "done", "esac", "in", "}", "local", "return",
    }
)
_CLEANING: Final = frozenset({"rm", "rmdir", "find", "strip", "truncate", "ldconfig", "fc-cache"})
_PRINTING: Final = frozenset({"echo", "printf", "cat", "grep", "head", "tail", "sort"})
_ACCOUNTS: Final = frozenset({"useradd", "adduser", "groupadd", "addgroup", "usermod", "passwd"})
_OF_THE_BUILD: Final = frozenset(
    {"venv", "python", "cache", "self", "build", "tree", "version", "config", "env", "use", "lock",
     "check", "show"}
)  # fmt: skip
"""Verbs of uv, poetry and pdm that leave nothing in the image which build does not make anyway."""
_ENVIRONMENTS: Final = frozenset({"virtualenv", "pyvenv", "ensurepip", "compileall"})
# fmt: on
_INSTALLERS: Final = re.compile(
    r"get-pip|astral\.sh|install-poetry|install\.python-poetry|miniconda|miniforge"
)
_OUTPUT: Final = re.compile(r"(?<![0-9&>])>>?\s*(?!/dev/null|&)\S")
_IMPORT: Final = re.compile(r"(?:^|[;\n])\s*import\s+([A-Za-z_][\w.]*(?:\s*,\s*[A-Za-z_][\w.]*)*)")
_TODO: Final = "do it in a Dockerfile of yours FROM the built image, or where the container starts"
_NOT_RUN: Final = "commands of your own are not run while it builds"


def run(scene: Scene, step: Step) -> None:
    """Take a RUN, command by command."""
    what = step.instruction.args
    others = [h for h in step.instruction.heredocs if _no_shell(h.fed_to)]
    if others or not step.script.commands:
        why = "it is no shell script that can be read" if what.strip() else "it is empty"
        scene.note("image", step.line, f"RUN {what}", why, _TODO)
    for at in placed(step):
        command = Command(
            cwd=at.cwd or step.workdir,
            line=at.command.line or step.line,
            text=" ".join(at.argv) or "assignment",
            argv=list(at.argv),
            conditional=at.command.conditional,
        )
        if not at.argv:
            scene.enter(command.line, command.text, "replaced", "a shell's variable")
            continue
        _command(scene, step, command)


def _no_shell(fed_to: str) -> bool:
    first = fed_to.split(maxsplit=1)
    return bool(first) and posixpath.basename(first[0]) not in SHELLS | {"cat"}


def _command(scene: Scene, step: Step, command: Command) -> None:
    argv = command.argv
    program = posixpath.basename(argv[0])
    if re.fullmatch(r"python(3(\.\d+)?)?", program):
        _python(scene, step, command)
    elif re.fullmatch(r"pip(3(\.\d+)?)?|pip-sync|pip-compile", program):
        words = ["pip", "sync", *argv[1:]] if program == "pip-sync" else argv
        installs.pip(scene, step, words, command.line, command.cwd)
    elif program in _READERS:
        _READERS[program](scene, step, command)
    elif program in MANAGERS:
        packages(scene, step, command, program)
    elif program in SHELLS:
        _inner_shell(scene, command)
    else:
        _plain(scene, step, command, program)


def _inner_shell(scene: Scene, command: Command) -> None:
    if any(word.startswith("-") and "c" in word for word in command.argv[1:]):
        scene.enter(command.line, command.text, "replaced", "its commands are told one by one")
    else:
        scene.note("image", command.line, command.text, _NOT_RUN, _TODO)


def _writes(step: Step, program: str) -> bool:
    """Tell whether a program that prints does so into a file, somewhere in a RUN."""
    text = "\n".join([step.instruction.args, *(h.content for h in step.instruction.heredocs)])
    return bool(re.search(rf"\b{program}\b[^;&|\n]*{_OUTPUT.pattern}", text))


def _plain(scene: Scene, step: Step, command: Command, program: str) -> None:
    """Take a command that no reader knows by name, or that leaves nothing behind."""
    if program in _PLUMBING:
        scene.enter(command.line, command.text, "replaced", "the shell's own; nothing stays of it")
    elif program in _CLEANING:
        scene.enter(command.line, command.text, "replaced", "what a build leaves never gets in")
    elif program in _PRINTING and not _writes(step, program):
        scene.enter(command.line, command.text, "replaced", "it prints")
    elif program in _ENVIRONMENTS:
        scene.enter(command.line, command.text, "replaced", "build makes the venv")
    elif _is_trial(command.argv) and "/" not in command.argv[0].removeprefix(
        f"{scene.sketch.venv}/bin/"
    ):
        command.argv[0] = program
        scene.sketch.commands.append(list(command.argv))
        scene.enter(command.line, command.text, "carried", "commands")
    else:
        scene.note("image", command.line, command.text, _NOT_RUN, _TODO)


def _is_trial(argv: Sequence[str]) -> bool:
    """Tell a command that only proves that a program starts."""
    return len(argv) == 2 and argv[1] in {"--help", "-h", "--version", "-V"}  # noqa: PLR2004


def _python(scene: Scene, step: Step, command: Command) -> None:
    argv = [word for word in command.argv if word not in {"-I", "-u", "-B", "-E", "-s", "-O"}]
    if argv[1:2] == ["-m"] and len(argv) > 2:  # noqa: PLR2004
        _module(scene, step, command, argv)
    elif argv[1:2] == ["-c"] and len(argv) > 2:  # noqa: PLR2004
        _code(scene, command, argv[2])
    elif argv[1:] in ([], ["--version"], ["-V"]):
        scene.enter(command.line, command.text, "replaced", "it prints")
    elif _INSTALLERS.search(argv[1]):
        scene.enter(command.line, command.text, "replaced", "a tool of the build")
    else:
        scene.note("image", command.line, command.text, _NOT_RUN, _TODO)


def _module(scene: Scene, step: Step, command: Command, argv: Sequence[str]) -> None:
    module = argv[2]
    if module == "pip":
        installs.pip(scene, step, argv[2:], command.line, command.cwd)
    elif module == "uv":
        command.argv = list(argv[2:])
        _uv(scene, step, command)
    elif module in _ENVIRONMENTS or module == "venv":
        scene.enter(command.line, command.text, "replaced", "build makes the venv")
    elif _is_trial(argv[2:]):
        scene.sketch.commands.append(["python", *argv[1:]])
        scene.enter(command.line, command.text, "carried", "commands")
    else:
        scene.note("image", command.line, command.text, _NOT_RUN, _TODO)


def _code(scene: Scene, command: Command, code: str) -> None:
    """Take ``python -c``: a trial import becomes one of the stage's imports."""
    modules = [
        name.strip()
        for match in _IMPORT.finditer(code)
        for name in match[1].split(",")
        if refusal(MODULE, name.strip()) is None
    ]
    rest = re.sub(r"print\s*\(.*\)|" + _IMPORT.pattern, "", code).strip(" ;\n")
    standard = {"sys", "os", "platform", "importlib", "json"}
    if modules and not rest:
        scene.sketch.imports += [
            m for m in modules if m not in standard and m not in scene.sketch.imports
        ]
        scene.enter(command.line, command.text, "carried", "imports")
    elif not rest:
        scene.enter(command.line, command.text, "replaced", "it prints")
    else:
        scene.note("image", command.line, command.text, _NOT_RUN, _TODO)


def _uv(scene: Scene, step: Step, command: Command) -> None:
    words = uv_words(command.argv[1:])
    cwd = posixpath.join(command.cwd, divide(words).value("--directory") or ".")
    match words[:2]:
        case ["pip", *_]:
            installs.pip(scene, step, ["uv", *words], command.line, posixpath.normpath(cwd))
        case ["sync", *_]:
            installs.managed(scene, step, ["uv", *words], command.line, command.cwd)
        case ["export" | "lock" as verb, *_]:
            scene.exported = scene.exported or verb == "export"
            installs.project(scene, scene.context, [])
            scene.enter(command.line, command.text, "replaced", "lock reads the pyproject itself")
        case ["add", *_]:
            argv = ["uv", "install", *words[1:]]
            installs.pip(scene, step, argv, command.line, posixpath.normpath(cwd))
        case ["tool", "install"]:
            args = divide(words[2:])
            why = "a tool has an environment of its own"
            todo = f"give it a stage and a venv of its own: {', '.join(args.words)}"
            scene.note("stage", command.line, command.text, why, todo)
        case [verb, *_] if verb in _OF_THE_BUILD:
            scene.enter(command.line, command.text, "replaced", "build makes the venv")
        case []:
            scene.enter(command.line, command.text, "replaced", "it prints")
        case [option, *_] if option.startswith("-"):
            scene.enter(command.line, command.text, "replaced", "it prints")
        case _:
            scene.note("image", command.line, command.text, _NOT_RUN, _TODO)


def _manager(scene: Scene, step: Step, command: Command) -> None:
    """Take poetry, pdm and pipenv."""
    words = verb_first(command.argv[1:])
    verb = words[0] if words else ""
    program = posixpath.basename(command.argv[0])
    if verb in {"install", "sync"}:
        installs.managed(scene, step, [program, *words], command.line, command.cwd)
    elif verb in {"export", "requirements"}:
        scene.exported = True
        installs.project(scene, scene.context, [])
        scene.enter(command.line, command.text, "replaced", "lock reads the pyproject itself")
    elif verb == "add":
        installs.pip(scene, step, [program, "install", *words[1:]], command.line, command.cwd)
    elif verb in _OF_THE_BUILD or verb.startswith("-"):
        scene.enter(command.line, command.text, "replaced", "build makes the venv")
    else:
        scene.note("image", command.line, command.text, _NOT_RUN, _TODO)


def _conda(scene: Scene, _: Step, command: Command) -> None:
    installs.conda(scene, command.argv, command.line)


def _account(scene: Scene, _: Step, command: Command) -> None:
    """Take useradd and its like: the name's number."""
    args = command.argv[1:]
    number = next(
        (
            value
            for flag, value in itertools.pairwise(args)
            if flag in {"-u", "--uid"} or (flag.startswith("-") and flag.endswith("u"))
        ),
        next((word.partition("=")[2] for word in args if word.startswith("--uid=")), ""),
    )
    if posixpath.basename(command.argv[0]) in {"useradd", "adduser"} and args:
        uid = int(number) if number.isdecimal() and len(number) < 11 else None  # noqa: PLR2004
        for word in args:
            if re.fullmatch(r"[A-Za-z_$][\w${}-]*", word):
                scene.users.setdefault(word, uid)
    scene.enter(command.line, command.text, "replaced", "user gets a passwd line and a home")


def _folders(scene: Scene, step: Step, command: Command) -> None:
    """Take mkdir, chown and chmod: folders that the user may write."""
    program = posixpath.basename(command.argv[0])
    words = [word for word in command.argv[1:] if not word.startswith("-")]
    if program == "mkdir":
        paths = [word for word in words if not re.fullmatch(r"[0-7]{3,4}", word)]
    else:
        paths = words[1:]
        grants = program == "chown" or re.search(
            r"77|a\+[rx]*w|o\+[rx]*w|g\+", words[0] if words else ""
        )
        if not grants:
            scene.enter(
                command.line, command.text, "replaced", "files keep the modes they have here"
            )
            return
    if not scene.is_final(step):
        scene.enter(command.line, command.text, "replaced", "of a build stage")
        return
    done = []
    for word in paths:
        path = posixpath.normpath(posixpath.join(command.cwd, word))
        inner = re.match(
            r"/(usr|etc|var/(lib|run|log|cache)|root|opt/venv|venv|bin|lib|run)(/|$)", path
        )
        if not has_unknown(word) and not inner and path != scene.sketch.venv:
            done += [path] if add_writable(scene, path) else []
    if done:
        scene.enter(command.line, command.text, "carried", "writable")
    else:
        scene.enter(command.line, command.text, "replaced", "it prepares a build, or the home")


def _link(scene: Scene, _: Step, command: Command) -> None:
    """Take ln and update-alternatives: those for Python are not needed."""
    if re.search(r"python|pip", command.text):
        scene.enter(command.line, command.text, "replaced", "the venv has python and python3")
    else:
        scene.note("image", command.line, command.text, _NOT_RUN, _TODO)


def _fetch(scene: Scene, _: Step, command: Command) -> None:
    """Take curl and wget: installers of Python's tools are not needed, the rest is told."""
    if _INSTALLERS.search(command.text):
        scene.enter(
            command.line, command.text, "replaced", "a tool of the build: lock and build do it"
        )
    else:
        todo = "put it beside the configuration and name it under copy, or fetch it at the start"
        scene.note("image", command.line, command.text, "a download is not carried over", todo)


def _repository(scene: Scene, _: Step, command: Command) -> None:
    why = "another repository of packages"
    todo = 'python = "uv" where it was for Python; else name it under apt-sources with its key'
    scene.note("base", command.line, command.text, why, todo)


_READERS: Final[dict[str, Callable[[Scene, Step, Command], None]]] = {
    "uv": _uv,
    "poetry": _manager,
    "pdm": _manager,
    "pipenv": _manager,
    "conda": _conda,
    "mamba": _conda,
    "micromamba": _conda,
    "mkdir": _folders,
    "chown": _folders,
    "chmod": _folders,
    "ln": _link,
    "update-alternatives": _link,
    "curl": _fetch,
    "wget": _fetch,
    "add-apt-repository": _repository,
    **dict.fromkeys(_ACCOUNTS, _account),
}
