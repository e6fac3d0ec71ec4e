"""What one module's bytecode says of itself: what it imports, defines, opens and asks for.

Nothing runs. An import is *firm* where importing the module must carry it out: at the top level,
under no condition, in no ``try`` and no ``with``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from venvsmith.bundle.marshalled import Code
from venvsmith.bundle.opcodes import OPCODES, Opcodes, Version

DATA_NAME = re.compile(
    r"^(?![.-])[\w.+-]+(/[\w.+-]+)*\.(onnx|ya?ml|json|txt|np[yz]|pt|pth|bin|info|csv|tsv|cfg|toml|"
    r"ini|ttf|html|css|xml|pb|gz|zip|dat|safetensors|model|spm|vocab|lark|jsonl|wav|png|svg)$"
)
"""Names of files that a package ships as data. Names that code writes look the same: only what
stands beside a package's own folder counts."""
_FOLDER_CALLS = frozenset(
    {"files", "get_data", "resource_filename", "resource_string", "resource_stream",
     "open_text", "open_binary", "read_text", "read_binary"}
)  # fmt: skip
_RESOURCES = ("importlib.resources", "importlib_resources", "pkgutil", "pkg_resources")
_METADATA = ("importlib.metadata", "importlib_metadata", "pkg_resources")
_METADATA_CALLS = frozenset(
    {"version", "distribution", "metadata", "requires", "get_distribution", "require"}
)
_IMPORT_CALLS = frozenset({"import_module", "__import__"})
_WRITES_NAMES = frozenset({"globals", "setattr", "__dict__", "vars", "locals", "modules"})
"""With one of these at hand a module may define names that no instruction stores."""
WORD = re.compile(r"^\.?[A-Za-z][\w-]*([./][\w-]+)*$")
CALLS = _METADATA_CALLS | _IMPORT_CALLS
_STAR = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Import:
    """One import: ``import module`` or ``from module import names``.

    :param module: as written, without the dots that ``level`` counts.
    :param level: how many packages upwards it starts; 0 for an absolute one.
    :param names: what ``from`` takes.
    :param function: the function in which it stands, empty at the top level.
    :param guarded: in a ``try`` or ``with``.
    :param conditional: jumped over under some condition.
    """

    module: str
    level: int = 0
    names: tuple[str, ...] = ()
    function: str = ""
    guarded: bool = False
    conditional: bool = False

    @property
    def firm(self) -> bool:
        """Tell whether importing the module must carry this out."""
        return not (self.function or self.guarded or self.conditional)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """Something that code asks for by a name in it: a data file, a distribution, a module.

    :param names: identifiers that the same code uses, for a data file.
    """

    what: str
    function: str = ""
    guarded: bool = False
    conditional: bool = False
    names: frozenset[str] = frozenset()

    @property
    def firm(self) -> bool:
        """Tell whether importing the module must ask for it."""
        return not (self.function or self.guarded or self.conditional)


@dataclass(kw_only=True, slots=True)
class ModuleCode:
    """What a module's code says.

    :ivar defines: names of its namespace.
    :ivar open_ended: whether it may define others: a star import, ``__getattr__``, ``globals()``.
    :ivar data: names of data files in code that knows the module's own folder, or calls what does.
    :ivar folder_names: words in code that has ``__file__`` itself: maybe folders beside it.
    :ivar by_variable: whether it imports modules by names that it computes.
    :ivar strings: words at its top level, where it does.
    :ivar folders: functions and variables from which the module's own folder can be had.
    :ivar metadata: distributions whose metadata it asks for.
    :ivar dynamic: modules that it imports by a string.
    :ivar scripted: functions that TorchScript compiles, for which it reads the source.
    """

    imports: list[Import] = field(default_factory=list)
    defines: set[str] = field(default_factory=set)
    open_ended: bool = False
    data: list[Ask] = field(default_factory=list)
    folders: set[str] = field(default_factory=set)
    folder_names: list[Ask] = field(default_factory=list)
    by_variable: bool = False
    words: set[str] = field(default_factory=set)
    metadata: list[Ask] = field(default_factory=list)
    dynamic: list[Ask] = field(default_factory=list)
    scripted: list[Ask] = field(default_factory=list)


class Instruction(NamedTuple):
    """One instruction: where it begins, what it does, and with what."""

    at: int
    op: int
    arg: int


def read_module(code: Code, python: Version) -> ModuleCode:
    """Return what a module's code says.

    :raises KeyError: for a version of Python whose instructions are not known.
    """
    found = ModuleCode()
    _Reader(OPCODES[python], python, found).read(code)
    imported = {entry.module for entry in found.imports if not entry.level}
    if not any(name.startswith(_METADATA) for name in imported):
        found.metadata.clear()
    resources = any(name.startswith(_RESOURCES) for name in imported)
    knows = found.folders | {"__file__", "__path__"} | (_FOLDER_CALLS if resources else set())
    brought = {name for entry in found.imports for name in entry.names}
    found.data = [ask for ask in found.data if ask.names & (knows | brought)]
    if found.by_variable:
        found.words = set(_words(code.consts))
    found.open_ended = found.open_ended or "__getattr__" in found.defines
    return found


class Spot(NamedTuple):
    """Where an instruction stands."""

    function: str
    guarded: bool
    conditional: bool

    def ask(self, what: str, names: frozenset[str] = frozenset()) -> Ask:
        """Return that something is asked for here."""
        return Ask(
            what=what,
            function=self.function,
            guarded=self.guarded,
            conditional=self.conditional,
            names=names,
        )


class _Reader:
    def __init__(self, ops: Opcodes, python: Version, found: ModuleCode) -> None:
        self.ops = ops
        self.interesting = {ops.load_const, *ops.load_attr}
        self.python = python
        self.found = found

    def read(self, code: Code, function: str = "") -> None:
        """Read one code object, and those in it: functions, classes, comprehensions."""
        if not function or self.is_of_interest(code):
            self.read_steps(code, function)
        if "__file__" in code.names:
            if function:
                self.found.folders.add(function.rpartition(".")[2])
            spot = Spot(function, guarded=False, conditional=False)
            names = frozenset(code.names)
            folders = (c for c in code.consts if isinstance(c, str) and WORD.match(c))
            self.found.folder_names += [spot.ask(folder, names) for folder in folders]
        if not _IMPORT_CALLS.isdisjoint(code.names):
            self.found.by_variable = True
        for nested in code.consts:
            if isinstance(nested, Code):
                self.read(nested, f"{function}.{nested.name}" if function else nested.name)

    def is_of_interest(self, code: Code) -> bool:
        """Tell, at a glance, whether a function can hold anything that is looked for."""
        return (
            self.ops.import_name in code.code[::2]
            or "jit" in code.names
            or not CALLS.isdisjoint(code.names)
            or any(isinstance(const, str) and DATA_NAME.match(const) for const in code.consts)
        )

    def read_steps(self, code: Code, function: str) -> None:
        steps = list(self.instructions(code))
        guarded = _guarded(code.exceptions) if self.python >= (3, 11) else ()
        jumped = tuple(self.jumps(steps))
        if not function:
            self.namespace(code, steps)
        for index, step in enumerate(steps):
            if step.op != self.ops.import_name and step.op not in self.interesting:
                continue
            spot = Spot(
                function=function,
                guarded=any(start <= step.at < end for start, end in guarded),
                conditional=any(start <= step.at < end for start, end in jumped),
            )
            if step.op == self.ops.import_name:
                self.imported(code, steps, index, spot)
            elif step.op == self.ops.load_const:
                self.constant(code, steps, index, spot)
            elif self.is_jit_script(code, steps, index):
                self.found.scripted.append(spot.ask(function or "<module>"))

    def is_jit_script(self, code: Code, steps: list[Instruction], index: int) -> bool:
        """Tell whether an attribute is the ``script`` of ``torch.jit.script``."""
        before = steps[index - 1]
        return (
            self.name(code, steps[index]) == "script"
            and before.op in self.ops.load_attr
            and self.name(code, before) == "jit"
        )

    # -- parts -----------------------------------------------------------------------------------

    def instructions(self, code: Code) -> Iterator[Instruction]:
        ops = self.ops
        extended = 0
        data = code.code
        for at in range(0, len(data) - 1, 2):
            op, arg = data[at], data[at + 1] | extended
            if op == ops.extended_arg:
                extended = arg << 8
                continue
            extended = 0
            if op not in ops.noise:
                yield Instruction(at, op, arg)

    def jumps(self, steps: list[Instruction]) -> Iterator[tuple[int, int]]:
        """Yield the stretches that a jump forward can pass over."""
        ops = self.ops
        for step in steps:
            if step.op in ops.jumps_forward:
                yield step.at + 2, step.at + 2 + step.arg * ops.unit
            elif step.op in ops.jumps_absolute and step.arg * ops.unit > step.at:
                yield step.at + 2, step.arg * ops.unit

    def name(self, code: Code, step: Instruction) -> str:
        """Return the name that an instruction loads or stores."""
        ops = self.ops
        index = step.arg
        if step.op == ops.load_global:
            index >>= ops.global_shift
        elif step.op in ops.load_attr:
            index >>= ops.attr_shift
        return code.names[index] if index < len(code.names) else ""

    def namespace(self, code: Code, steps: list[Instruction]) -> None:
        """Note what the top level defines, and which variables hold the module's folder."""
        ops = self.ops
        found = self.found
        folder = False
        for step in steps:
            if step.op == ops.load_name and self.name(code, step) == "__file__":
                folder = True
            elif step.op in {ops.store_name, ops.store_global}:
                name = self.name(code, step)
                found.defines.add(name)
                if folder or found.folders & _loaded(self, code, steps, step):
                    found.folders.add(name)
                folder = False
            elif step.op == ops.import_star or (step.op == ops.intrinsic and step.arg == _STAR):
                found.open_ended = True
        if _WRITES_NAMES & set(code.names):
            found.open_ended = True
        for name in _globals_of_functions(self, code):
            found.defines.add(name)

    def imported(
        self,
        code: Code,
        steps: list[Instruction],
        index: int,
        spot: Spot,
    ) -> None:
        """Note an import: its level and names are the two constants before it."""
        names: tuple[str, ...] = ()
        level = 0
        if index >= 2:  # noqa: PLR2004 - the two operands
            names = _names(self.const(code, steps[index - 1]))
            pushed = self.const(code, steps[index - 2])
            # From 3.14 on small numbers are no constants but arguments.
            level = pushed if isinstance(pushed, int) else 0
            if steps[index - 2].op != self.ops.load_const:
                level = steps[index - 2].arg
        self.found.imports.append(
            Import(
                module=self.name(code, steps[index]),
                level=int(level),
                names=names,
                function=spot.function,
                guarded=spot.guarded,
                conditional=spot.conditional,
            )
        )

    def const(self, code: Code, step: Instruction) -> Any:
        if step.op != self.ops.load_const or step.arg >= len(code.consts):
            return None
        return code.consts[step.arg]

    def constant(
        self,
        code: Code,
        steps: list[Instruction],
        index: int,
        spot: Spot,
    ) -> None:
        """Note a string that names a data file, or that a call of interest takes."""
        text = self.const(code, steps[index])
        if not isinstance(text, str) or not text:
            return
        called = self.called_with(code, steps, index)
        ask = spot.ask(text, frozenset(code.names))
        if called in _METADATA_CALLS and re.fullmatch(r"[A-Za-z0-9][\w.-]*", text):
            self.found.metadata.append(ask)
        elif called in _IMPORT_CALLS and re.fullmatch(r"[A-Za-z_][\w.]*", text):
            self.found.dynamic.append(ask)
        elif DATA_NAME.match(text):
            self.found.data.append(ask)

    def called_with(self, code: Code, steps: list[Instruction], index: int) -> str:
        """Return the name of the function that takes the constant as its one argument."""
        if index == 0 or index + 1 >= len(steps) or steps[index + 1].op not in self.ops.calls:
            return ""
        before = steps[index - 1]
        loads = {self.ops.load_name, self.ops.load_global, *self.ops.load_attr}
        return self.name(code, before) if before.op in loads else ""


def _loaded(reader: _Reader, code: Code, steps: list[Instruction], store: Instruction) -> set[str]:
    """Return the names loaded in the statement that ends with a store."""
    ops = reader.ops
    end = steps.index(store)
    names = set()
    for step in reversed(steps[:end]):
        if step.op in {ops.store_name, ops.store_global, ops.import_name}:
            break
        if step.op == ops.load_name:
            names.add(reader.name(code, step))
    return names


def _globals_of_functions(reader: _Reader, code: Code) -> Iterator[str]:
    for nested in code.consts:
        if isinstance(nested, Code):
            for step in reader.instructions(nested):
                if step.op == reader.ops.store_global:
                    yield reader.name(nested, step)
            yield from _globals_of_functions(reader, nested)


def _words(consts: tuple[Any, ...]) -> Iterator[str]:
    for const in consts:
        if isinstance(const, str) and WORD.match(const):
            yield const
        elif isinstance(const, tuple):
            yield from _words(const)


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, tuple):
        return ()
    return tuple(name for name in value if isinstance(name, str))


def _guarded(table: bytes) -> tuple[tuple[int, int], ...]:
    """Return the stretches that an exception table covers, in bytes (3.11 and later).

    Each entry is four numbers of six bits a byte, the first byte of an entry marked:
    CPython's Objects/exception_handling_notes.txt.
    """
    found = []
    numbers: list[int] = []
    value = 0
    for byte in table:
        value = (value << 6) | (byte & 0x3F)
        if byte & 0x40:
            continue
        numbers.append(value)
        value = 0
        if len(numbers) == 4:  # noqa: PLR2004 - start, length, target, depth
            found.append((numbers[0] * 2, (numbers[0] + numbers[1]) * 2))
            numbers = []
    return tuple(found)
