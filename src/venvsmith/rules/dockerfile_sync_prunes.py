"""dockerfile-sync-prunes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from venvsmith.dockerfile.installs import SYSTEM, Event, events
from venvsmith.rules.framework.dockerfiles import at, reading_of, spot
from venvsmith.rules.framework.mends import run_line
from venvsmith.rules.framework.rule import Rule, Scope
from venvsmith.rules.framework.words import listing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from venvsmith.dockerfile.replay import Reading
    from venvsmith.model.finding import Finding, Severity
    from venvsmith.rules.framework.context import Context

SEEDS: Final = frozenset({"pip", "setuptools", "wheel", "uv"})
"""uv leaves these alone where another tool made the environment."""
BUILD_ONLY: Final = frozenset(
    {"setuptools", "wheel", "hatchling", "ninja", "cmake", "cython", "packaging", "poetry-core"}
    | {"pybind11", "scikit-build-core", "flit-core", "maturin", "meson", "meson-python", "build"}
)
"""Wanted while something else builds; nobody misses them afterwards."""


class DockerfileSyncPrunes(Rule):
    """A sync removes again what an install before it had added.

    ## What it looks for
    A `uv sync`, `uv pip sync` or `pip-sync` after a `pip install` or `uv pip install` into the same
    environment, in the same stage or in one that it builds on. Names that a `uv.lock` of the build
    context holds are kept by the sync and not told; where there is no lock to read, the finding is
    a warning, because the lock may hold them.

    ## Why it happens
    A sync is exact: it makes the environment equal to the lock, and uninstalls everything else. An
    install before it is undone without a word, pip included; with `--no-install-project` the
    project itself, too. `uv pip list` between the two shows the package, and the image lacks it.

    ## How to see it by hand
    Run the build with `--progress=plain`: the sync prints `- whisperx==3.3.2` for what it removes.

    ## How to mend it
    Install after the sync, keep what is there, or let the project require it:

        RUN uv sync --frozen --inexact
        RUN uv pip install --python /venv/bin/python whisperx==3.3.2

    ## When it is fine
    Where the lock names the same distributions: installing the large ones first, in a layer of
    their own, is a known way to keep a build cache warm.
    """

    name = "dockerfile-sync-prunes"
    code = "VS801"
    claims = frozenset({"dockerfile-wrong-stage"})
    severity: ClassVar[Severity] = "warning"
    needs = frozenset({"dockerfile"})
    scope: ClassVar[Scope] = "target"

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Compare each sync with the installs before it, for every stage that the image needs."""
        reading = reading_of(ctx)
        for stage in reading.facts.stages:
            if stage.index not in reading.built:
                continue
            found = events(reading, stage)
            for index, sync in enumerate(found):
                if sync.step.stage == stage.index and _is_exact(sync):
                    yield from self._undone(ctx, reading, found, index)

    def _undone(
        self, ctx: Context, reading: Reading, found: Sequence[Event], index: int
    ) -> Iterator[Finding]:
        sync = found[index]
        kept = _locked(reading, sync) | _again(found[index + 1 :], sync)
        maker = next(
            (e.tool for e in found[:index] if e.action == "create" and e.place == sync.place), None
        )
        if sync.place == SYSTEM or maker in {"venv", "virtualenv"}:
            kept |= SEEDS
        for install in found[:index]:
            if install.action != "install" or install.place != sync.place or sync.place is None:
                continue
            gone = [n for n in dict.fromkeys(install.names) if n not in kept | BUILD_ONLY]
            if gone and not install.conditional:
                yield self._finding(ctx, reading, install, sync, gone)

    def _finding(
        self, ctx: Context, reading: Reading, install: Event, sync: Event, gone: Sequence[str]
    ) -> Finding:
        sure = _lock_is_known(reading)
        said = _command(sync)
        names = listing(gone)
        texts = [t for t, n in zip(install.texts, install.names, strict=True) if n in gone]
        place = "the system's Python" if sync.place == SYSTEM else str(sync.place)
        verb = "removes" if sure else "removes, unless the lock names it,"
        python = ["--system"] if sync.place == SYSTEM else ["--python", f"{sync.place}/bin/python"]
        return self.finding(
            ctx,
            subject=spot(reading, sync.line),
            severity="error" if sure else "warning",
            message=(
                f"{said} on line {sync.line} {verb} what line {install.line} installed into "
                f"{place}: {names}."
            ),
            cause=f"{said} is exact: it uninstalls everything that its lock does not name.",
            fix=(
                f"Below line {sync.line}: {run_line('uv', 'pip', 'install', *python, *texts)}"
                + (f" (or line {sync.line}: {said} --inexact)" if said == "uv sync" else "")
            ),
            evidence=at(reading, sync.line, installed_on=install.line, names=list(gone)),
        )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim a program that the image wants and that is thought to be in another stage."""
        names = finding.evidence.get("names", ())
        return other.evidence.get("package") in names


def _is_exact(event: Event) -> bool:
    return event.action == "sync" and not event.conditional and "--inexact" not in event.options


def _command(sync: Event) -> str:
    return {"uv": "uv sync", "uv pip": "uv pip sync"}.get(sync.tool, sync.tool)


def _locked(reading: Reading, sync: Event) -> frozenset[str]:
    """Return what the context's locks name; the project itself counts where it is installed."""
    context = reading.facts.context
    names: set[str] = set()
    for lock in context.locks if context else ():
        names.update(lock.names)
        if lock.project and "--no-install-project" in sync.options:
            names.discard(lock.project)
    return frozenset(names)


def _lock_is_known(reading: Reading) -> bool:
    return reading.facts.context is not None and bool(reading.facts.context.locks)


def _again(after: Sequence[Event], sync: Event) -> frozenset[str]:
    """Return what is installed once more behind the sync."""
    return frozenset(
        name for e in after if e.action == "install" and e.place == sync.place for name in e.names
    )
