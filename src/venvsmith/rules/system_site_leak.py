"""system-site-leak."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from venvsmith.rules.framework.follows import IMPORTS, frame_file, missing_module
from venvsmith.rules.framework.mends import words
from venvsmith.rules.framework.rule import Rule
from venvsmith.rules.framework.words import be, count, listing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.finding import Finding, Severity
    from venvsmith.rules.framework.context import Context


class SystemSiteLeak(Rule):
    """The venv leans on the system's packages, which are another image's business.

    ## What it looks for
    `include-system-site-packages = true`, and what the environment's distributions require that
    only the system's folders hold, or that they do not hold in this image.

    ## Why it happens
    The venv was made with `--system-site-packages` on a base that has torch, numpy or setuptools,
    and runs on one that has others or none. Packages of the system's era then meet newer ones.

    ## How to see it by hand
    `grep system /venv/pyvenv.cfg`, and `python -c "import X; print(X.__file__)"`.

    ## How to mend it
    Make it alone, and install all that it needs:

        RUN uv venv /venv

    ## When it is fine
    On purpose, on a base that brings a vendor's build (NVIDIA's torch): reported as info.
    """

    name = "system-site-leak"
    code = "VS310"
    claims = IMPORTS
    severity: ClassVar[Severity] = "info"
    needs = frozenset({"venv"})

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Look only where the flag is set."""
        flag = (ctx.env.config or {}).get("include-system-site-packages", "false")
        if flag.strip().lower() != "true":
            return
        view = ctx.view
        leaned = sorted(
            {n.name for n in view.needs if n.name in view.versions and n.name not in view.by_name}
        )
        failing = sorted(
            {
                frame_file(frame)
                for result in view.failed_imports
                for frame in result.traceback
                if "/dist-packages/" in frame or "/site-packages/" in frame
                if not frame.startswith(ctx.env.path + "/")
            }
        )
        absent = sorted(view.lacking)
        if not leaned and not failing and not absent:
            return
        if leaned:
            rest = f"and takes {count(len(leaned), 'package')} ({listing(leaned)}) from there"
        elif absent:
            rest = f"but {listing(absent)} {be(len(absent))} not among them"
        else:
            rest = f"and {failing[0]} of them fails"
        yield self.finding(
            ctx,
            subject=f"{ctx.env.path}/pyvenv.cfg",
            message=f"{ctx.env.path} sees the system's packages, {rest}.",
            cause="The venv was made with --system-site-packages.",
            fix=words("uv", "venv", ctx.env.path)
            + " without --system-site-packages, and install all it needs",
            evidence={"taken": leaned, "absent": absent, "failing": failing},
        )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim what fails in the system's files, or misses what the system was to have."""
        if finding.evidence["failing"] and any(
            frame_file(str(frame)) in finding.evidence["failing"]
            for frame in other.evidence.get("traceback", ())
        ):
            return True
        missing = missing_module(other, ctx)
        return missing is not None and _named(missing, finding.evidence["absent"])


def _named(module: str, names: list[str]) -> bool:
    return module.partition(".")[0].replace("_", "-") in names
