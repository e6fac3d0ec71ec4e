"""The text of a lockfile: hashed requirements under a header of three comments.

The body is what ``pip install --require-hashes`` and ``uv pip sync`` take as it is. Nothing in it
depends on a machine: no path, no address, no time, no marker.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn

from packaging.utils import canonicalize_name, is_normalized_name
from packaging.version import InvalidVersion, Version

from venvsmith.errors import UnsafeInputError
from venvsmith.model.lock import Lock, Pin

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from venvsmith.model.project import LockKey

TITLE = "# venvsmith lock"
TOOLS_TITLE = "# venvsmith tools"
MEND = "a lockfile is not edited by hand: restore it, or delete it and run 'venvsmith lock'"
_HASH = re.compile(r"sha256:[0-9a-f]{64}")
_DIGEST_LINE = re.compile(r"# inputs: (sha256:[0-9a-f]{64})")
_RESOLVER_LINE = re.compile(r"# resolver: (\S(?:[ -~]*\S)?)")
_PIN_LINE = re.compile(r"([a-z0-9-]+)==(\S+) \\")
_HASH_LINE = re.compile(r"    --hash=(\S+)( \\)?")
_HEADER_LINES = 3


def emit_lock(lock: Lock) -> str:
    """Return the file's text. Equal locks give equal text."""
    header = f"{TITLE}\n# resolver: {lock.resolver}\n# inputs: {lock.inputs}\n"
    return header + emit_pins(lock.pins)


def emit_pins(pins: Sequence[Pin]) -> str:
    """Return pins alone, without a header, as requirements with hashes."""
    return "".join(_emit_pin(pin) for pin in pins)


def emit_tools(pins: Sequence[Pin]) -> str:
    """Return the text of the lock of venvsmith's own build tools."""
    return f"{TOOLS_TITLE}\n" + emit_pins(pins)


def parse_lock(text: str, *, key: LockKey, where: str = "") -> Lock:
    """Read a lockfile's text.

    :param key: which lock the text is said to be.
    :param where: the file, for messages; the key's filename where empty.
    :raises UnsafeInputError: where the text is not exactly of the form that `emit_lock` writes;
        the message names the line.
    """
    where = where or key.filename
    lines = text.split("\n")
    if lines[0] != TITLE:
        _refuse(where, 1, f"'{TITLE}' expected")
    if len(lines) < _HEADER_LINES:
        _refuse(where, len(lines), "the file ends within its header")
    resolver = _RESOLVER_LINE.fullmatch(lines[1])
    if resolver is None:
        _refuse(where, 2, "'# resolver: <name> <version>' expected")
    inputs = _DIGEST_LINE.fullmatch(lines[2])
    if inputs is None:
        _refuse(where, 3, "'# inputs: sha256:<64 hexadecimal digits>' expected")
    pins = _parse_pins(lines, start=_HEADER_LINES, where=where)
    return Lock(key=key, resolver=resolver[1], inputs=inputs[1], pins=pins)


def parse_pins(text: str, *, where: str) -> tuple[Pin, ...]:
    """Read pins alone, without a header.

    :raises UnsafeInputError: where the text is not exactly of the form that `emit_pins` writes.
    """
    return _parse_pins(text.split("\n"), start=0, where=where)


def parse_tools(text: str, *, where: str) -> tuple[Pin, ...]:
    """Read the lock of the build tools.

    :raises UnsafeInputError: where it is not exactly of the form that `emit_tools` writes.
    """
    lines = text.split("\n")
    if lines[0] != TOOLS_TITLE:
        _refuse(where, 1, f"'{TOOLS_TITLE}' expected")
    return _parse_pins(lines, start=1, where=where)


def _emit_pin(pin: Pin) -> str:
    lines = [pin.requirement(), *(f"    --hash={digest}" for digest in pin.hashes)]
    return " \\\n".join(lines) + "\n"


def _parse_pins(lines: Sequence[str], *, start: int, where: str) -> tuple[Pin, ...]:
    if lines[-1]:
        _refuse(where, len(lines), "the file ends within a line: it is not whole")
    pins: list[Pin] = []
    for number, pin in _blocks(lines, start, where):
        if pins and pin.name <= pins[-1].name:
            problem = "is there twice" if pin.name == pins[-1].name else "is not in order"
            _refuse(where, number, f"{pin.name} {problem}")
        pins.append(pin)
    return tuple(pins)


def _blocks(lines: Sequence[str], start: int, where: str) -> Iterator[tuple[int, Pin]]:
    """Yield each pin with the number of its first line."""
    index = start
    while index < len(lines) - 1:
        head = _PIN_LINE.fullmatch(lines[index])
        if head is None:
            _refuse(where, index + 1, "'name==version \\' expected")
        name, version = _checked(head[1], head[2], where, index + 1)
        first, hashes, more = index + 1, list[str](), True
        while more:
            index += 1
            found = _HASH_LINE.fullmatch(lines[index])
            if found is None or _HASH.fullmatch(found[1]) is None:
                _refuse(where, index + 1, f"a sha256 hash of {name} expected")
            hashes.append(found[1])
            more = found[2] is not None
        if hashes != sorted(set(hashes)):
            _refuse(where, first, f"the hashes of {name} are not in order")
        index += 1
        yield first, Pin(name=name, version=version, hashes=tuple(hashes))


def _checked(name: str, version: str, where: str, number: int) -> tuple[str, str]:
    if not is_normalized_name(name):
        _refuse(where, number, f"'{name}' is not a normalised name ({canonicalize_name(name)})")
    try:
        Version(version)
    except InvalidVersion:
        _refuse(where, number, f"'{version}' is not a version")
    return name, version


def _refuse(where: str, line: int, message: str) -> NoReturn:
    raise UnsafeInputError(
        message,
        where=f"{where}:{line}",
        hint=MEND,
        code="lock-malformed",
    )
