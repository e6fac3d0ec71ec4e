"""editable-source-missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from venvsmith.data.modules import modules_of
from venvsmith.rules.framework.follows import IMPORTS, missing_module
from venvsmith.rules.framework.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.facts import PthLine
    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context


class EditableSourceMissing(Rule):
    """A project was installed as editable, and its source folder is not in the target.

    ## What it looks for
    Editable installs (`direct_url.json`, `__editable__` finders, `.egg-link`) and folders in `.pth`
    files that do not exist here.

    ## Why it happens
    `uv sync` and `pip install -e` install the project as a pointer to its source. The venv was
    copied to the final stage, the source was not.

    ## How to see it by hand
    `cat /venv/lib/python3.*/site-packages/*.pth`

    ## How to mend it
    Install the project for real in the build stage:

        RUN uv sync --frozen --no-editable

    ## When it is fine
    Where the source is mounted at that path when the image runs.
    """

    name = "editable-source-missing"
    code = "VS207"
    claims = IMPORTS | {"command-failed", "dist-missing"}

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Look at editable distributions, then at lines of .pth files that belong to none."""
        told: set[str] = set()
        for dist in ctx.env.distributions:
            if dist.editable is not None and dist.editable_exists is False:
                told.add(dist.editable)
                yield self._finding(
                    ctx,
                    dist.name,
                    dist.editable,
                    f"{dist.name} {dist.version}".strip(),
                    dist.top_level,
                )
        for line in ctx.env.pth:
            if line.exists is False and not line.is_code and not self._told(line, told):
                yield self._line(ctx, line)

    @staticmethod
    def _told(line: PthLine, told: set[str]) -> bool:
        return any(line.line.startswith(source) for source in told)

    def _line(self, ctx: Context, line: PthLine) -> Finding:
        name = line.file.rpartition("/")[2].removesuffix(".pth")
        owner = line.distribution or name.removeprefix("__editable__.").partition("-")[0]
        editable = name.startswith(("__editable__", "easy-install", "_")) or line.distribution
        return self._finding(ctx, owner.lstrip("_"), line.line, line.file, (), grave=bool(editable))

    def _finding(
        self,
        ctx: Context,
        subject: str,
        source: str,
        who: str,
        modules: tuple[str, ...],
        *,
        grave: bool = True,
    ) -> Finding:
        return self.finding(
            ctx,
            subject=subject,
            message=f"{who} points to {source}, which is not in this target.",
            cause="It was installed as editable, and only the environment was copied.",
            fix="RUN uv sync --frozen --no-editable (or uv pip install . instead of -e .)",
            severity="error" if grave else "warning",
            evidence={"source": source, "modules": sorted({*modules, *modules_of(subject)})},
        )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim what misses one of its modules."""
        if other.rule == "dist-missing":
            return canonicalize_name(other.subject) == canonicalize_name(finding.subject)
        if other.rule in IMPORTS:
            missing = (missing_module(other, ctx) or "").partition(".")[0]
            if missing in finding.evidence["modules"]:
                return True
            # A source folder brings modules of any name; nobody else can bring this one.
            return bool(missing) and not ctx.view.owners(missing) and _alone(ctx)
        return other.rule == "command-failed" and any(
            f"No module named '{module}" in str(other.evidence.get("output", ""))
            for module in finding.evidence["modules"]
        )


def _alone(ctx: Context) -> bool:
    lost = [
        d for d in ctx.env.distributions if d.editable is not None and d.editable_exists is False
    ]
    return len(lost) <= 1 and not ctx.view.lacking.keys() - {d.name for d in lost}
