"""Findings about interpreters that a Dockerfile's own lines already foretell."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from venvsmith.dockerfile.forecast import Moved, built_on, moved, site_packages
from venvsmith.dockerfile.pips import calls_without_pip
from venvsmith.dockerfile.relocate import Relocated, relocated
from venvsmith.rules.framework.dockerfiles import at, reading_of, spot, written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.dockerfile.replay import Reading
    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context
    from venvsmith.rules.framework.rule import Rule


def foreseen_minor(rule: Rule, ctx: Context) -> Iterator[Finding]:
    """Yield environments that will run with another minor than they are built with."""
    reading = reading_of(ctx)
    for one in moved(reading):
        if one.fate == "minor" and one.runtime:
            yield _other_minor(rule, ctx, reading, one, str(one.runtime[0].minor))
    for copy, minor, base in site_packages(reading):
        if minor == base.minor or copy.target is None:
            continue
        line = copy.step.line
        image = reading.root_base(reading.facts.final)
        bumped = built_on(reading, copy) == base.minor
        yield rule.finding(
            ctx,
            subject=spot(reading, line),
            message=(
                f"Line {line} copies packages into {copy.target}, but the Python of {image} is "
                f"{base.minor} and does not look there."
            ),
            cause=(
                f"Both stages have Python {base.minor}; the paths still name {minor}."
                if bumped
                else f"The packages are those of Python {minor}."
            ),
            fix=(
                f"Line {line}: {_with_minor(written(copy.step.instruction, line), base.minor, 0)}"
                if bumped
                else f"Line {reading.facts.final.line}: FROM {_with_minor(image, minor)}"
            ),
            evidence=at(reading, line, built_for=[minor], runs=base.minor),
        )


def _other_minor(rule: Rule, ctx: Context, reading: Reading, one: Moved, runs: str) -> Finding:
    line = one.copy.step.line
    built = one.built.minor or "another"
    final = reading.facts.final
    base = one.runs_base
    mended = _with_minor(base, built) if runs in base else f"python:{built}-slim"
    return rule.finding(
        ctx,
        subject=spot(reading, line),
        message=(
            f"{one.target} is built with Python {built} ({one.builder}, line {one.made_line}), but "
            f"the stage that runs it has Python {runs} ({base})."
        ),
        cause=f"Its packages lie in lib/python{built}, where Python {runs} does not look.",
        fix=f"Line {final.line}: FROM {mended}, or build on Python {runs}, too",
        evidence=at(reading, line, built_for=[built], runs=runs),
    )


def _with_minor(text: str, minor: str | None, count: int = 1) -> str:
    """Return an image (or a line) with another Python: no patch version, no digest of the old."""
    return re.sub(r"3\.\d+(?:\.\d+)?", minor or "3", text.partition("@")[0], count=count)


def foreseen_dangling(rule: Rule, ctx: Context) -> Iterator[Finding]:
    """Yield environments whose python will lead to a file that the image does not have."""
    reading = reading_of(ctx)
    for one in moved(reading):
        if one.fate != "dangling":
            continue
        line = one.copy.step.line
        yield rule.finding(
            ctx,
            subject=spot(reading, line),
            message=(
                f"{one.target} is copied on line {line} without its interpreter: its python leads "
                f"below {one.built.path}, which {one.runs_base} does not have."
                if one.built.managed
                else f"{one.target} is copied on line {line} without its interpreter: its python "
                f"leads to {one.built.path}, which {one.runs_base} does not have."
            ),
            cause=_cause(one),
            fix=_fix(reading, one),
            evidence=at(reading, line, interpreter=one.built.path),
        )


def foreseen_pip(rule: Rule, ctx: Context) -> Iterator[Finding]:
    """Yield calls of a venv's own pip, where the lines above leave it without one."""
    reading = reading_of(ctx)
    for call in calls_without_pip(reading):
        since = call.venv.line
        context = reading.facts.context
        sure = not call.venv.removed or bool(context and context.locks)
        cause = (
            f"uv sync on line {since} removed it again, unless the lock names pip."
            if call.venv.removed
            else f"What line {since} makes has no pip; apt's python3-pip is the system's."
        )
        rest = call.command.partition(" install")[2].strip()
        yield rule.finding(
            ctx,
            subject=spot(reading, call.line),
            severity="error" if sure else "warning",
            message=f"Line {call.line} calls the pip of {call.place}, which has none.",
            cause=cause,
            fix=f"Line {call.line}: uv pip install --python {call.place}/bin/python {rest or '…'}",
            evidence=at(reading, call.line, caller=call.command),
        )


def foreseen_relocated(rule: Rule, ctx: Context) -> Iterator[Finding]:
    """Yield environments whose scripts will name the path at which the build had them."""
    reading = reading_of(ctx)
    for one in relocated(reading):
        line, old, new = one.copy.step.line, one.made_at, one.lies_at
        python = f"its scripts start {old}/bin/python"
        broken = one.breaks
        yield rule.finding(
            ctx,
            subject=spot(reading, line),
            severity="error" if broken else "warning",
            message=(
                f"{old} is copied to {new} on line {line}: {python}, and PATH names {old}/bin; "
                "neither is there."
                if one.old_on_path
                else f"{old} is copied to {new} on line {line}: {python}, which is not there."
            ),
            cause=(
                f"Installers write into each script where the environment lies: {old} on line "
                f"{one.made_line}."
                + (
                    f" {broken.keyword} on line {broken.line} calls {broken.path}."
                    if broken
                    else ""
                )
            ),
            fix=_same_place(one),
            evidence=at(reading, line, made_at=old, lies_at=new),
        )


def _same_place(one: Relocated) -> str:
    """Return the COPY that leaves an environment where its scripts look for it."""
    instruction = one.copy.step.instruction
    flags = [f"--{flag.name}={flag.value}" for flag in instruction.flags if flag.value]
    if one.old_on_path or (one.breaks and one.breaks.path.startswith(f"{one.made_at}/")):
        copied = " ".join(["COPY", *flags, one.made_at, one.made_at])
        whole = len(one.copy.sources) == 1 and one.copy.sources[0].rstrip("/") == one.made_at
        return f"{'Line' if whole else 'Below line'} {one.copy.step.line}: {copied}"
    copied = " ".join(["COPY", *flags, one.lies_at, one.lies_at])
    return (
        f"Make it at {one.lies_at} on line {one.made_line}, and line {one.copy.step.line}: {copied}"
    )


def _cause(one: Moved) -> str:
    if one.built.managed:
        return (
            f"On line {one.made_line} uv takes a Python that it downloads; only the environment is "
            "copied."
        )
    return (
        f"It is made on line {one.made_line} with the Python of {one.builder}, and holds only a "
        "link to it."
    )


def _fix(reading: Reading, one: Moved) -> str:
    source = one.copy.step.instruction.flag("from")
    if one.built.managed:
        folder = "/opt/python"
        return (
            f"In the build stage: ENV UV_PYTHON_INSTALL_DIR={folder}, and below line "
            f"{reading.facts.final.line}: COPY --from={source} {folder} {folder}"
        )
    if one.built.path.startswith("/usr/local/bin"):
        slim = f"python:{one.built.minor}-slim"
        return f"Line {reading.facts.final.line}: FROM {slim}"
    return f"Line {reading.facts.final.line}: build on the same base, FROM {one.builder}"
