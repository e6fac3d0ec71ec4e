"""The registries that tags name: is this user logged in, and (asked with ``--probe``) accepted."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from venvsmith.config import tags_of
from venvsmith.model.reference import HUB, registry_tags
from venvsmith.network import parts_of
from venvsmith.preflight.report import Row
from venvsmith.preflight.tokens import read_dotenv
from venvsmith.push import login as push

if TYPE_CHECKING:
    from collections.abc import Mapping

    from venvsmith.model.project import Project
    from venvsmith.preflight.machine import Reply
    from venvsmith.preflight.report import Status
    from venvsmith.preflight.situation import Situation

HELPER_SECONDS = 5.0
HUB_API = f"registry-1.{HUB}"
HUB_NAMES = frozenset({HUB, f"index.{HUB}", HUB_API})
OK, REFUSED = 200, frozenset({401, 403})
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True, kw_only=True, slots=True)
class Logins:
    """Docker's own record of logins, ``config.json``."""

    auths: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    helpers: Mapping[str, str] = field(default_factory=dict)
    store: str = ""

    def helper_of(self, host: str) -> str:
        """Return the credential helper that speaks for a host, or nothing."""
        if host in self.helpers:
            return self.helpers[host]
        return self.store


@dataclass(frozen=True, kw_only=True, slots=True)
class Login:
    """What is known of the login to one registry."""

    host: str
    repository: str
    """One that is pushed there."""
    how: str
    """``logged in``, in words; empty where there is no login."""
    basic: str = ""
    """User and password as HTTP sends them; empty where there are none of that kind."""

    @property
    def mend(self) -> str:
        """Return the command that logs in."""
        return "docker login" if self.host == HUB else f"docker login {self.host}"

    def row(self, status: Status, message: str, mend: str = "") -> Row:
        """Return what to tell of it."""
        return Row(
            group="registries",
            check="registry",
            subject=self.host,
            status=status,
            message=f"{self.how}, {message}" if self.how and message else self.how or message,
            mend=mend,
        )


def check_registries(at: Situation) -> list[Row]:
    """Look for a login to each registry that is pushed to. Sends nothing without ``--probe``."""
    if at.project is None:
        return []
    named = registries_of(at.project)
    if not named:
        return []
    folder = at.machine.env.get("DOCKER_CONFIG") or f"{at.machine.home}/.docker"
    text = at.machine.read(f"{folder}/config.json")
    try:
        logins = read_logins(text or "{}")
    except ValueError:
        message = f"{folder}/config.json cannot be read as docker's configuration"
        mend = "docker login writes it anew"
        return [
            Login(host=host, repository="", how="").row("wrong", message, mend) for host in named
        ]
    dotenv = read_dotenv(at.machine.read(str(at.project.root / ".env")) or "")
    only = len(named) == 1
    return [
        _login(at, host, path, logins=logins, file=_from_dotenv(dotenv, host, only=only))
        for host, path in named.items()
    ]


def registries_of(project: Project) -> dict[str, str]:
    """Return the hosts that are pushed to, each with one repository there, in the file's order."""
    found: dict[str, str] = {}
    for image in project.images.values():
        for variant in image.variants:
            for tag in registry_tags(tags_of(image, variant)):
                found.setdefault(tag.host, tag.path)
    return found


def read_logins(text: str) -> Logins:
    """Return docker's logins by host name.

    :raises ValueError: where the text is no configuration of docker's.
    """
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError(type(found).__name__)  # noqa: TRY004 - one error for all that is unsound
    auths, helpers = found.get("auths") or {}, found.get("credHelpers") or {}
    if not isinstance(auths, dict) or not isinstance(helpers, dict):
        raise ValueError("auths")  # noqa: TRY004
    return Logins(
        auths={_host(key): entry for key, entry in auths.items() if isinstance(entry, dict)},
        helpers={_host(key): str(helper) for key, helper in helpers.items()},
        store=str(found.get("credsStore") or ""),
    )


def _host(key: str) -> str:
    """Return the host of a key such as ``https://index.docker.io/v1/``."""
    host = key.partition("://")[2] or key
    host = host.partition("/")[0]
    return HUB if host in HUB_NAMES else host


def _local(host: str) -> bool:
    name = host.rpartition(":")[0] or host
    return name in {"localhost", "127.0.0.1", "[::1]"}


def _from_dotenv(values: Mapping[str, str], host: str, *, only: bool) -> str:
    """Return the login that ``push --env-file`` would find for a host; empty where none.

    :param only: whether it is the only host: then the variables without its name count too.
    """
    for names in (push.variables(host), *([(push.USERNAME, push.PASSWORD)] if only else [])):
        user, password = (values.get(name, "") for name in names)
        if user and password:
            return push.Login(host=host, username=user, password=password).basic
    return ""


def _login(at: Situation, host: str, repository: str, *, logins: Logins, file: str) -> Row:
    entry = logins.auths.get(host)
    helper = logins.helper_of(host)
    how, basic = "", ""
    if helper and (entry is not None or host in logins.helpers):
        if at.machine.which(f"docker-credential-{helper}") is None:
            message = f"its login is kept by docker-credential-{helper}, which is not on PATH"
            login = Login(host=host, repository=repository, how="")
            return login.row("missing", message, f"install it, or {login.mend}")
        how = f"logged in by docker-credential-{helper}"
        basic = _from_helper(at, host, helper) if at.probe else ""
    elif entry and (entry.get("identitytoken") or entry.get("registrytoken")):
        how = "logged in"  # what stands as `auth` beside a token is no password
    elif entry and entry.get("auth"):
        how, basic = "logged in", str(entry["auth"])
    elif file:
        how, basic = "a login in .env, for push --env-file .env", file
    login = Login(host=host, repository=repository, how=how, basic=basic)
    if at.probe:
        return _probe(at, login)
    if how:
        return login.row("ok", "which --probe would try")
    if _local(host):
        return login.row("ok", "no login; registries on this machine seldom want one")
    mend = f"{login.mend}, or push --env-file FILE"
    return login.row("missing", f"no login, and {repository} is pushed there", mend)


def _from_helper(at: Situation, host: str, helper: str) -> str:
    """Ask a credential helper for a login; empty where it has none of user and password."""
    server = push.HUB_KEY if host == HUB else host
    told = at.machine.run(
        f"docker-credential-{helper}", "get", seconds=HELPER_SECONDS, stdin=server
    )
    try:
        found = json.loads(told.stdout) if told.ok else {}
    except ValueError:
        return ""
    user, secret = found.get("Username") or "", found.get("Secret") or ""
    if not secret or user == "<token>":
        return ""
    return base64.b64encode(f"{user}:{secret}".encode()).decode()


def _probe(at: Situation, login: Login) -> Row:
    """Ask a registry whether it wants a login, and whether it takes this one."""
    scheme = "http" if _local(login.host) else "https"
    api = f"{scheme}://{HUB_API if login.host == HUB else login.host}/v2/"
    first = at.machine.get(api, {})
    if first.status == OK:
        return login.row("ok", "answers, and wants no login")
    if first.status not in REFUSED:
        return login.row("unknown", f"cannot be asked: {_why(first)}")
    if not login.how:
        message = f"wants a login, and {login.repository} is pushed there"
        return login.row("missing", message, login.mend)
    return _prove(at, login, api, first)


def _prove(at: Situation, login: Login, api: str, first: Reply) -> Row:
    """Show a registry that wants a login this one."""
    address = _where_to_log_in(api, first.headers.get("www-authenticate", ""), login)
    if not login.basic or not address:
        return login.row("unknown", "in a way that is not probed")
    reply = at.machine.get(address, {"Authorization": f"Basic {login.basic}"})
    if reply.status == OK:
        return login.row("ok", "and accepted")
    if reply.status in REFUSED:
        return login.row("wrong", f"and refused (status {reply.status})", login.mend)
    return login.row("unknown", f"but where it is proved cannot be asked: {_why(reply)}")


def _where_to_log_in(api: str, challenge: str, login: Login) -> str:
    """Return where a login is proved: the registry, or its token service; empty where neither.

    The token service is asked for the right to push. An address without https gets no password.
    https://distribution.github.io/distribution/spec/auth/token/
    """
    if not challenge.lower().startswith("bearer"):
        return api
    parts = dict(_CHALLENGE.findall(challenge))
    realm = parts.get("realm", "")
    service = parts_of(realm)
    if service is None or (service.scheme != "https" and not _local(service.netloc)):
        return ""
    scope = f"repository:{login.repository}:pull,push"
    query = urlencode({"service": parts.get("service", ""), "scope": scope})
    return f"{realm}{'&' if '?' in realm else '?'}{query}"


def _why(reply: Reply) -> str:
    return reply.why or f"it answers with status {reply.status}"
