"""One code object's instructions, looked at where it matters and nowhere else.

An instruction is addressed by its number: two bytes each, the operation and its argument. Searching
bytes for an operation is what makes thousands of modules readable in a second.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cache, cached_property
from itertools import accumulate, islice
from typing import TYPE_CHECKING, Any

from venvsmith.bundle.marshalled import Code

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.bundle.opcodes import Opcodes, Version

EXCEPTION_TABLES = (3, 11)
CACHE = b"\0"
"""The operation that leaves room for a value."""
CACHED_JUMPS = (3, 12)
"""From this version on a jump may have such room, and counts from behind it."""
STAR = 2
"""The argument of CALL_INTRINSIC_1 that is a star import."""
EQUAL = 2
"""The comparison ``==``."""
NOISE = 64
"""More instructions than ever stand between what belongs together."""
ARGUMENTS = 1000
"""More constants than a decorated function has for its defaults and annotations."""
WIDTH = 32
"""Bits of an argument, all EXTENDED_ARG included."""
LARGEST = 2**30 - 1
"""The largest number of an exception table."""
WALK = 2000
"""Instructions of a handler that are looked at; one that is longer is taken to go on."""
Stretches = tuple[tuple[int, ...], tuple[int, ...]]
"""Where stretches begin, in order, and how far each of them or one before it reaches."""
_ENDS = frozenset({("sys", "exit"), ("os", "_exit")})
"""Functions that end the program, each behind the module that it is in."""
_OF_IMPORTS = frozenset({"ImportError", "ModuleNotFoundError"})
"""Exceptions that are raised for want of a module and of nothing else."""


class Instructions:
    """The instructions of one code object.

    :ivar starts: whether it is what an application starts with, whose ``__name__`` is ``__main__``.
    """

    def __init__(self, code: Code, ops: Opcodes, python: Version, *, starts: bool = False) -> None:
        self.code = code
        self.ops = ops
        self.starts = starts
        self._python = python
        self._ops = code.code[::2]
        self._outcomes: dict[int, tuple[bool, tuple[int, ...]]] = {}

    def inner(self, code: Code) -> Instructions:
        """Return the instructions of a code object in this one: a function, a class."""
        return Instructions(code, self.ops, self._python)

    def has(self, operation: int) -> bool:
        """Tell whether an operation stands somewhere."""
        return operation in self._ops

    def where(self, *operations: int, start: int = 0) -> Iterator[int]:
        """Yield where operations stand, in order.

        :param start: the first instruction that is looked at.
        """
        for match in _pattern(operations).finditer(self._ops, start):
            yield match.start()

    def op(self, at: int) -> int:
        """Return the operation of an instruction; -1 before the first."""
        return self._ops[at] if at >= 0 else -1

    def arg(self, at: int) -> int:
        """Return an instruction's argument with what EXTENDED_ARG adds to it."""
        if at < 0:
            return 0
        raw = self.code.code
        value, shift, at = raw[2 * at + 1], 8, at - 1
        while at >= 0 and self._ops[at] == self.ops.extended_arg and shift < WIDTH:
            value |= raw[2 * at + 1] << shift
            shift += 8
            at -= 1
        return value

    def before(self, at: int) -> int:
        """Return the instruction before one, leaving out what only stands between."""
        at -= 1
        end = at - NOISE
        while at >= 0 and (self._ops[at] in self.ops.noise or self._is_extension(at)) and at > end:
            at -= 1
        return at

    def after(self, at: int) -> int:
        """Return the instruction after one, in the same way; the number of all at the end."""
        at += 1
        last, end = len(self._ops), at + NOISE
        while (
            at < last and (self._ops[at] in self.ops.noise or self._is_extension(at)) and at < end
        ):
            at += 1
        return at

    def _is_extension(self, at: int) -> bool:
        return self._ops[at] == self.ops.extended_arg

    def name(self, at: int) -> str:
        """Return the name that an instruction loads, stores or imports; empty for none."""
        index = self.arg(at)
        op = self.op(at)
        if op == self.ops.load_global:
            index >>= self.ops.global_shift
        elif op in self.ops.load_attr:
            index >>= self.ops.attr_shift
        return self.code.names[index] if index < len(self.code.names) else ""

    def const(self, at: int) -> Any:
        """Return the constant that an instruction loads; None for none."""
        index = self.arg(at)
        if self.op(at) != self.ops.load_const or index >= len(self.code.consts):
            return None
        return self.code.consts[index]

    def small_int(self, at: int) -> int:
        """Return the number that an instruction pushes: from 3.14 on its argument."""
        value = self.const(at) if self.op(at) == self.ops.load_const else self.arg(at)
        return value if isinstance(value, int) else 0

    def called_with(self, at: int) -> str:
        """Return the name of the function whose argument an instruction loads.

        It is the only one, or the package follows it: ``import_module(".x", __package__)``.
        """
        ops = self.ops
        following = self._op_of(self.after(at))
        if following in (ops.load_name, ops.load_global):
            package = self.after(at)
            if self.name(package) not in {"__package__", "__name__"}:
                return ""
            following = self._op_of(self.after(package))
        if following not in ops.calls:
            return ""
        before = self.before(at)
        loads = {ops.load_name, ops.load_global, *ops.load_attr}
        return self.name(before) if self.op(before) in loads else ""

    def owner(self, at: int) -> str:
        """Return the name of what an instruction loads an attribute of; ``?`` where that has none.

        Empty where it loads no attribute.
        """
        if self.op(at) not in self.ops.load_attr:
            return ""
        before = self.before(at)
        loads = {self.ops.load_name, self.ops.load_global, *self.ops.load_attr}
        return self.name(before) if self.op(before) in loads else "?"

    def _op_of(self, at: int) -> int:
        """Return the operation of an instruction; -1 behind the last."""
        return self._ops[at] if at < len(self._ops) else -1

    def raises_after(self, at: int) -> bool:
        """Tell whether what follows an instruction raises before it branches or returns."""
        return self._op_of(self._end_after(at)) == self.ops.raises

    def raises_if(self, at: int, *, either: bool) -> bool:
        """Tell whether code raises next where the condition that follows an instruction holds.

        :param either: or where it does not.
        """
        jump = self._end_after(at)
        if self._op_of(jump) not in self.ops.jumps_forward | self.ops.jumps_absolute:
            return False
        return self.raises_after(jump) or (either and self.raises_after(self._target(jump) - 1))

    def _end_after(self, at: int) -> int:
        """Return where a straight run of instructions ends; the number of all at the end."""
        ops = self.ops
        jumps = (*ops.jumps_forward, *ops.jumps_absolute, *ops.jumps_back)
        return next(self.where(ops.raises, *ops.returns, *jumps, start=at + 1), len(self._ops))

    def _target(self, jump: int) -> int:
        """Return where a jump leads."""
        steps = self.arg(jump) * self.ops.unit // 2
        if self.op(jump) in self.ops.jumps_absolute:
            return steps
        has_room = self._python >= CACHED_JUMPS and self._ops[jump + 1 : jump + 2] == CACHE
        return jump + 1 + steps + has_room

    def is_called(self, at: int) -> bool:
        """Tell whether the attribute that an instruction loads is called, or decorates."""
        ops = self.ops
        if self.arg(at) & 1 if ops.attr_shift else self.op(at) != ops.load_attr[0]:
            return True
        later_ones = self.where(ops.load_const, ops.store_name, ops.store_global, start=at + 1)
        for later in islice(later_ones, ARGUMENTS):
            # A decorator stands before its function's code, which is stored when it has run.
            if self.op(later) != ops.load_const:
                return False
            if isinstance(self.const(later), Code):
                return True
        return False

    def has_star_import(self) -> bool:
        """Tell whether ``from x import *`` stands here."""
        ops = self.ops
        if ops.import_star is not None and ops.import_star in self._ops:
            return True
        return ops.intrinsic is not None and any(
            self.arg(at) == STAR for at in self.where(ops.intrinsic)
        )

    def is_guarded(self, at: int) -> bool:
        """Tell whether an exception here is handled: in ``try`` or ``with``."""
        return _lies_in(self._handled, at)

    def is_conditional(self, at: int) -> bool:
        """Tell whether a jump forward can pass over an instruction."""
        return _lies_in(self._jumped, at)

    def is_optional(self, at: int) -> bool:
        """Tell whether a jump forward can pass over an instruction whenever the code runs.

        Not so where a global variable that is None is given its value: the first time it must be.
        """
        return _lies_in(self._left_out, at)

    def is_caught(self, at: int) -> bool:
        """Tell whether code can go on after an exception here.

        Not so in ``finally``, behind a handler that raises or ends the program, behind one for
        imports that fail, and in a ``with`` other than that of `contextlib.suppress`.
        """
        pending, seen = [at], set[int]()
        while pending:
            handler = self._handler(pending.pop())
            if handler is None or handler in seen:
                continue
            seen.add(handler)
            if handler not in self._outcomes:
                self._outcomes[handler] = self._outcome(handler)
            goes_on, raised = self._outcomes[handler]
            if goes_on or len(seen) > NOISE:
                return True
            pending += raised[:NOISE]
        return False

    def _handler(self, at: int) -> int | None:
        """Return where the handler begins that an exception here is given to first."""
        index = bisect_right(self._entries, (at, len(self._ops) + 1, 0))
        around = self._entries[max(0, index - NOISE) : index]
        return next((target for _, end, target in reversed(around) if at < end), None)

    def _outcome(self, handler: int) -> tuple[bool, tuple[int, ...]]:
        """Tell whether code can go on behind a handler, and where that raises."""
        ops = self.ops
        raised: list[int] = []
        pending, seen = [handler], set[int]()
        while pending:
            at = pending.pop()
            while at < len(self._ops) and at not in seen:
                seen.add(at)
                op, following = self._ops[at], self._op_of(at + 1)
                if (op == ops.leaves and following != ops.reraises) or len(seen) > WALK:
                    return True, ()
                if op == ops.asks_exit and "suppress" in self.code.names:
                    return True, ()
                raises = op == ops.reraises and following != ops.leaves
                raises = raises or self._ends_program(at)
                if raises or op in (ops.raises, ops.asks_exit):
                    raised.append(at)
                if raises or op in ops.returns or op in (ops.raises, ops.asks_exit):
                    break
                at = self._next(at, pending)
        return False, tuple(raised)

    def _next(self, at: int, others: list[int]) -> int:
        """Return which instruction may be next; add to others where a jump may lead besides."""
        op = self._ops[at]
        if op in self.ops.jumps_back:
            return len(self._ops) if op in self.ops.jumps_always else at + 1
        if op not in self.ops.jumps_forward | self.ops.jumps_absolute:
            return at + 1
        if op in self.ops.jumps_always or self._asks_for_imports(at):
            return self._target(at)
        others.append(self._target(at))
        return at + 1

    def _ends_program(self, at: int) -> bool:
        """Tell whether an instruction loads what ends the program, and not as an argument."""
        if self.op(at) not in self.ops.load_attr:
            return False
        call = self.after(at)
        is_argument = self._op_of(call) in self.ops.calls and self.arg(call) > 0
        return (self.owner(at), self.name(at)) in _ENDS and not is_argument

    def _asks_for_imports(self, jump: int) -> bool:
        """Tell whether a jump passes over a handler for imports that fail."""
        loads = (self.ops.load_name, self.ops.load_global)
        last = self.before(jump)
        return any(
            self.op(at) in loads and self.name(at) in _OF_IMPORTS
            for at in (last, self.before(last))
        )

    @cached_property
    def _entries(self) -> list[tuple[int, int, int]]:
        """Where stretches begin and end whose exceptions are handled, and where they are."""
        if self._python >= EXCEPTION_TABLES:
            return sorted(_exception_table(self.code.exceptions))
        begins = ((at, self._target(at)) for at in self.where(*self.ops.sets_up))
        return [(at + 1, target, target) for at, target in begins]

    @cached_property
    def _handled(self) -> Stretches:
        return _in_order([(start, end) for start, end, _ in self._entries])

    @cached_property
    def _jumped(self) -> Stretches:
        """What jumps pass over."""
        return _in_order(self._jumps)

    @cached_property
    def _left_out(self) -> Stretches:
        """What jumps pass over, but for those that pass over a variable's first value."""
        stores: dict[str, list[int]] = {}
        for at in self.where(self.ops.store_global):
            stores.setdefault(self.name(at), []).append(at)
        if not stores:
            return self._jumped
        return _in_order([jump for jump in self._jumps if not self._fills(jump, stores)])

    def _fills(self, jump: tuple[int, int], stores: dict[str, list[int]]) -> bool:
        """Tell whether what a jump passes over stores the variable that is None otherwise.

        :param stores: where each global variable is stored, in order.
        """
        start, end = jump
        tested = self.before(start - 1)
        is_test = self.op(start - 1) == self.ops.jump_if_not_none
        if not is_test or self.op(tested) != self.ops.load_global:
            return False
        places = stores.get(self.name(tested), [])
        index = bisect_right(places, start)
        return index < len(places) and places[index] < end

    @cached_property
    def _jumps(self) -> list[tuple[int, int]]:
        """What each jump passes over, from behind it to its target."""
        ops = self.ops
        every = self.where(*ops.jumps_forward, *ops.jumps_absolute)
        jumps = [(at + 1, self._target(at)) for at in every]
        if self.code.name != "<module>":
            return jumps
        # A module's ``if`` with nothing behind its ``else`` returns, and jumps over nothing.
        last = len(self._ops)
        ends = {end for _, end in jumps if end <= last}
        returned = [end for end in ends if self.op(self.before(end)) in ops.returns]
        if self.starts:
            jumps = [jump for jump in jumps if not self._asks_for_main(jump[0] - 1)]
        return jumps + [(end, last) for end in returned]

    def _asks_for_main(self, at: int) -> bool:
        """Tell whether a jump passes over what ``if __name__ == "__main__"`` holds."""
        ops = self.ops
        compare = self.before(at)
        if self.op(at) != ops.jump_if_false or self.op(compare) != ops.compare:
            return False
        sides = (self.before(compare), self.before(self.before(compare)))
        return (
            self.arg(compare) >> ops.compare_shift == EQUAL
            and any(self.const(side) == "__main__" for side in sides)
            and any(self.op(s) == ops.load_name and self.name(s) == "__name__" for s in sides)
        )


@cache
def _pattern(operations: tuple[int, ...]) -> re.Pattern[bytes]:
    return re.compile(b"[" + re.escape(bytes(operations)) + b"]", re.DOTALL)


def _exception_table(table: bytes) -> list[tuple[int, int, int]]:
    """Return the stretches that an exception table covers, and where exceptions in them lead.

    Each entry is four numbers of six bits a byte, the first byte of an entry marked:
    CPython's Objects/exception_handling_notes.txt.
    """
    found = []
    numbers: list[int] = []
    value = 0
    for byte in table:
        value = ((value << 6) | (byte & 0x3F)) & LARGEST
        if byte & 0x40:
            continue
        numbers.append(value)
        value = 0
        if len(numbers) == 4:  # noqa: PLR2004 - start, length, target, depth
            found.append((numbers[0], numbers[0] + numbers[1], numbers[2]))
            numbers = []
    return found


def _in_order(stretches: list[tuple[int, int]]) -> Stretches:
    starts, ends = zip(*sorted(stretches), strict=True) if stretches else ((), ())
    return starts, tuple(accumulate(ends, max))


def _lies_in(stretches: Stretches, at: int) -> bool:
    starts, reach = stretches
    index = bisect_right(starts, at)
    return index > 0 and at < reach[index - 1]
