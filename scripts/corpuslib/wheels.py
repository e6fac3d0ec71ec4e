"""The wheels that cases install: real ones fetched once, tiny ones written here.

Images are built without a network: each case gets a folder of exactly the wheels it names (with
what they require), hard-linked from one pool.
"""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import sys
import tempfile
import threading
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from corpuslib.cases import WORK, Case, TinyWheel

if TYPE_CHECKING:
    from collections.abc import Mapping

EXCLUDE_NEWER = "2026-11-01"
POOL = WORK / "wheels"
SETS = WORK / "sets"
_GLIBC = {"3.9": 31, "3.11": 36, "3.13": 41}  # the Debian release that ships each Python
_FULL = {"3.9": "3.9.2", "3.11": "3.11.2", "3.13": "3.13.5"}
_LOCK = threading.Lock()
_DATE = (2026, 1, 1, 0, 0, 0)


def wheel_set(case: Case) -> Path:
    """Return the folder of the case's wheels, made where it does not exist yet."""
    with _LOCK:
        return _wheel_set(case)


def _wheel_set(case: Case) -> Path:
    real = "\n".join(
        [
            case.minor,
            str(case.find_links),
            str(case.no_deps),
            str(case.glibc),
            case.arch,
            case.libc,
            *case.wheels,
        ]
    )
    tiny = repr(case.tiny)
    folder = SETS / hashlib.sha256(f"{EXCLUDE_NEWER}\n{real}\n{tiny}".encode()).hexdigest()[:16]
    if folder.is_dir():
        return folder
    SETS.mkdir(parents=True, exist_ok=True)
    POOL.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=SETS, prefix=".new-") as new:
        made = Path(new) / "set"
        made.mkdir()
        if case.wheels:
            _fetch(case, made)
        for wheel in case.tiny:
            write_wheel(wheel, made)
        made.rename(folder)
    return folder


def _environment(case: Case) -> dict[str, str]:
    drop = ("PIP_", "UV_")
    env = {k: v for k, v in os.environ.items() if not k.startswith(drop)}
    env |= {"PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    for name in ("PIP_CERT", "PIP_INDEX_URL", "UV_DEFAULT_INDEX", "PIP_DEFAULT_TIMEOUT"):
        if name in os.environ:
            env[name] = os.environ[name]
    if case.find_links:
        links = os.environ.get("VENVSMITH_CORPUS_FIND_LINKS", os.environ.get("PIP_FIND_LINKS", ""))
        env |= {"PIP_FIND_LINKS": links, "UV_FIND_LINKS": links}
    return env


def _run(argv: list[str], env: Mapping[str, str], stdin: str = "") -> str:
    done = subprocess.run(
        argv, env=dict(env), input=stdin, capture_output=True, text=True, timeout=900, check=False
    )
    if done.returncode:
        msg = f"{' '.join(argv[:6])} …: {done.stderr[-2000:]}"
        raise RuntimeError(msg)
    return done.stdout


def _platforms(case: Case) -> tuple[str, list[str]]:
    """Return uv's name of the case's platform and pip's names of every wheel tag it takes."""
    if case.libc == "musl":
        return f"{case.arch}-unknown-linux-musl", [f"musllinux_1_{n}_{case.arch}" for n in (2, 1)]
    glibc = case.glibc or _GLIBC[case.minor]
    tags = [f"manylinux_2_{n}_{case.arch}" for n in range(glibc, 4, -1)]
    tags += [f"{old}_{case.arch}" for old in ("manylinux2014", "manylinux2010", "manylinux1")]
    return f"{case.arch}-manylinux_2_{min(glibc, 40)}", tags


def _fetch(case: Case, folder: Path) -> None:
    """Resolve the case's requirements for its Python and put their wheels into the folder."""
    env = _environment(case)
    uv = Path(sys.executable).with_name("uv")
    target, platforms = _platforms(case)
    compiled = "\n".join(case.wheels)
    if not case.no_deps:
        compiled = _run(
            [str(uv), "pip", "compile", "-q", "--no-header", "--no-annotate",
             "--python-version", _FULL[case.minor], "--exclude-newer", EXCLUDE_NEWER,
             "--python-platform", target, "--only-binary", ":all:", "-"],
            env, "\n".join(case.wheels),
        )  # fmt: skip
    with tempfile.TemporaryDirectory(dir=POOL, prefix=".get-") as got:
        listed = Path(got) / "requirements.txt"
        listed.write_text(compiled, encoding="utf-8")
        _run(
            [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:",
             "--python-version", _FULL[case.minor], "--implementation", "cp",
             *(flag for p in platforms for flag in ("--platform", p)),
             "-d", got, "-r", str(listed)],
            env,
        )  # fmt: skip
        for wheel in Path(got).glob("*.whl"):
            pooled = POOL / wheel.name
            if not pooled.exists():
                wheel.rename(pooled)
            os.link(pooled, folder / wheel.name)


def write_wheel(wheel: TinyWheel, folder: Path) -> Path:
    """Write a wheel with the given content; the same content gives the same bytes."""
    stem = f"{wheel.name.replace('-', '_').replace('.', '_')}-{wheel.version}"
    info = f"{stem}.dist-info"
    members = {name: text.encode() for name, text in wheel.files.items()}
    requires = "".join(f"Requires-Dist: {r}\n" for r in wheel.requires)
    members[f"{info}/METADATA"] = (
        f"Metadata-Version: 2.1\nName: {wheel.name}\nVersion: {wheel.version}\n{requires}".encode()
    )
    pure = str(wheel.tag.endswith("-none-any")).lower()
    members[f"{info}/WHEEL"] = (
        f"Wheel-Version: 1.0\nGenerator: corpus\nRoot-Is-Purelib: {pure}\nTag: {wheel.tag}\n"
    ).encode()
    if wheel.scripts:
        lines = "".join(f"{name} = {target}\n" for name, target in wheel.scripts.items())
        members[f"{info}/entry_points.txt"] = f"[console_scripts]\n{lines}".encode()
    record = "".join(f"{name},sha256={_b64(data)},{len(data)}\n" for name, data in members.items())
    members[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    path = folder / f"{stem}-{wheel.tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, _DATE), data)
    return path


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
