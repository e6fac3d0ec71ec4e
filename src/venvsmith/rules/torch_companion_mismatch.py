"""torch-companion-mismatch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvsmith.data.pairs import mismatches
from venvsmith.rules.framework.follows import IMPORTS, failing_names, text_of
from venvsmith.rules.framework.mends import installed
from venvsmith.rules.framework.rule import Rule
from venvsmith.rules.framework.view import version_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context

SIGNS = ("undefined symbol", "torchvision::nms", "libtorchcodec", "does not exist", "libtorch")


class TorchCompanionMismatch(Rule):
    """torch and a package that is built against it are of releases that do not go together.

    ## What it looks for
    The versions of torch and of torchaudio, torchvision, torchcodec and torchtext, against the
    table of pairs that `venvsmith lock` uses too; and symbols of torch that a companion's libraries
    want and no library of torch defines.

    ## Why it happens
    Their compiled parts use torch's C++ interface, which changes with every release. Metadata do
    not always say so: torchcodec declares no torch at all, `==2.8.0` accepts `2.8.0+cpu`, and a
    later `pip install` moves one of them alone.

    ## How to see it by hand
    "undefined symbol: _ZN2at…", "operator torchvision::nms does not exist", "Could not load
    libtorchcodec".

    ## How to mend it
    Install the pair in one command:

        RUN uv pip install --python /venv/bin/python torch==2.8.0 torchaudio==2.8.0

    ## When it is fine
    Never, where the companion is used.
    """

    name = "torch-companion-mismatch"
    code = "VS601"
    claims = IMPORTS | {
        "command-failed", "requirement-unmet", "cpu-cuda-mix", "version-drift",
        "native-lib-missing", "native-lib-off-path", "removed-api",
    }  # fmt: skip

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Hold the versions against the table, then look at symbols."""
        versions = {k: v for k, v in ctx.view.versions.items() if version_of(v) is not None}
        told: set[str] = set()
        for found in mismatches(versions):
            told.add(found.pair.companion)
            wanted = str(found.row.companion)
            goes = "no release" if wanted == "<0" else f"{found.pair.companion} {wanted}"
            yield self.finding(
                ctx,
                subject=found.pair.companion,
                message=(
                    f"{found.pair.companion} {found.companion_version} does not go with "
                    f"{found.pair.anchor} {found.anchor_version}, which goes with {goes}."
                ),
                cause=f"{found.pair.reason[:1].upper()}{found.pair.reason[1:]}.",
                fix=_fix(ctx, found.pair.anchor, found.anchor_version, goes),
                evidence={
                    "anchor": found.pair.anchor,
                    "distribution": found.pair.companion,
                    "source": found.pair.source,
                    "date": found.pair.date,
                },
            )
        by_dist: dict[str, list[str]] = {}
        for symbol in ctx.env.undefined_symbols:
            by_dist.setdefault(symbol.distribution, []).append(symbol.symbol)
        for name, symbols in sorted(by_dist.items()):
            if name not in told:
                yield self._symbols(ctx, name, symbols)

    def _symbols(self, ctx: Context, name: str, symbols: list[str]) -> Finding:
        torch = ctx.view.versions.get("torch", "")
        return self.finding(
            ctx,
            subject=name,
            message=(
                f"{name} {ctx.view.versions.get(name, '')} wants {symbols[0]}"
                + (f" and {len(symbols) - 1} more symbols" if symbols[1:] else "")
                + f", which torch {torch} does not define."
            ),
            cause="It was built against another release of torch.",
            fix=_fix(ctx, "torch", torch, name),
            evidence={"anchor": "torch", "distribution": name, "symbols": symbols[:20]},
        )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim failures that pass through the companion or speak of its symbols."""
        name = str(finding.evidence["distribution"])
        if other.rule == "requirement-unmet":
            return {other.subject, other.evidence.get("required")} == {
                name, finding.evidence["anchor"],
            }  # fmt: skip
        if other.rule == "cpu-cuda-mix":
            return other.subject == name
        if other.rule == "version-drift":
            # That the lock says otherwise is how it came about; that they do not fit is what fails.
            return other.subject in {name, finding.evidence["anchor"]}
        if other.rule in {"native-lib-missing", "native-lib-off-path", "removed-api"}:
            return f"/{name}/" in str(other.evidence) or other.evidence.get("distribution") == name
        if other.rule not in IMPORTS | {"command-failed"}:
            return False
        said = text_of(other)
        return name in failing_names(other, ctx) or (
            name in said and any(sign in said for sign in SIGNS)
        )


def _fix(ctx: Context, anchor: str, version: str, goes: str) -> str:
    return (
        installed(ctx, f"{anchor}=={version}", goes.replace(" ", ""))
        if goes != "no release"
        else "Remove it, or keep an older torch: no release of it goes with this one"
    )
