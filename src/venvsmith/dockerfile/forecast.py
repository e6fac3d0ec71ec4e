"""What will become of an environment that one stage builds and another one runs.

Known only from the names of base images and the commands: where either is unknown, nothing is
forecast.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from venvsmith.dockerfile.arguments import minor_in
from venvsmith.dockerfile.installs import SYSTEM, Event, events
from venvsmith.dockerfile.packages import packages
from venvsmith.dockerfile.pythons import Base, base_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from venvsmith.dockerfile.replay import Copy, Reading, Step
    from venvsmith.model.dockerfile import DockerStage

MANAGED: Final = "/root/.local/share/uv/python"
"""Where uv puts the Pythons that it downloads, for root."""
_EXACT = re.compile(r"(python3\.\d+)(?:-.+)?")
_LIB = re.compile(r"/lib/python(3\.\d+)(?:/|$)")
_HOMEMADE = re.compile(
    r"pyenv|altinstall|conda|mamba|update-alternatives|\bln\s.*python|pypy|rye|asdf|mise"
)
"""Commands after which nobody can tell from outside which Python a name means."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Python:
    """An interpreter as far as it can be told: its minor, and the file that links point at."""

    minor: str | None
    path: str
    """For a managed one, the folder that uv downloads into."""
    managed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Moved:
    """An environment that a COPY takes from the stage that built it into the image."""

    source: str
    target: str
    copy: Copy
    builder: str
    """The base of the stage that built it."""
    built: Python
    made_line: int
    runs: Base
    runs_base: str
    runtime: tuple[Python, ...] | None
    """The Pythons of the image, those that ``python3`` means first; None where unknown."""

    @property
    def fate(self) -> Literal["fine", "unknown", "minor", "dangling"]:
        """Tell what becomes of its python in the image.

        ``minor``: the link leads to a Python of another minor. ``dangling``: to nothing.
        """
        built, runtime = self.built, self.runtime
        if built.managed or runtime == ():
            return "dangling"
        home = posixpath.dirname(built.path)
        if runtime is None:
            # A distribution's packages never put a Python under /usr/local.
            return "dangling" if home.startswith("/usr/local") and self.runs.packager else "unknown"
        if built.path in {python.path for python in runtime}:
            return "fine"
        if self.runs.kind == "image" and home == "/usr/bin" and not self.runs.slim:
            return "unknown"  # the images that are not slim have Debian's own there, too
        same_home = [p for p in runtime if posixpath.dirname(p.path) == home]
        return "minor" if same_home else "dangling"


def moved(reading: Reading) -> Iterator[Moved]:
    """Yield the environments that are built in one stage and copied to the final one."""
    final = reading.facts.final
    final_steps = reading.final_steps
    runs_base = reading.root_base(final)
    runs = base_of(runs_base)
    if runs.kind == "unknown" or _is_homemade(final_steps):
        return
    copies = list(reading.copies(final))
    runtime = _pythons_of(runs, final_steps)
    made_here = {e.place for e in events(reading, final) if e.action in {"create", "sync"}}
    places: dict[int, tuple[tuple[str, int, Python], ...]] = {}
    for copy in copies:
        if copy.from_stage is None or copy.target is None:
            continue
        builder = reading.facts.stages[copy.from_stage]
        if builder.index not in places:
            places[builder.index] = tuple(_built(reading, builder, reading.steps(builder)))
        for place, line, built in places[builder.index]:
            target = target_of(copy, place)
            if target is None or target in made_here or _provided(copies, built):
                continue
            yield Moved(
                source=place,
                target=target,
                copy=copy,
                builder=reading.root_base(builder),
                built=built,
                made_line=line,
                runs=runs,
                runs_base=runs_base,
                runtime=runtime,
            )


def _is_homemade(steps: Sequence[Step]) -> bool:
    return any(
        step.instruction.keyword == "RUN" and _HOMEMADE.search(_text(step)) for step in steps
    )


def _text(step: Step) -> str:
    return "\n".join([step.instruction.args, *(h.content for h in step.instruction.heredocs)])


def _pythons_of(base: Base, steps: Sequence[Step]) -> tuple[Python, ...] | None:
    """Return the Pythons of a stage, what ``python3`` means first; None where unknown."""
    if base.kind in {"image", "system"}:
        return (Python(minor=base.minor, path=base.python),) if base.python else None
    names = [package.name for package in packages(steps)]
    found: list[Python] = []
    if any(re.match(r"python3?(-|$)|py3-", name) for name in names):
        if base.minor is None:
            return None
        found.append(Python(minor=base.minor, path=f"/usr/bin/python{base.minor}"))
    exact = dict.fromkeys(minor_in(m[1]) for n in names if (m := _EXACT.fullmatch(n)))
    found.extend(Python(minor=m, path=f"/usr/bin/python{m}") for m in exact if m)
    if found or not names:
        return tuple(dict.fromkeys(found))
    return None  # other packages may bring one along


def _built(
    reading: Reading, builder: DockerStage, steps: Sequence[Step]
) -> Iterator[tuple[str, int, Python]]:
    """Yield path, line and interpreter of each environment that a stage makes."""
    base = base_of(reading.root_base(builder))
    if base.kind == "unknown" or _is_homemade(steps):
        return
    if any(_covers(copy, "/usr/local/bin/python3") for copy in reading.copies(builder)):
        return
    here = _pythons_of(base, steps)
    done: set[str] = set()
    found = events(reading, builder)
    for index, event in enumerate(found):
        place = event.prefix or event.place
        makes = event.action in {"create", "sync"} or event.prefix is not None
        if not makes or place is None or place == SYSTEM or place in done or event.conditional:
            continue
        done.add(place)
        python = _interpreter(event, here, found[:index])
        if python is not None:
            yield place, event.line, python


def _interpreter(
    event: Event, here: tuple[Python, ...] | None, before: Sequence[Event]
) -> Python | None:
    """Return the interpreter that an environment is made with; None where it cannot be told."""
    if event.tool in {"uv", "uv pip"} and event.prefix is None:
        return _of_uv(event, here, before)
    if event.tool in {"pip", "venv", "virtualenv"}:
        return _named(event.python or "python3", here)
    return None


def _named(name: str, here: tuple[Python, ...] | None) -> Python | None:
    """Return what ``python3``, ``python3.12`` or a path means in a stage."""
    minor = minor_in(name)
    folder = posixpath.dirname(name)
    for python in here or ():
        if folder not in {"", posixpath.dirname(python.path)}:
            continue
        if minor == python.minor or (minor is None and python is (here or ())[0]):
            return python
    return None


def _of_uv(event: Event, here: tuple[Python, ...] | None, before: Sequence[Event]) -> Python | None:
    env = event.step.env
    spec = event.python or env.get("UV_PYTHON")
    if spec is not None and spec.startswith("/"):
        return _named(spec, here)
    fetched = [minor_in(n.replace("-", ".")) for e in before for n in e.names if _fetches(e)]
    wanted = minor_in(spec) or next((m for m in fetched if m), None)
    asked = "--managed-python" in event.options or any(_fetches(e) for e in before)
    if not asked and env.get("UV_PYTHON_PREFERENCE") != "only-managed":
        if here is None or (spec is not None and wanted is None):
            return None
        fitting = [p for p in here if wanted in {None, p.minor}]
        if fitting:
            return fitting[0] if len(fitting) == 1 else None
    never = (env.get("UV_PYTHON_DOWNLOADS") or "").lower() in {"0", "never", "false", "manual"}
    folder = env.get("UV_PYTHON_INSTALL_DIR") or (MANAGED if _is_root(event.step) else None)
    if folder is None or (never and not asked):
        return None
    return Python(minor=wanted, path=folder, managed=True)


def _fetches(event: Event) -> bool:
    return event.action == "fetch-python"


def _is_root(step: Step) -> bool:
    return step.user in {"", "root", "0", "root:root", "0:0"} and "HOME" not in step.env


def target_of(copy: Copy, place: str) -> str | None:
    """Return where a path of the source stage comes to lie, None where it is not copied."""
    for source in copy.sources:
        origin = posixpath.normpath(posixpath.join("/", source))
        if any(char in origin for char in "*?[$"):
            continue
        if place == origin:
            # A folder's content is copied, so the target is the folder itself.
            return copy.target
        if place.startswith(origin.rstrip("/") + "/"):
            return posixpath.join(copy.target or "/", place[len(origin.rstrip("/")) + 1 :])
    return None


def _covers(copy: Copy, path: str) -> bool:
    if copy.from_context:
        return False
    if copy.target is None:
        return True
    inside = path == copy.target or path.startswith(copy.target.rstrip("/") + "/")
    return inside and not (copy.from_image or "").startswith("ghcr.io/astral-sh/uv")


def _provided(copies: Sequence[Copy], built: Python) -> bool:
    """Tell whether some COPY brings the interpreter along, or may."""
    return any(_covers(copy, built.path) for copy in copies)


def site_packages(reading: Reading) -> Iterator[tuple[Copy, str, Base]]:
    """Yield COPYs of a ``lib/pythonX.Y`` folder into an official image: copy, minor, base."""
    runs = base_of(reading.root_base(reading.facts.final))
    copies = list(reading.copies(reading.facts.final))
    if runs.kind != "image" or runs.minor is None or _is_homemade(reading.final_steps):
        return
    if any(
        _covers(copy, f"/usr/local/bin/python{runs.minor}") and copy.target != "/usr/local/bin"
        for copy in copies
    ):
        return
    for copy in copies:
        match = _LIB.search(copy.target or "")
        if match and not copy.from_context and (copy.target or "").startswith("/usr/local/lib/"):
            yield copy, match[1], runs


def built_on(reading: Reading, copy: Copy) -> str | None:
    """Return the minor of the Python in the stage that a COPY takes from, where it is known."""
    if copy.from_stage is None:
        return None
    return base_of(reading.root_base(reading.facts.stages[copy.from_stage])).minor
