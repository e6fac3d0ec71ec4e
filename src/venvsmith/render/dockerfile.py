"""A plan as a Dockerfile: one of its readings. Pure: a plan in, text out."""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import StrictUndefined
from jinja2.sandbox import SandboxedEnvironment

from venvsmith.render import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

    from venvsmith.model.plan import BuildStage, CopyTree, Plan, Step

LINE_WIDTH = 100


def emit_dockerfile(plan: Plan, *, path: str, config: str, pins: Mapping[str, str]) -> str:
    """Return the Dockerfile of a plan.

    :param path: where it will lie, for its header.
    :param config: name of the configuration file, for its header.
    :param pins: base images to the digests that they are pinned to (``locks/bases.json``).
    """
    environment = SandboxedEnvironment(
        undefined=StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )

    def parent(stage: BuildStage) -> str:
        if stage.parent_by_platform:
            return f"{stage.parent}-$TARGETARCH"
        if not stage.parent_is_image:
            return stage.parent
        digest = pins.get(stage.parent)
        reference = f"{stage.parent}@{digest}" if digest else stage.parent
        return reference.replace("$", "\\$")

    environment.filters.update(
        parent=parent,
        source=_source,
        mounts=_mounts,
        lines=_lines,
        quoted=quote.quoted,
        words=quote.words,
        exec=quote.exec_form,
        literal=quote.literal,
        unspaced=quote.unspaced,
    )
    template = environment.from_string(template_text())
    return template.render(plan=plan, dockerfile=path, config=config)


@cache
def template_text() -> str:
    """Return the template that ships with venvsmith."""
    packaged = resources.files("venvsmith") / "templates" / "Dockerfile.j2"
    if packaged.is_file():
        return packaged.read_text(encoding="utf-8")
    # An editable install reads the tree it was made from.
    tree = Path(__file__).parents[3] / "templates" / "Dockerfile.j2"
    return tree.read_text(encoding="utf-8")


def _source(copy: CopyTree) -> str:
    """Return a copied path; a whole tree is its content."""
    return copy.path + "/" if copy.to.endswith("/") else copy.path


def _mounts(step: Step) -> str:
    flags = [] if step.network else ["--network=none"]
    flags += [f"--mount=type=bind,source={m.source},target={m.target}" for m in step.mounts]
    flags += [f"--mount=type=cache,target={folder}" for folder in step.caches]
    flags += [f"--mount=type=secret,id={name}" for name in step.secrets]
    return "".join(f"{flag} \\\n    " for flag in flags)


def _lines(step: Step) -> str:
    return " && \\\n    ".join(map(_wrapped, step.run))


def _wrapped(line: str) -> str:
    """Break a long command before its options; never one that holds a quoted value."""
    if len(line) <= LINE_WIDTH or "'" in line:
        return line
    return line.replace(" --", " \\\n        --")
