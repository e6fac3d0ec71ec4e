"""dockerfile-no-venv-ignore."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, ClassVar

from venvsmith.dockerfile.ignore import ignores
from venvsmith.dockerfile.installs import environments_of
from venvsmith.model.dockerfile import VENV_NAMES
from venvsmith.rules.framework.dockerfiles import at, reading_of, spot, stage_name
from venvsmith.rules.framework.rule import Rule, Scope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.dockerfile.replay import Copy
    from venvsmith.model.dockerfile import BuildContext
    from venvsmith.model.finding import Finding, Severity
    from venvsmith.rules.framework.context import Context


class DockerfileNoVenvIgnore(Rule):
    """COPY may lay this machine's own venv over the one in the image.

    ## What it looks for
    A COPY or ADD of a folder of the build context into a folder where a stage makes its environment
    (`COPY . .` beside `/app/.venv`), where no `.dockerignore` leaves that name out. An error where
    such a venv lies in the build context now, a warning otherwise.

    ## Why it happens
    A `.venv` made for development lies in the project, and `COPY . .` takes it along. Its `python`
    is a link into this machine's folders, its packages are those of this machine's platform. uv
    then says "a virtual environment already exists", or the image's start fails.

    ## How to see it by hand
    `docker run --rm --entrypoint cat IMAGE /app/.venv/pyvenv.cfg`: its `home` is a path of your
    machine.

    ## How to mend it
    Add a line to `.dockerignore`, beside the Dockerfile or in the build context:

        **/.venv

    ## When it is fine
    Where the image is only ever built from a fresh checkout.
    """

    name = "dockerfile-no-venv-ignore"
    code = "VS807"
    severity: ClassVar[Severity] = "warning"
    needs = frozenset({"dockerfile", "context"})
    scope: ClassVar[Scope] = "target"

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Hold what is copied from the context against the places of environments."""
        reading = reading_of(ctx)
        context = reading.facts.context
        if context is None:
            return
        told: set[str] = set()
        for stage in reading.facts.stages:
            if stage.index not in reading.built:
                continue
            places = environments_of(reading, stage)
            for copy in reading.copies(stage):
                if copy.step.stage != stage.index or not copy.from_context:
                    continue
                for place in sorted(places):
                    inside = _lies_in(copy, place, context)
                    usual = posixpath.basename(place) in VENV_NAMES or inside in context.venvs
                    if not usual:
                        continue  # nobody makes a venv of that name for development
                    if inside is None or place in told or ignores(context.ignore, inside):
                        continue
                    told.add(place)
                    line = copy.step.line
                    there = inside in context.venvs
                    yield self.finding(
                        ctx,
                        subject=spot(reading, line),
                        severity="error" if there else "warning",
                        message=(
                            f"Line {line} copies {inside} of this machine over {place}, the "
                            f"environment of stage {stage_name(stage)}"
                            f"{'.' if there else ', wherever there is one.'}"
                        ),
                        cause=_cause(context),
                        fix=f"In {_file(context)}: **/{posixpath.basename(place)}",
                        evidence=at(reading, line, path=inside, place=place),
                    )


def _lies_in(copy: Copy, place: str, context: BuildContext) -> str | None:
    """Return the context's path that would come to lie at an environment's place."""
    if copy.target is None or not place.startswith(copy.target.rstrip("/") + "/"):
        return None
    for source in copy.sources:
        folder = posixpath.normpath(source.lstrip("/") or ".")
        if folder == "." or folder in context.folders:
            return posixpath.normpath(posixpath.join(folder, posixpath.relpath(place, copy.target)))
    return None


def _cause(context: BuildContext) -> str:
    if context.ignore_file is None:
        return "There is no .dockerignore, so a venv of the working folder is copied, too."
    return f"{context.ignore_file} does not leave it out."


def _file(context: BuildContext) -> str:
    return context.ignore_file or ".dockerignore"
