"""What well-known base images hold: which Python, where, and which programs they lack."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

# The minor of each distribution's own python3 package, which a release keeps for its life. Debian's
# three newest are what the tests' base images hold; the others are written down, not looked up.
DEBIAN: Final = {
    "buster": "3.7",
    "bullseye": "3.9",
    "bookworm": "3.11",
    "trixie": "3.13",
}
DEBIAN_NUMBERS: Final = {"10": "buster", "11": "bullseye", "12": "bookworm", "13": "trixie"}
UBUNTU: Final = {
    "18.04": "3.6",
    "20.04": "3.8",
    "22.04": "3.10",
    "24.04": "3.12",
    "bionic": "3.6",
    "focal": "3.8",
    "jammy": "3.10",
    "noble": "3.12",
}
ALPINE: Final = {
    "3.16": "3.10",
    "3.17": "3.10",
    "3.18": "3.11",
    "3.19": "3.11",
    "3.20": "3.12",
    "3.21": "3.12",
    "3.22": "3.12",
}
DISTROLESS: Final = {"debian11": "3.9", "debian12": "3.11", "debian13": "3.13"}
_MINOR = re.compile(r"(?:^|python)(3\.\d+)(?:\.\d+)?(?:[a-z]+\d*)?(?:-|$)")
_HUBS = ("docker.io/", "index.docker.io/", "public.ecr.aws/docker/", "mirror.gcr.io/")
Kind = Literal["none", "system", "image", "unknown"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Base:
    """What is known of a base image.

    ``kind`` says where its Python comes from: ``image`` under /usr/local, ``system`` the
    distribution's own under /usr, ``none`` where there is none until one is installed, and
    ``unknown`` where nothing is known.
    """

    kind: Kind
    minor: str | None = None
    """Of the Python that is there, or that the distribution's package manager would bring."""
    slim: bool = False
    """Whether it holds next to nothing besides."""
    libc: Literal["glibc", "musl", ""] = ""
    packager: Literal["apt", "apk", ""] = ""

    @property
    def python(self) -> str | None:
        """Return the path of its Python, where both path and minor are known."""
        folder = {"image": "/usr/local/bin", "system": "/usr/bin"}.get(self.kind)
        return f"{folder}/python{self.minor}" if folder and self.minor else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """An image's name divided."""

    name: str
    """Without the hub's own address and ``library/``."""
    tag: str | None
    digest: str | None


def reference(image: str) -> Reference:
    """Divide ``host/name:tag@digest``."""
    rest, _, digest = image.partition("@")
    head, slash, last = rest.rpartition("/")
    last, _, tag = last.partition(":")
    name = f"{head}{slash}{last}"
    for hub in _HUBS:
        name = name.removeprefix(hub)
    return Reference(name=name.removeprefix("library/"), tag=tag or None, digest=digest or None)


UNKNOWN: Final = Base(kind="unknown")


def base_of(image: str) -> Base:
    """Return what is known of a base image by its name."""
    ref = reference(image)
    tag = ref.tag or "latest"
    name = ref.name
    known = READERS.get(name)
    if known is not None:
        return known(tag)
    if name.endswith("/nvidia/cuda"):
        return _cuda(tag)
    if name.startswith("gcr.io/distroless/"):
        return _distroless(name.removeprefix("gcr.io/distroless/"))
    return UNKNOWN


def _official(tag: str) -> Base:
    if "windows" in tag or "nanoserver" in tag:
        return UNKNOWN
    match = _MINOR.search(tag)
    musl = "alpine" in tag
    return Base(
        kind="image",
        minor=match[1] if match else None,
        slim=musl or "slim" in tag,
        libc="musl" if musl else "glibc",
        packager="apk" if musl else "apt",
    )


def _of_uv(tag: str) -> Base:
    # 0.9.5-python3.12-bookworm-slim, python3.12-alpine, bookworm-slim, debian, latest
    match = re.search(r"python(3\.\d+)", tag)
    if match:
        return _official(tag[match.start() + len("python") :])
    if "alpine" in tag:
        return Base(kind="none", slim=True, libc="musl", packager="apk")
    if any(word in tag for word in ("debian", *DEBIAN)):
        return Base(kind="none", slim="slim" in tag, libc="glibc", packager="apt")
    return Base(kind="none", slim=True)


def _cuda(tag: str) -> Base:
    match = re.search(r"ubuntu(\d\d\.\d\d)", tag)
    return _distribution(match[1], ubuntu=True, slim=True) if match else UNKNOWN


def _distribution(tag: str, *, ubuntu: bool, slim: bool) -> Base:
    word = tag.split("-", maxsplit=1)[0]
    codename = DEBIAN_NUMBERS.get(word.split(".")[0], word)
    minor = UBUNTU.get(word) if ubuntu else DEBIAN.get(codename)
    return Base(kind="none", minor=minor, slim=slim, libc="glibc", packager="apt")


def _alpine(tag: str) -> Base:
    minor = ALPINE.get(".".join(tag.split(".")[:2]))
    return Base(kind="none", minor=minor, slim=True, libc="musl", packager="apk")


def _distroless(name: str) -> Base:
    kind, _, system = name.partition("-")
    if kind == "python3":
        return Base(kind="system", minor=DISTROLESS.get(system), slim=True, libc="glibc")
    if kind in {"static", "base", "cc"}:
        return Base(kind="none", slim=True, libc="glibc")
    return UNKNOWN


READERS: Final[dict[str, Callable[[str], Base]]] = {
    "scratch": lambda _: Base(kind="none", slim=True),
    "python": _official,
    "ghcr.io/astral-sh/uv": _of_uv,
    "astral/uv": _of_uv,
    "debian": lambda tag: _distribution(tag, ubuntu=False, slim=True),
    "ubuntu": lambda tag: _distribution(tag, ubuntu=True, slim=True),
    "buildpack-deps": lambda tag: _distribution(tag, ubuntu=False, slim=False),
    "nvidia/cuda": _cuda,
    "alpine": _alpine,
}
"""Names of images to what their tag says."""
