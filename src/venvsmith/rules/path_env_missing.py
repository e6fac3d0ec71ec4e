"""path-env-missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvsmith.rules.framework.mends import on_path
from venvsmith.rules.framework.rule import Rule
from venvsmith.rules.framework.start import PYTHON, starts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context

ACTIVATE = "/bin/activate"


class PathEnvMissing(Rule):
    """The image starts a program of the environment by name, and PATH does not lead there.

    ## What it looks for
    Bare names in ENTRYPOINT, CMD and the commands that were asked for, which lie in the
    environment's `bin` and which the image's own PATH does not find; and a bare `python` there that
    is not the environment's.

    ## Why it happens
    `ENV PATH` was set in the build stage only, where it does not outlive the stage; or `activate`
    was run in a RUN, which holds for that one shell.

    ## How to see it by hand
    `docker image inspect -f '{{json .Config.Env}}' IMAGE`

    ## How to mend it
    In the final stage:

        ENV PATH=/venv/bin:$PATH

    ## When it is fine
    Where everything is called by its absolute path.
    """

    name = "path-env-missing"
    code = "VS505"
    claims = frozenset({"python-alias-missing", "command-failed"})
    needs = frozenset({"venv"})

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Look at what is started by a bare name."""
        if ctx.env.on_path is not False:
            return
        asked = (c.argv for c in ctx.env.commands if c.returncode != 0 and c.resolved is None)
        for argv in dict.fromkeys((*starts(ctx), *asked)):
            name = argv[0]
            if "/" in name or name not in ctx.env.bin_names:
                continue
            found = ctx.facts.system.programs.get(name)
            if found is None:
                yield self._finding(ctx, name, "which PATH does not lead to")
                return
            if PYTHON.match(name) and self._is_main(ctx, argv):
                yield self._finding(ctx, name, f"but PATH gives {found}")
                return

    @staticmethod
    def _is_main(ctx: Context, argv: tuple[str, ...]) -> bool:
        """Tell whether a bare python is meant to be this environment's.

        So it is where this is the only environment with packages, or the module that it runs is
        one of these.
        """
        others = [
            env for env in ctx.facts.environments if env.path != ctx.env.path and env.distributions
        ]
        if argv[2:] and argv[1] == "-m":
            return bool(ctx.view.owners(argv[2]))
        return not others and bool(ctx.env.distributions) and len(argv) > 1

    def _finding(self, ctx: Context, name: str, what: str) -> Finding:
        activated = any(ACTIVATE in line for line in ctx.image.history)
        return self.finding(
            ctx,
            subject=name,
            message=f"The image starts {name}; {ctx.env.path}/bin holds it, {what}.",
            cause=(
                "The venv was activated in a RUN: that lasts for its own shell only."
                if activated
                else f"PATH is {':'.join(ctx.facts.system.path)}; it was extended in another stage "
                "only, or never."
            ),
            fix=f"{on_path(ctx)} (in the final stage)",
            evidence={"name": name, "path": list(ctx.facts.system.path)},
        )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim commands that are not found."""
        if other.rule == "python-alias-missing":
            return True
        return other.rule == "command-failed" and (
            other.evidence.get("resolved") is None or finding.evidence["name"] in other.subject
        )
