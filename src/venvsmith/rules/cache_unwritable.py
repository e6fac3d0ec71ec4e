"""cache-unwritable."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from venvsmith.data.knowledge import load_caches
from venvsmith.rules.framework.follows import import_of
from venvsmith.rules.framework.mends import run_line, words
from venvsmith.rules.framework.rule import Rule
from venvsmith.rules.framework.words import listing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.facts import ImportResult
    from venvsmith.model.finding import Finding, Severity
    from venvsmith.rules.framework.context import Context

NO_PLACE = re.compile(
    r"no locator available|cannot cache function|getpwuid\(\): uid not found|"
    r"Read-only file system"
)
DENIED = re.compile(r"\[Errno 13\] Permission denied: '([^']+)'")


class CacheUnwritable(Rule):
    """The image's user has no place to write what a package caches.

    ## What it looks for
    Imports that fail because a folder may not be written; and, where the user's home cannot be
    written either, packages that keep a cache there and have no variable that sends them elsewhere.

    ## Why it happens
    `USER 1001` without a home: numba, matplotlib, huggingface_hub and others write below `$HOME`. A
    numeric user without a line in `/etc/passwd` has the home `/` and no name.

    ## How to see it by hand
    `docker run --rm --entrypoint sh IMAGE -c 'id; echo $HOME; touch $HOME/x'`

    ## How to mend it
    Give the user a home, or the packages a folder:

        RUN useradd --uid 1001 --create-home app
        ENV NUMBA_CACHE_DIR=/tmp/numba HF_HOME=/cache

    ## When it is fine
    Where the package never writes (a model baked in, read-only): reported as a warning.
    """

    name = "cache-unwritable"
    code = "VS508"
    claims = frozenset({"import-failed", "import-crashed"})
    severity: ClassVar[Severity] = "warning"

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Take failing imports first, then what would fail in use."""
        failed = False
        for result in ctx.view.failed_imports:
            where = _denied(result)
            if where is not None:
                failed = True
                yield self._failed(ctx, result, where)
        system = ctx.facts.system
        if failed or system.uid == 0 or system.home_writable is not False:
            return
        writers = [
            entry
            for entry in load_caches()
            if entry.name in ctx.view.by_name
            and not any(variable in system.env for variable in entry.variables)
        ]
        if writers:
            names = [entry.name for entry in writers]
            variables = " ".join(f"{e.variables[0]}=/tmp/{e.name}" for e in writers)
            yield self.finding(
                ctx,
                subject=system.home or "/",
                message=(
                    f"User {ctx.image.user or system.uid} may not write {system.home}, where "
                    f"{listing(names)} {'keeps its' if len(names) == 1 else 'keep their'} cache."
                ),
                cause="The user has no home of its own.",
                fix=f"RUN useradd --uid {system.uid} --create-home app, or ENV {variables}",
                evidence={"home": system.home, "packages": names},
            )

    def _failed(self, ctx: Context, result: ImportResult, where: str) -> Finding:
        system = ctx.facts.system
        return self.finding(
            ctx,
            subject=where or system.home or "/",
            message=(
                f"import {result.module} wants to write {where or 'a cache'}, and user "
                f"{ctx.image.user or system.uid} may not: {result.message.splitlines()[0][:160]}."
            ),
            cause=(
                "The user has no line in /etc/passwd."
                if system.has_passwd_entry is False
                else f"That user may not write there, and its home {system.home} "
                f"{'can' if system.home_writable else 'cannot'} be written."
            ),
            fix=(
                f"RUN useradd --uid {system.uid} --create-home app, and "
                + (
                    f"{run_line('mkdir', '-p', where)} && {words('chown', str(system.uid), where)}"
                    if where
                    else "ENV NUMBA_CACHE_DIR=/tmp/numba"
                )
            ),
            severity="error",
            evidence={"module": result.module, "path": where},
        )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim the imports that could not write."""
        result = import_of(other, ctx.view)
        return result is not None and _denied(result) is not None


def _denied(result: ImportResult) -> str | None:
    """Return the folder that could not be written, empty where none is named; None otherwise.

    Files that may not be read are another rule's.
    """
    said = " ".join((result.message, *result.causes))
    if NO_PLACE.search(said):
        return ""
    denied = DENIED.search(said)
    if denied is None or denied[1].endswith((".py", ".so", ".pyc")):
        return None
    writes = any(" in mkdir" in f or " in makedirs" in f or "open" in f for f in result.traceback)
    return denied[1] if writes or "/site-packages/" not in denied[1] else None
