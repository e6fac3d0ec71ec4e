"""The sharpest facts about an import that did not come out well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvsmith.rules.framework.follows import frame_file

if TYPE_CHECKING:
    from venvsmith.model.facts import ImportResult
    from venvsmith.rules.framework.context import Context


def evidence_of(ctx: Context, result: ImportResult) -> dict[str, object]:
    """Return the sharpest facts about an import that did not come out well."""
    owners = {d.name for d in ctx.view.owners(result.module)}
    for frame in result.traceback:
        owner = ctx.view.dist_at(frame_file(frame))
        if owner is not None:
            owners.add(owner.name)
    run = ctx.env.interpreter.run if ctx.env.interpreter else None
    return {
        "exception": result.exception,
        "message": result.message,
        "missing": result.missing,
        "traceback": list(result.traceback),
        "output": result.output,
        "distributions": sorted(owners),
        "looked_in": list(run.sys_path) if run and result.missing else [],
    }
