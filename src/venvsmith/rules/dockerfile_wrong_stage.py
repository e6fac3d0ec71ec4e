"""dockerfile-wrong-stage."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, ClassVar, Final

from packaging.utils import canonicalize_name

from venvsmith.data.knowledge import (
    in_alpine,
    in_full_images,
    libraries_at_run_time,
    programs_of_packages,
)
from venvsmith.dockerfile.installs import SYSTEM, Event, events
from venvsmith.dockerfile.packages import packages
from venvsmith.dockerfile.pythons import Base, base_of
from venvsmith.dockerfile.starts import Call, calls
from venvsmith.rules.framework.dockerfiles import at, reading_of, spot, stage_name
from venvsmith.rules.framework.rule import Rule, Scope

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from venvsmith.dockerfile.packages import Package
    from venvsmith.dockerfile.replay import Copy, Reading
    from venvsmith.model.dockerfile import DockerStage
    from venvsmith.model.finding import Finding, Severity
    from venvsmith.rules.framework.context import Context

BIN: Final = frozenset(
    {"/", "/bin", "/opt", "/sbin", "/usr", "/usr/bin", "/usr/local", "/usr/local/bin", "/usr/sbin"}
)


class DockerfileWrongStage(Rule):
    """Something is installed in a stage that the image does not descend from.

    ## What it looks for
    Programs that the final image starts (in RUN, CMD, ENTRYPOINT or HEALTHCHECK), whose package is
    installed only in a stage that the final one neither builds on nor copies it from, where the
    final base is known not to have it; and libraries that Python packages load at run time
    (libsndfile1, libgomp1, ffmpeg, …) installed only where the environment is built.

    ## Why it happens
    A stage hands nothing on. What apt or pip installs in `build` is in the image only where the
    final stage says `FROM build`, or copies the files. In a file of many stages the install is
    easily written into the wrong one, and changes nothing however often the image is rebuilt.

    ## How to see it by hand
    `docker run --rm --entrypoint which IMAGE ffmpeg` prints nothing. Follow the FROM lines from the
    last stage upwards: only those that you pass count.

    ## How to mend it
    Install it in the final stage, or in one that it builds on:

        FROM python:3.11-slim-bookworm AS runtime
        RUN apt-get update && apt-get install -y --no-install-recommends ffmpeg

    ## When it is fine
    What only the build needs: compilers, headers, git. Those are not told unless the image calls
    them.
    """

    name = "dockerfile-wrong-stage"
    code = "VS804"
    severity: ClassVar[Severity] = "error"
    needs = frozenset({"dockerfile"})
    scope: ClassVar[Scope] = "target"

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Compare what the image calls with what its own stages bring."""
        reading = reading_of(ctx)
        base = base_of(reading.root_base(reading.facts.final))
        if base.kind == "unknown":
            return
        copies = list(reading.copies(reading.facts.final))
        elsewhere = _elsewhere(reading)
        here = {package.name for package in packages(reading.final_steps)}
        told: set[str] = set()
        for call in calls(reading):
            package = _provider(call.program, elsewhere)
            if package is None or package.name in told or _has(base, package.name):
                continue
            if here & _siblings(call.program) or _copied(copies, call.program):
                continue
            told.add(package.name)
            yield self._program(ctx, reading, call, package)
        yield from self._python(ctx, reading, copies, told)
        yield from self._libraries(ctx, reading, elsewhere, here | told, copies)

    def _program(self, ctx: Context, reading: Reading, call: Call, package: Package) -> Finding:
        final = reading.facts.final
        other = stage_name(reading.facts.stages[package.stage])
        in_venv = call.path.startswith("/") and not call.path.startswith(("/usr/", "/bin/"))
        cause = (
            f"{call.path} is not what {package.name} brings either: that lies in /usr/bin."
            if in_venv
            else "A stage hands nothing on but what FROM and COPY --from take."
        )
        return self.finding(
            ctx,
            subject=spot(reading, package.line),
            severity="error" if call.keyword != "HEALTHCHECK" and not in_venv else "warning",
            message=(
                f"{package.name} is installed in stage {other} (line {package.line}), but "
                f"{call.keyword} on line {call.line} calls {call.program} in stage "
                f"{stage_name(final)}, which does not build on it."
            ),
            cause=cause,
            fix=f"Below line {final.line} (FROM {final.base}): {_install(package)}",
            evidence=at(reading, package.line, package=package.name, used_on=call.line),
        )

    def _python(
        self, ctx: Context, reading: Reading, copies: list[Copy], told: set[str]
    ) -> Iterator[Finding]:
        """Find programs of Python distributions that stayed in another stage's own Python."""
        own = events(reading, reading.facts.final)
        here = {name for event in own for name in event.names}
        loose = any(e.files or e.own_project or not e.names for e in own)
        if loose or any(copy.target is None or _is_wide(copy) for copy in copies):
            return
        called: dict[str, Call] = {}
        for call in calls(reading):
            called.setdefault(canonicalize_name(call.program), call)
        for stage in reading.facts.stages:
            if stage.index in reading.final_chain:
                continue
            for event in events(reading, stage):
                system = event.action == "install" and event.place == SYSTEM
                if event.step.stage != stage.index or not system:
                    continue
                for name in event.names:
                    if name in called and name not in here | told:
                        told.add(name)
                        yield self._left_behind(ctx, reading, event, stage, called[name])

    def _left_behind(
        self, ctx: Context, reading: Reading, event: Event, stage: DockerStage, call: Call
    ) -> Finding:
        final = reading.facts.final
        name = canonicalize_name(call.program)
        return self.finding(
            ctx,
            subject=spot(reading, event.line),
            message=(
                f"{name} is installed in stage {stage_name(stage)} (line {event.line}), but "
                f"{call.keyword} on line {call.line} calls it in stage {stage_name(final)}, which "
                "takes nothing of that Python."
            ),
            cause="A stage hands nothing on but what FROM and COPY --from take.",
            fix=(
                f"Install into a venv on line {event.line}, and below line {final.line}: COPY "
                f"--from={stage.name or stage.index} /venv /venv"
            ),
            evidence=at(reading, event.line, package=name, used_on=call.line),
        )

    def _libraries(
        self,
        ctx: Context,
        reading: Reading,
        elsewhere: Mapping[str, Package],
        here: set[str],
        copies: list[Copy],
    ) -> Iterator[Finding]:
        """Warn of run-time libraries that stay behind when the environment moves on."""
        final = reading.facts.final
        if any(copy.target is None or _brings_libraries(copy) for copy in copies):
            return
        sources = {
            copy.from_stage for copy in copies if copy.from_stage is not None and _is_python(copy)
        }
        chains = {
            one.index for index in sources for one in reading.chain(reading.facts.stages[index])
        }
        libraries = libraries_at_run_time()
        for name, package in elsewhere.items():
            if name not in libraries or name in here or package.stage not in chains:
                continue
            if _is_runtime_of(name, here):
                continue
            other = stage_name(reading.facts.stages[package.stage])
            yield self.finding(
                ctx,
                subject=spot(reading, package.line),
                severity="warning",
                message=(
                    f"{name} is installed in stage {other} (line {package.line}) only; the "
                    f"environment moves on to stage {stage_name(final)} without {libraries[name]}."
                ),
                cause="A library is looked for when the program runs, not when it is built.",
                fix=f"Below line {final.line} (FROM {final.base}): {_install(package)}",
                evidence=at(reading, package.line, package=name),
            )


def _elsewhere(reading: Reading) -> Mapping[str, Package]:
    """Map packages to where they are installed, those of stages that the image is not made of."""
    found: dict[str, Package] = {}
    for stage in reading.facts.stages:
        if stage.index in reading.final_chain:
            continue
        for package in packages(reading.steps(stage)):
            if package.stage == stage.index and "$" not in package.name:
                found.setdefault(package.name, package)
    return found


def _provider(program: str, elsewhere: Mapping[str, Package]) -> Package | None:
    return next(
        (
            package
            for name, package in elsewhere.items()
            if program in programs_of_packages().get(name, ())
        ),
        None,
    )


def _siblings(program: str) -> set[str]:
    return {name for name, programs in programs_of_packages().items() if program in programs}


def _has(base: Base, package: str) -> bool:
    if base.kind == "image" and package in {"python3-pip", "py3-pip"}:
        return True
    if base.libc == "musl" and package in in_alpine():
        return True
    return not base.slim and package in in_full_images()


def _copied(copies: list[Copy], program: str) -> bool:
    """Tell whether some COPY may bring a program along."""
    for copy in copies:
        if copy.target is None or any(char in "".join(copy.sources) for char in "*?[$"):
            return True
        names = {posixpath.basename(source.rstrip("/")) for source in copy.sources}
        if program in {*names, posixpath.basename(copy.target)}:
            return True
        if copy.target in BIN and not _is_uv(copy) and any("." not in n for n in names):
            return True
    return False


def _is_uv(copy: Copy) -> bool:
    return {posixpath.basename(source) for source in copy.sources} <= {"uv", "uvx"}


def _is_wide(copy: Copy) -> bool:
    """Tell whether a COPY may take a whole Python or its programs along."""
    if copy.from_context or _is_uv(copy):
        return False
    return any(
        source.rstrip("/") in BIN
        or "site-packages" in source
        or source.endswith("/bin")
        or "/bin/" in source
        or any(char in source for char in "*?[$")
        for source in copy.sources
    )


def _brings_libraries(copy: Copy) -> bool:
    if copy.from_context:
        return False
    return any(
        source.rstrip("/") in BIN
        or "/lib/x86_64" in source
        or "/lib/aarch64" in source
        or source.rstrip("/").endswith("/lib")
        or ".so" in source
        or "*" in source
        for source in copy.sources
    )


def _is_python(copy: Copy) -> bool:
    return any(
        "venv" in source or "site-packages" in source or "virtualenv" in source
        for source in copy.sources
    )


def _is_runtime_of(name: str, here: set[str]) -> bool:
    """Tell whether a package of the final stage brings the library along."""
    if name == "ffmpeg":
        return any(other.startswith(("libav", "ffmpeg")) for other in here)
    stem = name.rstrip("0123456789.-")
    return any(other.startswith(stem) or other == "ffmpeg" for other in here)


def _install(package: Package) -> str:
    if package.manager in {"apt", "apt-get"}:
        return (
            "RUN apt-get update && apt-get install -y --no-install-recommends "
            f"{package.name} && rm -rf /var/lib/apt/lists/*"
        )
    if package.manager == "apk":
        return f"RUN apk add --no-cache {package.name}"
    return f"RUN {package.manager} install -y {package.name}"
