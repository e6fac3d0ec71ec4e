"""Arguments of the commands that make and fill environments: options, their values, and words."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MINOR = re.compile(r"(?:python|cpython-)?(3\.\d+)(?:\.\d+)?$")
_OF_UV: Final = frozenset({"pip", "python", "tool", "cache", "self"})
"""Verbs of uv that a second one follows."""
# Options that take a value as the next word, of the commands that are read here.
# fmt: off
_VALUED = frozenset(
    {
        "-r", "--requirement", "-c", "--constraint", "--constraints", "-e", "--editable", "-i",
        "--index-url", "--extra-index-url", "-f", "--find-links", "--index", "--default-index",
        "--python", "-p", "--target", "-t", "--prefix", "--root", "--trusted-host",
        "--no-binary", "--only-binary", "--timeout", "--cache-dir", "--torch-backend",
        "--index-strategy", "--extra", "--group", "--only-group", "--no-group", "--package",
        "--project", "--directory", "--link-mode", "--python-version", "--python-platform",
        "--prerelease", "--resolution", "--exclude-newer", "--no-install-package", "--override",
        "--retries", "--progress-bar", "--report", "--upgrade-package", "-P", "--proxy",
        "--cert", "--log", "--keyring-provider", "--config-settings", "-C", "--platform",
        "--abi", "--implementation", "--prompt", "--requirements", "--no-extra",
        "--config-file", "--color", "--refresh-package", "--python-preference",
        "--fork-strategy", "--build-constraint", "--src", "-b", "--build", "-d",
        "--upgrade-strategy", "--use-feature", "--no-build-package", "--allow-insecure-host",
        "--overrides", "--no-binary-package", "--no-build-isolation-package",
        "--reinstall-package", "--config-setting", "--global-option",
    }
)
# fmt: on


@dataclass(frozen=True, kw_only=True, slots=True)
class Arguments:
    """A command's arguments divided."""

    options: frozenset[str]
    values: Mapping[str, tuple[str, ...]]
    words: tuple[str, ...]

    def value(self, *names: str) -> str | None:
        """Return the last value of an option, by any of its names."""
        for name in names:
            if self.values.get(name):
                return self.values[name][-1]
        return None


def uv_words(argv: Sequence[str]) -> list[str]:
    """Return what follows ``uv``, its verb (or two: ``pip install``) moved before all options."""
    words = verb_first(argv)
    if words[:1] and words[0] in _OF_UV:
        return [words[0], *verb_first(words[1:])]
    return words


def verb_first(argv: Sequence[str]) -> list[str]:
    """Return a program's arguments with its verb moved before the options that stand there."""
    rest = list(argv)
    options: list[str] = []
    while rest and rest[0].startswith("-"):
        taken = 2 if rest[0] in _VALUED else 1
        options += rest[:taken]
        rest = rest[taken:]
    return [*rest[:1], *options, *rest[1:]]


def divide(argv: Sequence[str]) -> Arguments:
    """Divide the arguments of a command that installs."""
    options: set[str] = set()
    values: dict[str, tuple[str, ...]] = {}
    words: list[str] = []
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-") or word == "-":
            words.append(word)
            continue
        name, equals, value = word.partition("=")
        options.add(name)
        if equals:
            values[name] = (*values.get(name, ()), value)
        elif name in _VALUED and rest:
            values[name] = (*values.get(name, ()), rest.pop(0))
        elif name.startswith(("-r", "-c", "-p", "-e", "-t")) and name[2:] and name[1] != "-":
            # -rrequirements.txt
            short = name[:2]
            values[short] = (*values.get(short, ()), name[2:])
    return Arguments(options=frozenset(options), values=values, words=tuple(words))


def arguments(argv: Sequence[str]) -> tuple[str, ...]:
    """Return the words of a command line that are neither options nor their values."""
    return divide(argv).words


def minor_in(text: str | None) -> str | None:
    """Return the minor that an interpreter's name or version says, ``3.12``."""
    if text is None:
        return None
    match = _MINOR.search(posixpath.basename(text))
    return match[1] if match else None
