"""What one module's bytecode says of itself: what it imports, defines, opens and asks for.

Nothing runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, TypeGuard

from venvsmith.bundle.flow import RETURNED, Text, Value, Variable, flow
from venvsmith.bundle.instructions import Instructions
from venvsmith.bundle.marshalled import Code, MarshalError
from venvsmith.bundle.modulecode import Ask, Import, ModuleCode
from venvsmith.bundle.opcodes import OPCODES, Version

DATA_NAME = re.compile(
    r"^(?![.-])[\w.+-]+(/[\w.+-]+)*\.(onnx|ya?ml|json|txt|np[yz]|pt|pth|bin|info|csv|tsv|cfg|toml|"
    r"ini|ttf|html|css|xml|pb|gz|zip|dat|safetensors|model|spm|vocab|lark|jsonl|wav|png|svg)$"
)
"""Names of files that a package ships as data. Names that code writes look the same: only what
stands beside a package's own folder counts."""
RESOURCE_CALLS = frozenset(
    {"files", "get_data", "resource_filename", "resource_string", "resource_stream",
     "open_text", "open_binary", "read_text", "read_binary"}
)  # fmt: skip
"""Functions that reach into a package's folder, of the modules in `_RESOURCES`."""
_RESOURCES = ("importlib.resources", "importlib_resources", "pkgutil", "pkg_resources")
_METADATA = ("importlib.metadata", "importlib_metadata", "pkg_resources")
_METADATA_MODULES = frozenset(module.rpartition(".")[2] for module in _METADATA)
_METADATA_CALLS = frozenset(
    {"version", "distribution", "metadata", "requires", "get_distribution", "require"}
)
_IMPORT_CALLS = frozenset({"import_module", "__import__"})
_WRITES_NAMES = frozenset({"globals", "setattr", "__dict__", "vars", "locals", "modules", "exec"})
"""With one of these at hand a module may define names that no instruction stores."""
_WRITES_NAMES_LATER = frozenset({"globals", "setattr", "exec"})
"""The same for its functions, which may run while it is imported."""
_FINDS_MODULES = frozenset({"meta_path", "initpkg"})
"""With one of these at hand a module may let others be found where no file is: an importer."""
_LOOKS = frozenset(
    {"exists", "isfile", "is_file", "isdir", "is_dir", "lexists", "access", "glob", "iglob",
     "rglob", "listdir", "scandir", "iterdir"}
)  # fmt: skip
_ABSENCE = frozenset({"FileNotFoundError", "OSError", "IOError"})
_LOOKS_FIRST = _LOOKS | _ABSENCE
"""Names of code that can do without a file, unless it raises for want of one."""
_PARSERS = frozenset({"ConfigParser", "RawConfigParser"})
"""What reads the files that are there, and passes over the others."""
_WRITES_FILES = frozenset({"write_text", "write_bytes"})
_WRITES_IT = frozenset(
    {"dump", "save", "savez", "savetxt", "savefig", "to_csv", "to_json", "touch", "unlink",
     "rmtree", "mkdir", "makedirs"}
)  # fmt: skip
"""Functions that make what they are given the name of, or take it away."""
_WRITING = re.compile(r"^[wxa][bt+]*$")
"""How `open` is told to write."""
LONGEST = 255
"""Characters of the longest name or path that is looked at."""
MOST_SAID = 1_000_000
"""Characters of names that go with the data files of one module; what is beyond is forgotten."""
WORD = re.compile(r"^\.?[A-Za-z][\w-]*([./][\w-]+)*$")
CALLS = _METADATA_CALLS | _IMPORT_CALLS
_LISTS = frozenset({"iter_modules", "walk_packages"})
_PLUGS = frozenset({"entry_points", "iter_entry_points"})
_ASKING = CALLS | _LISTS | _PLUGS | {"__file__", "jit"}
"""Names without which code asks for nothing but its imports and data files."""
_TELLING = _ASKING | _WRITES_NAMES_LATER | _FINDS_MODULES
"""Names without which a function has nothing to tell but these."""
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*$")
_DOTTED = re.compile(r"\.*[A-Za-z_][\w.]*$")


def is_data_name(text: str) -> bool:
    """Tell whether a text looks like a data file's name."""
    return "." in text and DATA_NAME.match(text) is not None


def read_module(
    code: Code,
    python: Version,
    *,
    starts: bool = False,
    is_data: Callable[[str], bool] = is_data_name,
) -> ModuleCode:
    """Return what a module's code says.

    :param starts: whether it is a script, in which ``__name__`` is ``__main__``.
    :param is_data: whether a text is a data file's name; where files are known, one of theirs.
    :raises KeyError: for a version of Python whose instructions are not known.
    :raises MarshalError: for imports that no compiler writes.
    """
    found = ModuleCode()
    top = Instructions(code, OPCODES[python], python, starts=starts)
    _namespace(top, found)
    _read(top, _Reading(found=found, is_data=is_data), "")
    if found.metadata:
        found.metadata = _of_distributions(found)
    found.folders |= _resource_calls(found.imports)
    knows = found.folders | {"__file__", "__path__"}
    knows |= {name for entry in found.imports for name in entry.names}
    found.data = list(_at_hand(found.data, knows))
    if found.by_variable:
        found.words = set(_words(code.consts, set()))
    if found.groups:
        found.groups = set(_words((code,), set(), inside=True))
    makes = found.finds_modules or "__getattr__" in found.defines
    found.open_ended = found.open_ended or makes
    return found


def _at_hand(asks: list[Ask], knows: set[str]) -> Iterator[Ask]:
    """Yield what asks for files in code that has the module's own folder at hand.

    :param knows: names through which that may be, which are all that is kept of such code.
    """
    near = {names: names & knows for names in {ask.names for ask in asks}}
    sizes = {names: sum(map(len, names)) for names in {*near.values(), *(a.meets for a in asks)}}
    room = MOST_SAID
    for ask in asks:
        names = near[ask.names]
        room -= sizes[names] + sizes[ask.meets]
        if names and room >= 0:
            yield replace(ask, names=names)


def _of_distributions(found: ModuleCode) -> list[Ask]:
    """Return what is asked of `importlib.metadata`: not of a function of the same name."""
    if not any(_takes(entry, _METADATA) for entry in found.imports):
        return []
    taken = {name for entry in found.imports for name in entry.names}
    others = (taken | {entry.module for entry in found.imports}) - _METADATA_MODULES
    own = found.defines.keys() - taken
    return [
        ask for ask in found.metadata if ask.of not in others and (ask.of or ask.call not in own)
    ]


def _takes(entry: Import, modules: tuple[str, ...]) -> bool:
    """Tell whether an import brings one of some modules, by name or ``from importlib``."""
    if entry.module == "importlib":
        return any(f"importlib.{name}" in modules for name in entry.names)
    return entry.module.startswith(modules)


def _resource_calls(imports: list[Import]) -> frozenset[str]:
    """Return the functions that reach into a package's folder, as far as imports bring them."""
    found: frozenset[str] = frozenset()
    for entry in imports:
        if _takes(entry, _RESOURCES):
            whole = not entry.names or entry.module == "importlib"
            found |= RESOURCE_CALLS if whole else RESOURCE_CALLS.intersection(entry.names)
    return found


@dataclass(kw_only=True, slots=True)
class _Reading:
    """What is known of a module so far.

    :ivar seen: the identities of the code objects that were read, each of which is read once.
    :ivar known: the variables and functions of the module that hold names of data files.
    :ivar held: what these are called.
    """

    found: ModuleCode
    is_data: Callable[[str], bool]
    seen: set[int] = field(default_factory=set)
    known: dict[Variable, Value] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)

    def names_data(self, text: str) -> bool:
        return 0 < len(text) <= LONGEST and self.is_data(text)


def _read(steps: Instructions, reading: _Reading, function: str) -> None:
    """Read one code object, and those in it: functions, classes, comprehensions."""
    code, found = steps.code, reading.found
    reading.seen.add(id(code))
    if steps.has(steps.ops.import_name) or steps.has(steps.ops.store_global):
        _statements(steps, found, function)
    is_data = reading.is_data
    names_data = False
    nested = []
    for const in code.consts:
        if type(const) is str:
            if not names_data and len(const) <= LONGEST and is_data(const):
                names_data = True
        elif type(const) is Code:
            nested.append(const)
    names_data = names_data or not reading.held.isdisjoint(code.names)
    tells = not _TELLING.isdisjoint(code.names)
    if tells:
        _promises(code, found)
    if names_data or (tells and not _ASKING.isdisjoint(code.names)):
        _asks(steps, reading, function, names_data=names_data)
    for each in nested:
        if id(each) not in reading.seen:
            inside = f"{function}.{each.name}" if function else each.name
            _read(steps.inner(each), reading, inside[:LONGEST])


def _statements(steps: Instructions, found: ModuleCode, function: str) -> None:
    """Note what one code object imports, and what a function binds at the top level."""
    ops = steps.ops
    taken = 0
    for at in steps.where(ops.import_name, ops.store_global):
        if steps.op(at) == ops.import_name:
            entry = _import(steps, at, function)
            found.imports.append(entry)
            taken += len(entry.names)
            if taken > len(steps.code.code):  # each name is taken by an instruction of its own
                raise MarshalError(f"{steps.code.name} imports more names than it has code for")
        elif function:
            _bind(found, steps.name(at))


def _promises(code: Code, found: ModuleCode) -> None:
    """Note whether names or modules may appear that no instruction stores and no file brings."""
    found.open_ended = found.open_ended or not _WRITES_NAMES_LATER.isdisjoint(code.names)
    found.finds_modules = found.finds_modules or not _FINDS_MODULES.isdisjoint(code.names)


def _asks(steps: Instructions, reading: _Reading, function: str, *, names_data: bool) -> None:
    """Note what one code object asks for besides its imports.

    :param names_data: whether it may name data files.
    """
    found = reading.found
    names = frozenset(steps.code.names)
    spot = Ask(what="", function=function)
    if names_data:
        _files(steps, reading, spot)
    _called(steps, found, spot)
    if "jit" in names and "script" in names:
        _jit_scripts(steps, found, spot)
    if "__file__" in names and function:
        found.folders.add(function.rpartition(".")[2])
    if not _LISTS.isdisjoint(names):
        found.lists += [replace(spot, what=package) for package in _listed(steps)]
    found.groups |= _PLUGS & names
    found.by_variable = found.by_variable or not _IMPORT_CALLS.isdisjoint(names)


def _namespace(steps: Instructions, found: ModuleCode) -> None:
    """Note what the top level defines, and which variables hold the module's folder."""
    ops = steps.ops
    names = steps.code.names
    loaded: set[str] = set()
    track = "__file__" in names
    for at in steps.where(ops.store_name, ops.store_global, *((ops.load_name,) if track else ())):
        name = steps.name(at)
        if steps.op(at) == ops.load_name:
            loaded.add(name)
            continue
        _bind(found, name)
        if "__file__" in loaded or found.folders & loaded:
            found.folders.add(name)
        loaded = set()
    found.open_ended = steps.has_star_import() or not _WRITES_NAMES.isdisjoint(names)


def _bind(found: ModuleCode, name: str) -> None:
    found.defines[name] = found.defines.get(name, 0) + 1


def _import(steps: Instructions, at: int, function: str) -> Import:
    """Return an import: its level and names are the two constants before it."""
    last = steps.before(at)
    first = steps.before(last)
    names = steps.const(last)
    module = steps.name(at)
    if not isinstance(names, tuple):
        names = ()
    if len(module) > LONGEST or not all(map(_is_short, names)):
        raise MarshalError(f"{steps.code.name} imports what is no name")
    return Import(
        module=module,
        level=steps.small_int(first),
        names=names,
        function=function,
        guarded=steps.is_guarded(at),
        conditional=steps.is_conditional(at),
    )


def _without_file(steps: Instructions, function: str) -> tuple[bool, bool]:
    """Tell whether code goes on without a file, and whether it raises for want of one.

    It looks whether one is there, or handles that none is. A function that writes files goes on.
    """
    names = frozenset(steps.code.names)
    if function and _writes(steps, names):
        return True, False
    parses = not names.isdisjoint(_PARSERS) and "read" in names
    if parses and names.isdisjoint({"open", "read_file"}):
        return True, False
    if names.isdisjoint(_LOOKS_FIRST):
        return False, False
    ops = steps.ops
    ends = []
    for at in steps.where(ops.load_name, ops.load_global, *ops.load_attr):
        name = steps.name(at)
        if name in _LOOKS:
            ends.append(steps.raises_if(at, either=True))
        elif name in _ABSENCE:
            ends.append(steps.raises_after(at) or steps.raises_if(at, either=False))
    # What a module imports has a name and need not be used; a function's own imports are locals.
    unseen = bool(function) and not ends
    return unseen or not all(ends), any(ends)


def _writes(steps: Instructions, names: frozenset[str]) -> bool:
    if not names.isdisjoint(_WRITES_FILES):
        return True
    return "open" in names and any(
        _is_short(const) and _WRITING.match(const) for const in steps.code.consts
    )


def _files(steps: Instructions, reading: _Reading, spot: Ask) -> None:
    """Note each string that names a data file, and what holds it behind this code."""
    without, insists = _without_file(steps, spot.function)
    texts, variables = flow(steps, reading.names_data, reading.known)
    # One set for all, with what variables from outside have met.
    names = frozenset(steps.code.names).union(*{text.names for text in texts})
    is_caught, is_optional = cache(steps.is_caught), cache(steps.is_optional)
    for text in texts:
        ask = replace(
            spot,
            what=text.what,
            guarded=_everywhere(text, is_caught),
            conditional=_everywhere(text, is_optional),
            dispensable=without or not text.names.isdisjoint(_WRITES_IT),
            insists=insists,
            names=names,
            meets=text.names,
        )
        reading.found.data.append(ask)
    is_class = bool(spot.function) and steps.has(steps.ops.store_name)
    of_class = is_class or "." in spot.function
    goes_on = without and not insists
    for variable, value in variables.items() if texts and not goes_on else ():
        kind, name = (*variable[:1], steps.code.name) if variable == RETURNED else variable
        if value.texts and kind != "local" and isinstance(name, str):
            is_attribute = kind == "attribute" or (of_class and (is_class or kind == "returned"))
            reading.known["attribute" if is_attribute else "name", name] = value
            reading.held.add(name)


def _everywhere(text: Text, holds: Callable[[int], bool]) -> bool:
    """Tell whether something holds where a string is named, or wherever it is used."""
    return holds(text.at) or (bool(text.used) and all(map(holds, text.used)))


def _called(steps: Instructions, found: ModuleCode, spot: Ask) -> None:
    """Note each string that a call of interest takes."""
    for at in steps.where(steps.ops.load_const):
        text = steps.const(at)
        if not _is_short(text) or not text:
            continue
        called = steps.called_with(at)
        if called in _METADATA_CALLS and _NAME.match(text):
            call = replace(spot, of=steps.owner(steps.before(at)), call=called)
            found.metadata.append(_ask(steps, at, text, call))
        elif called in _IMPORT_CALLS and _DOTTED.match(text):
            found.dynamic.append(_ask(steps, at, text, spot))


def _jit_scripts(steps: Instructions, found: ModuleCode, spot: Ask) -> None:
    """Note each ``torch.jit.script`` that is called or decorates."""
    for at in steps.where(*steps.ops.load_attr):
        before = steps.before(at)
        of_jit = steps.op(before) in steps.ops.load_attr and steps.name(before) == "jit"
        if of_jit and steps.name(at) == "script" and steps.is_called(at):
            found.scripted.append(_ask(steps, at, spot.function or "<module>", spot))


def _ask(steps: Instructions, at: int, what: str, spot: Ask) -> Ask:
    """Return what an instruction asks for, of code that `spot` describes."""
    return replace(
        spot, what=what, guarded=steps.is_guarded(at), conditional=steps.is_conditional(at)
    )


def _listed(steps: Instructions) -> Iterator[str]:
    """Yield the variables of the packages in whose folders code looks for modules."""
    ops = steps.ops
    for at in steps.where(ops.load_name, ops.load_global, *ops.load_attr):
        if steps.name(at) == "__path__":
            yield steps.owner(at)
        elif steps.name(at) == "__file__" and not steps.owner(at):
            yield ""


def _words(consts: tuple[Any, ...], seen: set[int], *, inside: bool = False) -> Iterator[str]:
    """Yield the words among constants.

    :param inside: also those of the code among them.
    """
    seen.add(id(consts))
    for const in consts:
        if _is_short(const) and WORD.match(const):
            yield const
        elif isinstance(const, tuple) and id(const) not in seen:
            yield from _words(const, seen, inside=inside)
        elif inside and isinstance(const, Code) and id(const.consts) not in seen:
            yield from _words(const.consts, seen, inside=True)


def _is_short(const: object) -> TypeGuard[str]:
    """Tell whether a constant is a string that may be a name or a path."""
    return isinstance(const, str) and len(const) <= LONGEST
