"""A plan as a Dockerfile: one of its readings. Pure: a plan in, text out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvsmith.render import quote
from venvsmith.render.template import UserTemplate, render_template

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from venvsmith.model.plan import BuildStage, CopyTree, Plan, Step

LINE_WIDTH = 100


def emit_dockerfile(
    plan: Plan,
    *,
    path: str,
    config: str,
    pins: Mapping[str, str],
    template: UserTemplate | None = None,
) -> str:
    """Return the Dockerfile of a plan.

    :param path: where it will lie, for its header.
    :param config: name of the configuration file, for its header.
    :param pins: base images to the digests that they are pinned to (``locks/bases.json``).
    :param template: the user's own, which extends the one that ships with venvsmith.
    :raises UsageError: where the user's template is wrong: its line, and what.
    """

    def parent(stage: BuildStage) -> str:
        if stage.parent_by_platform:
            return f"{stage.parent}-$TARGETARCH"
        if not stage.parent_is_image:
            return stage.parent
        digest = pins.get(stage.parent)
        reference = f"{stage.parent}@{digest}" if digest else stage.parent
        return reference.replace("$", "\\$")

    filters: dict[str, Callable[..., str]] = {
        "parent": parent,
        "source": _source,
        "mounts": _mounts,
        "lines": _lines,
        "quoted": quote.quoted,
        "words": quote.words,
        "exec": quote.exec_form,
        "word": quote.word,
        "comment": quote.comment,
    }
    context = {
        "plan": plan,
        "dockerfile": path,
        "config": config,
        "template": None if template is None else template.name,
    }
    return render_template(template, filters=filters, context=context)


def _source(copy: CopyTree) -> str:
    """Return a copied path; a whole tree is its content."""
    return copy.path + "/" if copy.to.endswith("/") else copy.path


def _mounts(step: Step) -> str:
    flags = [] if step.network else ["--network=none"]
    flags += [quote.mount(m.source, m.target) for m in step.mounts]
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
