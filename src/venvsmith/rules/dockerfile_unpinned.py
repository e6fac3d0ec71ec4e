"""dockerfile-unpinned."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar, Final

from venvsmith.dockerfile.expand import has_unknown
from venvsmith.dockerfile.installs import events
from venvsmith.dockerfile.pythons import reference
from venvsmith.rules.framework.dockerfiles import at, reading_of, spot, written
from venvsmith.rules.framework.rule import Rule, Scope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.dockerfile.installs import Event
    from venvsmith.dockerfile.replay import Reading, Step
    from venvsmith.model.finding import Finding, Severity
    from venvsmith.rules.framework.context import Context

INSTALLERS: Final = frozenset(
    {"uv", "poetry", "pdm", "pipenv", "hatch", "pip-tools", "pipx", "rye", "conda-lock"}
)
"""Tools that decide what else is installed, and how."""
_URL = re.compile(r"https?://[^\s'\"|]+")
_VERSION = re.compile(r"\d+\.\d+")


class DockerfileUnpinned(Rule):
    """A base image or an installer may be another one tomorrow.

    ## What it looks for
    FROM and `COPY --from` with no tag or with `latest`; installers (uv, poetry, pdm, …) installed
    without a version, or from an install script on the web whose address names none. A base with a
    tag but no digest is reported as info.

    ## Why it happens
    The line worked on the day it was written. A new release of the base brings another Python or
    glibc, a new installer other defaults, and the same Dockerfile builds another image.

    ## How to see it by hand
    `docker buildx imagetools inspect python:3.11-slim` shows the digest of today.

    ## How to mend it
    Name versions; for the same bytes each time, the digest too:

        FROM python:3.11-slim-bookworm@sha256:…
        COPY --from=ghcr.io/astral-sh/uv:0.9.5 /uv /bin/

    ## When it is fine
    In throwaway images. `venvsmith render` pins bases by digest, and `venvsmith lock` keeps the
    digests up to date.
    """

    name = "dockerfile-unpinned"
    code = "VS806"
    severity: ClassVar[Severity] = "warning"
    needs = frozenset({"dockerfile"})
    scope: ClassVar[Scope] = "target"

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Look at each base, each image that is copied from, and each installer."""
        reading = reading_of(ctx)
        told: set[str] = set()
        for stage in reading.facts.stages:
            base = reading.base(stage)
            mine = stage.index in reading.built and reading.parent(stage) is None
            if mine and base not in told:
                told.add(base)
                yield from self._base(ctx, reading, stage.line, base)
            for copy in reading.copies(stage):
                mine = copy.step.stage == stage.index and stage.index in reading.built
                if copy.from_image and mine:
                    line = copy.step.line
                    yield from self._image(ctx, reading, line, copy.from_image, "COPY --from=")
            if stage.index in reading.built:
                yield from self._installers(ctx, reading, stage.index)

    def _base(self, ctx: Context, reading: Reading, line: int, image: str) -> Iterator[Finding]:
        yield from self._image(ctx, reading, line, image, "FROM ")
        ref = reference(image)
        if ref.tag in {None, "latest"} or ref.digest or has_unknown(image):
            return
        yield self.finding(
            ctx,
            subject=spot(reading, line),
            severity="info",
            message=f"{image} on line {line} names no digest: the tag may move.",
            cause="A tag is a name that its owner may give to another image.",
            fix=f"Line {line}: FROM {image}@sha256:…",
            evidence=at(reading, line, image=image),
        )

    def _image(
        self, ctx: Context, reading: Reading, line: int, image: str, how: str
    ) -> Iterator[Finding]:
        ref = reference(image)
        nameless = not ref.name or ref.name.endswith("/")
        if image == "scratch" or has_unknown(image) or ref.digest or nameless:
            return
        if ref.tag not in {None, "latest"}:
            return
        said = "the tag latest" if ref.tag else "no tag, which means latest"
        name = image.removesuffix(":latest")
        yield self.finding(
            ctx,
            subject=spot(reading, line),
            message=f"{how}{image} on line {line} names {said}: another image any day.",
            cause="latest is whatever was pushed last.",
            fix=f"Line {line}: {how}{name}:VERSION, or @sha256:… for the same bytes each time",
            evidence=at(reading, line, image=image),
        )

    def _installers(self, ctx: Context, reading: Reading, index: int) -> Iterator[Finding]:
        stage = reading.facts.stages[index]
        for event in events(reading, stage):
            if event.step.stage == index and event.action == "install":
                yield from self._tools(ctx, reading, event)
        for step in reading.steps(stage):
            if step.stage == index and not step.instruction.on_build:
                yield from self._scripts(ctx, reading, step)

    def _tools(self, ctx: Context, reading: Reading, event: Event) -> Iterator[Finding]:
        for text, name in zip(event.texts, event.names, strict=True):
            loose = re.fullmatch(r"[A-Za-z0-9._-]+(?:\[[^\]]*\])?", text)
            if name not in INSTALLERS or not loose:
                continue
            line = written(event.step.instruction, event.line)
            mended = re.sub(rf"(?<![\w./-]){re.escape(text)}(?![\w./=-])", f"{text}==VERSION", line)
            yield self.finding(
                ctx,
                subject=spot(reading, event.line),
                message=f"{event.command} on line {event.line} brings the newest {name}.",
                cause=f"{name} decides what else is installed; a new release may decide otherwise.",
                fix=f"Line {event.line}: {mended}",
                evidence=at(reading, event.line, installer=name),
            )

    def _scripts(self, ctx: Context, reading: Reading, step: Step) -> Iterator[Finding]:
        """Find ``curl URL | sh``."""
        for fetch, run in pairwise(step.script.commands):
            if fetch.program not in {"curl", "wget"} or run.joiner != "|":
                continue
            if run.program not in {"sh", "bash", "python", "python3"}:
                continue
            url = next((word for word in fetch.argv if _URL.fullmatch(word)), "")
            tool = next((t for t in sorted(INSTALLERS) if re.search(rf"\b{t}\b", url)), None)
            if tool is None or _VERSION.search(url) or _says_version(step, tool):
                continue
            line = fetch.line or step.line
            versioned = url.replace("/uv/install.sh", "/uv/VERSION/install.sh")
            yield self.finding(
                ctx,
                subject=spot(reading, line),
                message=f"The install script {url} on line {line} brings the newest {tool}.",
                cause=f"{tool} decides what else is installed; a new release may decide otherwise.",
                fix=(
                    f"Line {line}: {versioned}"
                    if versioned != url
                    else f"Line {line}: set {tool.upper()}_VERSION for the script"
                ),
                evidence=at(reading, line, installer=tool),
            )


def _says_version(step: Step, tool: str) -> bool:
    name = f"{tool.upper()}_VERSION"
    return name in step.env or name in step.instruction.args
