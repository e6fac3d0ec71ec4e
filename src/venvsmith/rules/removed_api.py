"""removed-api."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from venvsmith.data.removals import Removal, load_removals
from venvsmith.rules.framework.follows import IMPORTS, failing_names, text_of
from venvsmith.rules.framework.mends import installed, words
from venvsmith.rules.framework.roots import import_severity
from venvsmith.rules.framework.rule import Rule
from venvsmith.rules.framework.view import version_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packaging.specifiers import SpecifierSet

    from venvsmith.model.facts import ImportResult
    from venvsmith.model.finding import Finding, Severity
    from venvsmith.rules.framework.context import Context


NO_NAME = re.compile(
    r"cannot import name '(\w+)' from (?:partially initialized module )?'([\w.]+)'|"
    r"module '([\w.]+)' has no attribute '(\w+)'"
)


class RemovedApi(Rule):
    """A package uses something that the installed version of another no longer has.

    ## What it looks for
    A table of removals with source and date (torchaudio 2.9, huggingface_hub 1, numpy 2, Python's
    own modules): packages whose versions are known to use them, and imports that fail with their
    signs.

    ## Why it happens
    The older package set no upper bound, so a resolver pairs it with a release that came later.

    ## How to see it by hand
    "module 'torchaudio' has no attribute 'AudioMetaData'", "np.NaN was removed in the NumPy 2.0
    release", "unexpected keyword argument 'use_auth_token'".

    ## How to mend it
    A newer version of the package, or a bound for the other:

        RUN uv pip install --python /venv/bin/python 'numpy<2'

    ## When it is fine
    Where that function of the package is never called: known users whose imports work are reported
    as warnings.
    """

    name = "removed-api"
    code = "VS606"
    claims = IMPORTS | {"command-failed", "requirement-unmet"}
    severity: ClassVar[Severity] = "error"

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Go through the table: signs in failing imports, and users that are known."""
        told: set[str] = set()
        for removal in load_removals():
            have = self._version(ctx, removal)
            if have is None or not removal.since.contains(have, True):
                continue
            failing = [
                i
                for i in ctx.view.failed_imports
                if any(sign in f"{i.message} {i.missing or ''}" for sign in removal.signs)
            ]
            users = [
                name
                for name, specifier in removal.users.items()
                if self._is_user(ctx, name, specifier)
            ]
            if failing or users:
                told.update(i.module for i in failing)
                yield self._finding(ctx, removal, have, failing, users)
        yield from self._unknown(ctx, told)

    def _unknown(self, ctx: Context, told: set[str]) -> Iterator[Finding]:
        """Tell names that one distribution wants of another, which does not have them."""
        for result in ctx.view.failed_imports:
            match = NO_NAME.search(result.message)
            if match is None or result.module in told or result.missing is not None:
                continue
            name, module = match[1] or match[4], match[2] or match[3]
            providers = [d for d in ctx.view.owners(module) if not d.record_problems]
            user = ctx.view.last_owner(result)
            if not providers or user is None or user.name == providers[0].name:
                continue
            provider = providers[0]
            yield self.finding(
                ctx,
                subject=user.name,
                message=(
                    f"{user.name} {user.version} uses {name} of {module}, which {provider.name} "
                    f"{provider.version} does not have."
                ),
                cause=f"They are of releases that do not go together: {provider.name} removed it, "
                "or does not have it yet.",
                fix=installed(ctx, user.name, provider.name, options=("--upgrade",))
                + f", or another {words(provider.name)}",
                severity=import_severity(ctx, result),
                evidence={
                    "provider": provider.name,
                    "signs": [match[0]],
                    "users": [user.name],
                    "source": "",
                    "date": "",
                },
            )

    @staticmethod
    def _version(ctx: Context, removal: Removal) -> str | None:
        if removal.provider == "python":
            return ctx.view.minor
        version = ctx.view.versions.get(removal.provider)
        return version if version and version_of(version) else None

    @staticmethod
    def _is_user(ctx: Context, name: str, specifier: SpecifierSet) -> bool:
        version = ctx.view.versions.get(name)
        return bool(version and version_of(version)) and specifier.contains(version or "", True)

    def _finding(
        self,
        ctx: Context,
        removal: Removal,
        have: str,
        failing: list[ImportResult],
        users: list[str],
    ) -> Finding:
        provider = "Python" if removal.provider == "python" else removal.provider
        who = f"{users[0]} {ctx.view.versions[users[0]]}" if users else self._user(ctx, failing[0])
        newer = f"a newer {users[0]}" if users else "a newer version of the package"
        return self.finding(
            ctx,
            subject=users[0] if users else failing[0].module,
            message=f"{who} uses {removal.what}, which {provider} {have} no longer has.",
            cause=f"{provider} removed it in {removal.version}; {who.partition(' ')[0]} is older.",
            fix=(
                f"Take {newer}, or Python {removal.keep}"
                if removal.provider == "python"
                else f"{installed(ctx, removal.provider + removal.keep)}, or take {newer}"
            ),
            severity="error" if failing or removal.fatal else "warning",
            evidence={
                "provider": removal.provider,
                "signs": list(removal.signs),
                "users": users,
                "source": removal.source,
                "date": removal.date,
            },
        )

    @staticmethod
    def _user(ctx: Context, result: ImportResult) -> str:
        owner = ctx.view.last_owner(result)
        return f"{owner.name} {owner.version}" if owner else result.module

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim failures with its signs, and those of a known user."""
        if other.rule == "requirement-unmet":
            return other.subject in finding.evidence["users"] and (
                other.evidence.get("required") == finding.evidence["provider"]
            )
        if other.rule not in IMPORTS | {"command-failed"}:
            return False
        said = f"{text_of(other)} {other.message} {other.evidence.get('missing') or ''}"
        if any(str(sign) in said for sign in finding.evidence["signs"]):
            return True
        return other.evidence.get("exception") in {
            "AttributeError",
            "ImportError",
            "TypeError",
        } and (
            {str(finding.evidence["provider"]), *finding.evidence["users"]}
            <= failing_names(other, ctx)
        )
