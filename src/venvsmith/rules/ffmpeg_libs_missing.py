"""ffmpeg-libs-missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvsmith.rules.framework.follows import IMPORTS, failing_names, text_of
from venvsmith.rules.framework.gaps import FFMPEG
from venvsmith.rules.framework.rule import Rule
from venvsmith.rules.framework.words import listing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context


class FfmpegLibsMissing(Rule):
    """torchcodec needs FFmpeg's shared libraries, and no major that it knows is here.

    ## What it looks for
    The majors of `libavutil` and its kin that torchcodec's own libraries are built for, against
    what the target has. One of them suffices; the wheel brings none.

    ## Why it happens
    Slim images have no FFmpeg, or only a static `ffmpeg` program without libraries; or a newer
    FFmpeg than this torchcodec knows. `pyannote.audio` imports all the same, with a warning, and
    decoding fails.

    ## How to see it by hand
    `python -c "import torchcodec"` says "Could not load libtorchcodec".

    ## How to mend it
    In the final stage, Debian's package brings the libraries:

        RUN apt-get update && apt-get install -y --no-install-recommends ffmpeg

    ## When it is fine
    Never where torchcodec is to decode something. torchaudio's own FFmpeg parts are optional and
    not counted.
    """

    name = "ffmpeg-libs-missing"
    code = "VS409"
    claims = IMPORTS | {
        "command-failed", "binary-missing", "native-lib-missing", "libpython-missing",
    }  # fmt: skip

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Look whether any of torchcodec's alternatives is satisfied."""
        dist = ctx.view.by_name.get("torchcodec")
        if dist is None:
            return
        majors: dict[str, list[str]] = {}
        for elf in ctx.env.elves:
            if "/torchcodec/" not in elf.path:
                continue
            needed = [name for name in elf.needed if FFMPEG.match(name)]
            if needed:
                majors[elf.path] = needed
        if not majors:
            return
        libraries = ctx.facts.system.libraries
        loader = {n for names in ctx.facts.system.library_path.values() for n in names}
        inside = {elf.soname for elf in ctx.env.elves}
        if any(
            all(name in libraries or name in loader or name in inside for name in needed)
            for needed in majors.values()
        ):
            return
        known = sorted(
            {name for n in majors.values() for name in n if name.startswith("libavutil")}
        )
        have = sorted(name for name in libraries if name.startswith("libavutil.so."))
        yield self.finding(
            ctx,
            subject="torchcodec",
            message=(
                f"torchcodec {dist.version} needs FFmpeg's libraries, one of {listing(known, 8)}; "
                + (f"only {listing(have)} is here." if have else "none is here.")
            ),
            cause=(
                "This FFmpeg is of a major that this torchcodec does not know."
                if have
                else f"No wheel brings them, and FFmpeg is not installed {ctx.within}."
            ),
            fix=(
                "RUN uv pip install --upgrade torchcodec together with the torch that it goes with"
                if have
                else "RUN apt-get update && apt-get install -y --no-install-recommends ffmpeg"
            ),
            evidence={"alternatives": known, "present": have},
        )

    def explains(self, finding: Finding, other: Finding, ctx: Context) -> bool:
        """Claim failures of torchcodec, and the libraries as absent ones."""
        if other.rule in {"native-lib-missing", "libpython-missing"}:
            return FFMPEG.match(other.subject) is not None or "/torchcodec/" in other.subject
        if other.rule not in IMPORTS | {"command-failed", "binary-missing"}:
            return False
        said = text_of(other) + other.message
        return (
            "torchcodec" in failing_names(other, ctx)
            or "libtorchcodec" in said
            or (other.rule == "binary-missing" and other.subject == "ffmpeg")
        )
