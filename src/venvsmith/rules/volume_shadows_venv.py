"""volume-shadows-venv."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from venvsmith.rules.framework.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.finding import Finding, Severity
    from venvsmith.rules.framework.context import Context


class VolumeShadowsVenv(Rule):
    """The environment lies below a declared volume: what is mounted there hides it.

    ## What it looks for
    The image's VOLUME paths, and what is mounted while it runs, against the environment's path.

    ## Why it happens
    The project is developed with its folder mounted into the container, and the venv lies in that
    folder. A mount from outside hides the image's files; a named volume keeps the files of the
    first image that was run with it, so that later builds seem to change nothing.

    ## How to see it by hand
    `docker image inspect -f '{{json .Config.Volumes}}' IMAGE`, and `volumes:` of a compose file.

    ## How to mend it
    Keep the venv outside every mounted folder:

        ENV UV_PROJECT_ENVIRONMENT=/venv

    ## When it is fine
    Where nothing is ever mounted there and the anonymous volume is thrown away: then it works.
    """

    name = "volume-shadows-venv"
    code = "VS309"
    claims = frozenset({"interpreter-dangling", "dist-missing", "import-failed", "command-failed"})
    severity: ClassVar[Severity] = "warning"

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Compare volumes and mounts with the path."""
        path = ctx.env.path.rstrip("/") + "/"
        system = ctx.facts.system
        for volume in dict.fromkeys((*ctx.image.volumes, *system.mounts)):
            if volume.rstrip("/") in {"", "/usr", "/usr/local"} and ctx.env.kind == "system":
                continue
            if not path.startswith(volume.rstrip("/") + "/") or volume == "/":
                continue
            declared = volume in ctx.image.volumes
            if not declared and ctx.facts.target.kind in {"venv", "rootfs"}:
                continue  # /home is a mount here, and a root folder is bound where it runs
            yield self.finding(
                ctx,
                subject=volume,
                message=(
                    f"{ctx.env.path} lies in {volume}, which is declared a volume."
                    if declared
                    else f"{ctx.env.path} lies below the mount {volume}."
                ),
                cause="Whatever is mounted there hides the environment of the image.",
                fix="Make it elsewhere: ENV UV_PROJECT_ENVIRONMENT=/venv (or uv venv /venv)",
                evidence={"volume": volume, "declared": declared},
            )
            return

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim an environment that is hidden: nothing of it is there."""
        return not finding.evidence["declared"]
