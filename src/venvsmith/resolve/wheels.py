"""Makes wheels of requirements that name a repository, an address or a folder."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import urllib.error
import urllib.request
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

from packaging.requirements import Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from venvsmith.errors import JudgedError, SurroundingsError
from venvsmith.lock.folder import source_files
from venvsmith.lock.wheels import (
    Built,
    find_wheels,
    key_of,
    local_path,
    source_digest,
    stale_reason,
)
from venvsmith.process import Command, Completed, environment, run
from venvsmith.resolve.asking import until
from venvsmith.resolve.sizes import install_tags
from venvsmith.resolve.surroundings import resolver_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from threading import Event

    from venvsmith.lock.inputs import Inputs
    from venvsmith.model.project import Project

EPOCH = "315532800"
"""1980-01-01, the earliest that a wheel can tell: the same source gives the same bytes."""
BUILD_SECONDS, FETCH_SECONDS, READ_SECONDS = 1800.0, 600.0, 60.0
SIZE_LIMIT = 1024 * 1024 * 1024
"""Bytes of a download: a wheel that is kept beside the locks is no larger."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WheelMaker:
    """Builds and fetches.

    :param uv: path of uv's program.
    :param folder: an empty folder for what is made.
    :param say: told what is being built, one line at a time.
    """

    project: Project
    uv: str
    folder: Path
    offline: bool
    stop: Event
    say: Callable[[str], None]

    def bring_up_to_date(
        self, wanted: Iterable[Requirement], *, upgrade: bool, upgrade_packages: Collection[str]
    ) -> dict[str, Built]:
        """Return a wheel for each requirement, by its key: the one that is there, or a new one.

        What comes from a repository or an address stays until an upgrade; what comes from a
        folder, until the folder changes.

        :raises JudgedError: where a revision or file does not exist, or a build fails.
        :raises SurroundingsError: where the network fails, or a program is missing.
        """
        kept = find_wheels(self.project)
        built: dict[str, Built] = {}
        for requirement in sorted(wanted, key=key_of):
            key, url = key_of(requirement), requirement.url or ""
            anew = upgrade or canonicalize_name(requirement.name) in upgrade_packages
            before = kept.get(key)
            fresh = anew and local_path(url) is None
            if key in built:
                continue
            if before is None or fresh or stale_reason(self.project, before, url):
                built[key] = self._make(key, requirement.name, url)
            else:
                built[key] = before
        return built

    def _make(self, key: str, name: str, url: str) -> Built:
        self.say(f"building {key}")
        work = self.folder / hashlib.sha256(key.encode()).hexdigest()[:16]
        (work / "out").mkdir(parents=True)
        local = local_path(url)
        if local is not None:
            source, origin = self._copied(self.project.root / local, work)
        elif self.offline:
            message = "it has to be fetched, and the network may not be used"
            hint = "run once without --offline"
            raise SurroundingsError(message, where=key, hint=hint, code="offline")
        elif url.startswith("git+"):
            source, origin = self._cloned(key, url, work)
        else:
            source, origin = _downloaded(key, url, work)
        wheel = source if source.suffix == ".whl" else self._build(key, source, work)
        try:
            found, version, _, _ = parse_wheel_filename(wheel.name)
        except InvalidWheelFilename as exc:
            message = f"'{wheel.name}' is not the name of a wheel"
            raise JudgedError(message, where=key, code="build-failed") from exc
        if found != canonicalize_name(name):
            message = f"it is named '{found}', not '{canonicalize_name(name)}'"
            hint = "write the requirement with that name"
            raise JudgedError(message, where=key, hint=hint, code="wheel-name")
        return Built(
            key=key,
            name=found,
            version=str(version),
            file=wheel.name,
            sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
            origin=origin,
            path=wheel,
        )

    def _copied(self, path: Path, work: Path) -> tuple[Path, str]:
        """Copy a project's files with one of two modes: the user's own tree stays clean."""
        origin = source_digest(self.project, path)
        if path.is_file():
            return path, origin
        target = work / "source"
        for name in source_files(self.project, path):
            file = target / name
            file.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path / name, file)
            file.chmod(0o755 if os.access(path / name, os.X_OK) else 0o644)
        return target, origin

    def _cloned(self, key: str, url: str, work: Path) -> tuple[Path, str]:
        parts = urlsplit(url.removeprefix("git+"))
        # As pip has it: the last @ stands before the revision.
        path, at, revision = parts.path.rpartition("@")
        address = parts._replace(path=path if at else parts.path, fragment="").geturl()
        target = work / "source"
        done = self._git("clone", "--quiet", address, str(target))
        if done.returncode in {126, 127}:
            message = "the requirement comes from a repository, and there is no git"
            raise SurroundingsError(message, where=key, hint="install git", code="tool-missing")
        if done.returncode != 0:
            raise _git_failed(done, key, "clone it")
        commit = self._checked_out(key, target, revision if at else "HEAD")
        done = self._git(
            "-C", str(target), "submodule", "update", "--quiet", "--init", "--recursive"
        )
        if done.returncode != 0:
            raise _git_failed(done, key, "fetch its submodules")
        for file in target.rglob("*"):
            if file.is_file() and not file.is_symlink():
                file.chmod(0o755 if os.access(file, os.X_OK) else 0o644)
        inner = parse_qs(parts.fragment).get("subdirectory", [""])[0]
        folder = (target / inner).resolve()
        if not folder.is_relative_to(target.resolve()) or not folder.is_dir():
            message = f"the repository has no folder '{inner}'"
            raise JudgedError(message, where=key, hint="mend '#subdirectory='", code="build-failed")
        return folder, commit

    def _checked_out(self, key: str, target: Path, revision: str) -> str:
        """Put a clone at a revision; return its commit. A branch has its remote's name there."""
        for name in (revision, f"origin/{revision}"):
            done = self._git("-C", str(target), "checkout", "--quiet", "--detach", name, "--")
            if done.returncode == 0:
                told = self._git("-C", str(target), "rev-parse", "HEAD")
                if told.returncode != 0:
                    raise _git_failed(told, key, "name its commit")
                return told.text.strip()
        message = f"the repository has no revision '{revision}'"
        hint = "name a commit, a tag or a branch that it has"
        raise JudgedError(message, where=key, hint=hint, code="no-such-revision")

    def _git(self, *words: str) -> Completed:
        env = environment({"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"})
        command = Command(argv=("git", *words), timeout=FETCH_SECONDS, env=env)
        return run(command, stop=self.stop)

    def _build(self, key: str, source: Path, work: Path) -> Path:
        done = self._uv_build(source, work, python=self.project.python)
        if done.returncode != 0 and "No interpreter found" in done.error_text:
            # Any Python will do for a pure one; what is not is judged by its tags.
            done = self._uv_build(source, work, python=None)
        wheels = sorted((work / "out").glob("*.whl"))
        if done.returncode != 0 or len(wheels) != 1:
            message = f"it cannot be built to a wheel: {_tail(done)}"
            hint = "see what 'uv build --wheel' says in its folder"
            raise JudgedError(message, where=key, hint=hint, code="build-failed")
        return wheels[0]

    def _uv_build(self, source: Path, work: Path, *, python: str | None) -> Completed:
        newer = self.project.exclude_newer
        argv = (
            *(self.uv, "build", "--wheel", "--no-config", "--no-progress", "--color", "never"),
            *("--no-python-downloads", "--out-dir", str(work / "out")),
            *(("--python", python) if python else ()),
            *(("--exclude-newer", until(newer)) if newer else ()),
            *(("--offline",) if self.offline else ()),
            str(source),
        )
        env = {**resolver_environment(), "SOURCE_DATE_EPOCH": EPOCH, "PYTHONHASHSEED": "0"}
        return run(Command(argv=argv, timeout=BUILD_SECONDS, env=env, cwd=work), stop=self.stop)


def refuse_unfit(inputs: Iterable[tuple[str, Inputs]], built: Iterable[Built]) -> None:
    """Refuse a wheel that was built for this machine alone where it has to run elsewhere.

    :param inputs: variant and platform, for the message, and what a lock is made from there.
    :raises JudgedError: code ``wheel-unfit``.
    """
    wheels = {each.name: each for each in built}
    for place, wanted in inputs:
        markers = wanted.environment.markers()
        for line in wanted.requirements:
            requirement = Requirement(line)
            wheel = wheels.get(canonicalize_name(requirement.name))
            if wheel is None or (requirement.marker and not requirement.marker.evaluate(markers)):
                continue
            if parse_wheel_filename(wheel.file)[3].isdisjoint(install_tags(wanted.environment)):
                python = wanted.environment.python
                message = f"{wheel.file}, built here, does not run on {place} with Python {python}"
                raise JudgedError(
                    message,
                    where=wheel.key,
                    hint="build a wheel for each platform elsewhere, and name their folder in the "
                    "variant's find-links",
                    code="wheel-unfit",
                )


def _git_failed(done: Completed, key: str, what: str) -> SurroundingsError:
    message = f"git cannot {what}: {_tail(done)}"
    hint = "look at the address, the network and git's credentials"
    return SurroundingsError(message, where=key, hint=hint, code="git-failed")


def _downloaded(key: str, url: str, work: Path) -> tuple[Path, str]:
    """Fetch an archive; a ``#sha256=`` of its address has to hold."""
    parts = urlsplit(url)
    target = work / unquote(parts.path).rpartition("/")[2]
    digest = hashlib.sha256()
    size = 0
    try:
        # _spelled let http and https through alone.
        with (
            closing(urllib.request.urlopen(url, timeout=READ_SECONDS)) as answer,  # noqa: S310
            target.open("wb") as file,
        ):
            while chunk := answer.read(1 << 20):
                size += len(chunk)
                if size > SIZE_LIMIT:
                    message = f"it is larger than {SIZE_LIMIT} bytes"
                    raise JudgedError(message, where=key, code="download-too-large")
                digest.update(chunk)
                file.write(chunk)
            if answer.length:
                message = f"the answer broke off {answer.length} bytes before its end"
                raise SurroundingsError(message, where=key, hint="run again", code="download")
    except urllib.error.HTTPError as exc:
        message = f"the server answers {exc.code} {exc.reason}"
        if exc.code in {404, 410}:
            raise JudgedError(message, where=key, hint="look at the address", code="gone") from exc
        raise SurroundingsError(message, where=key, hint="run again", code="download") from exc
    except (OSError, HTTPException) as exc:
        message = f"it cannot be fetched: {getattr(exc, 'reason', exc)}"
        hint = "look at the network, the proxy and the certificates, then run again"
        raise SurroundingsError(message, where=key, hint=hint, code="download") from exc
    wanted = re.search(r"(?:^|&)sha256=([0-9a-f]{64})", parts.fragment)
    if wanted is not None and wanted[1] != digest.hexdigest():
        message = f"its sha256 is {digest.hexdigest()}, and the address promises {wanted[1]}"
        raise JudgedError(message, where=key, hint="look at who changed it", code="hash-mismatch")
    return target, f"sha256:{digest.hexdigest()}"


def _tail(done: Completed) -> str:
    """Return a program's last words, or the last exception that it tells of, on one line."""
    if done.timed_out:
        return f"no end within {done.command.timeout:g} s"
    lines = [line.strip() for line in done.error_text.splitlines() if line.strip()]
    raised = [line for line in lines if re.match(r"[\w.]*(Error|Exception): ", line)]
    said = raised[-1:] or [line for line in lines if not line.startswith("hint:")][-3:]
    return " / ".join(said)[-500:] or "it failed without a word"
