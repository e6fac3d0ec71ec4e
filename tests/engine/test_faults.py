from __future__ import annotations

import pytest

from venvsmith.engine.faults import registry_error

# What docker 26 to 28 print on stderr, each met with a real registry and a fault before it.
WORDS = [
    ("received unexpected HTTP status: 503 Service Unavailable", "registry-failed", 4, True),
    ("toomanyrequests: slow down", "registry-failed", 4, True),
    ("received unexpected HTTP status: 507 Insufficient Storage", "registry-full", 4, False),
    ("unauthorized: authentication required", "registry-login", 4, False),
    ("no basic auth credentials", "registry-login", 4, False),
    ("denied", "registry-login", 4, False),
    (
        'Put "http://u:canary@10.0.0.1/v2/a/manifests/1?t=canary": read: connection reset by peer',
        "registry-broke-off",
        4,
        True,
    ),
    (
        'failed to do request: Head "http://10.0.0.1/v2/a/manifests/1": connection refused',
        "registry-unreachable",
        4,
        True,
    ),
    (
        "tls: failed to verify certificate: x509: certificate signed by unknown authority",
        "registry-certificate",
        4,
        False,
    ),
    ("unknown: Method not allowed", "registry-read-only", 4, False),
    ("manifest invalid", "registry-rejected", 1, False),
    (
        'error parsing HTTP 413 response body: unexpected end of JSON input: ""',
        "registry-rejected",
        1,
        False,
    ),
    ("something that nobody has met", "push-failed", 4, False),
]


@pytest.mark.parametrize(
    ("words", "code", "exit_code", "again"), WORDS, ids=[w[0][:30] for w in WORDS]
)
def test_docker_s_words_tell_what_to_do(
    words: str, code: str, exit_code: int, *, again: bool
) -> None:
    error, retry = registry_error(words, where="ghcr.io/acme/x", doing="push")
    assert (error.code, error.exit_code, retry) == (code, exit_code, again)
    assert "canary" not in error.lines()[0]
