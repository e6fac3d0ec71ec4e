"""Pushing a family: the content of all images first, their tags when all of it is there.

A registry moves a tag when it gets a manifest under it, which needs all layers to be there. So each
image goes ahead under a tag of its own content, ``venvsmith-<digest>``; a failure until then moves
no tag that anybody uses. The real tags follow, each a manifest of some kilobytes. What has arrived
stays, so that another run goes on where this one stopped.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TYPE_CHECKING

from venvsmith.engine import call, forget, inspect_image
from venvsmith.errors import UsageError, VenvsmithError
from venvsmith.push.engine import Docker
from venvsmith.push.login import docker_environment, read_logins
from venvsmith.push.model import (
    UNKNOWN,
    Content,
    ContentStatus,
    PushError,
    Shipment,
    Summary,
    Tag,
    TagStatus,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from venvsmith.model.plan import Plan

__all__ = ["Content", "PushError", "Shipment", "Summary", "Tag", "gather", "push_family"]

MAKES_A_LAYER = ("WORKDIR", "COPY", "ADD", "RUN")
"""Instructions that make one even where it holds no bytes."""
THREADS = 4
"""Tags that are looked up at a time."""


def gather(plans: Sequence[Plan]) -> list[Shipment]:
    """Return what the engine holds of these images, and where it is to go.

    :param plans: each with a tag in a registry (`plan.pushable`).
    :raises UsageError: where an image was not built here, or is for several platforms, of which an
        engine holds one.
    """
    shipments: list[Shipment] = []
    missing: list[Plan] = []
    for plan in plans:
        if plan.platforms[1:]:
            raise UsageError(
                f"it is for {' and '.join(map(str, plan.platforms))}, and an engine holds one",
                where=f"images.{plan.image}",
                hint="'venvsmith build --push' with a --builder for them pushes all as one",
                code="several-platforms",
            )
        try:
            found = inspect_image(plan.tags[0])
        except UsageError:
            missing.append(plan)
            continue
        labels = (found.get("Config") or {}).get("Labels") or {}
        if labels.get("dev.venvsmith.image") != plan.image:
            missing.append(plan)
            continue
        shipments += _shipments(plan, found)
    if missing:
        images = " ".join(dict.fromkeys(plan.image for plan in missing))
        raise UsageError(
            f"not built on this engine: {', '.join(plan.tags[0] for plan in missing)}",
            hint=f"run 'venvsmith build {images}'",
            code="not-built",
        )
    return shipments


def push_family(
    shipments: Sequence[Shipment], *, env_file: Path | None, say: Callable[[str], None]
) -> Summary:
    """Push images, then move their tags.

    :param env_file: where the login stands; docker's own where None.
    :param say: told how far it is, line by line.
    :return: what came of each image and each tag; failures of the registry are in it.
    :raises UsageError: for a file without a login.
    :raises SurroundingsError: where there is no engine.
    """
    hosts = {one.host for one in shipments}
    logins = read_logins(env_file, hosts) if env_file is not None else ()
    secrets = tuple(text for login in logins for text in (login.password, login.basic))
    with docker_environment(logins) as variables:
        docker = Docker(variables=variables, secrets=secrets, say=say, stop=Event())
        return _Push(docker=docker, shipments=shipments, say=say).run()


def _shipments(plan: Plan, found: Mapping[str, object]) -> list[Shipment]:
    """Return one shipment for each repository that an image goes to."""
    root: Mapping[str, object] = found.get("RootFS") or {}  # type: ignore[assignment]
    digests: list[str] = found.get("RepoDigests") or []  # type: ignore[assignment]
    layers: list[str] = root.get("Layers") or []  # type: ignore[assignment]
    image_id = str(found["Id"])
    repositories: dict[tuple[str, str], list[str]] = {}
    for tag in plan.registry_tags:
        repositories.setdefault((tag.host, tag.repository), []).append(str(tag))
    sizes = dict(zip(layers, _sizes(image_id, len(layers)), strict=True))
    size = sum(sizes.values()) or int(str(found.get("Size") or 0))
    return [
        Shipment(
            name=plan.name,
            host=host,
            repository=repository,
            tags=tuple(tags),
            image_id=image_id,
            digests=frozenset(
                text.rpartition("@")[2] for text in digests if text.startswith(f"{repository}@")
            ),
            layers=sizes,
            size=size,
        )
        for (host, repository), tags in repositories.items()
    ]


def _sizes(image_id: str, count: int) -> list[int]:
    """Return the uncompressed size of each layer, or zeros where they cannot be told apart.

    Most lines of a history without a size are no layers, but settings; folders made are.
    """
    done = call("history", "--human=false", "--format", "{{.Size}} {{.CreatedBy}}", image_id)
    rows = [line.partition(" ") for line in reversed(done.text.splitlines())]
    sizes = [int(size) for size, _, by in rows if size != "0" or by.startswith(MAKES_A_LAYER)]
    return sizes if done.returncode == 0 and len(sizes) == count else [0] * count


class _Push:
    """One run of a push."""

    def __init__(
        self, *, docker: Docker, shipments: Sequence[Shipment], say: Callable[[str], None]
    ) -> None:
        self.docker = docker
        self.shipments = shipments
        self.say = say
        self.out_of_order: set[str] = set()
        """Registries that have failed: what else is meant for them is not tried."""

    def run(self) -> Summary:
        before, contents = self._look_up(), []
        for number, shipment in enumerate(self.shipments, 1):
            at = f"[{number}/{len(self.shipments)}] {shipment.name} to {shipment.repository}"
            contents.append(self._content(shipment, before, at=at))
        failed = any(content.status in {"failed", "not-tried"} for content in contents)
        tags = self._tags(contents, before, hold=failed)
        return Summary(contents=tuple(contents), tags=tuple(tags))

    def _look_up(self) -> dict[str, str | VenvsmithError | None]:
        """Return what each tag stands for now, or why its registry cannot be asked."""
        failed: dict[str, VenvsmithError] = {}
        hosts = {tag: shipment.host for shipment in self.shipments for tag in shipment.tags}

        def ask(tag: str) -> str | VenvsmithError | None:
            host = hosts[tag]
            if host in failed:
                return failed[host]
            try:
                return self.docker.look_up(tag)
            except VenvsmithError as error:
                error.where = host  # whichever tag was the first to ask
                return failed.setdefault(host, error)

        with ThreadPoolExecutor(THREADS) as pool:
            try:
                return dict(zip(hosts, pool.map(ask, hosts), strict=True))
            except BaseException:
                self.docker.stop.set()
                raise

    def _content(
        self,
        shipment: Shipment,
        before: Mapping[str, str | VenvsmithError | None],
        *,
        at: str,
    ) -> Content:
        """Push what an image is made of, where it is not there."""
        if shipment.host in self.out_of_order:
            return Content(shipment=shipment, status="not-tried")
        now = [before[tag] for tag in shipment.tags]
        for found in now:
            if isinstance(found, VenvsmithError):
                self.out_of_order.add(shipment.host)
                return Content(shipment=shipment, status="failed", error=found)
        if shipment.digests.issuperset(now):
            self.say(f"{at}: there already")
            return Content(shipment=shipment, status="there")
        told = f", {shipment.size / 1e6:.1f} MB" if shipment.size else ""
        self.say(f"{at}: {len(shipment.layers)} layers{told}")
        tag = shipment.content_tag
        try:
            pushed = self.docker.push(
                shipment.image_id, tag, layers=shipment.layers, size=shipment.size
            )
        except VenvsmithError as error:
            if error.exit_code != 1:
                self.out_of_order.add(shipment.host)
            return Content(shipment=shipment, status="failed", error=error)
        finally:
            forget(tag)
        status: ContentStatus = "pushed" if pushed.layers.keys() - {"there"} else "there"
        return Content(shipment=shipment, status=status, pushed=pushed)

    def _tags(
        self,
        contents: Sequence[Content],
        before: Mapping[str, str | VenvsmithError | None],
        *,
        hold: bool,
    ) -> list[Tag]:
        """Move the real tags, in order, until one fails."""
        tags: list[Tag] = []
        for shipment, tag in ((c.shipment, tag) for c in contents for tag in c.shipment.tags):
            known = before[tag]
            was = known if isinstance(known, str) else UNKNOWN
            if was in shipment.digests:
                tags.append(Tag(tag=tag, status="there", before=was, after=was))
            elif hold:
                tags.append(Tag(tag=tag, status="not-moved", before=was, after=was))
            else:
                tags.append(self._move(shipment, tag, known))
                hold = tags[-1].error is not None
        return tags

    def _move(self, shipment: Shipment, tag: str, known: str | VenvsmithError | None) -> Tag:
        was = known if isinstance(known, str) else UNKNOWN
        try:
            digest = self.docker.push(shipment.image_id, tag, layers={}, size=0).digest
        except VenvsmithError as error:
            return Tag(tag=tag, status="failed", before=was, after=was, error=error)
        if digest == was:
            return Tag(tag=tag, status="there", before=was, after=was)
        status: TagStatus = "new" if known == "" else "moved"
        self.say(f"{tag} is {digest}" + (f", was {was}" if was else ""))
        return Tag(tag=tag, status=status, before=was, after=digest)
