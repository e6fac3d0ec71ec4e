"""System packages that RUN steps install, and the programs that they bring."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from venvsmith.dockerfile.replay import Step

MANAGERS: Final = {
    "apt-get": "install",
    "apt": "install",
    "apk": "add",
    "yum": "install",
    "dnf": "install",
    "microdnf": "install",
    "zypper": "install",
}
# fmt: off
_VALUED = frozenset(
    {
        "-t", "--virtual", "--target-release", "--default-release", "-o", "--option", "-c",
        "--config-file", "--repository", "-X", "--installroot", "--releasever", "--setopt",
        "--root", "-p", "--keys-dir", "--arch",
    }
)
# fmt: on
PROGRAMS: Final = {
    "ffmpeg": ("ffmpeg", "ffprobe"),
    "git": ("git",),
    "curl": ("curl",),
    "wget": ("wget",),
    "python3-pip": ("pip3", "pip"),
    "py3-pip": ("pip3", "pip"),
    "nodejs": ("node", "nodejs"),
    "npm": ("npm",),
    "tini": ("tini",),
    "dumb-init": ("dumb-init",),
    "gosu": ("gosu",),
    "su-exec": ("su-exec",),
    "sox": ("sox", "soxi"),
    "poppler-utils": ("pdftotext", "pdftoppm", "pdfinfo"),
    "tesseract-ocr": ("tesseract",),
    "libreoffice": ("soffice", "libreoffice"),
    "postgresql-client": ("psql", "pg_dump", "pg_isready"),
    "default-mysql-client": ("mysql", "mysqladmin", "mysqldump"),
    "redis-tools": ("redis-cli",),
    "openssh-client": ("ssh", "scp", "ssh-keygen"),
    "netcat-openbsd": ("nc", "netcat"),
    "netcat-traditional": ("nc", "netcat"),
    "gettext": ("envsubst", "msgfmt"),
    "gettext-base": ("envsubst",),
    "graphviz": ("dot",),
    "pandoc": ("pandoc",),
    "chromium": ("chromium",),
    "supervisor": ("supervisord", "supervisorctl"),
    "nginx": ("nginx",),
    "make": ("make",),
    "unzip": ("unzip",),
    "jq": ("jq",),
    "rsync": ("rsync",),
    "espeak-ng": ("espeak-ng",),
    "espeak": ("espeak",),
    "xvfb": ("xvfb-run", "Xvfb"),
}
"""Packages to the programs that images call by name."""
IN_FULL_IMAGES: Final = frozenset(
    {"git", "curl", "wget", "make", "unzip", "openssh-client", "python3-pip"}
)
"""What the images that are not slim bring of those."""
IN_ALPINE: Final = frozenset({"wget", "unzip", "netcat-openbsd", "netcat-traditional"})
"""What busybox stands in for."""
LIBRARIES: Final = {
    "ffmpeg": "FFmpeg's libraries",
    "libsndfile1": "libsndfile.so.1",
    "libgomp1": "libgomp.so.1",
    "libgl1": "libGL.so.1",
    "libgl1-mesa-glx": "libGL.so.1",
    "libglib2.0-0": "libgthread-2.0.so.0",
    "libpq5": "libpq.so.5",
    "libmagic1": "libmagic.so.1",
    "libportaudio2": "libportaudio.so.2",
    "libsox3": "libsox.so.3",
    "libxmlsec1": "libxmlsec1.so.1",
    "libmariadb3": "libmariadb.so.3",
    "unixodbc": "libodbc.so.2",
    "libpango-1.0-0": "libpango-1.0.so.0",
    "libpangocairo-1.0-0": "libpangocairo-1.0.so.0",
    "libcairo2": "libcairo.so.2",
    "libspatialindex6": "libspatialindex.so.6",
    "libgeos-c1v5": "libgeos_c.so.1",
    "libzbar0": "libzbar.so.0",
}
"""Packages of which Python packages load a library at run time, and which no build needs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Package:
    """A system package that a step installs."""

    name: str
    stage: int
    line: int
    manager: str


def packages(steps: Sequence[Step]) -> Iterator[Package]:
    """Yield what the steps install with the system's package manager, as far as it is named."""
    for step in steps:
        if step.instruction.keyword != "RUN" or step.instruction.on_build:
            continue
        for command in step.script.commands:
            verb = MANAGERS.get(command.program)
            if verb is None:
                continue
            words = _arguments(command.argv[1:])
            if words[:1] != [verb]:
                continue
            lines = {word.value: word.line for word in command.effective}
            for word in words[1:]:
                name = re.split(r"[=<>~@:]", word)[0]
                yield Package(
                    name=name,
                    stage=step.stage,
                    line=lines.get(word, command.line),
                    manager=command.program,
                )


def _arguments(argv: Sequence[str]) -> list[str]:
    words: list[str] = []
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        if word in _VALUED:
            rest = rest[1:]
        elif not word.startswith("-"):
            words.append(word)
    return words
