"""Where the strings of one code object go: with which names they meet on the way.

A statement is what stands between two stores. What it stores has met all that it loads, and what
the variables that it loads had met before. Branches are read as they stand, one after the other;
what is stored in a branch, or in a ``try`` that goes on without it, may be something else later.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from venvsmith.bundle.instructions import Instructions

MOST = 64
"""Names and strings that a variable's value may have met, and uses of a string; what is beyond is
forgotten, so that reading code takes no longer than its length says."""
Variable = tuple[Literal["name", "attribute", "local", "returned"], str | int]
OPENS = frozenset(
    {"open", "read_text", "read_bytes", "load", "safe_load", "full_load", "get_data", "open_text",
     "open_binary", "read_binary", "read_csv", "loadtxt", "fromfile"}
)  # fmt: skip
"""Functions that open the file whose name they are given: what they return is no name."""
RETURNED: Variable = ("returned", "")


@dataclass(slots=True)
class Text:
    """A string of interest, and what it meets.

    :ivar at: the instructions that load it, or the variable that came with it.
    :ivar used: the instructions that load a variable which holds it.
    :ivar names: identifiers in the statements that it takes part in; strings that go together
        share one set.
    """

    what: str
    at: int
    used: list[int] = field(default_factory=list)
    names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Value:
    """What a variable's value was made of."""

    names: tuple[str, ...] = ()
    texts: tuple[Text, ...] = ()


def flow(
    steps: Instructions, is_wanted: Callable[[str], bool], known: Mapping[Variable, Value]
) -> tuple[list[Text], dict[Variable, Value]]:
    """Return the strings of interest in a code object, and what its variables hold at the end.

    :param is_wanted: whether a string is of interest.
    :param known: what variables from outside hold.
    """
    reader = _Reader(steps, is_wanted, known)
    for at in steps.where(*reader.kinds):
        reader.kinds[steps.op(at)](at)
    return reader.texts, reader.variables


class _Reader:
    """What is known of one code object up to an instruction."""

    def __init__(
        self, steps: Instructions, is_wanted: Callable[[str], bool], known: Mapping[Variable, Value]
    ) -> None:
        self.steps = steps
        self.texts: list[Text] = []
        self.variables: dict[Variable, Value] = {}
        self._is_wanted = is_wanted
        self._known = known
        self._came: dict[int, Text] = {}
        self._names: dict[str, None] = {}
        self._here: dict[int, Text] = {}
        ops = steps.ops
        self.kinds: dict[int, Callable[[int], None]] = {
            **dict.fromkeys((*ops.ends, ops.raises), self.end),
            **dict.fromkeys(ops.returns, lambda at: self.end(at, RETURNED)),
            **dict.fromkeys(ops.load_local, self._load_local),
            **dict.fromkeys(ops.load_pair, self._load_pair),
            **dict.fromkeys(ops.store_local, self._store_local),
            **dict.fromkeys((ops.load_name, ops.load_global), self._load_name),
            **dict.fromkeys(ops.load_attr, self._load_attribute),
            **dict.fromkeys((ops.store_name, ops.store_global), self._store_name),
            ops.store_attr: lambda at: self.end(at, ("attribute", steps.name(at))),
            ops.load_const: self._load_const,
        }
        if ops.store_pair is not None and ops.store_load is not None:
            self.kinds |= {ops.store_pair: self._store_pair, ops.store_load: self._store_load}

    def end(self, at: int, *variables: Variable) -> None:
        """End a statement that stores its value in some variables."""
        self._meet()
        if variables:
            value = Value(tuple(islice(self._names, MOST)), self._kept(at))
            if variables != (RETURNED,) or value.texts:
                self.variables.update(dict.fromkeys(variables, value))
        self._names, self._here = {}, {}

    def _meet(self) -> None:
        """Add the names of a statement to those that its strings have met."""
        names = frozenset(self._names) if self._here else frozenset[str]()
        joined: dict[frozenset[str], frozenset[str]] = {}
        for text in self._here.values():
            if text.names not in joined:
                few = len(text.names) < MOST and not names <= text.names
                joined[text.names] = text.names | names if few else text.names
            text.names = joined[text.names]

    def _kept(self, at: int) -> tuple[Text, ...]:
        """Return the strings of a statement that its value certainly still is made of."""
        opened = not OPENS.isdisjoint(self._names)
        if not self._here or opened or self.steps.is_caught(at) or self.steps.is_conditional(at):
            return ()
        return tuple(islice(self._here.values(), MOST))

    def _load(self, variable: Variable, at: int) -> None:
        value = self.variables.get(variable)
        if value is None and variable in self._known:
            value = self._taken(self._known[variable], at)
        if value is None:
            return
        if len(self._names) < MOST:
            self._names |= dict.fromkeys(value.names)
        for text in value.texts[: max(0, MOST - len(self._here))]:
            self._here[id(text)] = text
            if len(text.used) < MOST:
                text.used.append(at)

    def _taken(self, value: Value, at: int) -> Value:
        """Return what comes from outside, with strings of this code object's own."""
        for text in value.texts:
            if id(text) not in self._came:
                self._came[id(text)] = Text(text.what, at)
                self.texts.append(self._came[id(text)])
        return Value(value.names, tuple(self._came[id(text)] for text in value.texts))

    def _load_const(self, at: int) -> None:
        const = self.steps.const(at)
        if type(const) is str and self._is_wanted(const):
            text = Text(const, at)
            self.texts.append(text)
            self._here[id(text)] = text

    def _load_name(self, at: int) -> None:
        name = self.steps.name(at)
        self._names[name] = None
        self._load(("name", name), at)

    def _load_attribute(self, at: int) -> None:
        name = self.steps.name(at)
        self._names[name] = None
        self._load(("attribute", name), at)

    def _load_local(self, at: int) -> None:
        self._load(("local", self.steps.arg(at)), at)

    def _load_pair(self, at: int) -> None:
        for index in divmod(self.steps.arg(at), 16):
            self._load(("local", index), at)

    def _store_name(self, at: int) -> None:
        self.end(at, ("name", self.steps.name(at)))

    def _store_local(self, at: int) -> None:
        self.end(at, ("local", self.steps.arg(at)))

    def _store_pair(self, at: int) -> None:
        first, second = divmod(self.steps.arg(at), 16)
        self.end(at, ("local", first), ("local", second))

    def _store_load(self, at: int) -> None:
        stored, loaded = divmod(self.steps.arg(at), 16)
        self.end(at, ("local", stored))
        self._load(("local", loaded), at)
