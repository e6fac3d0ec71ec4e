"""cuda-in-cpu-variant."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from venvsmith.rules.framework.rule import Rule
from venvsmith.rules.framework.torch import torch_build
from venvsmith.rules.framework.words import count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.finding import Finding, Severity
    from venvsmith.rules.framework.context import Context


class CudaInCpuVariant(Rule):
    """An environment that is meant for the CPU carries CUDA's libraries.

    ## What it looks for
    A variant named for the CPU, or a lock with `+cpu` builds, against a CUDA build of torch and
    `nvidia-*` distributions.

    ## Why it happens
    On linux/amd64 the torch of PyPI is the CUDA build. Without PyTorch's own CPU index an image for
    the CPU grows by several gigabytes.

    ## How to see it by hand
    `du -sh /venv/lib/python3.*/site-packages/nvidia`

    ## How to mend it
    In the configuration, or by hand:

        torch-backend = "cpu"
        RUN uv pip install --torch-backend cpu torch

    ## When it is fine
    It works; it is only large. Told as a warning.
    """

    name = "cuda-in-cpu-variant"
    code = "VS604"
    severity: ClassVar[Severity] = "warning"

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Look only where the CPU was meant."""
        pins = ctx.expected.pins or {}
        meant = "cpu" in ctx.expected.variant.split("-") or any("+cpu" in v for v in pins.values())
        if not meant:
            return
        nvidia = sorted(n for n in ctx.view.by_name if n.startswith("nvidia-") and "-cu" in n)
        if torch_build(ctx.view) != "cuda" and not nvidia:
            return
        torch = ctx.view.versions.get("torch", "")
        yield self.finding(
            ctx,
            subject="torch" if torch else nvidia[0],
            message=(
                f"{ctx.env.path} is meant for the CPU and holds "
                + (f"torch {torch}, a CUDA build, and " if torch else "")
                + f"{count(len(nvidia), 'CUDA library', 'CUDA libraries')}."
            ),
            cause="On linux/amd64 the torch of the default index is the CUDA build.",
            fix='torch-backend = "cpu" in the variant, then: venvsmith lock',
            evidence={"distributions": nvidia},
        )
