"""Requirements that are an address, as pip, uv and poetry take them, in the form of PEP 508."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlunsplit

from venvsmith.network import credentials_in, parts_of

VCS: Final = re.compile(r"(?:git|hg|svn|bzr)\+")
_CLONED: Final = frozenset({"git+https", "git+http", "git+ssh", "git+file"})
_SHORT: Final = re.compile(r"(?:([\w.-]+)@)?([\w.-]+):(?![/\\])(\S+)")
"""git's own short form of an address, ``git@example.com:acme/core.git``."""
_EGG: Final = re.compile(r"[A-Za-z0-9._-]+(?:\[[^\]]*\])?")


def repository(address: str) -> str:
    """Return the address of a git repository as a requirement has it, ``git+ssh://...``.

    :param address: as ``git clone`` takes it, or with ``git+`` before it.
    """
    bare = address.removeprefix("git+")
    if short := _SHORT.fullmatch(bare):
        user, host, path = short.groups()
        bare = f"ssh://{user or 'git'}@{host}/{path}"
    return f"git+{bare}"


def trouble(url: str) -> str:
    """Return why `lock` can make no wheel from what lies at an address; empty where it can."""
    parts = parts_of(url)
    if parts is None:
        return "its address cannot be read"
    if VCS.match(url) and parts.scheme not in _CLONED:
        return "only git's repositories are cloned: git+https, git+ssh, git+http, git+file"
    secret = credentials_in(url)
    if secret and (":" in secret or "ssh" not in parts.scheme):
        return "its URL holds credentials; use netrc or an ssh key"
    return ""


def named(text: str) -> str | None:
    """Return an address with its distribution's name before it, and its marker behind it.

    A text that begins with none comes back as it is, and None where it does not say the name.

    >>> named("git+https://example.com/tools.git@v1#egg=acme-tools&subdirectory=py")
    'acme-tools @ git+https://example.com/tools.git@v1#subdirectory=py'
    """
    if not VCS.match(text) and not text.startswith(("http://", "https://")):
        return text
    address, _, marker = text.partition("; ")
    address = repository(address.strip()) if text.startswith("git+") else address.strip()
    parts = parts_of(address)
    if parts is None:
        return None
    pairs = [pair.partition("=")[::2] for pair in parts.fragment.split("&") if pair]
    egg = _EGG.match(dict(pairs).get("egg", ""))
    folder = dict(pairs).get("subdirectory", "")
    rest = "&".join(f"{key}={value}" for key, value in pairs if key != "egg")
    name = egg[0] if egg else _guess(parts.path, folder, is_repository=bool(VCS.match(text)))
    url = urlunsplit((*parts[:4], rest))
    return f"{name} @ {url}{f' ; {marker}' if marker else ''}" if name else None


def _guess(path: str, folder: str, *, is_repository: bool) -> str:
    """Return the name that an address itself suggests; empty where it suggests none."""
    if not is_repository:
        last = path.rpartition("/")[2]
        return last.partition("-")[0] if last.endswith(".whl") else ""
    whole, at, _ = path.rpartition("@")
    place = folder or (whole if at else path)
    return place.rstrip("/").rpartition("/")[2].removesuffix(".git") or "unnamed"
