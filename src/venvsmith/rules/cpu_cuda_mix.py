"""cpu-cuda-mix."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvsmith.rules.framework.follows import IMPORTS, failing_names
from venvsmith.rules.framework.gaps import CUDA_TORCH, claims_native
from venvsmith.rules.framework.loader import simulation
from venvsmith.rules.framework.mends import installed
from venvsmith.rules.framework.rule import Rule
from venvsmith.rules.framework.torch import FAMILY, build_of, torch_build

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context


class CpuCudaMix(Rule):
    """torch and its companions are of different builds: one for the CPU, one for CUDA.

    ## What it looks for
    The local parts of their versions (`+cpu`, `+cu128`), torch's own libraries, and companions that
    link to `libtorch_cuda.so` beside a torch that has none.

    ## Why it happens
    They came from different indexes: torch from PyTorch's CPU index, torchaudio from PyPI, where it
    is the CUDA build. `==2.8.0` accepts `2.8.0+cpu`.

    ## How to see it by hand
    "libtorch_cuda.so: cannot open shared object file"; `uv pip list | grep torch`.

    ## How to mend it
    All from one index:

        RUN uv pip install --torch-backend cpu torch torchaudio

    ## When it is fine
    Companions without compiled CUDA parts: no finding.
    """

    name = "cpu-cuda-mix"
    code = "VS602"
    claims = IMPORTS | {"command-failed", "native-lib-missing"}

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Compare local parts, then look at what links to CUDA's torch."""
        view = ctx.view
        torch = view.by_name.get("torch")
        build = torch_build(view)
        if torch is None or not build:
            return
        linked = {
            dist.name
            for gap in simulation(view).idle_gaps + simulation(view).gaps
            if CUDA_TORCH.match(gap.name) and build == "cpu"
            if (dist := view.dist_at(gap.by.path)) is not None
        }
        for name in FAMILY[1:]:
            dist = view.by_name.get(name)
            if dist is None:
                continue
            other = build_of(dist)
            # A version without local part from PyPI fits any torch where it links to neither.
            if name not in linked and (not other or other == build):
                continue
            yield self.finding(
                ctx,
                subject=name,
                message=(
                    f"{name} {dist.version} is built for {other or 'CUDA'}, and torch "
                    f"{torch.version} for {build}."
                ),
                cause="They came from different indexes; == accepts any local part.",
                fix=(
                    installed(
                        ctx,
                        f"torch=={torch.version.partition('+')[0]}",
                        f"{name}=={dist.version.partition('+')[0]}",
                        options=(
                            "--reinstall",
                            "--torch-backend",
                            "cpu" if build == "cpu" else "auto",
                        ),
                    )
                ),
                evidence={"torch": torch.version, "distribution": name, "build": build},
            )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim failures of the companion, and what CUDA's torch would have brought."""
        if other.rule in IMPORTS and finding.subject in failing_names(other, ctx):
            return True
        if other.rule == "native-lib-missing":
            return other.evidence.get("distribution") == finding.subject
        return claims_native(finding, other, ctx, "libtorch_cuda", "libc10_cuda", "CUDA version")
