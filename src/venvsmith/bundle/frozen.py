"""The modules of a frozen application, as the graph asks for them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from venvsmith.bundle.contents import module_names
from venvsmith.bundle.graph import builtin_modules, parse, version

if TYPE_CHECKING:
    from collections.abc import Mapping

    from venvsmith.bundle.bytecode import ModuleCode
    from venvsmith.bundle.contents import Bundle

BOOTSTRAP = ("pyiboot", "pyi_rth")
"""Beginnings of the names of PyInstaller's own scripts."""
BOOTSTRAP_MODULES = "mM"
SCRIPT = "s"


class FrozenModules:
    """All modules of a bundle: in its PYZ, in ``base_library.zip``, beside them, built in.

    :raises UnsafeInputError: where ``base_library.zip`` cannot be read.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.archive = bundle.archive
        self.python = version(bundle.archive.python)
        loose = module_names(_below(path) for path in bundle.files)
        entries = bundle.archive.entries
        own = {entry.name for entry in entries if entry.kind in BOOTSTRAP_MODULES}
        self.known = frozenset(
            {*self.archive.modules, *loose, *bundle.library_modules(), *builtin_modules(), *own}
        )

    @cached_property
    def _parents(self) -> frozenset[str]:
        return frozenset(name.rpartition(".")[0] for name in self.known)

    def has(self, module: str) -> bool:
        """Tell whether a module or package is there."""
        return module in self.known

    def is_package(self, module: str) -> bool:
        """Tell whether a module may hold others."""
        entry = self.archive.modules.get(module)
        return entry.kind != "module" if entry is not None else module in self._parents

    def read(self, module: str) -> ModuleCode | None:
        """Return what a module's code says; None where it is no bytecode of the PYZ.

        :raises UnsafeInputError: where its code is malformed.
        """
        data = self.archive.code(module) if module in self.archive.modules else None
        return None if data is None else parse(data, self.python, f"{self.archive.path}:{module}")

    def scripts(self) -> Mapping[str, ModuleCode]:
        """Return the application's own entry scripts."""
        return {
            entry.name: parse(
                self.archive.read(entry), self.python, f"{self.archive.path}:{entry.name}"
            )
            for entry in self.archive.entries
            if entry.kind == SCRIPT and not entry.name.startswith(BOOTSTRAP)
        }


def _below(path: str) -> str:
    """Return a file's path from where modules are looked for: lib-dynload is such a place."""
    head, found, tail = path.partition("/lib-dynload/")
    return tail if found and "/" not in head else path
