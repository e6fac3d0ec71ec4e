"""What a failing registry looks like in the words of docker, and what it means.

Docker exits alike for all of them, so its words are all there is to tell by.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from venvsmith.errors import JudgedError, SurroundingsError
from venvsmith.network import redact_urls

if TYPE_CHECKING:
    from venvsmith.errors import VenvsmithError

LONGEST = 300
"""Characters of docker's own words that a line of ours repeats."""
ABSENT = re.compile(r": not found|name unknown|manifest unknown|_UNKNOWN", re.IGNORECASE)
"""What it says where a registry has no such image."""
Doing = Literal["push", "pull"]
AGAIN: dict[Doing, str] = {
    "push": "run 'venvsmith push' again: it goes on where it stopped",
    "pull": "run again",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Sign:
    """A pattern in docker's words and what it stands for.

    :param again: whether the same may go well a little later, without anybody doing anything.
    :param judged: whether the registry refuses this very image, so that no retry will help.
    """

    pattern: str
    code: str
    message: str
    hint: str
    again: bool = False
    judged: bool = False


# The first that fits decides.
_SIGNS = (
    _Sign(
        pattern=r"no space left|quota|insufficient storage|HTTP status: 507",
        code="registry-full",
        message="the registry has no room",
        hint="free some there, then {again}",
    ),
    _Sign(
        pattern=r"unauthorized|authentication required|no basic auth|insufficient_scope"
        r"|incorrect username or password|access denied|\bdenied\b|\b40[13]\b",
        code="registry-login",
        message="the registry refuses this login, or it has expired",
        hint="'docker login' to it{or_file}, then run again",
    ),
    _Sign(
        pattern=r"x509|certificate|server gave HTTP response to HTTPS client",
        code="registry-certificate",
        message="docker does not trust the registry's certificate",
        hint="give the engine its CA (/etc/docker/certs.d/<host>/ca.crt)",
    ),
    _Sign(
        pattern=r"method not allowed|HTTP status:? 405|HTTP 405",
        code="registry-read-only",
        message="the registry takes nothing now, whatever it is",
        hint="it is being looked after, or is a mirror: see who runs it; then {again}",
    ),
    _Sign(
        pattern=r"connection refused|no such host|server misbehaving|network is unreachable"
        r"|no route to host|name resolution",
        code="registry-unreachable",
        message="the registry cannot be reached",
        hint="look at its address and the network, then {again}",
        again=True,
    ),
    _Sign(
        pattern=r"HTTP status:? 5\d\d|HTTP 5\d\d|: 5\d\d [A-Z]|toomanyrequests|\b429\b|unavailable",
        code="registry-failed",
        message="the registry fails",
        hint="wait a little, or look at its log and its disk; then {again}",
        again=True,
    ),
    _Sign(
        pattern=r"connection reset|broken pipe|\bEOF\b|closed network connection|i/o timeout"
        r"|timeout|deadline exceeded|connection closed|use of closed",
        code="registry-broke-off",
        message="the connection to the registry breaks off",
        hint="{again}",
        again=True,
    ),
    _Sign(
        pattern=r"invalid|immutable|already exists|too large|unsupported|HTTP 4\d\d"
        r"|HTTP status:? 4\d\d|unknown",
        code="registry-rejected",
        message="the registry rejects this image",
        hint="mend what its words name: a tag that may not move, a name, the size of a layer",
        judged=True,
    ),
)


def registry_error(text: str, *, where: str, doing: Doing) -> tuple[VenvsmithError, bool]:
    """Return the error that docker's words tell of, and whether to try again by ourselves.

    :param text: what docker printed on stderr, secrets redacted.
    :param where: the tag or repository that it is about.
    """
    said = redact_urls(" ".join(text.split()))[:LONGEST]
    again = AGAIN[doing]
    for sign in _SIGNS:
        if re.search(sign.pattern, text, re.IGNORECASE):
            kind = JudgedError if sign.judged else SurroundingsError
            or_file = ", or name a file with --env-file" if doing == "push" else ""
            hint = sign.hint.format(again=again, or_file=or_file)
            error = kind(f"{sign.message}: {said}", where=where, hint=hint, code=sign.code)
            return error, sign.again
    message = f"docker cannot {doing} it: {said or 'it does not say why'}"
    return SurroundingsError(message, where=where, hint=again, code=f"{doing}-failed"), False
