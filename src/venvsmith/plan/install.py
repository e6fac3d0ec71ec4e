"""The lines that install distributions: with uv or pip, and each name from its own index alone.

What a machine knows of its network reaches these lines through build secrets that may be missing:
``ca`` (certificates), ``default-index`` (the address of a mirror, credentials included), and the
user and password of each configured index. A secret is read by the step itself and handed on in a
variable of the installer's environment: it is on no command line and in no layer.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import urlsplit
from urllib.request import url2pathname

from venvsmith.errors import ConfigError
from venvsmith.model.lock import Pin
from venvsmith.model.plan import NETWORK_SECRETS, Mount
from venvsmith.model.project import Index, Project, Variant, index_of


@dataclass(frozen=True, kw_only=True, slots=True)
class PinFile:
    """Pins of one layer that come from one place.

    :param path: below the project's root.
    :param index: None for the default index.
    :param wheels: files below the project's root that the pins are of; then no index is asked.
    """

    path: str
    index: Index | None
    pins: tuple[Pin, ...]
    wheels: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Install:
    """What a step needs to install pins."""

    run: tuple[str, ...]
    mounts: tuple[Mount, ...]
    caches: tuple[str, ...]
    secrets: tuple[str, ...]


WHEELS = "WHEELS"
"""Stands where other pins have their index, whose name is never in capitals."""
READ_TIMEOUT = 120
"""Seconds without a byte from an index, where the base image sets no other."""
_TIMEOUTS = ("UV_HTTP_TIMEOUT", "PIP_DEFAULT_TIMEOUT")


def pin_files(
    project: Project, stem: str, pins: Iterable[Pin], wheels: Mapping[str, str] | None = None
) -> tuple[PinFile, ...]:
    """Cut pins by the index that they come from, the default one first.

    :param stem: the file's name without its ending; one of an index is ``<stem>@<index>``.
    :param wheels: hash to path of the wheels that lie beside the locks.
    """
    groups: dict[str, list[Pin]] = {}
    kept: list[str] = []
    for pin in pins:
        own = [wheels[digest] for digest in pin.hashes if wheels and digest in wheels]
        if own:
            kept += own
            groups.setdefault(WHEELS, []).append(pin)
            continue
        index = index_of(pin.name, project.indexes.values())
        groups.setdefault("" if index is None else index.name, []).append(pin)
    return tuple(
        PinFile(
            path=f"{project.output}/deltas/{stem}{f'@{name}' if name else ''}.txt",
            index=project.indexes.get(name),
            pins=tuple(groups[name]),
            wheels=tuple(kept) if name == WHEELS else (),
        )
        for name in sorted(groups)
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Installer:
    """Makes the lines that install, of one project in one variant.

    :param work: where the build keeps its own things.
    :param secrets: the folder of the build's secrets.
    :param interpreter: the shell word that gives the interpreter both bases agreed on.
    """

    project: Project
    variant: Variant
    work: str
    secrets: str
    interpreter: str

    def pins(
        self, venv: str, files: Sequence[PinFile], *, prefix: str = "", options: str = ""
    ) -> Install:
        """Return how to install pins by hash.

        :param venv: the venv whose Python they are for.
        :param prefix: where they go; into the venv itself where empty.
        :param options: more options of the installer, each after a space.
        """
        run: list[str] = [*self.surroundings()]
        mounts: list[Mount] = []
        secrets: list[str] = [*NETWORK_SECRETS]
        for file in files:
            seen = f"{self.work}/in/{file.path.rpartition('/')[2]}"
            mounts.append(Mount(source=file.path, target=seen))
            origin, needs = self.origin(file)
            mounts += needs
            environment = ""
            if file.index is not None:
                run.append(self.address(file.index, needs))
                environment = f'{self.index_variable}="$index" '
                secrets += file.index.variables
            line = (
                f"{environment}{self.command(venv, prefix)}{options} --no-deps --require-hashes"
                f" {self.only_wheels(file.pins)}{origin} --requirement {seen}"
            )
            if self.project.installer == "pip":
                line = self.telling(line, PurePosixPath(file.path).stem)
            run.append(line)
        if any(file.index is not None for file in files):
            mounts.append(self.script("index.py"))
        return Install(
            run=tuple(run),
            mounts=(*mounts, *self.pip_wheel()),
            caches=(f"{self.work}/cache/{self.project.installer}",),
            secrets=(*secrets, *self.project.build.secrets),
        )

    def wheel(self, venv: str, *, prefix: str, folder: str, name: str) -> str:
        """Return the line that installs the one wheel of a folder, as if from an index.

        So nothing that is installed tells where the wheel lay.
        """
        newest = "--prerelease allow" if self.project.installer == "uv" else "--pre"
        return (
            f"{self.command(venv, prefix, cache=False)} --no-deps --no-index"
            f" --only-binary :all: {newest} --find-links {folder} {name}"
        )

    # -- the network -----------------------------------------------------------------------------

    def surroundings(self) -> tuple[str, ...]:
        """Return the lines that heed the machine's certificates and its default index.

        Layers install side by side, so that one connection waits longer than the installers
        expect (30 and 15 seconds) of a line that they have to themselves.
        """
        ca, index = (f"{self.secrets}/{name}" for name in NETWORK_SECRETS)
        set_index = (
            f'UV_DEFAULT_INDEX="$(cat {index})" && PIP_INDEX_URL="$UV_DEFAULT_INDEX"'
            " && export UV_DEFAULT_INDEX PIP_INDEX_URL"
        )
        return (
            f"[ ! -e {ca} ] || export SSL_CERT_FILE={ca} PIP_CERT={ca}",
            f"[ ! -s {index} ] || {{ {set_index}; }}",
            "export " + " ".join(f'{name}="${{{name}:-{READ_TIMEOUT}}}"' for name in _TIMEOUTS),
        )

    @property
    def index_variable(self) -> str:
        """Return the variable in which the installer takes the one index to ask."""
        return "UV_DEFAULT_INDEX" if self.project.installer == "uv" else "PIP_INDEX_URL"

    def address(self, index: Index, mounts: Sequence[Mount]) -> str:
        """Return the line that sets ``index`` to an index's address with its credentials."""
        url = f"file://{mounts[0].target}" if mounts else index.url
        user, password = (f"{self.secrets}/{name}" for name in index.variables)
        script = f"{self.interpreter} -I -S -B {self.work}/in/index.py"
        return f'index="$({script} {shlex.quote(url)} {user} {password})"'

    def origin(self, file: PinFile) -> tuple[str, list[Mount]]:
        """Return where a file's pins come from: options of the installer, and what they mount.

        Find-links and a torch backend would add to an index of one's own.
        """
        if file.wheels:
            target = f"{self.work}/in/wheels"
            return f" --no-index --find-links {target}", [
                Mount(source=path, target=f"{target}/{path.rpartition('/')[2]}")
                for path in file.wheels
            ]
        if file.index is not None:
            folder = self.folder_of(file.index)
            if folder is not None:
                target = f"{self.work}/in/index-{file.index.name}"
                return "", [Mount(source=folder, target=target)]
            parts = urlsplit(file.index.url)
            if parts.scheme == "http" and self.project.installer == "pip":
                # pip passes over such an index; what comes from it has its hash in the lock.
                return f" --trusted-host {shlex.quote(parts.hostname or '')}", []
            return "", []
        options = ""
        if self.variant.torch_backend is not None and self.project.installer == "uv":
            options += f" --torch-backend {shlex.quote(self.variant.torch_backend)}"
        mounts: list[Mount] = []
        for number, place in enumerate(self.variant.find_links):
            seen = place
            if "://" not in place:
                seen = f"{self.work}/in/links-{number}"
                mounts.append(Mount(source=place, target=seen))
            options += f" --find-links {shlex.quote(seen)}"
        return options, mounts

    def folder_of(self, index: Index) -> str | None:
        """Return the folder of the project that an index is, or None where it is an address.

        :raises ConfigError: for a folder that builds cannot see.
        """
        parts = urlsplit(index.url)
        if parts.scheme != "file":
            return None
        root = self.project.root.resolve().as_posix()
        path = url2pathname(parts.path)
        if not path.startswith(f"{root}/"):
            message = "builds see the folder of the project only: move the index below it"
            problems = [(f"indexes.{index.name}.url", message)]
            raise ConfigError(problems, file=self.project.file.name)
        folder = path.removeprefix(f"{root}/").rstrip("/")
        if not re.fullmatch(r"[A-Za-z0-9._+/-]+", folder):
            message = "its folder may be named with letters, digits and ._+- only"
            problems = [(f"indexes.{index.name}.url", message)]
            raise ConfigError(problems, file=self.project.file.name)
        return folder

    # -- parts of lines --------------------------------------------------------------------------

    def command(self, venv: str, prefix: str, *, cache: bool = True) -> str:
        """Return the installer's part of a line that does not depend on what is installed."""
        uv = self.project.installer == "uv"
        return self.uv(venv, prefix, cache=cache) if uv else self.pip(venv, prefix, cache=cache)

    def uv(self, venv: str, prefix: str, *, cache: bool) -> str:
        """Return the command of uv."""
        command = (
            f"{self.work}/tools/bin/uv pip install --no-config --no-python-downloads"
            f" --python {venv}/bin/python{f' --prefix {prefix}' if prefix else ''}"
        )
        kept = f"--cache-dir {self.work}/cache/uv" if cache else "--no-cache"
        return f"{command} {kept} --link-mode copy"

    def pip(self, venv: str, prefix: str, *, cache: bool) -> str:
        """Return the command of pip.

        Without --ignore-installed pip omits, even uninstalls, what the venv already has.
        """
        into = f" --prefix {prefix} --ignore-installed" if prefix else ""
        kept = f"--cache-dir {self.work}/cache/pip" if cache else "--no-cache-dir"
        return (
            f"{self.bare_pip(f'{venv}/bin/python')} install --disable-pip-version-check"
            f" --root-user-action ignore {kept}{into} --no-compile --no-warn-script-location"
        )

    def bare_pip(self, python: str) -> str:
        """Return how to run the pip that the build brings along, with nothing of the machine's."""
        return f"PYTHONPATH={self.work}/in/pip.whl PIP_CONFIG_FILE=/dev/null {python} -m pip"

    def telling(self, command: str, name: str) -> str:
        """Return a line that runs pip and, where it fails, tells what pip says in its log alone.

        It passes over a page of the index that cannot be fetched, and then reports that there is
        no such distribution. A pip that cannot start leaves no log.
        """
        log = f"{self.work}/{name}.log"
        tell = f"[ ! -f {log} ] || sed -n /Could.not.fetch.URL/p {log} >&2"
        return f"if ! {command} --log {log}; then {tell}; exit 1; fi"

    def only_wheels(self, pins: Sequence[Pin]) -> str:
        """Return the options that let nothing be built from source but what the project names."""
        sources = set(self.project.no_wheel)
        wheels = [pin.name for pin in pins if pin.name not in sources]
        if len(wheels) == len(pins):
            return "--only-binary :all:"
        return " ".join(f"--only-binary {name}" for name in wheels)

    def pip_wheel(self) -> tuple[Mount, ...]:
        """Return the mount of pip where it installs."""
        return (self.script("pip.whl"),) if self.project.installer == "pip" else ()

    def script(self, name: str) -> Mount:
        """Return the mount of a file that ships with venvsmith."""
        return Mount(source=f"{self.project.output}/steps/{name}", target=f"{self.work}/in/{name}")
