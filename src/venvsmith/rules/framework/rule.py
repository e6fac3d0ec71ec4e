"""A rule: its name, what it needs to know, its page, and the check itself.

Each rule is one class in one file of `venvsmith.rules`; its class docstring is the page that
``venvsmith explain`` prints. A check is pure: it reads facts and yields findings.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from venvsmith.model.finding import Finding, Severity
from venvsmith.rules.framework.mends import typed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from venvsmith.rules.framework.context import Context

Scope = Literal["environment", "target"]
Need = Literal[
    "runs",
    "imports",
    "commands",
    "hashes",
    "bytecode",
    "imports-read",
    "image",
    "pins",
    "venv",
    "gpu",
    "probe",
    "dockerfile",
    "context",
    "bundle",
]
"""Groups of facts. The first ones are named as in `Facts.missing`; ``image`` is the image's
configuration, ``pins`` a lock or manifest to compare with, ``venv`` an environment that is a venv,
``gpu`` a device, ``probe`` only what became of the probe itself,
``dockerfile`` a Dockerfile as the target, ``context`` the folder that it is built from, ``bundle``
a frozen application."""
SECTIONS = (
    "What it looks for",
    "Why it happens",
    "How to see it by hand",
    "How to mend it",
    "When it is fine",
)
"""The sections of every page, in this order."""


class Rule(ABC):
    """One thing that can be wrong with a target.

    Subclasses set the class variables, write `check`, and say in `claims` and `explains` which
    other findings follow from theirs.
    """

    name: ClassVar[str]
    code: ClassVar[str]
    severity: ClassVar[Severity] = "error"
    """The severity of its findings unless one says otherwise."""
    needs: ClassVar[frozenset[Need]] = frozenset()
    """Groups of facts without which the check cannot be made, and is skipped aloud."""
    of_bundles: ClassVar[bool] = False
    """Whether it is about frozen applications too; what needs ``bundle`` is about them alone."""
    scope: ClassVar[Scope] = "environment"
    """Whether it is checked once for each environment or once for the target."""

    claims: ClassVar[frozenset[str]] = frozenset[str]()
    """Names of the rules whose findings may follow from its own; `explains` says which ones do."""

    @abstractmethod
    def check(self, ctx: Context) -> Iterator[Finding]:
        """Yield what is wrong."""

    def foresee(self, ctx: Context) -> Iterator[Finding]:
        """Yield what a Dockerfile already shows of this; only asked of such a target."""
        yield from ()

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Tell whether ``other`` follows from ``finding``, which is this rule's own.

        It is asked of findings of the rules in `claims` only. Both are of the same environment, or
        one of them is of the target as a whole.
        """
        return False

    def finding(
        self,
        ctx: Context,
        *,
        subject: str,
        message: str,
        cause: str,
        fix: str,
        severity: Severity | None = None,
        evidence: Mapping[str, Any] | None = None,
    ) -> Finding:
        """Return a finding of this rule about the environment (or target) at hand.

        :param fix: written as for an image; see `mends`.
        """
        return Finding(
            rule=self.name,
            code=self.code,
            severity=severity or self.severity,
            environment=ctx.environment.path if ctx.environment is not None else "",
            subject=subject,
            message=message,
            cause=cause,
            fix=typed(fix) if ctx.is_here else fix,
            evidence=evidence or {},
        )

    @classmethod
    def page(cls) -> str:
        """Return the rule's page as Markdown."""
        heading = f"# {cls.name} ({cls.code})"
        return f"{heading}\n\n{inspect.getdoc(cls) or ''}\n"

    @classmethod
    def title(cls) -> str:
        """Return the page's first line: what is wrong, in a sentence."""
        return (inspect.getdoc(cls) or "").partition("\n")[0]
