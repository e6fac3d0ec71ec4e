"""Reads what uv prints: pins, who asks for them, and why there is no answer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from venvsmith.errors import JudgedError, SurroundingsError
from venvsmith.files import full_disk
from venvsmith.model.lock import Pin
from venvsmith.network import lacking_in, network_error, redact_url, redact_urls
from venvsmith.resolve.protocol import Unsolvable
from venvsmith.resolve.routes import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from venvsmith.errors import VenvsmithError
    from venvsmith.model.project import Index
    from venvsmith.process import Completed
    from venvsmith.resolve.protocol import Reason

_ASIDE = re.compile(r"(warning:|WARN )")
"""What uv says by the way, and what its log says."""
_REASONS: Mapping[str, Reason] = {
    "no usable wheels": "no-wheel",
    "no wheels with a matching": "no-wheel-here",
    "was not found in": "unknown",
}
LONGEST_PROOF = 400
"""Characters of an explanation that a person still reads through."""


def read_pins(done: Completed, *, hashed: bool = True) -> tuple[Pin, ...]:
    """Read uv's output: ``name==version`` with hashes, one requirement to a logical line.

    :param hashed: whether each has to have some; uv knows those of a listing without hashes, or of
        a folder, only where it read the files.
    :raises JudgedError: where one comes without a version, or without hashes though it has to.
    """
    pins: list[Pin] = []
    for line in done.text.replace("\\\n", " ").splitlines():
        text, *hashes = line.split("#")[0].split("--hash=")
        name, equals, version = _versioned(text.strip()).partition("==")
        if not text.strip():
            continue
        found = tuple(sorted({item.strip() for item in hashes if item.startswith("sha256:")}))
        if not equals or (hashed and not found):
            message = f"'{text.strip()[:100]}' comes without a version or a sha256 hash"
            hint = "the index that offers it must list sha256 hashes"
            raise JudgedError(message, where="uv", hint=hint, code="unhashed")
        pins.append(Pin(name=canonicalize_name(name), version=version, hashes=found))
    return tuple(sorted(pins))


def _versioned(text: str) -> str:
    """Return ``name==version`` for a wheel that uv names by its address."""
    name, at, url = text.partition(" @ ")
    try:
        version = parse_wheel_filename(unquote(url).rpartition("/")[2])[1] if at else ""
    except InvalidWheelFilename:
        return text
    return f"{name}=={version}" if at else text


def read_parents(done: Completed) -> dict[str, frozenset[str]]:
    """Read from the comments of uv's output which names ask for each name."""
    found: dict[str, frozenset[str]] = {}
    name = ""
    for line in done.text.splitlines():
        comment = re.fullmatch(r"    # +(?:via +)?([\w.-]+)(\[.*\])?( \(.*\))?", line)
        if not line.startswith(" "):
            name = canonicalize_name(re.split(r"==| @ ", line)[0])
        elif comment is not None and comment[1] != "via":
            found[name] = found.get(name, frozenset()) | {canonicalize_name(comment[1])}
    return found


def read_yanked(done: Completed) -> dict[str, str]:
    """Read from uv's warnings which of the versions were withdrawn by their makers, and why."""
    found = re.findall(
        r'warning: `([^`=]+)==[^`]+` is yanked(?: \(reason: "(.*)"\))?', done.error_text
    )
    return {canonicalize_name(name): reason or "no reason is given" for name, reason in found}


def explain(done: Completed) -> Unsolvable:
    """Tell a conflict from a failure of the surroundings.

    :raises SurroundingsError: for the latter.
    """
    text = redacted(done)
    if done.timed_out:
        message = f"no answer within {done.command.timeout:g} s"
        raise SurroundingsError(message, where="uv", hint="run again", code="resolver-timeout")
    if "the network was disabled" in text:
        missing = re.search(r"Because (\S+) was not found in the cache", text)
        what = missing[1] if missing else "a distribution"
        message = f"{what} is not in the cache, and the network may not be used"
        raise SurroundingsError(
            message, where="uv", hint="run once without --offline", code="offline"
        )
    if "was not found" in text:
        refuse_refusal(text)
    if "No solution found" in text:
        told = _condensed(text)
        lacking = frozenset(each.partition("==")[0] for each in lacking_in(text))
        return Unsolvable(explanation=told, why=_reason(told), missing=lacking)
    if done.returncode in {126, 127}:
        raise SurroundingsError(text.strip(), where="uv", hint="install uv", code="tool-missing")
    raise _failure(text)


def _reason(told: str) -> Reason:
    """Return what a proof comes to. What it leaves out does not count."""
    for words, reason in _REASONS.items():
        if words in told:
            return reason
    return "conflict"


def redacted(done: Completed) -> str:
    """Return what uv wrote to stderr, its addresses without user, password and query."""
    return redact_urls(done.error_text)


def refuse_refusal(text: str, indexes: Iterable[Index] = ()) -> None:
    """Tell an index that refuses us from one that lacks a name: uv takes both for the latter.

    :param indexes: the project's own, whose variables the error names.
    :raises SurroundingsError: where the text speaks of a refusal.
    """
    error = network_error(text)
    if error is None or error.code != "index-refused":
        return
    # The log is full of addresses; a default index that refuses us fails without it.
    asked = [index for index in indexes if redact_url(index.url) in text]
    if len(asked) == 1:
        error.where = redact_url(asked[0].url)
        error.hint = f"set {' and '.join(asked[0].variables)}, or write the host into ~/.netrc"
    raise error


def refuse_damaged(done: Completed) -> None:
    """Tell of a wheel that arrived damaged: uv passes it over and takes an older version.

    :raises SurroundingsError: where the resolution met one.
    """
    found = re.search(r"`(\S+)` has an invalid package format", done.error_text)
    if found is not None:
        message = f"the wheel of {found[1]} arrived damaged, and another version would be locked"
        name, _, version = found[1].partition("==")
        hint = f"run again; where it stays so, ask for {name}!={version}"
        raise SurroundingsError(message, where="index", hint=hint, code="file-damaged")


def _failure(text: str) -> VenvsmithError:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    lines = [re.sub(r"^(error|cause): ", "", line) for line in lines if not _ASIDE.match(line)]
    message = ": ".join(dict.fromkeys(lines))[:600] or "it failed without a word"
    if "ailed to build" in text:
        return JudgedError(message, where="uv", hint="see its own words", code="resolver-failed")
    hint = "free some space in uv's cache and the temporary folder, then run again"
    if (full := full_disk(text, where="uv", hint=hint)) is not None:
        return full
    return network_error(text) or SurroundingsError(
        message, where="uv", hint="run again with -v", code="resolver-failed"
    )


def _condensed(text: str) -> str:
    """Return uv's proof as clauses, without the turns of phrase that carry nothing.

    "you require" is left in it: who asks is the caller's to say.
    """
    body = text.partition("No solution found")[2].partition("\n")[2]
    body = re.split(r"\n\s*hint:", body)[0]
    body = re.sub(r"^\s*(cause:|\u2570\u2500\u25b6)\s*", "", body)
    body = re.sub(r"\s+", " ", body).replace(f"{PROJECT} depends on", "you require")
    body = body.replace(", we can conclude that your requirements are unsatisfiable", "")
    sentences = [
        re.sub(r",? we can conclude that", ", so", re.sub(r"^(Because|And because) ", "", sentence))
        for sentence in body.strip().rstrip(".").split(". ")
    ]
    # What follows from a clause at once says nothing new.
    echo = re.compile(r", so (you require \S+|your requirements and .* are incompatible)$")
    return _shortened("; ".join(echo.sub("", sentence) for sentence in sentences))


def _shortened(text: str) -> str:
    """Say every requirement whose it is, gather versions of one name, and leave out long middles.

    Of a long proof, what it has come to before its last step, and that step, are enough to act on.
    """
    text = re.sub(
        r"you require (\S+) and ([\w.-]+[<>=!~]\S*?|[\w.-]+)(?=$|[;,](?:\s|$))",
        r"you require \1 and you require \2",
        text,
    )
    text = re.sub(r"all of: ((?:\S+ )+?)depend on", _every, text)
    text = re.sub(r"one of: ((?:[\w.-]+[<>=!~]\S*(?: |$))+)", _either, text)
    steps = re.split(r",? And because ", text)
    if len(text) <= LONGEST_PROOF or len(steps) == 1:
        return text
    last = re.sub(r"all of: (?:\S+ )+?have no usable wheels and ", "", steps[-1])
    return f"{steps[-2].rpartition(', so ')[2]}; {last}"


def _every(found: re.Match[str]) -> str:
    versions = found[1].split()
    names = {re.split(r"[<>=!~]", version)[0] for version in versions}
    if len(names) > 1 or len(versions) < 2:  # noqa: PLR2004 - one is no list
        return found[0]
    return f"every allowed {names.pop()} depends on"


def _either(found: re.Match[str]) -> str:
    return " or ".join(found[1].split()) + (" " if found[1].endswith(" ") else "")
