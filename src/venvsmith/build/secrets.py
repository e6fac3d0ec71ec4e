"""What this machine knows and a build may use but not keep: passwords, tokens, a mirror's address.

Values come from the environment, and those of indexes also from the user's netrc. They are never
part of an argument list, and whatever a tool says is searched for them before it is shown.
"""

from __future__ import annotations

import contextlib
import netrc
import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from venvsmith.model.plan import NETWORK_SECRETS
from venvsmith.network import credentials_in, parts_of
from venvsmith.resolve import default_index
from venvsmith.scratch import memory, scratch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from venvsmith.model.plan import Plan
    from venvsmith.model.project import Index, Project

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
"""Variables that name proxies; an address among them may hold a password."""


def gather_secrets(project: Project, plans: Iterable[Plan]) -> dict[str, str]:
    """Return the values of the secrets that steps may read and this machine has, by their names."""
    own = os.environ
    names = {name for plan in plans for step in plan.steps for name in step.secrets}
    found = {name: own[name] for name in sorted(names) if own.get(name)}
    for index in project.indexes.values():
        if names.intersection(index.variables) and not found.keys() & set(index.variables):
            found.update(zip(index.variables, _login(index.url, own), strict=False))
    mirror = default_index(own)
    if mirror:
        found[NETWORK_SECRETS[1]] = _with_login(mirror, own)
    return found


def sensitive(
    project: Project, secrets: Mapping[str, str], own: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    """Return the values that nothing may show: not users' names, and of an address its password.

    :param secrets: as `gather_secrets` returns them.
    :param own: the environment, whose proxies may have passwords; this process's where None.
    """
    own = os.environ if own is None else own
    users = {index.variables[0] for index in project.indexes.values()}
    values = {value for name, value in secrets.items() if name not in {*users, *NETWORK_SECRETS}}
    mirror = secrets.get(NETWORK_SECRETS[1], "")
    for address in (mirror, *(own.get(name, "") for name in PROXIES)):
        # A proxy's may lack "http://".
        login = credentials_in(f"://{address.partition('//')[2] or address}")
        values |= {login, login.partition(":")[2]}
    # Installers show an address with its password as it stands there.
    values |= {quote(value, safe="") for value in values}
    return tuple(sorted(filter(None, values), key=len, reverse=True))


@contextlib.contextmanager
def in_memory(secrets: Mapping[str, str]) -> Iterator[Path]:
    """Yield a folder that only this user can read, with a file for each secret; then remove it.

    It lies in memory where this machine has a file system there.
    """
    with scratch(memory()) as folder:
        for name, value in secrets.items():
            (folder / name).write_text(value, "utf-8", "surrogateescape")
        yield folder


def login_hint(index: Index) -> str:
    """Return what to do where an index refuses us."""
    user, password = index.variables
    return f"set {user} and {password}, or write the host into ~/.netrc"


def _login(url: str, own: Mapping[str, str]) -> tuple[str, ...]:
    """Return user and password of an address's host from the user's netrc, or nothing."""
    file = Path(own.get("NETRC") or Path(own.get("HOME", "~")).expanduser() / ".netrc")
    parts = parts_of(url)
    host = parts.hostname if parts is not None else None
    with contextlib.suppress(OSError, netrc.NetrcParseError, UnicodeDecodeError):
        entry = netrc.netrc(str(file)).authenticators(host) if host and file.is_file() else None
        if entry is not None:
            return entry[0], entry[2] or ""
    return ()


def _with_login(url: str, own: Mapping[str, str]) -> str:
    parts = parts_of(url)
    login = () if credentials_in(url) else _login(url, own)
    if parts is None or not login:
        return url
    user = ":".join(quote(part, safe="") for part in login)
    return parts._replace(netloc=f"{user}@{parts.netloc}").geturl()
