"""user-site-install."""

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


class UserSiteInstall(Rule):
    """What is missing was installed for one user only, in that user's home.

    ## What it looks for
    Distributions in `~/.local/lib/pythonX.Y/site-packages` of any user, that this environment wants
    and does not see.

    ## Why it happens
    `pip install --user`, or a pip that "defaults to user installation because normal site-packages
    is not writeable". A venv never sees that folder, nor does another user.

    ## How to see it by hand
    `find / -path '*/.local/lib/python*' -name '*.dist-info'`

    ## How to mend it
    Install into the environment:

        RUN uv pip install --python /venv/bin/python NAME

    ## When it is fine
    Where the image runs as that user with that Python: then the packages are visible.
    """

    name = "user-site-install"
    code = "VS312"
    claims = WANTS

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Look for what is lacking in the homes."""
        for location, names in found_in(ctx.view, users=True).items():
            yield self.finding(
                ctx,
                subject=names[0],
                message=(
                    f"{listing(names)} {be(len(names))} installed in {location}, which the Python "
                    f"of {ctx.env.path} does not read."
                ),
                cause=f"pip installed for one user ({location.partition('/.local')[0]}) only.",
                fix=installed(ctx, *names),
                evidence={"location": location, "names": names},
            )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim what misses one of these."""
        return lacks_one(finding, other, ctx)
