"""Imports that nothing in the target can satisfy, found by reading, not by running.

Followed from the roots are the imports that stand at the left margin: those run whenever their
module is imported. What stands in ``try``, ``with``, ``if`` or a function may be guarded, and is
neither followed nor held against anyone, but for functions of the roots' own distributions, where
it counts if the distribution requires what is missing.
"""

from __future__ import annotations

import ast
import re
import time
from collections import deque
from typing import Deque, Dict, Iterable, Iterator, List, NamedTuple, Optional, Set, Tuple

from .finder import Finder, Spec
from .tree import Fact, Tree

_BODY = (
    r"(?:from[ \t]+(?P<base>[\w.]+)[ \t]+import[ \t]*"
    r"(?P<names>\([^()#]*(?:#[^\n]*\n[^()#]*)*\)|(?:[^\n\\#]|\\\n)+)"
    r"|import[ \t]+(?P<modules>[^\n#;]+))"
)
# A literal line feed in front lets the engine skip from line to line; "^" would try every place.
STATEMENT = re.compile(r"\n" + _BODY)
INDENTED = re.compile(r"\n[ \t]+" + _BODY)
NAME = re.compile(r"^\w+$")
UNKNOWABLE = re.compile(r"sys\.modules|__path__|meta_path|sys\.path\b")
MAKES_NAMES = re.compile(
    r"import\s+\*|__getattr__|globals\(|setattr\(|exec\(|sys\.modules|__path__"
)
SOURCE_LIMIT = 4 * 1024 * 1024
MAX_MODULES = 30000
MAX_FOUND = 200
PER_MODULE = 3
SECONDS = 20.0
# Import names whose distribution is called otherwise, for what is required but not installed.
DISTRIBUTION_OF = {
    "pil": "pillow", "yaml": "pyyaml", "cv2": "opencv-python", "sklearn": "scikit-learn",
    "bs4": "beautifulsoup4", "attr": "attrs", "dateutil": "python-dateutil", "jwt": "pyjwt",
    "dotenv": "python-dotenv", "serial": "pyserial", "usb": "pyusb", "zmq": "pyzmq",
    "crypto": "pycryptodome", "magic": "python-magic", "git": "gitpython", "docx": "python-docx",
    "skimage": "scikit-image", "pkg-resources": "setuptools", "openssl": "pyopenssl",
    "psycopg2": "psycopg2-binary", "mysqldb": "mysqlclient", "fitz": "pymupdf",
}  # fmt: skip


class Import(NamedTuple):
    """One imported path of one statement, with the names taken from it."""

    module: str
    level: int
    names: Tuple[str, ...]
    line: int


class Visit(NamedTuple):
    """A module to read, and how it was reached."""

    spec: Spec
    chain: Tuple[str, ...]
    soft: bool
    """Reached by what only might run: what is missing counts where it is required."""


class Owner(NamedTuple):
    """What a distribution says it needs."""

    name: str
    required: Set[str]
    own: bool
    """Whether it is one of the roots' own."""


def imports_of(text: str, statement: "re.Pattern[str]" = STATEMENT) -> List[Import]:
    """Return the imports at the left margin of a source, or the indented ones."""
    found = []
    text = "\n" + text
    line, at = 0, 0
    for match in statement.finditer(text):
        line += text.count("\n", at, match.start() + 1)
        at = match.start() + 1
        if match.group("modules") is not None:
            for part in match.group("modules").split(","):
                word = part.split()[0] if part.split() else ""
                if word:
                    found.append(Import(word, 0, (), line))
            continue
        base = match.group("base")
        level = len(base) - len(base.lstrip("."))
        listed = re.sub(r"#[^\n]*|\\\n|[()]", " ", match.group("names"))
        names = [part.split()[0] for part in listed.split(",") if part.split()]
        found.append(Import(base[level:], level, tuple(n for n in names if NAME.match(n)), line))
    return found


class Graph:
    """The walk over one environment's modules."""

    def __init__(self, tree: Tree, finder: Finder, owners: Dict[str, Owner]) -> None:
        """Prepare a walk.

        :param owners: paths of sources to the distribution that claims them.
        """
        self._tree = tree
        self._finder = finder
        self._owners = owners
        self._queue: Deque[Visit] = deque()
        self._seen: Set[str] = set()
        self.found: List[Fact] = []
        self.read = 0

    def walk(self, roots: Iterable[Tuple[str, bool]]) -> None:
        """Follow all imports from the roots: pairs of a module's name and whether it is soft."""
        until = time.monotonic() + SECONDS
        for name, soft in roots:
            self._reach(name, (), soft=soft, at=None)
        while self._queue and self.read < MAX_MODULES and time.monotonic() < until:
            self._visit(self._queue.popleft())

    def _reach(
        self, name: str, chain: Tuple[str, ...], *, soft: bool, at: "Optional[_Place]"
    ) -> Optional[Spec]:
        """Queue a dotted name's modules; return the last, or None where that is not known."""
        spec: Optional[Spec] = None
        for index, part in enumerate(name.split(".")):
            parent = spec
            if parent is None:
                spec = self._finder.top(part)
                if spec is None and at is not None:
                    spec = at.vendored(self._finder, part)
            elif parent.kind in ("package", "namespace"):
                spec = self._finder.child(parent, part)
            else:
                return None
            if spec is None:
                if at is not None and not self._excused(parent):
                    at.miss(".".join(name.split(".")[: index + 1]))
                return None
            self._push(spec, chain, soft=soft)
        return spec

    def _excused(self, parent: Optional[Spec]) -> bool:
        """Return whether a package may make its submodules in ways that reading does not show."""
        if parent is None or parent.file is None:
            return parent is not None and parent.kind == "package"
        return bool(UNKNOWABLE.search(self._tree.text(parent.file, SOURCE_LIMIT) or ""))

    def _push(self, spec: Spec, chain: Tuple[str, ...], *, soft: bool) -> None:
        if spec.name not in self._seen:
            self._seen.add(spec.name)
            if spec.file is not None:
                self._queue.append(Visit(spec, (*chain, spec.name), soft))

    def _visit(self, visit: Visit) -> None:
        file = visit.spec.file
        text = self._tree.text(file, SOURCE_LIMIT) if file else None
        if file is None or text is None:
            return
        self.read += 1
        owner = self._owners.get(file)
        place = _Place(self, visit, owner, text)
        for item in imports_of(text):
            self._follow(item, visit, place)
        if owner is not None and owner.own:
            place.soft = place.indented = True
            for item in imports_of(text, INDENTED):
                self._follow(item, visit, place)

    def _follow(self, item: Import, visit: Visit, place: "_Place") -> None:
        place.line = item.line
        base = item.module
        if item.level:
            package = visit.spec.name.split(".")
            if visit.spec.kind != "package":
                package = package[:-1]
            package = package[: len(package) - item.level + 1]
            if not package:
                return
            base = ".".join([*package, *([base] if base else [])])
        spec = self._reach(base, visit.chain, soft=place.soft, at=place)
        if spec is None or spec.kind not in ("package", "namespace"):
            return
        for name in item.names:
            child = self._finder.child(spec, name)
            if child is not None:
                self._push(child, visit.chain, soft=place.soft)
            elif not place.soft and self._lacks(spec, name, relative=item.level > 0):
                place.miss(f"{spec.name}.{name}")

    def _lacks(self, spec: Spec, name: str, *, relative: bool) -> bool:
        """Return whether a package surely has no such name, be it a module or a variable.

        A namespace has modules only. A package's own ``__init__.py`` that never mentions a name,
        and does nothing that could make one, lacks it; trusted only for its own modules' imports.
        """
        if spec.kind == "namespace":
            return True
        if not relative or spec.file is None:
            return False
        text = self._tree.text(spec.file, SOURCE_LIMIT) or ""
        return not MAKES_NAMES.search(text) and not re.search(rf"\b{re.escape(name)}\b", text)


class _Place:
    """A module that is being read: what it misses is noted here."""

    def __init__(self, graph: Graph, visit: Visit, owner: Optional[Owner], text: str) -> None:
        self._graph = graph
        self._visit = visit
        self._owner = owner
        self._text = text
        self._tree: Optional[ast.Module] = None
        self.soft = visit.soft
        self.indented = False
        self.line = 0

    def parsed(self) -> Optional[ast.Module]:
        """Return the module's syntax tree, or None where this Python cannot read it."""
        if self._tree is None:
            try:
                self._tree = ast.parse(self._text)
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                return None
        return self._tree

    def vendored(self, finder: Finder, name: str) -> Optional[Spec]:
        """Return a module out of the ``_vendor`` folders of the packages around this one."""
        folder = (self._visit.spec.file or "").rpartition("/")[0]
        for _ in self._visit.spec.name.split("."):
            for vendor in ("_vendor", "vendor", "_vendored"):
                spec = finder.beside(f"{folder}/{vendor}", name)
                if spec is not None:
                    return spec
            folder = folder.rpartition("/")[0]
        return None

    def miss(self, name: str) -> None:
        """Note that a name cannot be satisfied, if the import of it is sure to run."""
        top = name.split(".", maxsplit=1)[0]
        if self.soft and not self._required(top):
            return
        if "sys.path" in self._text or len(self._graph.found) >= MAX_FOUND:
            return
        if not (self._in_function() if self.indented else self._at_top(name)):
            return
        fact: Fact = {
            "module": name,
            "importer": self._visit.spec.name,
            "file": self._visit.spec.file,
            "line": self.line,
            "distribution": self._owner.name if self._owner else None,
            "chain": list(self._visit.chain),
        }
        known = [item for item in self._graph.found if item["module"] == name]
        if len(known) < PER_MODULE and fact not in known:
            self._graph.found.append(fact)

    def _required(self, top: str) -> bool:
        name = top.lower().replace("_", "-")
        required = self._owner.required if self._owner else set()
        return name in required or DISTRIBUTION_OF.get(name, "") in required

    def _in_function(self) -> bool:
        """Return whether the line's import stands in a function with nothing around it there."""
        tree = self.parsed()
        try:
            return tree is not None and any(
                node.lineno == self.line for node in _bare(tree, inside=False)
            )
        except RecursionError:
            return False

    def _at_top(self, name: str) -> bool:
        """Return whether the syntax tree has the import as a statement of the module itself."""
        tree = self.parsed()
        if tree is None:
            return False
        top = name.split(".", maxsplit=1)[0]
        for node in tree.body:
            if isinstance(node, (ast.Import, ast.ImportFrom)) and (
                node.lineno <= self.line <= (node.end_lineno or node.lineno)
            ):
                if isinstance(node, ast.ImportFrom):
                    return bool(node.level) or (node.module or "").split(".")[0] == top
                return any(alias.name.split(".")[0] == top for alias in node.names)
            if isinstance(node, ast.Raise):
                return False
        return False


def _bare(node: ast.AST, *, inside: bool) -> Iterator[ast.stmt]:
    """Yield the imports in functions that nothing there guards."""
    if isinstance(node, (ast.Import, ast.ImportFrom)) and inside:
        yield node
    if isinstance(node, (ast.Try, ast.If, ast.With, ast.While)):
        return
    inside = inside or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    for child in ast.iter_child_nodes(node):
        yield from _bare(child, inside=inside)
