"""How large what a user's template makes may become: all that could grow asks here first.

Strings grow where they are joined (`~`, ``+``, macros, blocks that are set), multiplied, or filled
by a filter or a method. None of these makes more than a Dockerfile may have.
"""

from __future__ import annotations

from collections.abc import Sequence, Sized
from functools import wraps
from math import prod
from typing import TYPE_CHECKING, Any

from jinja2 import TemplateError
from jinja2.exceptions import SecurityError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

LONGEST = 1024 * 1024
"""Characters that a Dockerfile, or a string on the way to it, may have."""
MOST_TURNS = 1000
"""Items of a `range`, and of a list that is made by repeating one."""
FILTERS = ("batch", "indent", "join", "replace", "round", "slice", "tojson", "wordwrap")
"""Filters that make more than they are given."""
METHODS = frozenset({"join", "replace"})
"""Methods of strings that do."""
BY_NUMBER = frozenset(
    {"center", "expandtabs", "format", "format_map", "ljust", "rjust", "to_bytes", "translate"}
    | {"zfill"}
)
"""Methods that make anything of any length from next to nothing: a template has none of them."""


def joined(parts: Iterable[str]) -> str:
    """Join what a template writes.

    :raises TemplateError: where that is too much.
    """
    kept: list[str] = []
    length = 0
    for part in parts:
        kept.append(part)
        length += len(part)
        if length > LONGEST:
            message = f"it writes more than {LONGEST // 1024} KiB"
            raise TemplateError(message)
    return "".join(kept)


def turns(*bounds: int) -> range:
    """Return a range.

    :raises SecurityError: where it is too long.
    """
    found = range(*bounds)
    if len(found) > MOST_TURNS:
        message = f"a range has at most {MOST_TURNS} items"
        raise SecurityError(message)
    return found


def refuse_growth(operator: str, left: Any, right: Any) -> None:
    """Refuse an operation whose result may be large.

    :raises SecurityError: as said.
    """
    if operator == "**" or (operator == "%" and isinstance(left, str)):
        message = f"the operator {operator} is not there"
        raise SecurityError(message)
    if operator == "*":
        _refuse_product("that product", _weight(left), _weight(right))
    elif operator == "+" and isinstance(left, Sized) and isinstance(right, Sized):
        _refuse_product("that sum", _weight(left) + _weight(right))


def refuse_method(method: Any, given: Iterable[Any]) -> None:
    """Refuse a call of a string's method whose result may be large.

    :raises SecurityError: as said.
    """
    owner, name = getattr(method, "__self__", None), getattr(method, "__name__", "")
    if isinstance(owner, str) and name in METHODS:
        _refuse_large(name, (owner, *given))


def bounded(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a filter that refuses to make something large.

    :param function: as Jinja has it: some take an environment or a context first.
    """
    first = 1 if hasattr(function, "jinja_pass_arg") else 0

    @wraps(function)
    def careful(*given: Any, **named: Any) -> Any:
        values = list(given)
        if name == "join" and not isinstance(values[first], str):
            values[first] = list(values[first])
        _refuse_large(name, (*values[first:], *named.values()))
        return function(*values, **named)

    return careful


def _refuse_large(name: str, given: Sequence[Any]) -> None:
    """Refuse what a filter or a method makes, by the bound that its arguments give."""
    match name, given:
        case "replace", (str(text), str(old), str(new), *_):
            places = len(text) // len(old) if old else len(text) + 1
            _refuse_product(f"what {name} makes", len(text) + places * len(new))
        case _:
            _refuse_product(f"what {name} makes", *map(_extent, given))


def _refuse_product(what: str, *sizes: int) -> None:
    if prod(sizes) > LONGEST:
        message = f"{what} is too large"
        raise SecurityError(message)


def _extent(thing: Any) -> int:
    """Return by how much something can make another thing longer, all that is in a list summed."""
    if isinstance(thing, int | float):
        return max(1, abs(int(thing)))
    if isinstance(thing, list | tuple):
        return sum(map(_extent, thing), start=1)
    return max(1, len(thing)) if isinstance(thing, str) else 1


def _weight(operand: Any) -> int:
    """Return what an operand contributes to a product or a sum; a list's items may be long."""
    if isinstance(operand, int | float):
        return max(1, abs(int(operand)))
    return max(1, len(operand)) * (LONGEST // MOST_TURNS if isinstance(operand, list) else 1)
