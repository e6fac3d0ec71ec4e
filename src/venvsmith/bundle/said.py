"""What a frozen application says when it fails, held against what its bundle holds.

Lazy imports, compiled code and computed paths show themselves only in a run. Each message is
Python's, the loader's or a library's own; a thing that the bundle does hold is not told as missing.
Only what ended the run is certain: the exception that nobody handled, and those from which it
came. What was logged before it, some optional package or other, may be missing on purpose.
"""

from __future__ import annotations

import bisect
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from packaging.utils import canonicalize_name

from venvsmith.bundle.wants import distributions
from venvsmith.data.stdlib import standard_library
from venvsmith.model.bundle import BundleFacts, MissingLibrary, MissingModule, MissingPart

if TYPE_CHECKING:
    from venvsmith.bundle.contents import Bundle
    from venvsmith.bundle.frozen import FrozenModules
    from venvsmith.model.facts import ImportResult

Part = TypeVar("Part", MissingPart, MissingLibrary)

_NO_MODULE = re.compile(r"No module named '([\w.]+)'")
_NO_NAME = re.compile(
    r"cannot import name '(\w+)' from (?:partially initialized module )?'([\w.]+)'"
)
_NO_NAME_ALONE = re.compile(r"cannot import name (\w+)[ \t]*$", re.MULTILINE)
"""Cython's words, which name no package."""
_NO_METADATA = re.compile(
    r"No package metadata was found for ([\w.-]+)|"
    r"The '([\w.-]++)[^'\n]*' distribution was not found"
)
"""importlib.metadata's words, and those of pkg_resources and transformers."""
_NO_FILE = re.compile(
    r"No such file or directory: '([^'\n]+)'|"
    r"NO_SUCHFILE : Load model from ([^\n]{1,4096}?) failed"
)
"""Python's words, and onnxruntime's."""
_ABSENT = re.compile(
    r"no such|not ?(?:be ?)?(?:found|exist|available|there\b|loaded|opened)|n't exist|missing|"
    r"\bno (?:\w+ )?(?:data|files?|folder|directory|models?|resources?|dictionary)\b|unavailable|"
    r"(?:cannot|can't|could not|couldn't|unable to|failed to) (?:find|load|locate|open|read)",
    re.IGNORECASE,
)
"""Words that say that something is not there."""
_OTHER_TROUBLE = re.compile(
    r"\[Errno (?!2\])|denied|permission|read-only|writ|sav(?:e|ing)\b|creat|lock|already|"
    r"file ?exists",
    re.IGNORECASE,
)
"""Words of trouble with a file, or with something else, that is not its absence."""
_OF_FILES = re.compile(r"(?:OSError|IOError|EnvironmentError|FileNotFoundError)\b")
"""The exceptions that Python raises for a file that is not there."""
_EXCEPTION = re.compile(r"^[ \t]*[\w.]+(?:: |$)", re.MULTILINE)
_NAMES_SOMETHING = re.compile(
    r"(['\"`])[^\s'\"`]+\1|(?<!\S)[~.]{0,2}/\w|(?<![\w-])[\w-]++\.(?!py\b)[a-zA-Z]\w{1,4}\b"
)
"""A quoted word, a path or a file's name in a message."""
_SHOWN = re.compile(r"\A\n(?: {4}[^\n]*(?:\n|\Z))+")
"""Lines of source below a frame."""
_NO_SOURCE = re.compile(
    r"Can't get source for <(?:function|(class)) '?([\w.]+)|"
    r"could not get source code|source code not available|could not find class definition"
)
"""TorchScript's words, and those of inspect."""
_NO_LIBRARY = re.compile(r"(?<![^\s:'\"])([^\s:'\"]+\.so[.\d]*): cannot open shared object file")
_FRAME = re.compile(r'^[ |]*File "([^"\n]+)", line \d+, in ([^\n]+)', re.MULTILINE)
_IMPORT_FRAME = re.compile(r"^(.+):(\d+) in (.+)")
_CYTHON = (".pyx", ".pxd", ".pxi")
_UNPACKED = re.compile(r"/_MEI\w+/(.+)")
"""The folder into which a single executable unpacks itself."""
_WHOLE = (
    r"(?:(?P<quote>['\"`]){folder}/(?P<quoted>[^'\"`<>|*?]+)(?P=quote)|"
    r"(?<![\w./+-]){folder}/(?P<last>[\w./+-]+)!?\s*$)"
)
"""A path below a folder that stands whole: in quotes, or up to the line's end."""
_LONGEST = 4096
"""Characters of a path, as the kernel takes them."""
_CODE = (".py", ".pyc", ".pyd")
"""Endings of what has a path in a bundle and lies in its archive."""
_BOOT = "pyimod"
_LAST_WORDS = "Failed to execute script"
"""The bootloader's, which say nothing that was not said before."""
_OPENERS = ("{", "[", "+", "\N{BOX DRAWINGS LIGHT ARC DOWN AND RIGHT}")
"""How a JSON document or a box begins."""
_TRACE = "Traceback (most recent call last):"
_LINKS = (
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Place:
    """Where code stood.

    :param certain: whether what it says ended the run.
    :param imports: a step of the import system, whose module is none of the application's.
    :param deepest: whether nothing was called from there.
    """

    module: str
    function: str = ""
    certain: bool = False
    imports: bool = False
    deepest: bool = False

    @property
    def top(self) -> str:
        """Return the top-level package."""
        return self.module.partition(".")[0]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Said:
    """One part of an output: what was said up to and with an exception.

    :param frames: of its traceback, the standard library's left out.
    :param words: what was said after the last frame.
    :param certain: whether it ended the run.
    """

    text: str
    words: str
    frames: tuple[_Place, ...]
    certain: bool

    @property
    def place(self) -> _Place:
        """Return where it was said."""
        own = (frame for frame in reversed(self.frames) if not frame.imports)
        return next(own, _Place(module="the application", certain=self.certain))


def with_said(
    facts: BundleFacts, bundle: Bundle, modules: FrozenModules, outputs: Iterable[str]
) -> BundleFacts:
    """Return the facts with what failing runs name as missing.

    :param outputs: of the commands and imports that failed.
    """
    listing = sorted(bundle.files)
    gone = list(facts.missing_modules)
    data, metadata = list(facts.missing_data), list(facts.missing_metadata)
    sources, libraries = list(facts.missing_sources), list(facts.missing_libraries)
    for output in outputs:
        explained = False
        ended: list[_Said] = []
        for text, certain in _parts(output):
            said = _heard(text, modules, bundle, certain=certain)
            ended += [said] if certain else []
            lacking = list(_modules(said, modules))
            files = list(_files(said, modules, bundle, listing))
            asked = list(_metadata(said, bundle))
            unread = list(_sources(said, modules, bundle))
            unloaded = list(_libraries(said, bundle))
            for module in lacking:
                _add_module(gone, module)
            for part in files:
                _add(data, part, lambda old, new: f"/{new.what}".endswith(f"/{old.what}"))
            for part in asked:
                _add(metadata, part, lambda old, new: old.what == new.what)
            for part in unread:
                _add(sources, part, lambda old, new: old.asker == new.asker)
            for library in unloaded:
                _add(libraries, library, lambda old, new: old.name == new.name)
            explained |= certain and any((lacking, files, asked, unread, unloaded))
        if not explained:
            data = _met(data, ended)
    return replace(
        facts,
        missing_modules=tuple(gone),
        missing_data=tuple(data),
        missing_metadata=tuple(metadata),
        missing_sources=tuple(sources),
        missing_libraries=tuple(libraries),
    )


def of_import(result: ImportResult) -> str:
    """Return a failing import as Python would tell it."""
    frames = (_IMPORT_FRAME.sub(r'  File "\1", line \2, in \3', line) for line in result.traceback)
    return "\n".join((_TRACE, *frames, result.message))


def _parts(output: str) -> Iterator[tuple[str, bool]]:
    """Yield what was said up to each exception, and whether that ended the run.

    Where there is no traceback, the last line stands for one, or the JSON document or the box
    that it closes, if that names one module alone.
    """
    before, *traces = (text.rstrip() for text in output.split(_TRACE))
    if not traces and _FRAME.search(before):
        before, traces = "", [before]  # its beginning is cut off
    if not traces:
        lines = [line for line in output.splitlines() if line.strip() and _LAST_WORDS not in line]
        begin = _last_statement(lines)
        last = "\n".join(lines[begin:])
        yield "\n".join(lines[:begin]), False
        yield last, len(set(_NO_MODULE.findall(last))) <= 1
        return
    yield before, False
    unlinked = (i for i in reversed(range(len(traces) - 1)) if not traces[i].endswith(_LINKS))
    last_unlinked = next(unlinked, -1)
    for index, text in enumerate(traces):
        yield text, index > last_unlinked


def _last_statement(lines: Sequence[str]) -> int:
    """Return where the last thing said begins: at the last line, or where what it closes opens."""
    last = max(len(lines) - 1, 0)
    if not lines or any(letter.isalnum() for letter in lines[last]):
        return last
    opens = (index for index in reversed(range(last)) if lines[index].startswith(_OPENERS))
    return next(opens, last)


def _heard(text: str, modules: FrozenModules, bundle: Bundle, *, certain: bool) -> _Said:
    """Return a part of an output with its frames read."""
    found = list(_FRAME.finditer(text))
    frames = []
    for match in found:
        place = _frame(match[1], match[2].strip(), modules, bundle)
        if place.imports or place.top not in standard_library(None) | {""}:
            frames.append(replace(place, certain=certain, deepest=match is found[-1]))
    words = _SHOWN.sub("", text[found[-1].end() :]) if found else text
    return _Said(text=text, words=words, frames=tuple(frames), certain=certain)


def _frame(path: str, where: str, modules: FrozenModules, bundle: Bundle) -> _Place:
    """Return a frame's place; no module for one that lies outside the bundle."""
    if path.startswith(("<", _BOOT)):
        return _Place(module="", imports=path.startswith(("<frozen importlib", _BOOT)))
    if path.endswith(_CYTHON):  # "init lxml.etree", or "lxml.etree.XML.parse"
        word, _, module = where.partition(" ")
        if word == "init" and module:
            return _Place(module=module)
        module = word
        while module and not modules.has(module):
            module = module.rpartition(".")[0]
        return _Place(module=module, function=word[len(module) :].lstrip("."))
    path = _inside(path, bundle) or path
    module = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return _Place(module=module, function="" if where.startswith("<") else where)


def _met(data: list[MissingPart], ended: Iterable[_Said]) -> list[MissingPart]:
    """Return data files with the one certain that the function looks for in which the run ended.

    For what nothing else explains: babel looks whether a file is there, and raises in its own
    words where it is not. Counted are the deepest frame and those of its module that called it, and
    only where these words can be about that file.
    """
    for said in ended:
        last = said.place
        if not last.deepest:
            continue
        for frame in reversed(said.frames):
            if frame.module != last.module:
                break
            here = (frame.module, frame.function)
            near = [part for part in data if frame.function and (part.asker, part.function) == here]
            if len({part.what for part in near}) == 1 and _is_about(near[0].what, said.words):
                sure = replace(near[0], certain=True, direct=True, doubtful=False)
                return [sure, *(part for part in data if part not in near)]
            if near:
                break
    return data


def _is_about(what: str, words: str) -> bool:
    """Tell whether an exception can be about a file: by its name, or as one of what is not there.

    What its words name else, by a path or in quotes, is another thing.
    """
    lines = (line for line in words.splitlines() if _LAST_WORDS not in line)
    message = "\n".join(lines)
    name = what.rpartition("/")[2]
    if "." in name and re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", message):
        return True
    if _NAMES_SOMETHING.search(_EXCEPTION.sub("", message)) or _NO_FILE.search(message):
        return False
    if _OTHER_TROUBLE.search(message):
        return False
    return bool(_OF_FILES.search(message) or _ABSENT.search(message))


def _add(known: list[Part], part: Part, same: Callable[[Part, Part], bool]) -> None:
    """Add a part unless it is known; one that is certain takes the place of one that was not."""
    if part.certain:
        known[:] = [old for old in known if old.certain or not same(old, part)]
    if not any(same(old, part) for old in known):
        known.append(part)


def _add_module(gone: list[MissingModule], module: MissingModule) -> None:
    """Add a module; what was only possible before may be certain now, and stands first."""
    have = next((old for old in gone if old.module == module.module), None)
    if not module.certain:
        gone += [module] if have is None else []
        return
    if have is not None:
        gone.remove(have)
        module = replace(have, certain=True)
    gone.insert(0, module)


def _modules(said: _Said, modules: FrozenModules) -> Iterator[MissingModule]:
    place = said.place
    for name in _NO_MODULE.findall(said.text):
        if not modules.has(name):
            yield _module(name, place, "import")
    for name, package in _NO_NAME.findall(said.text):
        if not modules.has(package):
            yield _module(package, place, "import")
        else:
            yield from _submodule(package, name, place, modules)
    for name in _NO_NAME_ALONE.findall(said.text):
        of = place.module if modules.is_package(place.module) else place.module.rpartition(".")[0]
        yield from _submodule(of, name, place, modules)


def _submodule(
    package: str, name: str, place: _Place, modules: FrozenModules
) -> Iterator[MissingModule]:
    """Yield what a package was asked for by name, where only a submodule can be that."""
    full = f"{package}.{name}"
    if modules.is_package(package) and not modules.has(full):
        code = modules.read(package)
        if code is not None and name not in code.defines:
            yield _module(full, place, "from")


def _module(name: str, place: _Place, how: str) -> MissingModule:
    return MissingModule(
        module=name,
        importer=place.module,
        chain=(place.module,),
        function=place.function,
        certain=place.certain,
        how="from" if how == "from" else "import",
    )


def _files(
    said: _Said, modules: FrozenModules, bundle: Bundle, listing: Sequence[str]
) -> Iterator[MissingPart]:
    """Yield the files that were asked for and are not there.

    :param listing: the bundle's files in order.
    """
    asked = [_inside(found[1] or found[2], bundle) for found in _NO_FILE.finditer(said.text)]
    if said.certain:
        asked += _named_inside(said.words, modules, bundle, listing)
    for inside in dict.fromkeys(asked):
        if inside and inside not in bundle.files and ".so" not in inside:
            yield _part(inside, said.place, expected=inside)


def _named_inside(
    words: str, modules: FrozenModules, bundle: Bundle, listing: Sequence[str]
) -> Iterator[str]:
    """Yield files and folders of frozen packages that are said to be absent, by their whole path.

    A file whose path begins or continues such a text makes it doubtful where the path ends.
    """
    folder = "" if bundle.folder is None else f"{re.escape(str(bundle.folder.resolve()))}|"
    folder = rf"(?:{folder}(?:/[\w./+-]{{1,200}})?/_MEI\w+)"
    whole = re.compile(_WHOLE.replace("{folder}", folder))
    below = re.compile(folder)
    for line in words.splitlines():
        around = below.sub("", whole.sub("", line))
        if _OTHER_TROUBLE.search(around) or not _ABSENT.search(around):
            continue
        for found in whole.finditer(line):
            inside = posixpath.normpath(found["quoted"] or found["last"].rstrip("."))
            if _is_absent(inside, modules, bundle, listing):
                yield inside


def _is_absent(inside: str, modules: FrozenModules, bundle: Bundle, listing: Sequence[str]) -> bool:
    """Tell whether a path in a frozen package is no file or folder, nor part of one's path."""
    top, _, rest = inside.partition("/")
    if not rest or inside.endswith(_CODE) or len(inside) > _LONGEST:
        return False
    if not modules.has(top) or modules.has(inside.replace("/", ".")):
        return False
    after = bisect.bisect_left(listing, inside)
    if after < len(listing) and listing[after].startswith(inside):
        return False
    return not any(inside[:end] in bundle.files for end in range(len(top), len(inside)))


def _metadata(said: _Said, bundle: Bundle) -> Iterator[MissingPart]:
    found = [match[1] or match[2] for match in _NO_METADATA.finditer(said.text)]
    have = distributions(bundle) if found else {}
    for name in found:
        if canonicalize_name(name) not in have:
            yield _part(name, said.place, expected=f"{name.replace('-', '_')}-*.dist-info")


def _sources(said: _Said, modules: FrozenModules, bundle: Bundle) -> Iterator[MissingPart]:
    """Yield the sources that were read and are not there.

    Whoever reads one, torch or typeguard, was handed what another package defines: the nearest one
    among its callers. What reads while it is itself imported was handed nothing.
    """
    reader = said.place
    for found in _NO_SOURCE.finditer(said.text):
        owner = _handed_by(said.frames, reader)
        if found[1]:  # a class, told with its module
            module = found[2].rpartition(".")[0]
            owner = replace(owner, module=module) if modules.has(module) else owner
        path = owner.module.replace(".", "/")
        source = f"{path}/__init__.py" if modules.is_package(owner.module) else f"{path}.py"
        if modules.has(owner.module) and source not in bundle.files:
            part = _part(found[2] or owner.module, owner, expected=source)
            yield replace(part, reader=reader.module)


def _handed_by(frames: Sequence[_Place], reader: _Place) -> _Place:
    """Return the nearest caller of another package, before any import; else the reader itself."""
    for frame in reversed(frames):
        if frame.imports:
            break
        if frame.top != reader.top:
            return frame
    return reader


def _part(what: str, place: _Place, *, expected: str) -> MissingPart:
    return MissingPart(
        what=what,
        asker=place.module,
        function=place.function,
        expected=expected,
        certain=place.certain,
        direct=place.certain,
    )


def _libraries(said: _Said, bundle: Bundle) -> Iterator[MissingLibrary]:
    paths = _NO_LIBRARY.findall(said.text)
    there = {path.rpartition("/")[2] for path in bundle.files} if paths else set()
    for path in paths:
        name = path.rpartition("/")[2]
        if name not in there:
            chain = (said.place.module.replace(".", "/"),)
            yield MissingLibrary(name=name, chain=chain, certain=said.certain)


def _inside(path: str, bundle: Bundle) -> str:
    """Return a path below the bundle's contents; empty for one that lies elsewhere."""
    unpacked = _UNPACKED.search(path)
    if unpacked:
        return unpacked[1]
    folder = "" if bundle.folder is None else f"{bundle.folder.resolve()}/"
    return path.removeprefix(folder) if folder and path.startswith(folder) else ""
