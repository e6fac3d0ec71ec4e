"""torch-replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from venvsmith.rules.framework.mends import installed
from venvsmith.rules.framework.rule import Rule
from venvsmith.rules.framework.torch import torch_build
from venvsmith.rules.framework.view import version_of
from venvsmith.rules.framework.words import count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.finding import Finding, Severity
    from venvsmith.rules.framework.context import Context


class TorchReplaced(Rule):
    """Another torch was installed over the one that was meant.

    ## What it looks for
    torch's version and build against the lock, and CUDA libraries (`nvidia-*`) that a CUDA build of
    torch had brought and that nobody requires any more beside a CPU build.

    ## Why it happens
    A later `pip install whisperx` resolves anew and takes the torch that it likes best; one from
    another index replaces the build. The report is then "Torch not compiled with CUDA enabled".

    ## How to see it by hand
    `python -c "import torch; print(torch.__version__, torch.version.cuda)"`

    ## How to mend it
    One resolution for all, or constraints for what comes later:

        RUN uv pip install --constraint torch.txt whisperx

    ## When it is fine
    Where the CPU build is wanted; then remove the left-over libraries.
    """

    name = "torch-replaced"
    code = "VS603"
    claims = frozenset({"version-drift", "torch-companion-mismatch", "cpu-cuda-mix"})
    severity: ClassVar[Severity] = "warning"

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Take the lock's word first, then what was left behind."""
        view = ctx.view
        torch = view.by_name.get("torch")
        if torch is None:
            return
        wanted = (ctx.expected.pins or {}).get("torch")
        have, want = version_of(torch.version), version_of(wanted or "")
        if wanted is not None and have is not None and want is not None and have != want:
            yield self._finding(
                ctx,
                f"torch is {torch.version}, and {ctx.expected.source or 'the lock'} says {wanted}.",
                wanted,
                severity="error",
            )
            return
        orphans = sorted(
            name
            for name in view.by_name
            if name.startswith("nvidia-") and name.endswith(("-cu11", "-cu12", "-cu13"))
            if name not in view.required
        )
        if torch_build(view) == "cpu" and len(orphans) > 3:  # noqa: PLR2004 - a set, not one chosen by hand
            yield self._finding(
                ctx,
                f"torch {torch.version} is a CPU build, beside "
                f"{count(len(orphans), 'CUDA library', 'CUDA libraries')} that nothing requires.",
                None,
                severity="warning",
            )

    def _finding(
        self, ctx: Context, message: str, wanted: str | None, *, severity: Severity
    ) -> Finding:
        return self.finding(
            ctx,
            subject="torch",
            message=message,
            cause="A later install resolved anew and took another torch, or another index's build.",
            fix=(
                installed(ctx, f"torch=={wanted or 'VERSION'}")
                + ", and install what comes later with --constraint"
            ),
            severity=severity,
            evidence={"wanted": wanted},
        )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim the drift of torch and what no longer goes with it."""
        if other.rule == "version-drift":
            return other.subject == "torch"
        return bool(finding.evidence["wanted"]) and other.rule in {
            "torch-companion-mismatch",
            "cpu-cuda-mix",
        }
