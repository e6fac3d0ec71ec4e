"""driver-lib-only-at-runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from venvsmith.rules.framework.follows import IMPORTS
from venvsmith.rules.framework.gaps import DRIVER, claims_native
from venvsmith.rules.framework.loader import simulation
from venvsmith.rules.framework.rule import Rule
from venvsmith.rules.framework.words import listing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.finding import Finding, Severity
    from venvsmith.rules.framework.context import Context

IN_CONTAINER = "the host's driver brings when the container starts."
NEVER_IN_IMAGE = "are never part of an image"


class DriverLibOnlyAtRuntime(Rule):
    """A library comes with the graphics driver, which is not in an image but on the host.

    ## What it looks for
    `libcuda.so.1` and its kin among what extension modules need.

    ## Why it happens
    The driver belongs to the host's kernel. `docker run --gpus all` puts its libraries into the
    container when it starts; a build, or a run without a GPU, has none.

    ## How to see it by hand
    `docker run --rm --gpus all IMAGE python -c "import NAME"` works, without `--gpus` it fails.

    ## How to mend it
    Do not import such a module while building. Run the image with:

        docker run --gpus all IMAGE

    ## When it is fine
    Always, where the image runs on a host with the driver; it is reported as info.
    """

    name = "driver-lib-only-at-runtime"
    code = "VS410"
    claims = IMPORTS | {"command-failed"}
    severity: ClassVar[Severity] = "info"

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Gather them from the load chains."""
        names: dict[str, str] = {}
        for gap in simulation(ctx.view).gaps:
            if DRIVER.match(gap.name):
                names.setdefault(gap.name, gap.chain[0])
        if not names:
            return
        first = next(iter(names.values()))
        dist = ctx.view.dist_at(first)
        yield self.finding(
            ctx,
            subject=next(iter(names)),
            message=(
                f"{dist.name if dist else first} needs {listing(names)}, which "
                + ("the graphics driver brings." if ctx.is_here else IN_CONTAINER)
            ),
            cause=f"The driver's libraries {'are not here' if ctx.is_here else NEVER_IN_IMAGE}.",
            fix="Install the GPU's driver" if ctx.is_here else "docker run --gpus all IMAGE",
            evidence={"libraries": list(names), "distribution": dist.name if dist else None},
        )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim imports that want the driver."""
        return claims_native(finding, other, ctx, *(str(n) for n in finding.evidence["libraries"]))
