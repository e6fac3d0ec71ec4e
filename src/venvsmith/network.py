"""What a failing index or network looks like in the words of uv and pip, and what it means.

And what of an address may be shown: all that a tool prints may hold one with a password.

A fault of the network is worth a retry (exit 4); a file that is gone or is another one than was
locked is not (exit 1). The tools exit alike for both, so their words are all there is to tell by.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from venvsmith.errors import JudgedError, SurroundingsError

if TYPE_CHECKING:
    from urllib.parse import SplitResult

    from venvsmith.errors import VenvsmithError

_CREDENTIALS = re.compile(r"(?<=://)[^\s/]*@")
"""All up to the last @ of the host's part: a password may hold one, or whatever ends an address."""
_URL = re.compile(
    r"(?<![A-Za-z0-9+.-])[A-Za-z0-9+.-]+://(?:[^\s/]*@)?"
    r"(?:\[[\w:.%]*\]|[^\s`'\"<>)\]])[^\s`'\"<>)\]]*"
)
_RETRY = "look at the index, the proxy and the network, then run again"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Sign:
    """A pattern in a tool's words, and the error that it stands for.

    The named groups of the pattern fill the message and the hint.
    """

    pattern: str
    code: str
    message: str
    hint: str = _RETRY
    retry: bool = True


# The gap ends, and further hashes are never given back, so that a long text takes no time.
_HASHES = (
    r"(?>.{0,400}?[Ee]xpected:?\s+(?:sha256[ :])?(?P<wanted>\w+))"
    r"(?:\s+(?:Expected\s+)?(?:or\s+)?(?:sha256[ :])?[0-9a-f]{64})*+"
    r"\s+(?:Computed:|Got)\s+(?:sha256:)?(?P<got>\w+)"
)
_SIGNS = (
    _Sign(
        pattern=r"(?:ash mismatch for `(?P<name>[^`]+)`|\n[ \t]*(?P<name2>[\w.-]+==\S+) from \S+)"
        + _HASHES,
        code="hash-mismatch",
        message="{name} is not the file that was locked: expected sha256 {wanted}, got {got}",
        hint="find out why it changed; 'venvsmith lock --check' tells what the index offers now",
        retry=False,
    ),
    _Sign(
        pattern=r"(?P<status>40[13] (?:Unauthorized|Forbidden)|40[13] Client Error|error 40[13])",
        code="index-refused",
        message="the index refused us ({status})",
        hint="set VENVSMITH_INDEX_<NAME>_USERNAME and _PASSWORD, or look at the mirror's address",
    ),
    _Sign(
        pattern=r"client error \((?P<status>4(?:04|10) [\w ]+)\)"
        r"|HTTP error (?P<status2>4(?:04|10)) while",
        code="file-gone",
        message="the index lists a file that it does not have ({status})",
        hint="it was removed, or the mirror is behind: lock again, or pin another version",
        retry=False,
    ),
    _Sign(
        pattern=r"HTTP status \w+ error \((?P<status>\d{3}[\w ]*)\)"
        r"|HTTP error (?P<status2>\d{3}) while|too many (?P<status3>\d{3}) error",
        code="index-failed",
        message="the index answers {status}",
        hint="wait a little and run again",
    ),
    _Sign(
        pattern=r"invalid peer certificate|CERTIFICATE_VERIFY_FAILED|certificate verify failed",
        code="certificate",
        message="its certificate is signed by nobody that is known here",
        hint="name the company's CA with --ca-bundle in a build, with SSL_CERT_FILE otherwise",
    ),
    _Sign(
        pattern=r"dns error|failed to lookup|[Nn]ame or service not known|NameResolutionError"
        r"|[Tt]emporary failure (?:in name resolution|resolving)",
        code="index-unreachable",
        message="its host name is not known",
        hint="look at the index's address and at the name service, then run again",
    ),
    _Sign(
        pattern=r"[Cc]onnection refused",
        code="index-unreachable",
        message="the connection is refused",
    ),
    _Sign(
        pattern=r"timed out|ReadTimeout|ConnectTimeout|didn't respond within",
        code="index-unreachable",
        message="no answer in time",
    ),
    _Sign(
        pattern=r"end of file before|IncompleteRead|[Cc]onnection reset|error decoding response"
        r"|incomplete-download|[Cc]onnection broken|RemoteDisconnected|error reading a body"
        r"|closed without a reply",
        code="index-broke-off",
        message="the answer broke off",
        hint="run again",
    ),
    _Sign(
        pattern=r"in parse_links\b.{0,4000}?Error: |Skipping page \S+ because the",
        code="index-failed",
        message="what the index answers is no page of an index",
        hint="something between here and the index may have answered in its place; run again",
    ),
    _Sign(
        pattern=r"Invalid zip file structure|Failed to extract archive|invalid package format"
        r"|is invalid\.|BadZipFile",
        code="file-damaged",
        message="a file of the index is no wheel",
        hint="something between here and the index may have answered in its place; run again",
    ),
    _Sign(
        pattern=r"[Ff]ailed to fetch|[Nn]etwork is unreachable|NewConnectionError"
        r"|client error \(Connect\)|Could not connect to|HTTP status|error sending request",
        code="index-unreachable",
        message="the index cannot be reached",
    ),
    # pip's log, whatever words its version has; what it says of 404 and 410 is no fault.
    _Sign(
        pattern=r"Could not fetch URL \S+: (?!4(?:04|10) )(?P<why>[^\n]+) - skipping",
        code="index-unreachable",
        message="the index cannot be reached ({why})",
    ),
)
_LACKS = re.compile(
    r"there is no version of (?P<name>[\w.-]+==[^\s,]*[^\s,.])"
    r"|(?<![\w.-])(?P<name2>[\w.-]+) was not found in the (?:package|provided)"
    r"|No matching distribution found for (?P<name3>\S+)"
)


def network_error(text: str, *, where: str = "index") -> VenvsmithError | None:
    """Return the error that a tool's words tell of, or None where they tell of no network's fault.

    :param text: what uv or pip printed, in full.
    :param where: what the error is about, where the text names no address.
    """
    for sign in _SIGNS:
        found = re.search(sign.pattern, text, re.DOTALL)
        if found is None:
            continue
        words = _groups(found)
        address = _address(text, near=found.start())
        message = sign.message.format(**words)
        if where != "index" and address:
            message = f"{address}: {message}"
        kind = SurroundingsError if sign.retry else JudgedError
        place = address if where == "index" and address else where
        return kind(message, where=place, hint=sign.hint, code=sign.code)
    return None


def gone_error(text: str, *, where: str) -> JudgedError | None:
    """Return the error for a locked distribution that the index does not offer, or None."""
    lacking = lacking_in(text)
    if not lacking:
        return None
    return JudgedError(
        f"the index does not offer {lacking[0]}, which is locked",
        where=where,
        hint="run 'venvsmith lock --check'; it was removed, or this index is another one",
        code="file-gone",
    )


def lacking_in(text: str) -> tuple[str, ...]:
    """Return what uv or pip say that the index lacks, ``name==version`` or all of a ``name``."""
    plain = re.sub(r"\s+", " ", text)  # uv breaks its lines anywhere
    return tuple(_groups(found)["name"] for found in _LACKS.finditer(plain))


def redact_urls(text: str) -> str:
    """Return the text with every address in it without user, password, query and fragment."""
    return _URL.sub(lambda found: redact_url(found[0]), text)


def redact_url(url: str) -> str:
    """Return an address without user, password, query and fragment; what is none, as it is."""
    scheme, slashes, rest = url.partition("://")
    if not slashes:
        return url
    host, slash, path = rest.partition("/")
    bare = f"{host.rpartition('@')[2]}{slash}{path}"
    return f"{scheme.lower()}://{re.split('[?#]', bare)[0]}"


def without_credentials(text: str, *, mark: str = "") -> str:
    """Return the text with no user and no password in its addresses, and all else left there.

    :param mark: what stands in their place.
    """
    return _CREDENTIALS.sub(mark, text)


def credentials_in(url: str) -> str:
    """Return user and password of an address as they are written there; empty where it has none."""
    found = _CREDENTIALS.search(url)
    return found[0][:-1] if found is not None else ""


def parts_of(url: str) -> SplitResult | None:
    """Return the parts of an address that anyone may have written; None where it is none."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # read here, as it is looked at when it is asked for and not before
    except ValueError:
        return None
    return parts


def _groups(found: re.Match[str]) -> dict[str, str]:
    """Return the named groups that took part; ``name2`` stands in for ``name``."""
    groups = found.groupdict().items()
    return {re.sub(r"\d+$", "", name): text for name, text in groups if text is not None}


def _address(text: str, *, near: int) -> str:
    """Return the address that stands nearest to a place in a text, or nothing."""
    found = [(abs(match.start() - near), match[0]) for match in _URL.finditer(text)]
    return redact_url(min(found)[1]).rstrip(".,:") if found else ""
