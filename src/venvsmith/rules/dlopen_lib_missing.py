"""dlopen-lib-missing."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from venvsmith.rules.framework.follows import IMPORTS
from venvsmith.rules.framework.gaps import DRIVER, FFMPEG, claims_native
from venvsmith.rules.framework.mends import installed
from venvsmith.rules.framework.rule import Rule
from venvsmith.rules.framework.words import listing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.facts import MissingDlopen
    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context


class DlopenLibMissing(Rule):
    """A library is opened by name while the program runs, and only another major of it is here.

    ## What it looks for
    Versioned library names in the strings of compiled code (`libcudnn_ops_infer.so.8` in
    ctranslate2), which the target has under another version only. Nothing else shows them: they are
    no NEEDED entries, and the import works.

    ## Why it happens
    ctranslate2 up to 4.4 opens cuDNN 8 and torch brings cuDNN 9; a wheel for CUDA 12 opens
    `libcublas.so.12` on a base with CUDA 11 or 13. It fails at the first use of the device.

    ## How to see it by hand
    `strings -a libctranslate2*.so | grep '^libcu.*[.]so'`

    ## How to mend it
    Take the version that fits what is there:

        RUN uv pip install --python /venv/bin/python 'ctranslate2>=4.5'

    ## When it is fine
    Where that device is never used.
    """

    name = "dlopen-lib-missing"
    code = "VS408"
    claims = IMPORTS | {"command-failed"}

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Group by the object that opens them."""
        groups: defaultdict[str, list[MissingDlopen]] = defaultdict(list)
        for item in ctx.env.missing_dlopens:
            if not DRIVER.match(item.wanted) and not FFMPEG.match(item.wanted):
                groups[item.by].append(item)
        for by, items in sorted(groups.items()):
            dist = ctx.view.dist_at(by)
            who = f"{dist.name} {dist.version}" if dist else by
            present = [p.rpartition("/")[2] for item in items for p in item.present]
            has = f"only {listing(dict.fromkeys(present))} is" if present else "none is"
            yield self.finding(
                ctx,
                subject=items[0].wanted,
                message=(
                    f"{who} opens {listing(i.wanted for i in items)} while it runs; {has} here."
                ),
                cause="It was built for another major version of that library.",
                fix=_fix(ctx, dist.name if dist else "", items),
                evidence={
                    "by": by,
                    "wanted": [i.wanted for i in items],
                    "present": [p for i in items for p in i.present],
                    "distribution": dist.name if dist else None,
                },
            )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim failures that name one of them."""
        return claims_native(finding, other, ctx, *(str(w) for w in finding.evidence["wanted"]))


def _fix(ctx: Context, name: str, items: list[MissingDlopen]) -> str:
    wanted = items[0].wanted
    if name == "ctranslate2" and "cudnn" in wanted and wanted.endswith(".so.8"):
        return f"{installed(ctx, 'ctranslate2>=4.5')} (cuDNN 9), or keep cuDNN 8"
    major = wanted.rpartition(".so.")[2]
    return (
        f"Install the package that brings {wanted} (major {major}), or a {name or 'build'} for it"
    )
