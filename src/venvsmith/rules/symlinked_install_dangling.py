"""symlinked-install-dangling."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from venvsmith.rules.framework.follows import IMPORTS, failing_names, missing_module
from venvsmith.rules.framework.mends import installed
from venvsmith.rules.framework.rule import Rule
from venvsmith.rules.framework.words import count, listing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.facts import BrokenLink
    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context


class SymlinkedInstallDangling(Rule):
    """Packages are links into a cache or folder that is not in the target.

    ## What it looks for
    Links below `site-packages` and in `bin` that lead nowhere.

    ## Why it happens
    `UV_LINK_MODE=symlink`, with uv's cache in a cache mount: the files exist while that RUN lasts.
    Or a package was linked to a folder of the build stage. A package whose `__init__.py` is a
    dangling link still "imports", as an empty namespace.

    ## How to see it by hand
    `find /venv -xtype l | head`

    ## How to mend it
    In the build stage:

        ENV UV_LINK_MODE=copy

    ## When it is fine
    Links that nothing follows, in packages of the operating system: reported as info.
    """

    name = "symlinked-install-dangling"
    code = "VS208"
    claims = IMPORTS | {"command-failed", "record-files-missing", "pip-missing", "dist-missing"}

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Group dangling links by the folder that they point into."""
        groups: defaultdict[str, list[BrokenLink]] = defaultdict(list)
        for link in ctx.env.broken_links:
            groups[_source(link.link)].append(link)
        for source, links in sorted(groups.items()):
            owners = sorted({d.name for x in links if (d := ctx.view.dist_at(x.path)) is not None})
            system = all("/dist-packages/" in link.path for link in links)
            cached = "cache" in source or "archive-v" in source
            yield self.finding(
                ctx,
                subject=links[0].path,
                message=(
                    f"{count(len(links), 'link')} in {ctx.env.path} "
                    f"{'leads' if len(links) == 1 else 'lead'} nowhere, into {source}"
                    + (f": files of {listing(owners)}." if owners else f": {links[0].path}.")
                ),
                cause=(
                    "uv linked the packages to its cache, "
                    + (
                        "and they are gone from it."
                        if ctx.is_here
                        else "which is not in the image."
                    )
                    if cached
                    else "The packages were linked to a folder that is gone."
                    if ctx.is_here
                    else "The packages were linked to a folder of the build stage."
                ),
                fix=installed(
                    ctx, *(owners or ["NAME"]), options=("--link-mode", "copy", "--reinstall")
                )
                if ctx.is_here
                else "In the build stage: ENV UV_LINK_MODE=copy",
                severity="info" if system else "error",
                evidence={
                    "links": [link.path for link in links[:50]],
                    "distributions": owners,
                    "source": source,
                },
            )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim what misses, or comes out empty in, one of these packages."""
        names = {canonicalize_name(name) for name in finding.evidence["distributions"]}
        if other.rule in {"record-files-missing", "pip-missing", "dist-missing"}:
            return canonicalize_name(other.subject) in names
        if other.rule in IMPORTS | {"command-failed"}:
            missing = missing_module(other, ctx)
            owners = {canonicalize_name(d.name) for d in ctx.view.owners(missing or "")}
            linked = any(
                _is_module(path, missing or other.subject) for path in finding.evidence["links"]
            )
            return linked or bool(names & (owners | failing_names(other, ctx)))
        return False


def _source(link: str) -> str:
    """Return the folder that stands for where links come from: two or three parts of the path."""
    parts = link.split("/")
    for mark in ("archive-v0", "site-packages"):
        if mark in parts:
            return "/".join(parts[: parts.index(mark) + 1])
    return "/".join(parts[:-1]) or link


def _is_module(path: str, module: str) -> bool:
    return path.rpartition(".")[0].replace("/", ".").endswith(f".{module}") or (
        path.endswith(f"/{module.partition('.')[0]}")
    )
