"""tree-differs."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, ClassVar

from venvsmith.rules.framework.rule import Need, Rule
from venvsmith.rules.framework.words import count, listing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from venvsmith.model.facts import BuiltTree
    from venvsmith.model.finding import Finding, Severity
    from venvsmith.rules.framework.context import Context

_WORDS = {"added": "added", "removed": "removed", "changed": "changed", "mode": "with another mode"}


class TreeDiffers(Rule):
    """The environment is not, file by file, what was built.

    ## What it looks for
    Each layer of a venv that venvsmith built brings a list of its files: digest, mode, path, in
    `.venvsmith/tree/`. Every file and link of the venv is held against these lists, bytecode and
    scripts too, which no `RECORD` covers. What a `RECORD` does cover is told by
    record-hash-mismatch and record-files-missing. Where `locks/trees.json` has the digests of the
    lists from an earlier build of the same lock, on the same base (by its digest), with the same
    uv and minor of Python, the lists themselves are held against those.

    ## Why it happens
    A later Dockerfile line or a running container wrote into the venv: an install, a patch,
    bytecode of another Python, a cache. Where a list differs from `locks/trees.json`, the layer
    was built otherwise: as a rule from a package that is built from source and not the same bytes
    each time, or by somebody who changed a step.

    ## How to see it by hand
    `sha256sum FILE`, and the line of that file in `/venv/.venvsmith/tree/`.

    ## How to mend it
    Leave the venv as it was built: declare what is to be in it, lock and build again. For a list
    that differs:

        venvsmith build --check-reproducible

    ## When it is fine
    In an image that is built on this one and adds to its venv on purpose.
    """

    name = "tree-differs"
    code = "VS230"
    severity: ClassVar[Severity] = "warning"
    needs: ClassVar[frozenset[Need]] = frozenset({"hashes"})

    def check(self, ctx: Context) -> Iterator[Finding]:
        """Compare what is there, and then where it came from."""
        built = ctx.env.built
        if built is None:
            return
        yield from self._files(ctx, built)
        for name, found in built.layers.items():
            digest = ctx.expected.trees.get(f"{ctx.env.path}:{name}")
            if digest is not None and found != digest:
                yield self.finding(
                    ctx,
                    subject=name,
                    message=f"Layer {name} is not the one that was recorded for this lock.",
                    cause=(
                        "It was built otherwise, from the same base and uv: as a rule a package"
                        " that is built from source and not the same bytes each time."
                    ),
                    fix=(
                        "venvsmith build --check-reproducible; where the other build is right,"
                        " delete its entry in trees.json"
                    ),
                    severity="error",
                    evidence={"recorded": digest, "found": found},
                )

    def _files(self, ctx: Context, built: BuiltTree) -> Iterator[Finding]:
        if built.problem:
            yield self.finding(
                ctx,
                subject=ctx.env.path,
                message=f"What was built cannot be told: {built.problem}.",
                cause="Somebody wrote to .venvsmith after the build.",
                fix="venvsmith build",
            )
            return
        told = {p.path for dist in ctx.env.distributions for p in dist.record_problems}
        found = [each for each in built.differences if each.path not in told]
        if not found:
            return
        kinds = Counter[str](each.kind for each in found)
        start = ctx.env.path.rstrip("/") + "/"
        names = [each.path.removeprefix(start) for each in found]
        what = ", ".join(f"{kinds[kind]} {word}" for kind, word in _WORDS.items() if kinds[kind])
        only_bytecode = all(n.endswith(".pyc") for n in names) and set(kinds) == {"added"}
        more = built.difference_count - len(built.differences)
        yield self.finding(
            ctx,
            subject=ctx.env.path,
            message=(
                f"{count(len(found) + more, 'file')} of {ctx.env.path}"
                f" {'differs' if len(found) + more == 1 else 'differ'} from what was built"
                f" ({what}): {listing(names)}."
            ),
            cause="Something wrote into the venv after it was built.",
            fix="Declare what is to be in it, then: venvsmith lock && venvsmith build",
            severity="info" if only_bytecode else "warning",
            evidence={"files": [[each.kind, each.path] for each in found[:200]]},
        )
