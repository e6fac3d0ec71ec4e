"""Tokens and logins held against services that answer on the loopback, by the real seam."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from values import project as family
from venvsmith.model.project import PreflightSettings, Project
from venvsmith.preflight.machine import ThisMachine
from venvsmith.preflight.registries import check_registries
from venvsmith.preflight.report import Row
from venvsmith.preflight.situation import Engine, Situation
from venvsmith.preflight.tokens import check_tokens

TOKEN = "hf_abcdefghijklmnop"  # noqa: S105 - of nobody
LOGIN = base64.b64encode(b"ada:lovelace").decode()


class Service(BaseHTTPRequestHandler):
    """A hub and a registry: what they answer depends on the bearer's word or the login."""

    asked: list[tuple[str, str]]
    status = 200
    realm = "http://{host}/token"

    def do_GET(self) -> None:
        given = self.headers.get("Authorization", "")
        type(self).asked.append((self.path, given))
        host = self.headers["Host"]
        if self.path == "/v2/" and self.status == 200:
            self.send_response(401)
            realm = f'Bearer realm="{self.realm.format(host=host)}",service="here"'
            self.send_header("Www-Authenticate", realm)
            self.end_headers()
            return
        good = given in {f"Bearer {TOKEN}", f"Basic {LOGIN}"}
        self.send_response(self.status if self.status != 200 else 200 if good else 401)
        if self.status == 302:
            self.send_header("Location", f"http://{self.headers['Host']}/elsewhere")
        self.end_headers()
        if good:
            self.wfile.write(json.dumps({"name": "ada", "token": "t"}).encode())

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def service(
    status: int = 200, realm: str = Service.realm
) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    asked: list[tuple[str, str]] = []
    handler = type("Here", (Service,), {"asked": asked, "status": status, "realm": realm})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}", asked
        finally:
            server.shutdown()


def situation(project: Project, *, probe: bool, **env: str) -> Situation:
    machine = ThisMachine(seconds=10)
    machine.env = env
    at = Situation(machine=machine, project=project, probe=probe, asked=Future(), inside=Future())
    at.asked.set_result(Engine(trouble="not asked"))
    return at


def token(*, probe: bool, **env: str) -> Row:
    project = family(preflight=PreflightSettings(tokens=("HF_TOKEN",)))
    (row,) = check_tokens(situation(project, probe=probe, **env))
    return row


@pytest.mark.parametrize(
    ("value", "status", "expected"),
    [
        pytest.param(TOKEN, 200, "ok", id="known"),
        pytest.param(TOKEN + "x", 200, "wrong", id="refused"),
        pytest.param(TOKEN, 503, "unknown", id="out of order"),
        pytest.param(TOKEN, 302, "unknown", id="sent elsewhere"),
    ],
)
def test_a_token_is_shown_to_its_service_only_with_probe(
    value: str, status: int, expected: str
) -> None:
    with service(status) as (host, asked):
        env = {"HF_ENDPOINT": f"http://{host}", "HF_TOKEN": value}
        assert token(probe=False, **env).status == "ok"
        assert asked == []
        row = token(probe=True, **env)
        assert asked == [("/api/whoami-v2", f"Bearer {value}")]
    assert row.status == expected
    assert value not in f"{row.message} {row.mend}"
    assert ("as ada" in row.message) == (expected == "ok")


def test_a_service_out_of_reach_is_unknown_not_bad() -> None:
    row = token(probe=True, HF_ENDPOINT="http://127.0.0.1:9", HF_TOKEN=TOKEN)
    assert row.status == "unknown"
    assert not row.bad
    assert "connection refused" in row.message


def login(folder: Path, host: str, auths: dict[str, Any], *, probe: bool) -> Row:
    (folder / "config.json").write_text(json.dumps({"auths": auths}))
    project = family(image={"tags": (f"{host}/acme/asr:1-{{variant}}",)})
    (row,) = check_registries(situation(project, probe=probe, DOCKER_CONFIG=str(folder)))
    return row


@pytest.mark.parametrize(
    ("auth", "expected"),
    [
        pytest.param(LOGIN, "ok", id="accepted"),
        pytest.param(base64.b64encode(b"ada:byron").decode(), "wrong", id="expired"),
        pytest.param("", "missing", id="no login"),
    ],
)
def test_a_login_is_proved_at_the_registrys_token_service(
    auth: str, expected: str, tmp_path: Path
) -> None:
    with service() as (host, asked):
        auths = {host: {"auth": auth}} if auth else {}
        assert login(tmp_path, host, auths, probe=False).status == "ok"
        assert asked == []
        row = login(tmp_path, host, auths, probe=True)
    assert row.status == expected
    assert [given for path, given in asked if path == "/v2/"] == [""]
    if auth:
        path, given = asked[-1]
        assert path == "/token?service=here&scope=repository%3Aacme%2Fasr%3Apull%2Cpush"
        assert given == f"Basic {auth}"
        assert auth not in row.message


@pytest.mark.parametrize("realm", ["http://elsewhere.example/token", "https://[nowhere"])
def test_a_login_goes_to_no_service_that_is_no_safe_address(realm: str, tmp_path: Path) -> None:
    with service(realm=realm) as (host, asked):
        row = login(tmp_path, host, {host: {"auth": LOGIN}}, probe=True)
    assert (row.status, row.message) == ("unknown", "logged in, in a way that is not probed")
    assert [given for _, given in asked] == [""]


def test_a_registry_without_logins_and_one_out_of_reach(registry: str, tmp_path: Path) -> None:
    assert login(tmp_path, registry, {}, probe=True).message == "answers, and wants no login"
    away = login(tmp_path, "127.0.0.1:9", {"127.0.0.1:9": {"auth": LOGIN}}, probe=True)
    assert away.status == "unknown"


def test_a_login_for_push_may_stand_in_dotenv(tmp_path: Path) -> None:
    with service() as (host, asked):
        project = family(image={"tags": (f"{host}/acme/asr:1",)}, root=tmp_path)
        (tmp_path / ".env").write_text("REGISTRY_USERNAME=ada\nREGISTRY_PASSWORD=lovelace\n")
        at = situation(project, probe=True, DOCKER_CONFIG=str(tmp_path))
        (row,) = check_registries(at)
    assert row.message == "a login in .env, for push --env-file .env, and accepted"
    assert asked[-1][1] == f"Basic {LOGIN}"


def test_docker_keeps_a_login_under_several_names_of_one_host(tmp_path: Path) -> None:
    for name in ("ghcr.io", "https://ghcr.io", "https://ghcr.io/v2/"):
        assert login(tmp_path, "ghcr.io", {name: {"auth": LOGIN}}, probe=False).status == "ok"
    assert login(tmp_path, "quay.io", {"ghcr.io": {"auth": LOGIN}}, probe=False).mend == (
        "docker login quay.io, or push --env-file FILE"
    )


def test_a_token_of_the_registrys_own_is_not_taken_for_a_password(tmp_path: Path) -> None:
    auth = base64.b64encode(b"00000000-0000-0000-0000-000000000000:").decode()
    for kind in ("identitytoken", "registrytoken"):
        with service() as (host, asked):
            row = login(tmp_path, host, {host: {"auth": auth, kind: "canary"}}, probe=True)
        assert (row.status, row.message) == ("unknown", "logged in, in a way that is not probed")
        assert asked == [("/v2/", "")]


def test_a_login_is_looked_for_where_push_goes(tmp_path: Path) -> None:
    tags = ("asr:latest-{variant}", "ghcr.io/acme/{image}-{stage}:{variant}", "quay.io/acme/asr")
    at = situation(family(image={"tags": tags}), probe=False, DOCKER_CONFIG=str(tmp_path))
    assert [(row.subject, row.message) for row in check_registries(at)] == [
        ("ghcr.io", "no login, and acme/asr-asr is pushed there"),
        ("quay.io", "no login, and acme/asr is pushed there"),
    ]
