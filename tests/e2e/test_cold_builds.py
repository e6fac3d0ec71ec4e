"""Five cold builds under other conditions each: the same layers, on both engines.

Small packages, so that it takes minutes and not gigabytes. The containerd image store is tried
where a second dockerd can be started (root, and a dockerd on PATH).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engines import CA, ca_options, image_of, layers, tree_of_folder, venvsmith

pytestmark = [pytest.mark.e2e, pytest.mark.engine, pytest.mark.network]

BRIDGE = "vsd0"
BASES = ("venvsmith-test/bookworm:1",)
CONDITIONS: tuple[dict[str, str], ...] = (
    {},
    {"TZ": "Pacific/Kiritimati", "LANG": "C"},
    {"TZ": "America/New_York", "LANG": "de_DE.UTF-8", "PYTHONHASHSEED": "1"},
    {"LC_ALL": "tr_TR.UTF-8", "PYTHONHASHSEED": "4711", "UMASK": "077"},
    {"TZ": "Asia/Kathmandu", "UMASK": "002", "SOURCE_DATE_EPOCH": "1"},
)


def moved(project: Path, number: int, umask: int) -> Path:
    """Return another checkout with other times and modes."""
    folder = project.parent / f"checkout-{number}" / ("deep/" * number) / "small"
    shutil.copytree(project, folder, ignore=shutil.ignore_patterns(".venvsmith"))
    for path in folder.rglob("*"):
        path.chmod((0o777 if path.is_dir() else 0o666) & ~umask | (0o500 if path.is_dir() else 0))
        os.utime(path, (number * 10**8, number * 10**8))
    return folder


def build(folder: Path, condition: dict[str, str], *words: str) -> None:
    umask = int(condition.get("UMASK", "022"), 8)
    argv = [sys.executable, "-m", "venvsmith", "--config", str(folder / "venvsmith.toml")]
    env = {**os.environ, **condition, "PATH": f"/usr/bin:/bin:{os.environ['PATH']}"}
    done = subprocess.run(
        [*argv, "build", "--no-verify", *words, *ca_options()],
        capture_output=True, text=True, env=env, timeout=900, check=False, umask=umask,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]


def test_cold_builds_have_the_same_layers_whatever_the_conditions(project: Path) -> None:
    venvsmith(project, "render")
    image = image_of(project)
    found = []
    for number, condition in enumerate(CONDITIONS):
        folder = moved(project, number, int(condition.get("UMASK", "022"), 8))
        build(folder, condition, "--no-cache")
        found.append(layers(image))
    assert len(found[0]) > 3
    assert found == [found[0]] * len(CONDITIONS)


def test_the_local_engine_leaves_the_same_tree_whatever_the_conditions(
    project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    trees = []
    for number, condition in enumerate(CONDITIONS):
        folder = moved(project, number, int(condition.get("UMASK", "022"), 8))
        cold = {**condition, "UV_CACHE_DIR": str(tmp_path / f"cache-{number}")}
        build(folder, cold, "--engine", "local")
        built = folder / ".venvsmith" / "local" / image_of(project).replace(":", ".")
        trees.append(tree_of_folder(built / "root" / "venv"))
    assert trees == [trees[0]] * len(CONDITIONS)


@pytest.fixture
def containerd() -> Iterator[str]:
    """Start a second engine that keeps images in containerd's store."""
    if os.geteuid() != 0 or shutil.which("dockerd") is None:
        pytest.skip("only root can start a second dockerd")
    # The path of a socket may have 107 bytes, and containerd's are deep.
    home = Path(tempfile.mkdtemp(prefix="vsd-"))
    config = {
        "features": {"containerd-snapshotter": True},
        "data-root": str(home / "data"),
        "exec-root": str(home / "exec"),
        "pidfile": str(home / "pid"),
        "hosts": [f"unix://{home}/docker.sock"],
        "bridge": BRIDGE,
        "iptables": False,
    }
    # A bridge of its own: with "none", a dockerd removes that of the first one, docker0.
    for words in (f"add {BRIDGE} type bridge", f"set {BRIDGE} up"):
        subprocess.run(["ip", "link", *words.split()], check=True, capture_output=True)
    address = ["ip", "address", "add", "10.213.77.1/24", "dev", BRIDGE]
    subprocess.run(address, check=True, capture_output=True)
    (home / "daemon.json").write_text(json.dumps(config))
    with (home / "log").open("w") as log:
        daemon = subprocess.Popen(
            ["dockerd", "--config-file", str(home / "daemon.json")], stdout=log, stderr=log
        )
        host = f"unix://{home}/docker.sock"
        try:
            for _ in range(60):
                argv = ["docker", "-H", host, "info", "-f", "{{.DriverStatus}}"]
                done = subprocess.run(argv, capture_output=True, text=True)
                if done.returncode == 0:
                    break
                time.sleep(1)
            else:
                pytest.fail((home / "log").read_text()[-2000:])
            assert "snapshotter" in done.stdout
            yield host
        finally:
            daemon.terminate()
            daemon.wait(60)
            subprocess.run(["ip", "link", "delete", BRIDGE], check=True, capture_output=True)
            shutil.rmtree(home, ignore_errors=True)


def test_the_containerd_image_store_has_the_same_layers(project: Path, containerd: str) -> None:
    """diffIDs are of uncompressed layers, so that they compare across stores."""
    for base in BASES:
        archive = project.parent / "base.tar"
        for argv in (
            ["save", "-o", str(archive), base],
            ["-H", containerd, "load", "-i", str(archive)],
        ):
            subprocess.run(["docker", *argv], check=True, capture_output=True, timeout=300)
    image = image_of(project)
    build(project, {}, "--no-cache")
    here = layers(image)
    # The host's network, as the second engine's own bridge leads nowhere.
    dockerfile = f"docker/Dockerfile.{image.replace(':', '.')}"
    argv = ["docker", "-H", containerd, "buildx", "build", "--allow", "network.host"]
    argv += ["--network=host", "--no-cache", "--load", "--target", "final", "-f", dockerfile]
    argv += ["--secret", f"id=ca,src={CA}"] if CA.exists() else []
    done = subprocess.run(
        [*argv, "-t", image, "."], cwd=project, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-3000:]
    argv = ["docker", "-H", containerd, "image", "inspect", "-f", "{{json .RootFS.Layers}}", image]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == here
