"""The stages in which an image for several platforms parts and joins again.

Each platform has its own layers and its own promises; all else is one. BuildKit picks by
``$TARGETARCH``, which holds the architecture that the image is for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from venvsmith.model.plan import BuildStage, CopyTree, Mount, Step
from venvsmith.model.project import Platform


def assembled(
    copies: Sequence[tuple[Platform | None, CopyTree]], platforms: Sequence[Platform]
) -> list[BuildStage]:
    """Return the stages that put an image together; the last one is ``assembled``.

    :param copies: what goes into it, each for one platform, or (None) for all of them.
    """
    title = "The image, but for the proof that it works."
    if len(platforms) == 1:
        trees = tuple(copy for _, copy in copies)
        return [
            BuildStage(name="assembled", parent="runtime", role="image", title=title, copies=trees)
        ]
    apart = [
        BuildStage(
            name=f"assembled-{platform.arch}",
            parent="runtime",
            role="image",
            title=f"What an image for {platform} holds.",
            copies=tuple(copy for own, copy in copies if own in {None, platform}),
            platform=platform,
        )
        for platform in platforms
    ]
    joined = BuildStage(
        name="assembled", parent="assembled", parent_by_platform=True, role="image", title=title
    )
    return [*apart, joined]


def rehearsal(
    promises: Mapping[Platform, Sequence[Mount]],
    *,
    scripts: Sequence[Mount],
    steps: tuple[Step, ...],
) -> list[BuildStage]:
    """Return the stages that try an image out; the last one is ``rehearsal``.

    :param promises: the manifests of the image's venvs on each platform, at the same targets.
    """
    title = "Does it work there, as its user, without a network?"
    if len(promises) == 1:
        (manifests,) = promises.values()
        return [
            BuildStage(
                name="rehearsal",
                parent="assembled",
                role="rehearsal",
                title=title,
                context=(*scripts, *manifests),
                steps=steps,
            )
        ]
    apart = [
        BuildStage(
            name=f"promised-{platform.arch}",
            parent="assembled",
            role="rehearsal",
            context=tuple(manifests),
            platform=platform,
        )
        for platform, manifests in promises.items()
    ]
    joined = BuildStage(
        name="rehearsal",
        parent="promised",
        parent_by_platform=True,
        role="rehearsal",
        title=title,
        context=tuple(scripts),
        steps=steps,
    )
    return [*apart, joined]
