"""The base images: here or to be had, and what those that are here lack.

An image that is here is asked by the very step that a build asks it with (`steps/interpreter.sh`),
in a container without a network that is thrown away. Nothing is pulled.
"""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

from packaging.version import Version

from venvsmith import engine as containers
from venvsmith.engine.registry import LOOK_UP
from venvsmith.errors import VenvsmithError
from venvsmith.lock.bases import read_bases, uv_image
from venvsmith.lock.store import find_tools
from venvsmith.model.platforms import DEFAULT_MANYLINUX
from venvsmith.preflight.report import CONFIGURATION, ENVIRONMENT, Row
from venvsmith.target.image import HARDENING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from venvsmith.model.lock import Pin
    from venvsmith.model.project import Base, Project
    from venvsmith.preflight.report import Status
    from venvsmith.preflight.situation import Situation

INSPECT_SECONDS = 3.0
RUN_SECONDS = 6.0
REGISTRY_SECONDS = 5.0
THREADS = 4
DF, FOUND, LACKS = "venvsmith-df", "venvsmith-found", "venvsmith-lacks"
HEAD = f"df -kP / 2>/dev/null | sed -n '2s/^/{DF} /p'\n"
TAIL = f"""
sed 's/^/{FOUND} /' "$out"
for module in ensurepip venv; do
  "$path" -I -S -c "import $module" 2>/dev/null || echo "{LACKS} $module"
done
"""
BARE = f"""
echo "{FOUND} -"; echo "{FOUND} -"; echo "{FOUND} -"
echo "{FOUND} $(getconf GNU_LIBC_VERSION 2>/dev/null | tr ' ' '-')"
command -v apt-get >/dev/null || echo "{LACKS} apt-get"
"""
_AWAY = re.compile(
    r"no such host|timeout|timed out|connection refused|connection reset|network is unreachable"
    r"|i/o|\beof\b|tls|x509|certificate|temporary failure|proxyconnect|unexpected status.* 5\d\d"
    r"|toomanyrequests|too many requests",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Use:
    """An image, and what the configuration wants of it."""

    image: str
    base: Base
    places: tuple[str, ...]
    """Its keys: ``bases.slim.build``."""
    platforms: frozenset[str]
    has_python: bool = True
    """Whether venvs are built or run on it; of any other image it is enough that it is there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Looked:
    """What became of one image."""

    row: Row
    python: str = ""
    """Where its interpreter lies."""
    free: int | None = None


def check_bases(at: Situation) -> list[Row]:
    """Look for each base image, and into those that are here; several at a time."""
    rows: list[Row] = []
    free: int | None = None
    try:
        if at.project is None:
            return []
        uses = uses_of(at.project, _tools(at.project))
        if at.engine.trouble:
            message = "not asked: the engine does not answer"
            return [_row(use, "unknown", message) for use in uses]
        pins = _pins(at.project)
        with ThreadPoolExecutor(THREADS) as pool:
            looked = list(pool.map(lambda use: _look(at, use, pins.get(use.image)), uses))
        rows = [one.row for one in looked]
        free = next((one.free for one in looked if one.free is not None), None)
        rows += _disagreements(uses, looked)
    finally:
        at.inside.set_result(free)
    return rows


def uses_of(project: Project, tools: Iterable[Pin]) -> list[Use]:
    """Return the images that variants are built on and run on, and that bring uv, each once.

    :param tools: the lock of the build tools.
    """
    found: dict[tuple[str, str], Use] = {}
    uv: dict[str, Use] = {}
    for variant in project.variants.values():
        base = project.bases[variant.base]
        platforms = frozenset(str(platform) for platform in variant.platforms)
        for place, image in (("build", base.build), ("runtime", base.runtime)):
            old = found.get((image, base.name))
            key = f"bases.{base.name}.{place}"
            found[image, base.name] = Use(
                image=image,
                base=base,
                places=tuple(dict.fromkeys([*(old.places if old else ()), key])),
                platforms=platforms | (old.platforms if old else frozenset()),
            )
        if base.python == "uv" and (image := uv_image(base, tools)):
            place = f"bases.{base.name}.uv-image"
            uv[image] = Use(
                image=image, base=base, places=(place,), platforms=frozenset(), has_python=False
            )
    return [*found.values(), *uv.values()]


def _pins(project: Project) -> dict[str, str]:
    try:
        return read_bases(project)
    except VenvsmithError:  # the row of the locks tells it
        return {}


def _tools(project: Project) -> tuple[Pin, ...]:
    try:
        return find_tools(project) or ()
    except VenvsmithError:  # so does it here
        return ()


def _row(use: Use, status: Status, message: str, mend: str = "", *, code: int = ENVIRONMENT) -> Row:
    return Row(
        group="base images",
        check="base",
        subject=use.image,
        status=status,
        message=message,
        mend=mend,
        exit_code=code,
    )


def _look(at: Situation, use: Use, digest: str | None) -> Looked:
    """Look at one image, by the digest that a build would take."""
    reference = f"{use.image}@{digest}" if digest and "@" not in use.image else use.image
    here = at.machine.run(
        *("docker", "image", "inspect", "--format", "{{.Id}} {{len .RepoDigests}}", reference),
        seconds=INSPECT_SECONDS,
    )
    if here.timed_out:
        return Looked(row=_row(use, "unknown", f"no answer in {INSPECT_SECONDS:g} s"))
    if here.ok:
        image_id, _, digests = here.stdout.strip().partition(" ")
        builder = at.engine.builder
        if digests == "0" and not builder.sees_local_images:
            message = f"only here, where the builder {builder.name} does not look"
            mend = "docker buildx use default, or push it and name the pushed one"
            return Looked(row=_row(use, "wrong", message, mend))
        return _inside(at, use, image_id) if use.has_python else Looked(row=_row(use, "ok", "here"))
    return Looked(row=_elsewhere(at, use, reference))


def _elsewhere(at: Situation, use: Use, reference: str) -> Row:
    """Ask the image's registry whether it has it, without pulling."""
    told = at.machine.run(
        *("docker", *LOOK_UP, reference),
        seconds=REGISTRY_SECONDS,
    )
    if told.ok:
        lacking = use.platforms - offered if (offered := _offered(told.stdout)) else frozenset()
        if lacking:
            message = f"its registry has it for {_and(offered)}, not for {_and(lacking)}"
            mend = f"another image at {use.places[0]}, or other platforms for its variants"
            return _row(use, "wrong", message, mend, code=CONFIGURATION)
        return _row(use, "ok", "not here yet; its registry has it, and a build pulls it")
    away = told.timed_out or _AWAY.search(told.stderr)
    # Go's errors tell the way to the cause first: "failed to do request: Head …: no such host".
    cause = ": ".join(told.words.split(": ")[-2:])
    why = f"no answer in {REGISTRY_SECONDS:g} s" if told.timed_out else _short(cause)
    if away:
        message = f"not here, and its registry cannot be asked: {why}"
        return _row(use, "unknown", message, f"docker pull {use.image}, where there is a network")
    message = f"neither here nor to be had: {why}"
    mend = f"docker login, where it is private; or write another image at {use.places[0]}"
    if reference != use.image:
        message = f"neither here nor to be had by the digest that is locked: {why}"
        mend = f"venvsmith lock --upgrade takes what its tag stands for now; {mend}"
    return _row(use, "missing", message, mend)


def _offered(text: str) -> frozenset[str]:
    """Return the platforms of an image index; empty for a single manifest, which names none."""
    try:
        entries = json.loads(text).get("manifests") or ()
        platforms = [entry.get("platform") or {} for entry in entries]
    except (ValueError, AttributeError):
        return frozenset()
    return frozenset(
        f"{one['os']}/{one['architecture']}"
        for one in platforms
        if one.get("os") not in {None, "unknown"} and one.get("architecture")
    )


def _inside(at: Situation, use: Use, image_id: str) -> Looked:
    """Ask an image that is here for its interpreter, as a build would."""
    name = containers.new_name()
    project = at.project
    minor = project.python if project is not None else ""
    brings = use.base.python == "image"
    script = (resources.files("venvsmith") / "steps" / "interpreter.sh").read_text("utf-8")
    told = at.machine.run(
        *("docker", "run", *HARDENING, "--cap-add", "DAC_OVERRIDE", "--user", "0"),
        *("--name", name, "--label", f"{containers.OWNER_LABEL}={containers.owner()}"),
        *("--entrypoint", "sh", image_id, "-s", "--"),
        # The venv's own path is the build's to judge: an image of the family may be a base.
        *("base", minor, "/tmp/venvsmith/python", "", use.base.python_path or ""),  # noqa: S108
        seconds=RUN_SECONDS,
        stdin=HEAD + (script + TAIL if brings else BARE),
    )
    if told.timed_out:
        at.machine.run("docker", "rm", "--force", "--volumes", name, seconds=INSPECT_SECONDS)
        message = f"here; a container of it did not end in {RUN_SECONDS:g} s"
        return Looked(row=_row(use, "unknown", message))
    marked = [line.partition(" ") for line in told.stdout.splitlines()]
    lines = [rest for word, _, rest in marked if word == FOUND]
    lacks = [rest for word, _, rest in marked if word == LACKS]
    free = next((_available(rest) for word, _, rest in marked if word == DF), None)
    if not told.ok or len(lines) < 4:  # noqa: PLR2004 - path, version, machine, libc
        return Looked(row=_refused(use, told.words), free=free)
    row = _with_python(use, lines, lacks) if brings else _without_python(use, lines, lacks, minor)
    return Looked(row=row, python=lines[0] if brings else "", free=free)


def _available(line: str) -> int | None:
    """Return the free bytes that a line of ``df -kP`` tells."""
    words = line.split()
    return int(words[3]) * 1024 if len(words) > 3 and words[3].isdigit() else None  # noqa: PLR2004


def _refused(use: Use, words: str) -> Row:
    """Return the row of an image that a build would refuse, in that step's own words."""
    text = words.removeprefix("venvsmith: ")
    message, colon, mend = text.partition(": ")
    if not words.startswith("venvsmith: ") or not colon:
        return _row(use, "unknown", f"here, but does not start: {_short(text)}")
    message = message.replace("the base base has", "has")
    return _row(use, "wrong", message, f"{use.places[0]}: {mend}", code=CONFIGURATION)


def _with_python(use: Use, lines: list[str], lacks: list[str]) -> Row:
    path, version, _, libc = lines[:4]
    told = f"Python {version} at {path}, {libc.replace('-', ' ').strip() or 'no glibc'}"
    if (problem := _libc_problem(use, libc)) is not None:
        return _row(use, "wrong", f"{told}: {problem[0]}", problem[1], code=CONFIGURATION)
    if lacks:
        message = (
            f"{told}; has no {' and no '.join(lacks)}: fine for venvsmith, not for python -m venv"
        )
        minor = version.rpartition(".")[0]
        mend = f"nothing to do; on Debian, python{minor}-venv would bring it"
        return _row(use, "warning", message, mend)
    return _row(use, "ok", told)


def _without_python(use: Use, lines: list[str], lacks: list[str], minor: str) -> Row:
    libc = lines[3]
    told = libc.replace("-", " ").strip() or "no glibc"
    source = "apt" if use.base.python == "apt" else "uv"
    if (problem := _libc_problem(use, libc)) is not None:
        return _row(use, "wrong", f"{told}: {problem[0]}", problem[1], code=CONFIGURATION)
    if source == "apt" and lacks:
        message = f"has no apt-get, which is to bring Python {minor}"
        mend = f'bases.{use.base.name}: python = "uv", or an image of Debian or Ubuntu'
        return _row(use, "wrong", message, mend, code=CONFIGURATION)
    return _row(use, "ok", f"{told}; the build brings Python {minor} by {source}")


def _libc_problem(use: Use, libc: str) -> tuple[str, str] | None:
    """Hold an image's C library against what wheels may need; what it is and how to mend it."""
    name, _, version = libc.partition("-")
    if name != "glibc" or not version[:1].isdigit():
        mend = f"an image with glibc at {use.places[0]}: Debian's slim ones are small too"
        return "manylinux wheels do not run on it", mend
    wanted = use.base.manylinux or DEFAULT_MANYLINUX
    if Version(version) < Version(wanted.replace("_", ".")):
        mend = f'bases.{use.base.name}: manylinux = "{version.replace(".", "_")}", then lock'
        return f"wheels may need glibc {wanted.replace('_', '.')}", mend
    return None


def _disagreements(uses: list[Use], looked: list[Looked]) -> list[Row]:
    """Return a row for each base whose two images have their Python at different paths."""
    paths: dict[str, dict[str, Use]] = {}
    for use, one in zip(uses, looked, strict=True):
        if one.python:
            paths.setdefault(use.base.name, {})[one.python] = use
    rows = []
    for name, found in paths.items():
        if len(found) > 1:
            told = " and ".join(f"{path} in {use.image}" for path, use in found.items())
            rows.append(
                _row(
                    next(iter(found.values())),
                    "wrong",
                    f"Python lies at {told}: a copied venv would point to nothing",
                    f"bases.{name}: images that agree, or python-path",
                    code=CONFIGURATION,
                )
            )
    return rows


def _and(names: frozenset[str]) -> str:
    return " and ".join(sorted(names))


def _short(text: str, limit: int = 160) -> str:
    return text if len(text) <= limit else f"{text[:limit]}…"
