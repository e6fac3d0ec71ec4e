"""How the registry knows us: docker's own login, or one from an ``.env`` file.

A login from a file reaches docker through a configuration folder that only this user can read and
that is gone afterwards: it is in no argument list and in no environment.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from venvsmith.errors import UsageError
from venvsmith.model.reference import HUB
from venvsmith.scratch import memory, scratch
from venvsmith.texts import read_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

USERNAME, PASSWORD = "REGISTRY_USERNAME", "REGISTRY_PASSWORD"
HUB_KEY = "https://index.docker.io/v1/"
"""Docker Hub as docker's configuration has it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Login:
    """A user of one registry."""

    host: str
    username: str
    password: str = field(repr=False)

    @property
    def basic(self) -> str:
        """Return both as docker's configuration holds them."""
        return base64.b64encode(f"{self.username}:{self.password}".encode()).decode()


def variables(host: str) -> tuple[str, str]:
    """Return the names of a host's own variables: ``REGISTRY_GHCR_IO_USERNAME``, ``_PASSWORD``."""
    stem = re.sub(r"[^A-Z0-9]", "_", host.upper())
    return f"REGISTRY_{stem}_USERNAME", f"REGISTRY_{stem}_PASSWORD"


def read_logins(file: Path, hosts: Collection[str]) -> tuple[Login, ...]:
    """Read the logins of an ``.env`` file for the hosts that are pushed to.

    ``REGISTRY_USERNAME`` and ``REGISTRY_PASSWORD`` are for the one host that there is; with several
    hosts each needs variables of its own, since a password must not reach another registry.

    :raises UsageError: where the file cannot be read, or has no login for any of the hosts, or half
        of one, or one that may be for several hosts.
    """
    values = _read(file)
    plain = values.get(USERNAME) or values.get(PASSWORD)
    if plain and len(hosts) > 1:
        raise UsageError(
            f"{USERNAME} may be for any of {', '.join(sorted(hosts))}",
            where=str(file),
            hint=f"write {' and '.join(variables(min(hosts)))}, and so on",
            code="env-file",
        )
    found = []
    for host in sorted(hosts):
        own = variables(host)
        names = own if any(values.get(name) for name in own) else (USERNAME, PASSWORD)
        username, password = (values.get(name) or "" for name in names)
        if bool(username) != bool(password):
            raise UsageError(
                f"{names[0] if password else names[1]} is missing",
                where=str(file), hint="a login has a user and a password or token", code="env-file",
            )  # fmt: skip
        if username and password:
            _refuse_odd(username, password, names=names, file=file)
            found.append(Login(host=host, username=username, password=password))
    if not found:
        names = (USERNAME, PASSWORD) if len(hosts) == 1 else variables(min(hosts))
        raise UsageError(
            f"it has no login for {', '.join(sorted(hosts))}",
            where=str(file), hint=f"write {' and '.join(names)} into it", code="env-file",
        )  # fmt: skip
    return tuple(found)


@contextlib.contextmanager
def docker_environment(logins: Collection[Login]) -> Iterator[Mapping[str, str]]:
    """Yield the variables with which docker uses these logins; without any, it uses its own.

    All else that the user's docker configuration says stays in force: other logins, contexts,
    plugins, proxies.

    :raises UsageError: where that configuration cannot be read.
    """
    if not logins:
        yield {}
        return
    home = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    config = _own_config(home / "config.json")
    keys = {HUB_KEY if login.host == HUB else login.host: login for login in logins}
    auths = {key: {"auth": login.basic} for key, login in keys.items()}
    config["auths"] = {**(config.get("auths") or {}), **auths}
    # Empty: the file has it. Otherwise docker asks its keychain and finds another login.
    config["credHelpers"] = {**(config.get("credHelpers") or {}), **dict.fromkeys(keys, "")}
    plugins = [*(config.get("cliPluginsExtraDirs") or []), str(home / "cli-plugins")]
    config["cliPluginsExtraDirs"] = plugins
    with scratch(memory()) as folder:
        (folder / "config.json").write_text(json.dumps(config), "utf-8")
        if (home / "contexts").is_dir():
            shutil.copytree(home / "contexts", folder / "contexts")
        yield {"DOCKER_CONFIG": str(folder)}


def _read(file: Path) -> dict[str, str | None]:
    from dotenv import dotenv_values  # noqa: PLC0415 - only where there is such a file

    try:
        with file.open(encoding="utf-8-sig") as stream:
            return dotenv_values(stream=stream, interpolate=False)
    except OSError as exc:
        why = (exc.strerror or str(exc)).lower()
        message = f"it cannot be read: {why}"
        raise UsageError(message, where=str(file), code="env-file") from exc
    except UnicodeDecodeError as exc:
        raise UsageError("it is not UTF-8", where=str(file), code="env-file") from exc


def _refuse_odd(username: str, password: str, *, names: tuple[str, str], file: Path) -> None:
    """Refuse what basic authentication cannot carry (RFC 7617, section 2)."""
    odd = names[0] if ":" in username else ""
    for name, value in zip(names, (username, password), strict=True):
        if not value.isprintable():
            odd = name
    if odd:
        message = f"{odd} has a character that no login can have"
        raise UsageError(message, where=str(file), code="env-file")


def _own_config(file: Path) -> dict[str, Any]:
    """Return docker's configuration of this user, empty where there is none."""
    if not file.is_file():
        return {}
    try:
        found = json.loads(read_text(file))
    except (OSError, ValueError, RecursionError) as exc:
        message = "docker's configuration cannot be read"
        raise UsageError(message, where=str(file), code="docker-config") from exc
    if not isinstance(found, dict):
        message = "docker's configuration is no object"
        raise UsageError(message, where=str(file), code="docker-config")
    return found
