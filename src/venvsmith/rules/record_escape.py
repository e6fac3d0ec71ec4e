"""record-escape."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from venvsmith.rules.framework.mends import installed
from venvsmith.rules.framework.rule import Rule
from venvsmith.rules.framework.words import count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.finding import Finding, Severity
    from venvsmith.rules.framework.context import Context


class RecordEscape(Rule):
    """A distribution's RECORD names files outside its environment.

    ## What it looks for
    Rows of `RECORD` whose path leads out of the environment's folder (`/etc/x`, `../../../../x`),
    and rows that cannot be read.

    ## Why it happens
    A wheel that was packed by hand, or with ill intent: uninstalling it would delete those files. A
    RECORD that was cut off or edited.

    ## How to see it by hand
    `grep -nE '^(/|([.][.]/){4})' .../NAME.dist-info/RECORD`

    ## How to mend it
    Install it anew from a source that you trust:

        RUN uv pip install --python /venv/bin/python --reinstall NAME

    ## When it is fine
    Never in a venv; the files themselves are not touched by merely being named.
    """

    name = "record-escape"
    code = "VS210"
    severity: ClassVar[Severity] = "warning"

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Gather the rows of each distribution."""
        for dist in ctx.env.distributions:
            rows = [p for p in dist.record_problems if p.kind in {"escape", "malformed"}]
            if not rows:
                continue
            first = rows[0]
            malformed = first.kind == "malformed"
            yield self.finding(
                ctx,
                subject=dist.name,
                message=(
                    f"{count(len(rows), 'row')} of the RECORD of {dist.name} {dist.version} "
                    + (
                        f"cannot be read: {first.detail}."
                        if malformed
                        else f"lead out of {ctx.env.path}: {first.path}."
                    )
                ),
                cause=(
                    "The file was cut off or edited."
                    if malformed
                    else "The wheel was packed by hand, or with ill intent."
                ),
                fix=installed(ctx, dist.name, options=("--reinstall",)),
                evidence={"rows": [p.detail or p.path for p in rows[:20]]},
            )
