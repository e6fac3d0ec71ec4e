"""Facts about a target: what its files say, and what happened when things in it ran.

The probe (`collect.probe`) gathers them as JSON, inside the target or over its file tree from
outside; `collect` decodes that JSON into these values, strictly. Rules read nothing else. A fact
that could not be had is None (or named in `Facts.missing`), never a guess.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from venvsmith.model.bundle import BundleFacts
from venvsmith.model.dockerfile import DockerfileFacts

PathKind = Literal["file", "dir", "link", "missing", "loop", "other"]
EnvironmentKind = Literal["venv", "system", "bundle"]
FactGroup = Literal[
    "files",
    "hashes",
    "bytecode",
    "imports-read",
    "runs",
    "imports",
    "commands",
    "context",
]
"""What may be had or not as a whole: ``imports-read`` are the imports that reading modules shows,
``context`` the folder that a Dockerfile is built from."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageConfig:
    """What an image's configuration says of how it starts, and how it came about."""

    user: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    workdir: str = "/"
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    history: tuple[str, ...] = ()
    """``created_by`` of each layer, the oldest first."""
    os: str = "linux"
    architecture: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """What was judged."""

    kind: str
    ref: str
    digest: str | None = None
    platform: str | None = None
    config: ImageConfig | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PathStep:
    """One hop of a path's resolution: the path as reached, and what lies there."""

    path: str
    kind: PathKind
    mode: int = 0
    uid: int = 0
    gid: int = 0
    blocked_at: str | None = None
    """The folder on the way here that the target's user may not pass."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Elf:
    """The parts of an ELF file that decide whether a loader takes it."""

    path: str
    machine: str
    """As ``platform.machine()`` names it: ``x86_64``, ``aarch64``, or ``em<number>``."""
    interp: str | None = None
    soname: str | None = None
    needed: tuple[str, ...] = ()
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()
    verneed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Library name to the symbol versions wanted of it."""
    verdef: tuple[str, ...] = ()
    execstack: bool = False
    exports_init: bool | None = None
    """Whether it exports ``PyInit_<stem>``; None where it does not look like an extension."""
    error: str | None = None
    """Why it could not be read, for a file that claims to be ELF and is not sound."""


@dataclass(frozen=True, kw_only=True, slots=True)
class InterpreterRun:
    """What the interpreter said when it was started as the target's user would."""

    returncode: int | None
    """None where it did not end in time."""
    stderr: str = ""
    version: str | None = None
    """``3.11.2``."""
    prefix: str | None = None
    sys_path: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Interpreter:
    """An interpreter as a chain of links down to a file, and what is known of that file."""

    path: str
    chain: tuple[PathStep, ...]
    resolves_to: str | None = None
    """The file at the end, or None where the chain breaks."""
    minor: str | None = None
    """``3.11``, from the files alone: its name, its libpython, the stdlib beside it."""
    stdlib: str | None = None
    """The folder of its standard library where that was found (it holds ``encodings``)."""
    stdlib_lacks: tuple[str, ...] = ()
    """Modules of the standard library that no whole one is without, and this one is."""
    elf: Elf | None = None
    run: InterpreterRun | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordProblem:
    """A row of RECORD that the disk contradicts."""

    path: str
    """Absolute path in the target."""
    kind: Literal["missing", "hash-mismatch", "escape", "unreadable", "malformed", "dangling-link"]
    detail: str = ""
    dispensable: bool = False
    """Whether nothing that runs needs the file: a test, a header, a stub, a paper."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EntryPoint:
    """A console or GUI script that a distribution declares."""

    name: str
    value: str
    group: str = "console_scripts"


@dataclass(frozen=True, kw_only=True, slots=True)
class Distribution:
    """An installed distribution, from its ``.dist-info`` (or ``.egg-info``) folder."""

    name: str
    """Normalised as PEP 503 has it."""
    version: str
    location: str
    """The site-packages folder that holds it."""
    metadata_path: str
    requires: tuple[str, ...] = ()
    entry_points: tuple[EntryPoint, ...] = ()
    top_level: tuple[str, ...] = ()
    """Import names it brings, from RECORD (or top_level.txt)."""
    tags: tuple[str, ...] = ()
    installer: str | None = None
    direct_url: str | None = None
    editable: str | None = None
    """The source folder of an editable install."""
    editable_exists: bool | None = None
    files: int = 0
    record_problems: tuple[RecordProblem, ...] = ()
    """Up to two hundred of each kind: code first, what is dispensable last."""
    record_problems_cut: Mapping[str, int] = field(default_factory=dict)
    """How many more there are of a kind that has more."""
    error: str | None = None
    """Why its metadata could not be read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Script:
    """A file in the environment's ``bin`` that starts with ``#!``."""

    path: str
    shebang: str
    interpreter: str
    """The program that will run it, with ``/bin/sh`` + ``exec`` trampolines seen through."""
    interpreter_kind: PathKind
    """What lies at the interpreter's path after all links."""
    in_environment: bool
    """Whether that is an interpreter of this same environment."""
    is_python: bool
    relative: bool = False
    distribution: str | None = None
    executable: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class PthLine:
    """A line of a ``.pth`` file: a folder for ``sys.path``, or code that runs at each start."""

    file: str
    line: str
    is_code: bool
    exists: bool | None = None
    """Whether the folder is there; None for code."""
    distribution: str | None = None
    """Whose RECORD lists the file."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Overlap:
    """A file that several distributions claim, with content that only one of them installed."""

    path: str
    distributions: tuple[str, ...]
    matches: tuple[str, ...]
    """Those whose RECORD hash is that of the file on disk."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BrokenLink:
    """A symbolic link inside an environment that leads nowhere, or out of the target."""

    path: str
    link: str
    kind: PathKind


@dataclass(frozen=True, kw_only=True, slots=True)
class StaleBytecode:
    """A cached ``.pyc`` that an interpreter would run although its source says otherwise."""

    path: str
    source: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class UnresolvedImport:
    """An unguarded import, reachable from a root, that nothing in the target can satisfy."""

    module: str
    importer: str
    file: str
    line: int
    distribution: str | None = None
    chain: tuple[str, ...] = ()
    """From the root that was asked for down to the importer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MissingDlopen:
    """A library name in a binary's strings that will be asked for at run time and is not there."""

    wanted: str
    by: str
    present: tuple[str, ...] = ()
    """Files of the same stem under another version."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UndefinedSymbol:
    """A symbol of torch that a companion wants and no library of torch defines."""

    symbol: str
    by: str
    distribution: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportResult:
    """What came of importing one module with the environment's interpreter."""

    module: str
    status: Literal["ok", "failed", "crashed", "timeout", "namespace", "skipped"]
    """``namespace``: it imported only as an empty namespace package."""
    exception: str | None = None
    """The exception's type, ``ModuleNotFoundError``."""
    message: str = ""
    missing: str | None = None
    """The module name of a ModuleNotFoundError."""
    traceback: tuple[str, ...] = ()
    """Frames as ``file:line in function``, the outermost first."""
    causes: tuple[str, ...] = ()
    """The exceptions behind it as ``Type: message``, the nearest first."""
    signal: int | None = None
    seconds: float = 0.0
    output: str = ""
    """The end of what it printed, for a crash."""
    cut_off: bool = False
    """It was stopped with less than half of the time: ``timeout`` says nothing of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CommandResult:
    """What came of running one command as the target's user."""

    argv: tuple[str, ...]
    returncode: int | None
    """None where it did not end in time; 127 where it was not found, 126 where not startable."""
    output: str = ""
    """The end of its standard output and error together."""
    seconds: float = 0.0
    resolved: str | None = None
    """The file that PATH gave."""
    cut_off: bool = False
    """It was stopped with less than half of the time, which says nothing of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TorchBuild:
    """How the imported torch was built, and the devices that it sees."""

    version: str = ""
    cuda: str | None = None
    hip: str | None = None
    archs: tuple[str, ...] = ()
    """Compute architectures of its kernels, ``sm_90``; only where a device is there."""
    devices: tuple[str, ...] = ()
    """Compute capability of each device, ``9.0``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shadow:
    """A module that stands before all others on ``sys.path`` and is named as one of theirs."""

    path: str
    module: str
    hides: Literal["stdlib", "distribution"]


@dataclass(frozen=True, kw_only=True, slots=True)
class TreeDifference:
    """A file or link of a venv that is not as its layer brought it."""

    path: str
    kind: Literal["added", "removed", "changed", "mode"]


@dataclass(frozen=True, kw_only=True, slots=True)
class BuiltTree:
    """A venv held against the lists of files that its layers brought when it was built."""

    layers: Mapping[str, str] = field(default_factory=dict)
    """Name of each layer to the digest of its list, which stands for all that it brought."""
    differences: tuple[TreeDifference, ...] = ()
    """The first of them, by path."""
    difference_count: int = 0
    problem: str = ""
    """Why the lists could not be read as a whole; nothing was compared then."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Environment:
    """One Python environment of a target: a venv, or the packages of an interpreter itself."""

    path: str
    kind: EnvironmentKind
    config: Mapping[str, str] | None = None
    """``pyvenv.cfg`` with lower-cased keys; None where there is none."""
    interpreter: Interpreter | None = None
    lib_minors: tuple[str, ...] = ()
    """Minors of the ``lib/pythonX.Y`` folders that hold packages."""
    site_packages: tuple[str, ...] = ()
    distributions: tuple[Distribution, ...] = ()
    scripts: tuple[Script, ...] = ()
    bin_names: tuple[str, ...] = ()
    """All names in ``bin``."""
    pth: tuple[PthLine, ...] = ()
    startup_files: tuple[str, ...] = ()
    """``sitecustomize``/``usercustomize`` that will run, with no owner in any RECORD."""
    broken_links: tuple[BrokenLink, ...] = ()
    unreadable: tuple[str, ...] = ()
    """Files below site-packages that the target's user may not read (the first hundred)."""
    unowned_inits: tuple[str, ...] = ()
    """``__init__.py`` in a folder that several distributions share, owned by none of them."""
    overlaps: tuple[Overlap, ...] = ()
    stale_bytecode: tuple[StaleBytecode, ...] = ()
    elves: tuple[Elf, ...] = ()
    unresolved_imports: tuple[UnresolvedImport, ...] = ()
    missing_dlopens: tuple[MissingDlopen, ...] = ()
    imports: tuple[ImportResult, ...] = ()
    commands: tuple[CommandResult, ...] = ()
    nested_in: str | None = None
    """The venv around this one, where there is one."""
    on_path: bool | None = None
    """Whether the target's PATH holds its ``bin``."""
    cuda_available: bool | None = None
    torch: TorchBuild | None = None
    """What an imported torch says of itself."""
    library_folders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Folders outside site-packages that an RPATH or RUNPATH of ``elves`` names, each with what
    lies in it of the libraries that they need."""
    undefined_symbols: tuple[UndefinedSymbol, ...] = ()
    shadows: tuple[Shadow, ...] = ()
    """Of the working directory and PYTHONPATH, over the stdlib and the distributions."""
    manifest: str | None = None
    """Text of ``.venvsmith/manifest.json``: what the venv's builder says it holds."""
    bundle: BundleFacts | None = None
    """Of a frozen application."""
    built: BuiltTree | None = None
    """Of a venv whose layers brought lists of their files."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SystemPackage:
    """A distribution in a site folder that belongs to no judged environment."""

    name: str
    version: str
    location: str


@dataclass(frozen=True, kw_only=True, slots=True)
class System:
    """What is true of the target as a whole."""

    os_id: str = ""
    os_version: str = ""
    machine: str = ""
    libc: Literal["glibc", "musl", ""] = ""
    libc_version: str = ""
    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()
    home: str = ""
    home_writable: bool | None = None
    has_passwd_entry: bool | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    """The variables that decide what Python and the loader do; no others leave the target."""
    path: tuple[str, ...] = ()
    interpreters: tuple[Interpreter, ...] = ()
    """Pythons outside the judged environments."""
    programs: Mapping[str, str] = field(default_factory=dict)
    """Names that were asked for (ffmpeg, python, …) to where PATH finds them."""
    library_dirs: tuple[str, ...] = ()
    """The loader's default folders: ld.so.conf and the built-in ones."""
    libraries: Mapping[str, str] = field(default_factory=dict)
    """Names of shared objects in those folders to their paths."""
    library_versions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """For libc, libstdc++ and libgcc: the symbol versions that they define."""
    libraries_off_path: Mapping[str, str] = field(default_factory=dict)
    """Shared objects in folders where software is put by hand, which the loader does not search."""
    library_path: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Folders of LD_LIBRARY_PATH, in order, with the names of the shared objects in them."""
    start_script: str | None = None
    """Text of the script that the image starts (64 KiB of it); its first line, for no shell's."""
    start_program: str | None = None
    """Where the image's first word leads: the file, or the word where PATH has none."""
    start_missing: str | None = None
    """What is not there of it: the program itself, or the interpreter that its first line names."""
    mounts: tuple[str, ...] = ()
    packages_elsewhere: tuple[SystemPackage, ...] = ()


NO_PYTHON = "no Python of the image starts"
"""How the reason begins for which nothing ran, where every interpreter was tried."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MissingFact:
    """A group of facts that could not be gathered, or not all of it, and why."""

    what: FactGroup
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """All that is known of a target."""

    target: Target
    system: System = field(default_factory=System)
    environments: tuple[Environment, ...] = ()
    missing: tuple[MissingFact, ...] = ()
    """What could not be gathered: ``runs`` under --static, for instance."""
    probe_problems: tuple[str, ...] = ()
    """Contradictions and floods that the probe itself noticed."""
    dockerfile: DockerfileFacts | None = None
    """Of a target that is a Dockerfile; all else is then empty."""
    seconds: Mapping[str, float] = field(default_factory=dict)
