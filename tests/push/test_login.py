from __future__ import annotations

import base64
import json
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from push.conftest import Family, login_files
from registries import PASSWORD, USER, serving
from venvsmith.errors import UsageError
from venvsmith.push.login import Login, docker_environment, read_logins

BASIC = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
HOST = "ghcr.io"


@pytest.fixture
def private(family: Family, tmp_path: Path) -> Iterator[Family]:
    """The family on its way to a registry that asks who it is."""
    family.env["DOCKER_CONFIG"] = str(tmp_path / "docker")
    (tmp_path / "docker").mkdir()
    with serving(tmp_path / "private", login=True) as family.address:
        family.configure()
        yield family


def write(file: Path, text: str) -> str:
    file.write_text(text)
    return str(file)


@pytest.mark.engine
def test_a_login_of_docker_and_one_of_a_file_open_a_registry(
    private: Family, tmp_path: Path
) -> None:
    shut = private.push()
    assert shut.code == 4, shut.err
    assert shut.err.splitlines()[-1].startswith("venvsmith: registry-login: ")

    wrong = write(tmp_path / "wrong.env", f"REGISTRY_USERNAME={USER}\nREGISTRY_PASSWORD=no-canary")
    refused = private.push("--env-file", wrong)
    assert refused.code == 4, refused.err
    assert refused.err.splitlines()[-1].startswith("venvsmith: registry-login: ")
    assert "no-canary" not in refused.err + refused.out
    assert private.real_tags(login=True) == ("", "")

    config = {"auths": {private.address: {"auth": BASIC}}}
    write(tmp_path / "docker" / "config.json", json.dumps(config))
    opened = private.push(private.images[0])
    assert opened.code == 0, opened.err

    # A login of docker's own that no longer works does not stand in a file's way.
    stale = base64.b64encode(b"maintainer:expired").decode()
    config = {"auths": {private.address: {"auth": stale}}}
    write(tmp_path / "docker" / "config.json", json.dumps(config))
    good = write(tmp_path / ".env", f'REGISTRY_USERNAME={USER}\nREGISTRY_PASSWORD="{PASSWORD}"\n')
    with watched() as commands:
        done = private.push("--env-file", good)
    assert done.code == 0, done.err
    assert all(private.real_tags(login=True))
    assert any("push" in command for command in commands), "nothing was watched"
    told = "".join(commands) + done.out + done.err
    assert PASSWORD not in told
    assert BASIC not in told
    assert login_files(private.address) == []


class watched:  # noqa: N801 - reads as a verb
    """Gathers the command lines of all processes for as long as the block runs."""

    def __enter__(self) -> set[str]:
        self.commands: set[str] = set()
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()
        return self.commands

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.thread.join()

    def _watch(self) -> None:
        while not self.done.wait(0.01):
            for file in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.commands.add(
                        file.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                    )
                except OSError:
                    continue


def test_each_of_several_registries_needs_variables_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(
        "export REGISTRY_GHCR_IO_USERNAME=one\nREGISTRY_GHCR_IO_PASSWORD='a $b #c'  # a token\n"
        "REGISTRY_127_0_0_1_5000_USERNAME=two\nREGISTRY_127_0_0_1_5000_PASSWORD=d\n"
    )
    found = read_logins(file, {HOST, "127.0.0.1:5000", "quay.io"})
    assert [(login.host, login.username, login.password) for login in found] == [
        ("127.0.0.1:5000", "two", "d"),
        (HOST, "one", "a $b #c"),
    ]
    assert "$b" not in repr(found)


@pytest.mark.parametrize(
    ("text", "hosts", "told"),
    [
        ("OTHER=1\n", {HOST}, "it has no login for ghcr.io"),
        ("REGISTRY_USERNAME=me\n", {HOST}, "REGISTRY_PASSWORD is missing"),
        ("REGISTRY_PASSWORD=canary\n", {HOST}, "REGISTRY_USERNAME is missing"),
        (
            "REGISTRY_USERNAME=me\nREGISTRY_PASSWORD=canary\n",
            {HOST, "quay.io"},
            "REGISTRY_USERNAME may be for any of ghcr.io, quay.io",
        ),
        (
            'REGISTRY_USERNAME=me\nREGISTRY_PASSWORD="canary\\nmore"\n',
            {HOST},
            "REGISTRY_PASSWORD has a character that no login can have",
        ),
    ],
)
def test_a_file_that_gives_no_login_is_refused_without_its_secrets(
    tmp_path: Path, text: str, hosts: set[str], told: str
) -> None:
    file = tmp_path / ".env"
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_logins(file, hosts)
    assert caught.value.message == told
    assert "canary" not in caught.value.lines()[0]


def test_docker_gets_the_login_in_a_private_folder_and_keeps_its_own_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    own = {
        "auths": None,
        "credsStore": "desktop",
        "currentContext": "far",
        "credHelpers": {"a": "b"},
    }
    (tmp_path / "config.json").write_text(json.dumps(own))
    (tmp_path / "contexts" / "meta").mkdir(parents=True)
    login = Login(host="docker.io", username="me", password="canary")  # noqa: S106
    with docker_environment([login]) as variables:
        folder = Path(variables["DOCKER_CONFIG"])
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        config = json.loads((folder / "config.json").read_text())
        assert (folder / "contexts" / "meta").is_dir()
    hub = "https://index.docker.io/v1/"
    assert config["auths"] == {hub: {"auth": login.basic}}
    assert config["credHelpers"] == {"a": "b", hub: ""}
    assert (config["credsStore"], config["currentContext"]) == ("desktop", "far")
    assert config["cliPluginsExtraDirs"] == [str(tmp_path / "cli-plugins")]
    assert not folder.exists()
    with docker_environment([]) as variables:
        assert variables == {}
