"""gpu-arch-unsupported."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from venvsmith.data.accelerators import has_kernels
from venvsmith.rules.framework.mends import installed
from venvsmith.rules.framework.rule import Need, Rule
from venvsmith.rules.framework.words import listing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context


class GpuArchUnsupported(Rule):
    """This torch has no kernels for the GPU that is here.

    ## What it looks for
    The compute capability of every device that torch sees, against the architectures that its
    kernels are compiled for.

    ## Why it happens
    The GPU is newer than the build: an RTX 50 (sm_120) needs a build for CUDA 12.8 or later. Or it
    is so old that newer builds left it out.

    ## How to see it by hand
    `python -c "import torch; print(torch.cuda.get_arch_list(),
    torch.cuda.get_device_capability())"`; in use it says "no kernel image is available".

    ## How to mend it
    A build for the newer CUDA:

        RUN uv pip install --torch-backend cu128 torch

    ## When it is fine
    Where PTX of an older architecture is compiled for the device when it starts: counted as
    supported.
    """

    name = "gpu-arch-unsupported"
    code = "VS605"
    needs: ClassVar[frozenset[Need]] = frozenset({"gpu"})

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Compare each device."""
        torch = ctx.env.torch
        if torch is None or not torch.archs or torch.hip:
            return
        for device in sorted(set(torch.devices)):
            if not has_kernels(device, torch.archs):
                yield self.finding(
                    ctx,
                    subject=device,
                    message=(
                        f"torch {torch.version} has kernels for {listing(torch.archs, 8)}; the "
                        f"device here has capability {device}."
                    ),
                    cause="The build is older, or newer, than this GPU.",
                    fix=(installed(ctx, "torch", options=("--torch-backend", "auto"))),
                    evidence={"archs": list(torch.archs), "device": device},
                )
