"""Facts about a frozen application: what its code wants of the bundle and the bundle lacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class MissingModule:
    """A module that frozen code imports and the bundle does not hold.

    :param chain: from the application's script (or a module that was asked for) to the importer.
    :param certain: whether starting the application, or importing what was asked for, meets it;
        otherwise only some function does.
    :param beside: a file of that module which this Python does not take, made for another.
    :param how: ``import``, ``from`` (a name that only a submodule can be), or ``string``.
    """

    module: str
    importer: str
    chain: tuple[str, ...] = ()
    function: str = ""
    certain: bool = True
    how: Literal["import", "from", "string"] = "import"
    beside: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class MissingPart:
    """A data file, a distribution's metadata or a source that frozen code asks for.

    :param what: the file's name as the code has it, the distribution, or the function compiled.
    :param expected: where in the bundle it would lie, as far as that can be told.
    :param certain: whether starting the application, or importing what was asked for, asks for it.
    :param direct: whether the asker belongs to a package that the application itself imports.
    :param doubtful: whether that code has a way to go on without it, and one that raises.
    :param reader: the module that reads a source, where it is another's than the asker's.
    """

    what: str
    asker: str
    function: str = ""
    expected: str = ""
    certain: bool = True
    direct: bool = True
    doubtful: bool = False
    reader: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class MissingLibrary:
    """A shared library that a binary of the bundle needs, in neither the bundle nor every system.

    :param chain: from the extension module down to the file that needs it, paths in the bundle.
    :param certain: whether starting the application loads the first of them.
    :param tried: whether all frozen code that imports that one goes on without it.
    """

    name: str
    chain: tuple[str, ...]
    certain: bool = True
    tried: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class BundleFacts:
    """What is known of a frozen application without running it.

    :param form: ``folder`` where its files lie beside the executable, ``file`` where in it.
    :param executable: its absolute path on this machine.
    :param contents: folder of its files below the bundle, ``_internal``; empty for the bundle's.
    :param python: the minor version that it embeds, ``3.11``.
    :param version: the whole version, where the application told it.
    :param scripts: the application's own entry scripts.
    :param modules: how many modules it holds.
    :param read: how many of them starting it runs, and were read.
    :param packages: top-level names that can be imported from it, and ``pyannote.audio`` below a
        namespace.
    :param has_diagnose: whether it holds the entry through which it can be asked from outside.
    """

    form: Literal["folder", "file"]
    executable: str
    contents: str
    python: str
    version: str = ""
    scripts: tuple[str, ...] = ()
    modules: int = 0
    read: int = 0
    files: int = 0
    packages: tuple[str, ...] = ()
    has_diagnose: bool = False
    missing_modules: tuple[MissingModule, ...] = ()
    missing_data: tuple[MissingPart, ...] = ()
    missing_metadata: tuple[MissingPart, ...] = ()
    missing_sources: tuple[MissingPart, ...] = ()
    missing_libraries: tuple[MissingLibrary, ...] = ()

    def starts(self, argv: Sequence[str]) -> bool:
        """Tell whether a command starts the application: ``APP``, or its executable's name."""
        return argv[0] in {"APP", self.executable.rpartition("/")[2]}
