"""RUN: each command of it is carried over, done by venvsmith anyway, or told."""

from __future__ import annotations

import itertools
import posixpath
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from venvsmith.config.formats import APT_PACKAGE, MODULE
from venvsmith.dockerfile.arguments import divide, uv_words, verb_first
from venvsmith.dockerfile.expand import has_unknown
from venvsmith.dockerfile.packages import MANAGERS, packages
from venvsmith.dockerfile.placed import placed
from venvsmith.dockerfile.replay import Step
from venvsmith.dockerfile.shell import SHELLS
from venvsmith.init.container import installs
from venvsmith.init.container.image import add_writable, refusal
from venvsmith.init.container.scene import Scene
from venvsmith.init.requirements import without_credentials

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
_BUILD_PACKAGES: Final = re.compile(
    r".*-dev|build-essential|gcc(-.*)?|g\+\+(-.*)?|cmake|make|ninja-build|pkg-config|pkgconf|"
    r"rustc|cargo|clang(-.*)?|llvm(-.*)?|gfortran|automake|autoconf|libtool|patchelf|swig|nasm|"
    r"cython3?|binutils"
)
# fmt: on
_PYTHON_PACKAGES: Final = re.compile(
    r"python(3(\.\d+)?)?(-(pip|venv|distutils|setuptools|wheel|full|minimal|dev|virtualenv|lib2to3"
    r"|tk))?|python-is-python3|pipx|libpython3.*"
)
_FETCHING: Final = frozenset(
    {"git", "curl", "wget", "gnupg", "gnupg2", "software-properties-common", "apt-transport-https",
     "lsb-release", "unzip", "zip", "xz-utils", "bzip2", "ca-certificates-java", "dirmngr", "jq"}
)  # fmt: skip
_INSTALLERS: Final = re.compile(
    r"get-pip|astral\.sh|install-poetry|install\.python-poetry|miniconda|miniforge"
)
_OUTPUT: Final = re.compile(r"(?<![0-9&>])>>?\s*(?!/dev/null|&)\S")
_IMPORT: Final = re.compile(r"(?:^|[;\n])\s*import\s+([A-Za-z_][\w.]*(?:\s*,\s*[A-Za-z_][\w.]*)*)")
_TODO: Final = "do it in a Dockerfile of yours FROM the built image, or where the container starts"
_NOT_RUN: Final = "commands of your own are not run while it builds"


@dataclass(kw_only=True, slots=True)
class _Shell:
    """The command in hand."""

    cwd: str
    """The folder it runs in; the step's own where that cannot be known."""
    line: int
    text: str
    argv: list[str]
    conditional: bool


def run(scene: Scene, step: Step) -> None:
    """Take a RUN, command by command."""
    what = step.instruction.args
    others = [h for h in step.instruction.heredocs if _no_shell(h.fed_to)]
    if others or not step.script.commands:
        why = "it is no shell script that can be read" if what.strip() else "it is empty"
        scene.note("image", step.line, f"RUN {what}", why, _TODO)
    for at in placed(step):
        shell = _Shell(
            cwd=at.cwd or step.workdir,
            line=at.command.line or step.line,
            text=without_credentials(" ".join(at.argv)) or "assignment",
            argv=list(at.argv),
            conditional=at.command.conditional,
        )
        if not at.argv:
            scene.enter(shell.line, shell.text, "replaced", "a shell's variable")
            continue
        _command(scene, step, shell)


def _no_shell(fed_to: str) -> bool:
    first = fed_to.split(maxsplit=1)
    return bool(first) and posixpath.basename(first[0]) not in SHELLS | {"cat"}


def _command(scene: Scene, step: Step, shell: _Shell) -> None:
    argv = shell.argv
    program = posixpath.basename(argv[0])
    if re.fullmatch(r"python(3(\.\d+)?)?", program):
        _python(scene, step, shell)
    elif re.fullmatch(r"pip(3(\.\d+)?)?|pip-sync|pip-compile", program):
        words = ["pip", "sync", *argv[1:]] if program == "pip-sync" else argv
        installs.pip(scene, step, words, shell.line, shell.cwd)
    elif program in _READERS:
        _READERS[program](scene, step, shell)
    elif program in MANAGERS:
        _packages(scene, step, shell, program)
    elif program in SHELLS:
        _inner_shell(scene, shell)
    else:
        _plain(scene, step, shell, program)


def _inner_shell(scene: Scene, shell: _Shell) -> None:
    if any(word.startswith("-") and "c" in word for word in shell.argv[1:]):
        scene.enter(shell.line, shell.text, "replaced", "its commands are told one by one")
    else:
        scene.note("image", shell.line, shell.text, _NOT_RUN, _TODO)


def _writes(step: Step, program: str) -> bool:
    """Tell whether a program that prints does so into a file, somewhere in a RUN."""
    text = "\n".join([step.instruction.args, *(h.content for h in step.instruction.heredocs)])
    return bool(re.search(rf"\b{program}\b[^;&|\n]*{_OUTPUT.pattern}", text))


def _plain(scene: Scene, step: Step, shell: _Shell, program: str) -> None:
    """Take a command that no reader knows by name, or that leaves nothing behind."""
    if program in _PLUMBING:
        scene.enter(shell.line, shell.text, "replaced", "the shell's own; nothing stays of it")
    elif program in _CLEANING:
        scene.enter(shell.line, shell.text, "replaced", "what a build leaves never gets in")
    elif program in _PRINTING and not _writes(step, program):
        scene.enter(shell.line, shell.text, "replaced", "it prints")
    elif program in _ENVIRONMENTS:
        scene.enter(shell.line, shell.text, "replaced", "build makes the venv")
    elif _is_trial(shell.argv) and "/" not in shell.argv[0].removeprefix(
        f"{scene.sketch.venv}/bin/"
    ):
        shell.argv[0] = program
        scene.sketch.commands.append(list(shell.argv))
        scene.enter(shell.line, shell.text, "carried", "commands")
    else:
        scene.note("image", shell.line, shell.text, _NOT_RUN, _TODO)


def _is_trial(argv: Sequence[str]) -> bool:
    """Tell a command that only proves that a program starts."""
    return len(argv) == 2 and argv[1] in {"--help", "-h", "--version", "-V"}  # noqa: PLR2004


def _python(scene: Scene, step: Step, shell: _Shell) -> None:
    argv = [word for word in shell.argv if word not in {"-I", "-u", "-B", "-E", "-s", "-O"}]
    if argv[1:2] == ["-m"] and len(argv) > 2:  # noqa: PLR2004
        _module(scene, step, shell, argv)
    elif argv[1:2] == ["-c"] and len(argv) > 2:  # noqa: PLR2004
        _code(scene, shell, argv[2])
    elif argv[1:] in ([], ["--version"], ["-V"]):
        scene.enter(shell.line, shell.text, "replaced", "it prints")
    elif _INSTALLERS.search(argv[1]):
        scene.enter(shell.line, shell.text, "replaced", "a tool of the build")
    else:
        scene.note("image", shell.line, shell.text, _NOT_RUN, _TODO)


def _module(scene: Scene, step: Step, shell: _Shell, argv: Sequence[str]) -> None:
    module = argv[2]
    if module == "pip":
        installs.pip(scene, step, argv[2:], shell.line, shell.cwd)
    elif module == "uv":
        shell.argv = list(argv[2:])
        _uv(scene, step, shell)
    elif module in _ENVIRONMENTS or module == "venv":
        scene.enter(shell.line, shell.text, "replaced", "build makes the venv")
    elif _is_trial(argv[2:]):
        scene.sketch.commands.append(["python", *argv[1:]])
        scene.enter(shell.line, shell.text, "carried", "commands")
    else:
        scene.note("image", shell.line, shell.text, _NOT_RUN, _TODO)


def _code(scene: Scene, shell: _Shell, code: str) -> None:
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
        scene.enter(shell.line, shell.text, "carried", "imports")
    elif not rest:
        scene.enter(shell.line, shell.text, "replaced", "it prints")
    else:
        scene.note("image", shell.line, shell.text, _NOT_RUN, _TODO)


def _uv(scene: Scene, step: Step, shell: _Shell) -> None:
    words = uv_words(shell.argv[1:])
    cwd = posixpath.join(shell.cwd, divide(words).value("--directory") or ".")
    match words[:2]:
        case ["pip", *_]:
            installs.pip(scene, step, ["uv", *words], shell.line, posixpath.normpath(cwd))
        case ["sync", *_]:
            installs.managed(scene, step, ["uv", *words], shell.line, shell.cwd)
        case ["export" | "lock" as verb, *_]:
            scene.exported = scene.exported or verb == "export"
            installs.project(scene, scene.context, [])
            scene.enter(shell.line, shell.text, "replaced", "lock reads the pyproject itself")
        case ["add", *_]:
            argv = ["uv", "install", *words[1:]]
            installs.pip(scene, step, argv, shell.line, posixpath.normpath(cwd))
        case ["tool", "install"]:
            args = divide(words[2:])
            why = "a tool has an environment of its own"
            todo = f"give it a stage and a venv of its own: {', '.join(args.words)}"
            scene.note("stage", shell.line, shell.text, why, todo)
        case [verb, *_] if verb in _OF_THE_BUILD:
            scene.enter(shell.line, shell.text, "replaced", "build makes the venv")
        case []:
            scene.enter(shell.line, shell.text, "replaced", "it prints")
        case [option, *_] if option.startswith("-"):
            scene.enter(shell.line, shell.text, "replaced", "it prints")
        case _:
            scene.note("image", shell.line, shell.text, _NOT_RUN, _TODO)


def _manager(scene: Scene, step: Step, shell: _Shell) -> None:
    """Take poetry, pdm and pipenv."""
    words = verb_first(shell.argv[1:])
    verb = words[0] if words else ""
    program = posixpath.basename(shell.argv[0])
    if verb in {"install", "sync"}:
        installs.managed(scene, step, [program, *words], shell.line, shell.cwd)
    elif verb in {"export", "requirements"}:
        scene.exported = True
        installs.project(scene, scene.context, [])
        scene.enter(shell.line, shell.text, "replaced", "lock reads the pyproject itself")
    elif verb == "add":
        installs.pip(scene, step, [program, "install", *words[1:]], shell.line, shell.cwd)
    elif verb in _OF_THE_BUILD or verb.startswith("-"):
        scene.enter(shell.line, shell.text, "replaced", "build makes the venv")
    else:
        scene.note("image", shell.line, shell.text, _NOT_RUN, _TODO)


def _conda(scene: Scene, _: Step, shell: _Shell) -> None:
    installs.conda(scene, shell.argv, shell.line)


def _packages(scene: Scene, step: Step, shell: _Shell, program: str) -> None:
    """Take apt-get and its like."""
    names = [
        p.name for p in packages([step]) if p.manager == program and p.name in _bare(shell.argv)
    ]
    if not names:
        if "upgrade" in shell.argv or "dist-upgrade" in shell.argv:
            why = "an upgrade is another one every day"
            scene.note("base", shell.line, shell.text, why, "take a newer base image")
        else:
            scene.enter(
                shell.line, shell.text, "replaced", "build updates the lists and removes them"
            )
        return
    if program not in {"apt", "apt-get"}:
        why = f"{program}'s packages are not Debian's"
        todo = f"find these in Debian and add them to apt: {', '.join(names)}"
        scene.note("stage", shell.line, shell.text, why, todo)
        return
    if not scene.is_final(step):
        scene.enter(
            shell.line, shell.text, "replaced", "of a build stage; only wheels are installed"
        )
        _tell_build_packages(scene, shell, [n for n in names if _BUILD_PACKAGES.fullmatch(n)])
        return
    _runtime_packages(scene, shell, names)


def _bare(argv: Sequence[str]) -> set[str]:
    return {re.split(r"[=<>~@:]", word)[0] for word in argv}


def _tell_build_packages(scene: Scene, shell: _Shell, names: Sequence[str]) -> None:
    if names:
        scene.sketch.note(
            "stage",
            f"{scene.shown}:{shell.line}",
            f"apt: {', '.join(names)}",
            "they are for building, and only wheels are installed",
            "what has no wheel goes under project.no-wheel, on a base that has them",
        )


def _runtime_packages(scene: Scene, shell: _Shell, names: Sequence[str]) -> None:
    """Divide what the image installs: for Python, for building, for fetching, for use."""
    building = [n for n in names if _BUILD_PACKAGES.fullmatch(n)]
    python = [n for n in names if _PYTHON_PACKAGES.fullmatch(n) and n not in building]
    fetching = [n for n in names if n in _FETCHING and not _starts_with(scene, n)]
    wrong = [n for n in names if has_unknown(n) or refusal(APT_PACKAGE, n) is not None]
    left = {*building, *python, *fetching, *wrong}
    pinned = {word.partition("=")[0]: word for word in shell.argv if "=" in word}
    kept = [pinned.get(n, n) for n in names if n not in left]
    kept = [n for n in kept if refusal(APT_PACKAGE, n) is None]
    if kept and shell.conditional:
        why = "installed under a condition there, and always here"
        scene.sketch.note("stage", f"{scene.shown}:{shell.line}", shell.text, why, "compare apt")
    scene.sketch.apt += [n for n in dict.fromkeys(kept) if n not in scene.sketch.apt]
    _tell_build_packages(scene, shell, building)
    if fetching:
        scene.sketch.note(
            "stage",
            f"{scene.shown}:{shell.line}",
            f"apt: {', '.join(fetching)}",
            "these fetch things while an image is built; nothing that starts it names them",
            "add to apt what your program calls itself",
        )
    if wrong:
        scene.sketch.note(
            "stage", f"{scene.shown}:{shell.line}", f"apt: {', '.join(wrong)}",
            "no names of Debian packages", "add them to apt by name",
        )  # fmt: skip
    how = "apt" if kept else "bases.python" if python else "told"
    scene.enter(shell.line, shell.text, "carried" if kept or python else "noted", how)


def _starts_with(scene: Scene, program: str) -> bool:
    """Tell whether how the image starts, or checks itself, names a program."""
    return any(
        program in step.instruction.args
        for step in scene.reading.final_steps
        if step.instruction.keyword in {"CMD", "ENTRYPOINT", "HEALTHCHECK"}
    )


def _account(scene: Scene, _: Step, shell: _Shell) -> None:
    """Take useradd and its like: the name's number."""
    args = shell.argv[1:]
    number = next(
        (
            value
            for flag, value in itertools.pairwise(args)
            if flag in {"-u", "--uid"} or (flag.startswith("-") and flag.endswith("u"))
        ),
        next((word.partition("=")[2] for word in args if word.startswith("--uid=")), ""),
    )
    if posixpath.basename(shell.argv[0]) in {"useradd", "adduser"} and args:
        uid = int(number) if number.isdecimal() and len(number) < 11 else None  # noqa: PLR2004
        for word in args:
            if re.fullmatch(r"[A-Za-z_$][\w${}-]*", word):
                scene.users.setdefault(word, uid)
    scene.enter(shell.line, shell.text, "replaced", "user gets a passwd line and a home")


def _folders(scene: Scene, step: Step, shell: _Shell) -> None:
    """Take mkdir, chown and chmod: folders that the user may write."""
    program = posixpath.basename(shell.argv[0])
    words = [word for word in shell.argv[1:] if not word.startswith("-")]
    if program == "mkdir":
        paths = [word for word in words if not re.fullmatch(r"[0-7]{3,4}", word)]
    else:
        paths = words[1:]
        grants = program == "chown" or re.search(
            r"77|a\+[rx]*w|o\+[rx]*w|g\+", words[0] if words else ""
        )
        if not grants:
            scene.enter(shell.line, shell.text, "replaced", "files keep the modes they have here")
            return
    if not scene.is_final(step):
        scene.enter(shell.line, shell.text, "replaced", "of a build stage")
        return
    done = []
    for word in paths:
        path = posixpath.normpath(posixpath.join(shell.cwd, word))
        inner = re.match(
            r"/(usr|etc|var/(lib|run|log|cache)|root|opt/venv|venv|bin|lib|run)(/|$)", path
        )
        if not has_unknown(word) and not inner and path != scene.sketch.venv:
            done += [path] if add_writable(scene, path) else []
    if done:
        scene.enter(shell.line, shell.text, "carried", "writable")
    else:
        scene.enter(shell.line, shell.text, "replaced", "it prepares a build, or the home")


def _link(scene: Scene, _: Step, shell: _Shell) -> None:
    """Take ln and update-alternatives: those for Python are not needed."""
    if re.search(r"python|pip", shell.text):
        scene.enter(shell.line, shell.text, "replaced", "the venv has python and python3")
    else:
        scene.note("image", shell.line, shell.text, _NOT_RUN, _TODO)


def _fetch(scene: Scene, _: Step, shell: _Shell) -> None:
    """Take curl and wget: installers of Python's tools are not needed, the rest is told."""
    if _INSTALLERS.search(shell.text):
        scene.enter(shell.line, shell.text, "replaced", "a tool of the build: lock and build do it")
    else:
        todo = "put it beside the configuration and name it under copy, or fetch it at the start"
        scene.note("image", shell.line, shell.text, "a download is not carried over", todo)


def _repository(scene: Scene, _: Step, shell: _Shell) -> None:
    why = "another repository of packages"
    todo = 'python = "uv" where it was for Python; else name it under apt-sources with its key'
    scene.note("base", shell.line, shell.text, why, todo)


_READERS: Final[dict[str, Callable[[Scene, Step, _Shell], None]]] = {
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
