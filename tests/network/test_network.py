"""Whatever a tool prints, no password in it is shown, and looking for one takes no time."""

from __future__ import annotations

import time

import pytest

from venvsmith.collect.probe import addresses as probe
from venvsmith.config.wording import shown
from venvsmith.network import (
    gone_error,
    network_error,
    parts_of,
    redact_url,
    redact_urls,
    without_credentials,
)


@pytest.mark.parametrize(
    ("address", "bare", "all_else"),
    [
        ("https://u:p@h/a?t=1#f", "https://h/a", "https://h/a?t=1#f"),
        ("https://u:p@ss@h/x", "https://h/x", "https://h/x"),
        ("https://u:p)w'#?]@h/x", "https://h/x", "https://h/x"),
        ("HTTPS://tok@h", "https://h", "HTTPS://h"),
        ("git+ssh://git@h/r.git@v1", "git+ssh://h/r.git@v1", "git+ssh://h/r.git@v1"),
        ("http://[::1]:8080/x", "http://[::1]:8080/x", "http://[::1]:8080/x"),
        ("http://u:p@[fe80::1%25eth0]/x?t", "http://[fe80::1%25eth0]/x", None),
        ("https://[x/y.whl", "https://[x/y.whl", "https://[x/y.whl"),
        ("http://[::1", "http://[::1", "http://[::1"),
        ("https://h/@scope/x", "https://h/@scope/x", "https://h/@scope/x"),
        ("file:///srv/simple", "file:///srv/simple", "file:///srv/simple"),
        ("../wheels", "../wheels", "../wheels"),
    ],
)
def test_an_address_is_shown_without_what_logs_in(
    address: str, bare: str, all_else: str | None
) -> None:
    assert redact_url(address) == bare
    for bared in (without_credentials, probe.without_credentials):
        assert all_else is None or bared(address) == all_else
    sentence = f"Failed to fetch: `{address}` (see log)"
    assert redact_urls(sentence) == f"Failed to fetch: `{bare}` (see log)"


def test_a_value_of_the_configuration_says_where_a_login_stood() -> None:
    assert shown("https://u:p@ss@h/x") == '"https://***@h/x"'


@pytest.mark.parametrize("text", ["https://[x/y.whl", "ssh://git@h:acme/r.git", "http://h:65536/"])
def test_what_is_no_address_has_no_parts(text: str) -> None:
    assert parts_of(text) is None


def test_an_index_at_an_address_of_ipv6_is_named_in_its_error() -> None:
    error = network_error("error sending request for url (http://u:p@[::1]:8080/simple/x/)")
    assert error is not None
    assert (error.code, error.where) == ("index-unreachable", "http://[::1]:8080/simple/x/")


LONG = {
    "a word": "a" * 200_000,
    "schemes": "a+" * 100_000,
    "addresses": "x://" * 50_000,
    "logins": "http://" + "@[" * 100_000,
    "empty lines": "\n" * 200_000,
    "hashes": "\n a==1 from x Expected: " * 2000,
    "traces": "in parse_links " * 5000,
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG.keys())
def test_a_long_text_takes_no_time(text: str) -> None:
    start = time.monotonic()
    redact_urls(text)
    network_error(text)
    gone_error(text, where="a build")
    assert time.monotonic() - start < 10


def test_many_hashes_of_a_locked_file_are_told_by_the_first() -> None:
    expected = "".join(f"\n        Expected     or {n:064}" for n in range(2, 300))
    error = network_error(
        "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.\n"
        "    lib==1 from http://h/lib-1-py3-none-any.whl (from -r /venv/in/torch.txt (line 1)):\n"
        f"        Expected sha256 {1:064}{expected}\n             Got        {'f' * 64}\n"
    )
    assert error is not None
    assert error.message == (
        f"lib==1 is not the file that was locked: expected sha256 {1:064}, got {'f' * 64}"
    )
