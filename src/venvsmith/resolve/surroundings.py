"""What of the machine's own settings a resolver may see.

A default index (a company's mirror), certificates and proxies are honoured; extra indexes,
find-links and every other setting of pip or uv come from the configuration alone, so that a lock
is the same on every machine.
"""

from __future__ import annotations

import configparser
import os
from pathlib import Path
from typing import TYPE_CHECKING

from venvsmith.process import environment

if TYPE_CHECKING:
    from collections.abc import Mapping

DROPPED = ("PIP_*", "UV_*", "PYTHON*", "VIRTUAL_ENV", "CONDA_PREFIX")
KEPT = (
    "UV_CACHE_DIR",
    "UV_CONCURRENT_DOWNLOADS",
    "UV_HTTP_TIMEOUT",
    "UV_HTTP_RETRIES",
    "UV_INSECURE_HOST",
    "UV_KEYRING_PROVIDER",
    "UV_NATIVE_TLS",
    "UV_SYSTEM_CERTS",
)
INDEX_VARIABLES = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")
CA_VARIABLES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def resolver_environment() -> dict[str, str]:
    """Return the environment in which a resolver runs."""
    own = os.environ
    extra = {name: own[name] for name in KEPT if own.get(name)}
    index = default_index(own)
    if index:
        extra["UV_DEFAULT_INDEX"] = index
    bundle = next((own[name] for name in CA_VARIABLES if own.get(name)), None)
    if bundle:
        extra["SSL_CERT_FILE"] = bundle
    return environment(extra, drop=DROPPED)


def default_index(own: Mapping[str, str]) -> str | None:
    """Return the machine's own default index, from variables or pip's configuration files."""
    for name in INDEX_VARIABLES:
        if own.get(name):
            # uv takes ``name=url`` too.
            head, equals, tail = own[name].partition("=")
            return tail if equals and head.replace("-", "").isalnum() else own[name]
    return _index_of_pip(own)


def _index_of_pip(own: Mapping[str, str]) -> str | None:
    """Return ``global.index-url`` of the most specific pip configuration file that sets it.

    The files and their order: https://pip.pypa.io/en/stable/topics/configuration/#location
    """
    home = Path(own.get("HOME", "/nonexistent"))
    config_home = Path(own.get("XDG_CONFIG_HOME") or home / ".config")
    site_wide = [
        Path(folder) / "pip/pip.conf" for folder in own.get("XDG_CONFIG_DIRS", "").split(":")
    ]
    files = [
        *site_wide,
        Path("/etc/pip.conf"),
        home / ".pip/pip.conf",
        config_home / "pip/pip.conf",
    ]
    named = own.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return None
    found: str | None = None
    for file in [*files, *([Path(named)] if named else [])]:
        parser = configparser.RawConfigParser()
        try:
            parser.read(file, encoding="utf-8")
        except (configparser.Error, ValueError, OSError):
            continue  # pip's own file, and not ours to judge
        found = parser.get("global", "index-url", fallback=found)
    return found
