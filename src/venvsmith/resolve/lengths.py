"""Asks servers how long files are, over few connections, and remembers what they said.

A published file never changes, so the answer for an address holds for good. It is kept in the
user's cache folder, and so a second lock asks nobody.
"""

from __future__ import annotations

import contextlib
import json
import os
import ssl
import urllib.error
import urllib.request
from functools import cached_property
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from threading import local
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

from venvsmith.errors import VenvsmithError
from venvsmith.files import write_files
from venvsmith.network import parts_of
from venvsmith.texts import read_text

TIMEOUT = 10.0
"""Seconds."""
REMEMBERED = 20_000
"""Files whose lengths are kept, the latest: some hundred locks' worth, in 3 MB."""


class Lengths:
    """The lengths of files at http(s) addresses. Safe to ask from several threads.

    :param offline: whether only what is remembered may be told.
    """

    def __init__(self, *, offline: bool) -> None:
        self.offline = offline
        self._connections = local()
        self._opened: list[HTTPConnection] = []
        self._new: dict[str, int] = {}

    def __enter__(self) -> Self:
        """Return itself; what is learnt inside is remembered at the end."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Remember; a cache that cannot be written is none."""
        for connection in self._opened:
            connection.close()
        if not self._new:
            return
        latest_last = [*self._known.items(), *sorted(self._new.items())]
        text = json.dumps(dict(latest_last[-REMEMBERED:]), indent=0)
        with contextlib.suppress(VenvsmithError):
            write_files({_cache_file(): text.encode()})

    def of(self, url: str) -> int | None:
        """Return what the server says of a file's length in bytes; None where it does not.

        :raises OSError: where it cannot be asked now.
        """
        parts = parts_of(url)
        if parts is None or parts.scheme not in {"http", "https"}:
            return None
        # Without user and password: a server that wants them is not told them here.
        bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))
        if bare in self._known:
            return self._known[bare]
        if self.offline:
            raise OSError
        try:
            length = self._ask(bare)
        except (HTTPException, ValueError) as exc:
            raise OSError from exc
        if not length.isdecimal():
            return None
        if parts.scheme == "https" and not parts.query:  # a query is often good for once alone
            self._new[bare] = int(length)
        return int(length)

    def _ask(self, url: str) -> str:
        parts = urlsplit(url)
        proxied = urllib.request.getproxies().get(parts.scheme)
        if proxied and not urllib.request.proxy_bypass(parts.hostname or ""):
            return self._ask_alone(url)
        path = urlunsplit(("", "", parts.path, parts.query, ""))
        connection = self._connection(parts.scheme, parts.netloc)
        used = connection.sock is not None
        try:
            answer = _head(connection, path)
        except (HTTPException, OSError):
            connection.close()  # it connects anew when it is used again
            if not used:
                raise
            answer = _head(connection, path)  # the server had ended the old connection
        if HTTPStatus.MULTIPLE_CHOICES <= answer.status < HTTPStatus.BAD_REQUEST:
            return self._ask_alone(url)
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise OSError
        return (
            (answer.headers.get("Content-Length") or "") if answer.status == HTTPStatus.OK else ""
        )

    def _ask_alone(self, url: str) -> str:
        """Ask over a connection of its own, through a proxy or after redirections."""
        handler = urllib.request.HTTPSHandler(context=self._context)
        request = urllib.request.Request(url, method="HEAD")  # noqa: S310 - http(s) only
        try:
            opener = urllib.request.build_opener(handler, _StillHead)
            with opener.open(request, timeout=TIMEOUT) as answer:
                return answer.headers.get("Content-Length") or ""
        except urllib.error.HTTPError as exc:
            if exc.code >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
            return ""

    def _connection(self, scheme: str, host: str) -> HTTPConnection:
        mine: dict[str, HTTPConnection] = self._connections.__dict__.setdefault("mine", {})
        if host not in mine:
            mine[host] = (
                HTTPSConnection(host, timeout=TIMEOUT, context=self._context)
                if scheme == "https"
                else HTTPConnection(host, timeout=TIMEOUT)
            )
            self._opened.append(mine[host])
        return mine[host]

    @cached_property
    def _context(self) -> ssl.SSLContext:
        """Return one context for all: to read the certificates takes longer than to ask."""
        return ssl.create_default_context()

    @cached_property
    def _known(self) -> dict[str, int]:
        try:
            content = json.loads(read_text(_cache_file(), 1000 * REMEMBERED))
            return {str(url): int(size) for url, size in content.items()}
        except (OSError, ValueError, TypeError, AttributeError, RecursionError):
            return {}


class _StillHead(urllib.request.HTTPRedirectHandler):
    """Follows with the same method; the library's own asks for the whole file."""

    def redirect_request(self, *words: Any) -> urllib.request.Request | None:
        request = super().redirect_request(*words)
        if request is not None:
            request.method = "HEAD"
        return request


def _head(connection: HTTPConnection, path: str) -> HTTPResponse:
    connection.request("HEAD", path, headers={"User-Agent": "venvsmith"})
    answer = connection.getresponse()
    answer.read()
    return answer


def _cache_file() -> Path:
    folder = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(folder) / "venvsmith/lengths.json"
