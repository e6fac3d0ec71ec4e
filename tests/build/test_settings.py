"""What `[images]` and `[bases]` say, read from images that were built and from inside them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from engines import ca_options, derived, docker, venvsmith

pytestmark = [pytest.mark.engine, pytest.mark.network]

CONFIG = """
[project]
name = "settings"
python = "3.11"

[bases.debian]
image = "{base}"
apt = ["netbase"]
env = {{ LANG = "C.UTF-8", PLACE = "base" }}

[variants.cpu]
base = "debian"
platforms = ["linux/amd64"]

[stages.app]
requires = ["idna==3.10"]
imports = ["idna"]
apt = ["media-types"]

[images.vs-known-user]
stage = "app"
user = 4321
workdir = "/srv/deep/not there yet"
writable = ["/srv/deep/not there yet/data/in", "/srv/cache"]
env = {{ PLACE = "image", ODD = 'a "b" $HOME \\\\ c' }}
copy = [
  {{ from = "conf", to = "/srv/conf" }},
  {{ from = "a file.txt", to = "/srv/deep/not there yet/the file.txt" }},
]
entrypoint = ["python", "-I"]
cmd = ["-c", "import os, sys; print(os.getcwd(), os.environ['ODD'], *sys.argv[1:])", "$x 'y'"]
labels = {{ "org.example.note" = "it's $5 \\\\ \\"each\\"" }}

[images.vs-root]
stage = "app"
user = 0
writable = ["/var/lib/app"]
cmd = ["python", "-c", "import os; print(os.getuid(), os.environ['HOME'])"]

[images.vs-new-user]
stage = "app"
user = 65000
workdir = "/srv/was/here"

[images.vs-base-user]
stage = "app"
writable = ["/var/cache/app/hub", "/var/log/app", "/var/run/app", "/tmp/app"]
"""
LINES = (
    "RUN echo 'worker:x:4321:4321:Some One:/var/worker:/bin/sh' >> /etc/passwd"
    " && echo 'worker:x:4321:' >> /etc/group && mkdir -p /var/worker /srv/was/here"
    " && chown 4321:4321 /var/worker && touch /srv/was/here/kept\nUSER worker"
)


@dataclass(frozen=True)
class Image:
    name: str

    @property
    def config(self) -> dict[str, object]:
        found: dict[str, object] = json.loads(
            docker("image", "inspect", "-f", "{{json .Config}}", self.name)
        )
        return found

    def sh(self, script: str) -> str:
        return docker("run", "--rm", "--entrypoint", "sh", self.name, "-ec", script)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Image]]:
    project = tmp_path_factory.mktemp("settings")
    (project / "venvsmith.toml").write_text(CONFIG.format(base=derived("worker", LINES)))
    (project / "conf" / "sub dir").mkdir(parents=True)
    (project / "conf" / "sub dir" / "x.ini").write_text("x")
    (project / "conf" / "run.sh").write_text("#!/bin/sh\necho ran\n")
    (project / "conf" / "run.sh").chmod(0o700)
    (project / "a file.txt").write_text("here")
    (project / "a file.txt").chmod(0o600)
    venvsmith(project, "lock")
    venvsmith(project, "build", *ca_options())
    names = ("vs-known-user", "vs-root", "vs-new-user", "vs-base-user")
    yield {name: Image(f"{name}:cpu") for name in names}
    docker("image", "rm", "-f", *(f"{name}:cpu" for name in names))


def test_a_user_that_the_base_knows_keeps_its_name_and_home(built: dict[str, Image]) -> None:
    image = built["vs-known-user"]
    assert image.sh("id -un; id -gn; echo $HOME").split() == ["worker", "worker", "/var/worker"]
    assert image.sh("grep -c :4321: /etc/passwd").strip() == "1"


def test_a_new_user_gets_a_name_and_a_home_that_it_may_write(built: dict[str, Image]) -> None:
    told = built["vs-new-user"].sh("id -u; id -un; echo $HOME; touch ~/x; ls ~").split()
    assert told == ["65000", "app", "/home/app", "x"]


def test_a_working_directory_is_made_where_missing_and_kept_where_not(
    built: dict[str, Image],
) -> None:
    assert built["vs-known-user"].config["WorkingDir"] == "/srv/deep/not there yet"
    assert built["vs-new-user"].sh("pwd; ls").split() == ["/srv/was/here", "kept"]


def test_the_user_may_write_where_it_is_told_and_nowhere_else(built: dict[str, Image]) -> None:
    tried = "; ".join(
        f'if touch "{folder}/x" 2>/dev/null; then echo "{folder}"; fi'
        for folder in ("data/in", "/srv/cache", ".", "data", "/srv/conf", "/venv", "/venv/bin")
    )
    assert built["vs-known-user"].sh(tried).split() == ["data/in", "/srv/cache"]
    assert built["vs-root"].sh("touch /var/lib/app/x; stat -c %u /var/lib/app").strip() == "0"


def test_folders_of_an_image_without_a_user_belong_to_the_bases_wherever_they_lie(
    built: dict[str, Image],
) -> None:
    image = built["vs-base-user"]
    look = "id -un; stat -c %U /var/cache/app/hub /var/log/app /run/app /tmp/app"
    assert image.sh(look).split() == ["worker"] * 5
    # What lies on the way is as it was.
    assert image.sh("readlink /var/run; stat -c '%a %U' /tmp").split() == ["/run", "1777", "root"]


def test_files_and_folders_are_copied_readable_for_all(built: dict[str, Image]) -> None:
    look = "cat 'the file.txt'; echo; /srv/conf/run.sh; stat -c '%a %U %Y %n' * /srv/conf/*"
    told = built["vs-known-user"].sh(f"{look}; cat '/srv/conf/sub dir/x.ini'").splitlines()
    assert told == [
        "here",
        "ran",
        told[2],
        "644 root 315532800 the file.txt",
        "755 root 315532800 /srv/conf/run.sh",
        "755 root 315532800 /srv/conf/sub dir",
        "x",
    ]
    assert told[2].endswith(" data")


def test_it_starts_with_its_words_as_they_were_written(built: dict[str, Image]) -> None:
    told = docker("run", "--rm", "vs-known-user:cpu").strip()
    assert told == "/srv/deep/not there yet a \"b\" $HOME \\\\ c $x 'y'"
    assert docker("run", "--rm", "vs-root:cpu").strip() == "0 /root"
    assert built["vs-root"].config.get("Entrypoint") is None


def test_labels_and_environment_are_the_images_over_the_bases(built: dict[str, Image]) -> None:
    labels = built["vs-known-user"].config["Labels"]
    assert isinstance(labels, dict)
    assert labels["org.example.note"] == 'it\'s $5 \\ "each"'
    assert labels["dev.venvsmith.image"] == "vs-known-user"
    told = docker("run", "--rm", "--entrypoint", "printenv", "vs-known-user:cpu", "PLACE", "LANG")
    assert told.split() == ["image", "C.UTF-8"]
    assert built["vs-root"].sh("echo $PLACE").strip() == "base"


def test_system_packages_of_the_base_and_of_the_stages_are_in_each_image(
    built: dict[str, Image],
) -> None:
    for image in built.values():
        assert image.sh("dpkg-query -W -f '${Package} ' netbase media-types").split() == [
            "media-types",
            "netbase",
        ]
        left = "find /tmp /venvsmith -mindepth 1 ! -path /tmp/app 2>/dev/null || true"
        assert image.sh(left).split() == []


def test_a_container_without_a_network_or_a_writable_root_starts(built: dict[str, Image]) -> None:
    argv = ["docker", "run", "--rm", "--network", "none", "--read-only", built["vs-root"].name]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip() == "0 /root", done.stderr
