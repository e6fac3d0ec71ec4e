"""bundle-data-missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from venvsmith.rules.framework.frozen import (
    AGAIN,
    LIBRARY,
    asker,
    collected,
    fails_for,
    in_package,
    once,
    package,
    told,
)
from venvsmith.rules.framework.rule import Need, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.bundle import MissingPart
    from venvsmith.model.finding import Finding, Severity
    from venvsmith.rules.framework.context import Context


class BundleDataMissing(Rule):
    """Frozen code opens a file of its package that was not collected.

    ## What it looks for
    Names of data files (`silero_vad_v6.onnx`, `version.info`, `config.yaml`) in code that has its
    own package's folder at hand: through `__file__`, through `importlib.resources`, or through a
    function or variable that got it there. No file of that name lies below the package's folder in
    the bundle.

    ## Why it happens
    PyInstaller follows imports. Files that code opens are found by nobody unless a hook names them,
    and for many packages there is no hook: `faster_whisper` starts frozen, and fails in its voice
    detection for want of its `.onnx`.

    ## How to see it by hand
    `find APP/_internal/PACKAGE -name FILE` finds nothing; in the environment that it was frozen
    from, `find /venv -name FILE` does.

    ## How to mend it

        pyinstaller --collect-data PACKAGE app.py

    A file of the application's own, in no package: `--add-data FILE:FOLDER`.

    or the hooks that `venvsmith bundle hooks` writes.

    ## When it is fine
    Where only a function reads the file that the application never calls. It is information where
    nothing shows that the application stops: where the asker belongs to no package that the
    application imports; where the file is only named, or written; where code looks whether it is
    there, comes to it under some condition only, or goes on after whatever its absence raises
    (`except Exception`, `contextlib.suppress`). Code that raises where it finds none needs it, and
    so does code that then calls `sys.exit`, or that fills a global variable at its first use
    (`if TABLE is None:`); code that both raises and goes on is a warning.
    """

    name = "bundle-data-missing"
    code = "VS902"
    claims = frozenset({"import-failed", "command-failed"})
    needs: ClassVar[frozenset[Need]] = frozenset({"bundle"})

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Tell each of them once."""
        bundle = ctx.env.bundle
        for part in once(bundle.missing_data if bundle else ()):
            yield self._finding(ctx, part)

    def _finding(self, ctx: Context, part: MissingPart) -> Finding:
        return self.finding(
            ctx,
            subject=part.what,
            message=f"{asker(part)} opens {part.what}, which is not in this bundle.",
            cause=_cause(ctx, part),
            fix=AGAIN if part.what == LIBRARY else collected(ctx, part),
            severity=_severity(part),
            evidence=told(part),
        )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim the failing import or command that names it."""
        if finding.subject == LIBRARY:
            return other.rule in {"import-failed", "command-failed"}
        return fails_for(other, finding, finding.subject)


def _severity(part: MissingPart) -> Severity:
    if not (part.certain or part.direct):
        return "info"
    return "warning" if part.doubtful else "error"


def _cause(ctx: Context, part: MissingPart) -> str:
    if part.what == LIBRARY:
        return "It lay beside the application's other files: the copy is not whole."
    if not in_package(ctx, part):
        return f"Nothing lies at {part.expected}: PyInstaller takes along what the spec names."
    return (
        f"Nothing below {package(part)}/ in the bundle has that name: PyInstaller collects "
        "data files only where a hook says so."
    )
