"""Completion in shells: what may stand for an argument, from what is in reach.

Whatever goes wrong here (no configuration, a broken one, no engine) offers nothing, and says
nothing: an error message between two keystrokes helps nobody.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from click.shell_completion import (
    BashComplete,
    CompletionItem,
    add_completion_class,
    shell_complete,
    split_arg_string,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import click

    from venvsmith.model.project import Project

VARIABLE = "_VENVSMITH_COMPLETE"
FOLDERS = ("rootfs", "venv", "oci")
FILES = ("docker-archive", "dockerfile", "bundle")
ENGINE_SECONDS = 2.0
"""How long the engine may take to list its images while somebody waits for the Tab key."""


def offered(
    find: Callable[[click.Context, str], Iterable[str]],
) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem[str]]]:
    """Return a completer of what `find` yields: what begins as typed, and is not given yet."""

    def complete(
        ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem[str]]:
        given = ctx.params.get(param.name or "")
        known = given if isinstance(given, tuple) else ()
        found = [value for value in find(ctx, incomplete) if value not in known]
        return [CompletionItem(value) for value in found if value.startswith(incomplete)]

    return complete


def _project(ctx: click.Context) -> Project:
    from venvsmith.config import load  # noqa: PLC0415 - only when a value is completed

    return load(ctx.find_root().params.get("config"))


def _variants(ctx: click.Context) -> Iterable[str]:
    """Return the variants of the stages and images that are named, or else all of them."""
    project, given = _project(ctx), ctx.params
    pool = project.images if "images" in given else project.stages
    # Before the value of an option, click leaves the arguments in `ctx.args`.
    words = [*ctx.args, given.get("stage"), *given.get("stages", ()), *given.get("images", ())]
    named = [pool[word].variants for word in words if word in pool]
    return [v for v in project.variants if not named or any(v in some for some in named)]


def _rules() -> list[str]:
    from venvsmith.rules.framework.catalogue import load_rules  # noqa: PLC0415

    return [rule.name for rule in load_rules()]


def _targets(incomplete: str) -> Iterable[str]:
    """Return the kinds of targets and the engine's images; behind a kind, what it may name."""
    kind, colon, rest = incomplete.partition(":")
    if colon and kind in (*FOLDERS, *FILES):
        return [f"{kind}:{path}" for path in _paths(rest, folders=kind in FOLDERS)]
    if colon and kind == "docker":
        return [f"docker:{tag}" for tag in _tags()]
    kinds = [f"{name}:" for name in ("docker", *FOLDERS, *FILES)]
    return [*kinds, *_tags()] if not colon else _tags()


def _paths(typed: str, *, folders: bool) -> Iterable[str]:
    """Yield what begins with a path: folders with a slash, unless they are venvs."""
    above = typed[: typed.rfind("/") + 1]
    hidden = typed[len(above) :].startswith(".")
    for entry in sorted(Path(above or ".").iterdir()):
        is_venv = (entry / "pyvenv.cfg").is_file()
        if entry.name.startswith(".") and not (hidden or is_venv):
            continue
        if entry.is_dir():
            yield f"{above}{entry.name}" + ("" if is_venv else "/")
        elif not folders:
            yield f"{above}{entry.name}"


def _tags() -> list[str]:
    from venvsmith import engine  # noqa: PLC0415

    try:
        done = engine.call(
            "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", timeout=ENGINE_SECONDS
        )
    except Exception:  # noqa: BLE001 - the other kinds of targets need no engine
        return []
    return [tag for tag in done.stdout.decode().split() if "<none>" not in tag]


stages = offered(lambda ctx, _: _project(ctx).stages)
images = offered(lambda ctx, _: _project(ctx).images)
variants = offered(lambda ctx, _: _variants(ctx))
rules = offered(lambda *_: _rules())
ignored = offered(lambda *_: [f"{name}=" for name in _rules()])
targets = offered(lambda _, incomplete: _targets(incomplete))


class Bash(BashComplete):
    """Bash takes a colon for a word's end: what it broke is joined before, and cut off after.

    And a value that only begins something (`venv:`, a folder) gets no space behind it.
    """

    source_template = BashComplete.source_template.replace(
        "COMPREPLY+=($value)",
        "COMPREPLY+=($value)\n            [[ $value == *[:=/] ]] && compopt -o nospace 2>/dev/null",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._typed_before = 0

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the whole words before the cursor, and the one at it."""
        words = split_arg_string(os.environ["COMP_WORDS"])
        at = int(os.environ["COMP_CWORD"])
        joined: list[str] = []
        glue = False
        for word in words[1 : at + 1]:
            is_colon = re.fullmatch(":+", word) is not None
            if joined and (is_colon or glue):
                joined[-1] += word
            else:
                joined.append(word)
            glue = is_colon
        if at >= len(words) or not joined:
            return joined, ""
        *before, last = joined
        if glue or (at > 1 and words[at] != last):
            self._typed_before = last.rfind(":") + 1
        return before, last

    def format_completion(self, item: CompletionItem[Any]) -> str:
        """Return the line for the function in the shell, without what the shell has already."""
        return f"{item.type},{str(item.value)[self._typed_before :]}"


def answer_shell(cli: click.Command, instruction: str) -> NoReturn:
    """Answer what a shell asks in `_VENVSMITH_COMPLETE`, and exit."""
    add_completion_class(Bash)
    try:
        code = shell_complete(cli, {}, "venvsmith", VARIABLE, instruction)
    except Exception:  # noqa: BLE001 - a half-typed line may be wrong in any way
        code = 1
    sys.exit(code)
