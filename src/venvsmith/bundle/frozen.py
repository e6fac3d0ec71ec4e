"""The modules of a frozen application, as the graph asks for them."""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from venvsmith.bundle.archive import MAGIC_NUMBERS
from venvsmith.bundle.contents import module_names
from venvsmith.bundle.graph import parse, version
from venvsmith.bundle.library import PYC_HEADER
from venvsmith.bundle.modulecode import Import, ModuleCode
from venvsmith.bundle.packed import over
from venvsmith.collect.probe import compiled, forks
from venvsmith.collect.probe.elf import ElfError, ElfFile
from venvsmith.data.stdlib import standard_library
from venvsmith.errors import UnsafeInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from venvsmith.bundle.contents import Bundle

BOOTSTRAP = ("pyiboot", "pyi_rth")
"""Beginnings of the names of PyInstaller's own scripts."""
BOOTSTRAP_MODULES = "mM"
_C_MODULES = frozenset(
    {"array", "atexit", "audioop", "binascii", "builtins", "cmath", "errno", "faulthandler",
     "fcntl", "gc", "grp", "itertools", "marshal", "math", "mmap", "msvcrt", "nis", "nt",
     "ossaudiodev", "parser", "posix", "pwd", "pyexpat", "readline", "resource", "select", "spwd",
     "sys", "syslog", "termios", "time", "unicodedata", "winreg", "winsound", "xxlimited",
     "xxsubtype", "zlib"}
)  # fmt: skip
STARTS_FROM = ("encodings",)
"""What Python imports before anything else, and has in no library of its own."""
SCRIPT = "s"
_DISTUTILS = "setuptools._distutils"
"""What PyInstaller freezes for ``distutils``, which setuptools brings under that name."""

MAX_STATEMENTS = 1_000_000
"""Imports and names of data files in all modules together; with torch there are 34,000."""
WORTH_A_FORK = 200_000
"""Bytes of compressed code, some hundredths of a second to read, for which a process is started."""


class FrozenModules:
    """All modules of a bundle: in its PYZ, in ``base_library.zip``, beside them, built in.

    :raises UnsafeInputError: where ``base_library.zip`` cannot be read.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.archive = bundle.archive
        self.python = version(bundle.archive.python)
        self._statements = 0
        python = bundle.archive.python
        loose = module_names((_below(path) for path in bundle.files), python)
        entries = bundle.archive.entries
        self._own = {entry.name: entry for entry in entries if entry.kind in BOOTSTRAP_MODULES}
        self._library = bundle.library()
        packed = module_names(() if self._library is None else self._library.names)
        stdlib = () if self._library is not None else standard_library(python)
        self.known = frozenset(
            {
                *self.archive.modules,
                *loose,
                *packed,
                *compiled_in(bundle),
                *self._own,
                *stdlib,
            }
        )
        self.known |= {
            name.removeprefix("setuptools._") for name in self.known if name.startswith(_DISTUTILS)
        }

    @cached_property
    def _parents(self) -> frozenset[str]:
        return frozenset(name.rpartition(".")[0] for name in self.known)

    def has(self, module: str) -> bool:
        """Tell whether a module or package is there."""
        return module in self.known

    def _real(self, module: str) -> str:
        """Return the name under which a module is frozen."""
        if module in self.archive.modules or module.partition(".")[0] != "distutils":
            return module
        return f"setuptools._{module}"

    def is_package(self, module: str) -> bool:
        """Tell whether a module may hold others."""
        entry = self.archive.modules.get(self._real(module))
        return entry.kind != "module" if entry is not None else module in self._parents

    def read(self, module: str) -> ModuleCode | None:
        """Return what a module's code says; None where it is no bytecode.

        :raises UnsafeInputError: where its code is malformed.
        """
        name = self._real(module)
        if name in self.archive.modules:
            data = self.archive.code(name)
        elif module in self._own:
            return self._bootstrap_module(module)
        else:
            data = None if self._library is None else self._library.code(module)
        return None if data is None else self._parsed(data, module)

    def _bootstrap_module(self, module: str) -> ModuleCode | None:
        """Return what one of PyInstaller's own modules says; None where that cannot be read.

        They are none of the application's, and of another form in each of its releases.
        """
        try:
            return self._parsed(_without_header(self.archive.read(self._own[module])), module)
        except UnsafeInputError as exc:
            if exc.code != "bundle-malformed":
                raise
            return None

    def _parsed(self, data: bytes, name: str, *, starts: bool = False) -> ModuleCode:
        where = f"{self.archive.path}:{name}"
        code = parse(data, self.python, where, starts=starts)
        self._statements += len(code.imports) + len(code.data)
        if self._statements > MAX_STATEMENTS:
            raise over(f"with what was read before more than {MAX_STATEMENTS} imports", where)
        return code

    def read_all(self, modules: Sequence[str]) -> Mapping[str, ModuleCode | None]:
        """Return what `read` returns for each of many modules, read by all processors.

        :raises UnsafeInputError: where the code of one is malformed.
        """
        sizes = [entry.length if (entry := self.archive.modules.get(m)) else 0 for m in modules]
        parts = min(forks.cores(), sum(sizes) // WORTH_A_FORK) if hasattr(os, "fork") else 1
        own, *others = forks.spread(modules, sizes, parts) or [[]]
        workers = [forks.Worker(self._encoded(share)) for share in others]
        try:
            found = {module: self.read(module) for module in own}
        finally:
            answers = [_answer(worker) for worker in workers]
        for share, answer in zip(others, answers, strict=True):
            codes = map(self.read, share) if answer is None else _CODES.decode(answer)
            found.update(zip(share, codes, strict=True))
        return found

    def _encoded(self, share: Sequence[str]) -> Callable[[], bytes]:
        return lambda: msgspec.json.encode([self.read(module) for module in share])

    def scripts(self) -> Mapping[str, ModuleCode]:
        """Return the application's own entry scripts."""
        return {
            entry.name: self._parsed(self.archive.read(entry), entry.name, starts=True)
            for entry in self.archive.entries
            if entry.kind == SCRIPT and not entry.name.startswith(BOOTSTRAP)
        }

    def bootstrap(self) -> Mapping[str, ModuleCode]:
        """Return what runs before these: Python's own start, and PyInstaller's scripts."""
        python = ModuleCode(imports=[Import(module=module) for module in STARTS_FROM])
        found = {"Python itself": python}
        if self._own:
            bootloader = [Import(module=module) for module in self._own]
            found["the bootloader"] = ModuleCode(imports=bootloader)
        for entry in self.archive.entries:
            if entry.kind == SCRIPT and entry.name.startswith(BOOTSTRAP):
                found[entry.name] = self._parsed(self.archive.read(entry), entry.name)
        return found


def _without_header(data: bytes) -> bytes:
    """Return marshalled code without a ``.pyc`` file's header, which PyInstaller left until 5.3."""
    number, end = int.from_bytes(data[:2], "little"), data[2:4]
    return data[PYC_HEADER:] if number in MAGIC_NUMBERS and end == b"\r\n" else data


_CODES = msgspec.json.Decoder(list[ModuleCode | None])


def compiled_in(bundle: Bundle) -> frozenset[str]:
    """Return the modules that lie in the interpreter itself.

    Where its library cannot tell (no ELF, not there), all that may lie there are taken to: which of
    the C modules do is each build's choice.
    """
    standard = standard_library(bundle.archive.python)
    possible = {name for name in standard if name.startswith("_") or name in _C_MODULES}
    possible |= compiled.NAMELESS
    try:
        with bundle.open(bundle.archive.library) as handle:
            return compiled.inside(ElfFile(handle)) or frozenset(possible)
    except (ElfError, OSError, ValueError):
        return frozenset(possible)


def _answer(worker: forks.Worker) -> bytes | None:
    """Return what a worker sent; None where it failed, whose work then tells why."""
    try:
        return worker.result()
    except forks.WorkerError:
        return None


def _below(path: str) -> str:
    """Return a file's path from where modules are looked for: lib-dynload is such a place."""
    head, found, tail = path.partition("/lib-dynload/")
    return tail if found and "/" not in head else path
