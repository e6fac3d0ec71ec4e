"""Real images, broken in one way each, built by the running engine."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from venvsmith import engine
from venvsmith.collect import CollectRequest, collect
from venvsmith.errors import SurroundingsError, UnsafeInputError, UsageError
from venvsmith.model.facts import Environment, Facts
from venvsmith.target import kind_of, open_target
from waiting import eventually

BASE = "venvsmith-test/bookworm:1"
VENV = "RUN /usr/bin/python3 -m venv --without-pip /venv\nENV PATH=/venv/bin:$PATH\n"
SITE = "/venv/lib/python3.11/site-packages"

Build = Callable[..., str]


@pytest.fixture
def build() -> Iterator[Build]:
    images: list[str] = []

    def run(text: str, base: str = BASE) -> str:
        name = f"venvsmith-test/probe-{os.getpid()}-{len(images)}:1"
        subprocess.run(
            ["docker", "build", "--quiet", "--tag", name, "-"],
            input=f"FROM {base}\n{text}".encode(), check=True, capture_output=True,
        )  # fmt: skip
        images.append(name)
        return name

    yield run
    subprocess.run(["docker", "rmi", "--force", *images], check=False, capture_output=True)


def look(image: str, *imports: str, **more: object) -> Facts:
    with open_target(image) as target:
        return collect(target, CollectRequest(imports={"": imports}, **more))  # type: ignore[arg-type]


def only(facts: Facts) -> Environment:
    assert facts.probe_problems == ()
    (env,) = facts.environments
    return env


def containers(owner: str | None = None) -> str:
    """Return the containers of one venvsmith, this process's own by default."""
    label = f"label={engine.OWNER_LABEL}={owner or engine.owner()}"
    argv = ["docker", "ps", "--all", "--quiet", "--filter", label]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize(
    ("ref", "kind"),
    [
        ("docker:registry:2", ("docker", "registry:2")),
        ("registry:2", ("registry", "2")),
        ("python:3.11-slim", ("docker", "python:3.11-slim")),
        ("localhost:5000/a/b:c", ("docker", "localhost:5000/a/b:c")),
        ("venv:/x", ("venv", "/x")),
        (sys.prefix, ("venv", sys.prefix)),
    ],
)
def test_prefixes_win_and_a_venvs_folder_is_a_venv(ref: str, kind: tuple[str, str]) -> None:
    assert kind_of(ref) == kind


@pytest.mark.parametrize("ref", ["venv:/no/such/folder", "rootfs:/no/such/folder"])
def test_a_folder_that_is_not_there_is_a_usage_error(ref: str) -> None:
    with pytest.raises(UsageError):
        open_target(ref)


def test_an_engine_that_is_not_there_is_the_surroundings_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///no/such/socket")
    with pytest.raises(SurroundingsError) as caught:
        open_target("some/image:1")
    assert caught.value.code == "no-engine"
    monkeypatch.setenv("PATH", "/no/such/folder")
    with pytest.raises(SurroundingsError, match="no docker command"):
        open_target("some/image:1")


@pytest.mark.engine
def test_an_image_that_is_not_there_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="no such image"):
        open_target("venvsmith-test/there-is-no-such-image:1")


@pytest.mark.engine
def test_a_sound_image_is_seen_as_its_user_sees_it(build: Build) -> None:
    image = build(
        VENV + f"RUN mkdir {SITE}/pkg && echo 'x = 1' > {SITE}/pkg/__init__.py\n"
        "RUN useradd --uid 1001 --create-home app && mkdir /work && echo > /work/here.py\n"
        "USER 1001\nWORKDIR /work\nENV LD_LIBRARY_PATH=/opt/lib\n"
        'ENTRYPOINT ["python", "-m", "pkg"]\n'
        "VOLUME /data\nLABEL a=b\n"
    )
    facts = look(image, "pkg", "here", commands={"": (("id", "-u"),)})
    env = only(facts)

    assert [result.status for result in env.imports] == ["ok", "ok"]
    assert env.commands[0].output == "1001\n"
    assert (facts.system.uid, facts.system.home, facts.system.home_writable) == (
        1001,
        "/home/app",
        True,
    )
    assert facts.system.env["LD_LIBRARY_PATH"] == "/opt/lib"
    assert (facts.system.os_version, facts.system.libc_version) == ("12", "2.36")
    assert facts.target.platform == "linux/amd64"
    config = facts.target.config
    assert config is not None
    assert (config.user, config.workdir, config.volumes) == ("1001", "/work", ("/data",))
    assert config.entrypoint == ("python", "-m", "pkg")
    assert any("useradd" in line for line in config.history)
    assert env.on_path
    assert containers() == ""


@pytest.mark.engine
def test_a_dangling_interpreter_is_read_by_the_systems_own(build: Build) -> None:
    image = build(
        VENV
        + "RUN ln -sfn /root/.local/uv/python3.11 /venv/bin/python3 && rm /venv/bin/python3.11\n"
    )
    facts = look(image, "json")
    env = only(facts)

    assert env.interpreter is not None
    assert [(s.path, s.kind) for s in env.interpreter.chain] == [
        ("/venv/bin/python", "link"),
        ("/venv/bin/python3", "link"),
        ("/root/.local/uv/python3.11", "missing"),
    ]
    assert env.interpreter.resolves_to is None
    assert env.imports[0].status == "skipped"


@pytest.mark.engine
def test_an_interpreter_behind_a_closed_folder_is_unreachable_for_the_user(build: Build) -> None:
    image = build(
        "RUN mkdir -p /root/py/bin && cp /usr/bin/python3.11 /root/py/bin/ && chmod 700 /root && "
        "/root/py/bin/python3.11 -m venv --without-pip /venv\nUSER 1001\nENV PATH=/venv/bin:$PATH\n"
    )
    env = only(look(image, "json"))

    assert env.interpreter is not None
    assert env.interpreter.chain[-1].blocked_at == "/root"
    assert env.interpreter.run is not None
    assert env.interpreter.run.returncode == 126


@pytest.mark.engine
def test_every_venv_of_an_image_is_found(build: Build) -> None:
    image = build(
        "RUN for v in /venvs/a /venvs/b /srv/app/.venv; do python3 -m venv --without-pip $v; done\n"
        'ENTRYPOINT ["/venvs/b/bin/python"]\n'
    )
    facts = look(image, static=True)
    assert [env.path for env in facts.environments] == ["/venvs/b", "/venvs/a", "/srv/app/.venv"]
    assert facts.missing[0].what == "runs"


@pytest.mark.engine
def test_a_python_that_prints_a_pass_convinces_nobody(build: Build) -> None:
    fake = r"#!/bin/sh\necho venvsmith-probe:0:{}\nyes all is well | head -c 300000\n"
    image = build(
        f"RUN printf '{fake}' > /usr/local/bin/python3 && chmod +x /usr/local/bin/python3\n"
    )
    facts = look(image, "json")
    assert [env.kind for env in facts.environments] == ["system"]
    assert facts.probe_problems == ("output: python3 ended well, but did nothing of it",)


@pytest.mark.engine
def test_a_python_that_floods_is_stopped(build: Build) -> None:
    image = build(
        r"RUN printf '#!/bin/sh\nyes\n' > /usr/local/bin/python3 "
        "&& chmod +x /usr/local/bin/python3\n"
    )
    begin = time.monotonic()
    facts = look(image)
    assert facts.environments == ()
    assert facts.probe_problems[0].startswith("output: more than")
    assert time.monotonic() - begin < 90
    assert containers() == ""


@pytest.mark.engine
def test_a_hang_ends_and_leaves_no_container(build: Build) -> None:
    image = build(
        VENV + f"RUN echo 'import time; time.sleep(600)' > {SITE}/hang.py && "
        f"printf 'import os\\nwhile True: os.fork()\\n' > {SITE}/bomb.py && "
        f"printf 'while True: print(\"x\" * 65536)\\n' > {SITE}/flood.py\n"
    )
    begin = time.monotonic()
    env = only(look(image, "bomb", "flood", "hang", timeout=10.0))
    assert {result.status for result in env.imports} <= {"timeout", "failed", "crashed"}
    assert time.monotonic() - begin < 90
    assert containers() == ""


@pytest.mark.engine
def test_containers_of_a_killed_run_are_swept_at_the_next_start() -> None:
    code = (
        "from venvsmith import engine\n"
        "import os\n"
        "print(engine.owner())\n"
        "label = engine.OWNER_LABEL + '=' + engine.owner()\n"
        f"engine.call('create', '--label', label, '{BASE}', 'true')\n"
        "os.kill(os.getpid(), 9)\n"
    )
    argv = [sys.executable, "-u", "-c", code]
    owner = subprocess.run(argv, check=False, capture_output=True, text=True).stdout.strip()
    assert containers(owner) != ""
    with open_target(BASE):
        assert containers(owner) == ""


@pytest.mark.engine
def test_an_interrupt_leaves_no_container(build: Build) -> None:
    image = build(VENV + f"RUN echo 'import time; time.sleep(600)' > {SITE}/hang.py\n")
    code = (
        "from venvsmith import engine\nfrom venvsmith.collect import *\n"
        "from venvsmith.target import open_target\n"
        "print(engine.owner(), flush=True)\n"
        f"with open_target('{image}') as t: collect(t, CollectRequest(imports={{'': ('hang',)}}))\n"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdout=pipe, stderr=pipe) as process:
        assert process.stdout is not None
        owner = process.stdout.readline().decode().strip()
        eventually(lambda: containers(owner))
        process.send_signal(2)
        process.wait(60)
    assert containers(owner) == ""


@pytest.mark.engine
def test_a_workdir_in_proc_is_refused(build: Build) -> None:
    with pytest.raises(UnsafeInputError):
        open_target(build("WORKDIR /proc/self/fd/8\n"))


@pytest.mark.engine
def test_an_image_without_any_python_is_read_from_outside(build: Build) -> None:
    image = build(
        VENV
        + f"RUN cd {SITE} && mkdir gone-1.dist-info && echo 'gone.py,,' > gone-1.dist-info/RECORD "
        "&& rm /usr/bin/python3*\nUSER 1001\n"
    )
    facts = look(image, "json")
    env = only(facts)

    assert env.path == "/venv"
    assert env.interpreter is not None
    assert env.interpreter.chain[-1].kind == "missing"
    assert [p.path for p in env.distributions[0].record_problems] == [f"{SITE}/gone.py"]
    assert facts.system.uid == 1001
    assert any("no Python of the image starts" in fact.reason for fact in facts.missing)
    assert containers() == ""
