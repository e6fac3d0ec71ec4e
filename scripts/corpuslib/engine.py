"""The engine: build an image of a case, run one command in it, ask for nothing else."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import threading
import uuid
from dataclasses import dataclass
from pathlib import Path

from corpuslib.cases import TAG, WORK, Case, load
from corpuslib.wheels import wheel_set

LABEL = "venvsmith.corpus"
_BUILD_S = 1200
# Flags of RUN, then settings that live for that one command only: the image keeps none of them.
_MACRO = (
    "--mount=type=bind,from=wheels,target=/wheels "
    "--mount=type=bind,from=tools,source=uv,target=/usr/local/sbin/uv "
    "export PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels PIP_DISABLE_PIP_VERSION_CHECK=1 "
    "PIP_ROOT_USER_ACTION=ignore UV_NO_INDEX=1 UV_FIND_LINKS=/wheels UV_OFFLINE=1 UV_NO_CACHE=1 "
    "UV_PYTHON_DOWNLOADS=never;"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Output:
    """How a command ended: its code (124: out of time) and the end of what it said."""

    code: int
    said: str


def call(argv: list[str], *, timeout: float, stdin: str | None = None) -> Output:
    """Run a program on this machine, bounded in time."""
    try:
        done = subprocess.run(
            argv, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace", timeout=timeout, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as exc:
        said = exc.stdout.decode(errors="replace") if isinstance(exc.stdout, bytes) else ""
        return Output(code=124, said=f"{said[-4000:]}\n[out of time after {timeout:.0f} s]")
    return Output(code=done.returncode, said=done.stdout[-20000:])


def run_in(
    image: str, argv: tuple[str, ...], *, timeout: float, extra: tuple[str, ...] = ()
) -> Output:
    """Run ``argv`` in a throwaway container without a network; empty: the image's own command."""
    name = f"{TAG}-{uuid.uuid4().hex[:12]}"
    command = [
        "docker",
        "run",
        "--rm",
        "--name",
        name,
        "--network",
        "none",
        "--memory",
        "6g",
        *extra,
    ]
    command += ["--entrypoint", argv[0], image, *argv[1:]] if argv else [image]
    output = call(command, timeout=timeout)
    if output.code == 124:  # noqa: PLR2004 - the client is gone, the container is not
        call(["docker", "rm", "-f", name], timeout=60)
    return output


def tools() -> Path:
    """Return a folder with nothing but the uv program of this environment."""
    folder = WORK / "tools"
    target = folder / "uv"
    source = Path(sys.executable).with_name("uv")
    if not target.exists() or target.stat().st_size != source.stat().st_size:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
    return folder


class Builder:
    """Builds cases, each once, their bases before them; asks the engine what is there already."""

    def __init__(self) -> None:
        self._bases = {case.name: case for case in load("bases")}
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()
        self._ids: dict[str, str] = {}

    def build(self, case: Case) -> str | None:
        """Build the case's image where it is not up to date; return what went wrong, or None."""
        with self._guard:
            lock = self._locks.setdefault(case.name, threading.Lock())
        with lock:
            if case.name in self._ids:
                return None
            key = case.digest()
            for base in case.bases:
                if problem := self.build(self._bases[base]):
                    return f"base {base}: {problem}"
                key += self._ids[base]
            digest = hashlib.sha256(f"{_MACRO}{key}".encode()).hexdigest()
            self._ids[case.name] = digest
            if _label(case.image) == digest:
                return None
            problem = _build(case, digest)
            if problem:
                del self._ids[case.name]
            return problem


def _label(image: str) -> str:
    query = f'{{{{ index .Config.Labels "{LABEL}" }}}}'
    seen = call(["docker", "image", "inspect", "--format", query, image], timeout=60)
    return seen.said.strip() if seen.code == 0 else ""


def _build(case: Case, digest: str) -> str | None:
    try:
        wheels = wheel_set(case)
    except (RuntimeError, subprocess.TimeoutExpired) as exc:
        return f"wheels: {exc}"
    context = WORK / "contexts" / case.name
    shutil.rmtree(context, ignore_errors=True)
    context.mkdir(parents=True)
    for name, text in case.files.items():
        path = context / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    argv = [
        "docker", "buildx", "build", "--load", "--progress", "plain", "--pull=false",
        "--label", f"{LABEL}={digest}", "-t", case.image,
        "--build-context", f"wheels={wheels}", "--build-context", f"tools={tools()}",
        "--provenance", "false", "-f", "-", str(context),
    ]  # fmt: skip
    ca = os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt")
    argv += ["--secret", f"id=ca,src={ca}"]
    done = call(argv, timeout=_BUILD_S, stdin=case.dockerfile.replace("{w}", _MACRO))
    if done.code:
        return done.said[-3000:]
    _forget_replaced()
    return None


def _forget_replaced() -> None:
    """Remove images of earlier builds that no tag names any more."""
    call(["docker", "image", "prune", "-f", "--filter", f"label={LABEL}"], timeout=120)


def clean() -> int:
    """Remove every image of the corpus; return how many."""
    seen = call(
        ["docker", "image", "ls", "-q", "--filter", f"reference={TAG}/*"], timeout=60
    ).said.split()
    for image in dict.fromkeys(seen):
        call(["docker", "image", "rm", "-f", image], timeout=120)
    _forget_replaced()
    return len(set(seen))
