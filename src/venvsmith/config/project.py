"""From the tables that were read to the model, and from there to what is implied.

Both steps take wrong configurations too (their mistakes are noted already, blanks stand in their
place), so that the checks that follow can tell what else is wrong.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from venvsmith.config.keys import PROJECT
from venvsmith.model.project import (
    AptSource,
    Base,
    BuildSettings,
    CopyFile,
    Image,
    Index,
    Platform,
    PreflightSettings,
    Project,
    Stage,
    Variant,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

Fields = dict[str, Any]


def project(document: Mapping[str, Any], *, file: Path) -> Project:
    """Return the configuration as written: order and variants are not settled yet.

    :param document: what ``keys.DOCUMENT`` read.
    :param file: the absolute path that it was read from.
    """
    head = document["project"]
    head = {**head, "venv": head.get("venv") or PROJECT.default("venv")}
    return Project(
        root=file.parent,
        file=file,
        indexes={
            name: Index(name=name, **fields) for name, fields in document.get("indexes", {}).items()
        },
        bases={name: _base(name, fields) for name, fields in document["bases"].items()},
        variants={name: _variant(name, fields) for name, fields in document["variants"].items()},
        stages={name: Stage(name=name, **fields) for name, fields in document["stages"].items()},
        images={
            name: _image(name, fields, venv=head["venv"], variants=document["variants"])
            for name, fields in document.get("images", {}).items()
        },
        build=BuildSettings(**document.get("build", {})),
        preflight=PreflightSettings(**document.get("preflight", {})),
        **head,
    )


def _base(name: str, fields: Fields) -> Base:
    image = fields.get("image", "")
    given = {"build": image, "runtime": image, **fields}
    given.pop("image", None)
    given["apt_sources"] = tuple(AptSource(**source) for source in given.get("apt_sources", ()))
    return Base(name=name, **given)


def _variant(name: str, fields: Fields) -> Variant:
    platforms = tuple(
        Platform(arch="arm64" if text.endswith("arm64") else "amd64")
        for text in fields["platforms"]
    )
    return Variant(name=name, **{**fields, "platforms": platforms})


def _image(name: str, fields: Fields, *, venv: str, variants: Iterable[str]) -> Image:
    given = {"venvs": {}, "variants": (), **fields}
    if isinstance(parent := given.get("parents"), str):
        given["parents"] = dict.fromkeys(variants, parent) if parent else {}
    if "stage" in given:
        given["venvs"] = {venv: given.pop("stage"), **given["venvs"]}
    given["copy"] = tuple(CopyFile(**copied) for copied in given.get("copy", ()))
    return Image(name=name, **given)


def settle(draft: Project) -> Project:
    """Return the project with stages and images parents first, and all their variants.

    Who names an unknown parent, or stands in a cycle, counts as having none.
    """
    stages: dict[str, Stage] = {}
    for name in parents_first({s.name: [s.extends or ""] for s in draft.stages.values()}):
        stage = draft.stages[name]
        own = _known(stage.variants, draft)
        parent = stages.get(stage.extends or "")
        allowed = draft.variants if parent is None else parent.variants
        stages[name] = replace(
            stage,
            variants=tuple(v for v in draft.variants if v in own and v in allowed),
        )
    images: dict[str, Image] = {}
    for name in parents_first({i.name: i.parents.values() for i in draft.images.values()}):
        image = draft.images[name]
        held = [stages[stage].variants for stage in image.venvs.values() if stage in stages]
        own = _known(image.variants, draft)
        variants = tuple(
            v for v in draft.variants if v in own and all(v in others for others in held)
        )
        parents = {v: image.parents[v] for v in variants if v in image.parents}
        images[name] = replace(image, variants=variants, parents=parents)
    return replace(draft, stages=stages, images=images)


def _known(variants: Sequence[str], draft: Project) -> Sequence[str]:
    """Return those that exist, or all where none is named rightly."""
    return [name for name in variants if name in draft.variants] or tuple(draft.variants)


def parents_first(parents: Mapping[str, Iterable[str]]) -> list[str]:
    """Return the names with parents before children, otherwise in their order.

    :param parents: names and their parents, which need not be known and may form cycles.
    """
    order: dict[str, None] = {}
    for start in parents:
        chain = {start: iter(parents[start])} if start not in order else {}
        while chain:
            name = next(reversed(chain))
            parent = next(chain[name], None)
            if parent is None:
                order[name] = None
                del chain[name]
            elif parent in parents and parent not in order and parent not in chain:
                chain[parent] = iter(parents[parent])
    return list(order)


def cycles(parents: Mapping[str, str | None]) -> list[list[str]]:
    """Return each cycle once, as names each of which is the child of the next."""
    found: list[list[str]] = []
    done: set[str] = set()
    for start in parents:
        chain: list[str] = []
        name: str | None = start
        while name is not None and name in parents and name not in done and name not in chain:
            chain.append(name)
            name = parents[name]
        if name is not None and name in chain:
            found.append(chain[chain.index(name) :])
        done.update(chain)
    return found
