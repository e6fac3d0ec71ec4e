"""Symbol versions that loaded objects want of the system's libraries, and what these define."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from venvsmith.rules.framework.loader import simulation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from venvsmith.rules.framework.view import View

NUMBER = re.compile(r"^[A-Z]+_([\d.]+)$")


def number(version: str) -> tuple[int, ...]:
    """Return the number of ``GLIBC_2.36`` as something to compare; empty where it has none."""
    match = NUMBER.match(version)
    return tuple(int(part) for part in match[1].split(".")) if match else ()


def wanting(view: View, library: str, prefixes: tuple[str, ...]) -> Mapping[str, tuple[str, ...]]:
    """Return the loaded objects that want versions which a system's library does not define.

    :param library: the library's name, ``libc.so.6``.
    :param prefixes: kinds of versions that count, ``GLIBC_``.
    """
    defined = set(view.facts.system.library_versions.get(library, ()))
    if not defined:
        return {}
    found: defaultdict[str, tuple[str, ...]] = defaultdict(tuple)
    sim = simulation(view)
    for path, elf in sim.loaded.items():
        # Where the environment brings a library of that name, the system's is not asked.
        if library not in sim.from_system.get(path, ()):
            continue
        absent = [
            v
            for v in elf.verneed.get(library, ())
            if v.startswith(prefixes) and v not in defined and "PRIVATE" not in v
        ]
        if absent:
            found[path] = tuple(sorted(absent, key=number))
    interpreter = view.env.interpreter
    if interpreter is not None and interpreter.elf is not None:
        absent = [
            v
            for v in interpreter.elf.verneed.get(library, ())
            if v.startswith(prefixes) and v not in defined
        ]
        if absent:
            found[interpreter.path] = tuple(sorted(absent, key=number))
    return found
