"""installed-elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvsmith.rules.framework.elsewhere import WANTS, found_in, lacks_one
from venvsmith.rules.framework.mends import installed
from venvsmith.rules.framework.rule import Rule
from venvsmith.rules.framework.words import be, listing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context


class InstalledElsewhere(Rule):
    """What is missing here was installed into another Python of the same image.

    ## What it looks for
    Whatever the environment lacks (a pin, a requirement, a module that was asked for), among the
    packages of the image's other Pythons and venvs.

    ## Why it happens
    `pip3 install` belongs to the system's Python, whatever venv is on the PATH of the shell; an
    `activate` in one RUN is forgotten in the next; `UV_SYSTEM_PYTHON=1` of a base image sends uv to
    the system. The install succeeds, and the import fails.

    ## How to see it by hand
    `head -1 $(which pip3)`, and `find / -name 'NAME-*.dist-info'`.

    ## How to mend it
    Install with the environment's own interpreter:

        RUN /venv/bin/python -m pip install whisperx==3.8.6

    ## When it is fine
    Several venvs with different packages: nothing is told unless one of them lacks something.
    """

    name = "installed-elsewhere"
    code = "VS206"
    claims = WANTS

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Look for what is lacking in all other folders."""
        for location, names in found_in(ctx.view, users=False).items():
            versions = [
                f"{name}=={package.version}"
                for name in names
                for package in ctx.view.elsewhere[name]
                if package.location == location
            ]
            yield self.finding(
                ctx,
                subject=names[0],
                message=(
                    f"{listing(names)} {be(len(names))} installed in {location}, not in "
                    f"{ctx.env.path}."
                ),
                cause=_cause(ctx, location),
                fix=installed(ctx, *versions),
                evidence={"location": location, "names": names},
            )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim what misses one of these."""
        return lacks_one(finding, other, ctx)


def _cause(ctx: Context, location: str) -> str:
    if ctx.facts.system.env.get("UV_SYSTEM_PYTHON"):
        return "UV_SYSTEM_PYTHON is set, so uv installs into the system's Python."
    if any("activate" in line for line in ctx.image.history):
        return "The venv was activated in another RUN: that lasts for its own shell only."
    return f"The install ran with another Python than {ctx.env.path}'s: the one of {location}."
