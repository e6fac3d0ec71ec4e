"""What must hold between the parts of a configuration: references, cycles, images on images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from venvsmith.config.project import cycles
from venvsmith.config.tags import check_tags, expand
from venvsmith.config.wording import join, shown, suggestion

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from venvsmith.config.kinds import Problems
    from venvsmith.model.project import Image, Project


def references(draft: Project) -> Iterator[tuple[str, str]]:
    """Yield a problem for each name of something that is not there, and for each cycle."""
    for variant in draft.variants.values():
        yield from _unknown(
            f"{join('variants', variant.name)}.base", variant.base, draft.bases, "base"
        )
    for stage in draft.stages.values():
        path = join("stages", stage.name)
        yield from _unknown(f"{path}.extends", stage.extends, draft.stages, "stage")
        yield from _unknown_variants(path, stage.variants, draft)
    for image in draft.images.values():
        path = join("images", image.name)
        for key, parent, own in _parents(image):
            yield from _unknown(key, parent, draft.images, "image")
            for name in own:
                yield from _unknown(join(f"{path}.from", name), name, draft.variants, "variant")
        yield from _unknown_variants(path, image.variants, draft)
        for venv, name in image.venvs.items():
            yield from _unknown(_venv_key(draft, image, venv), name, draft.stages, "stage")
    yield from _circles("stages", "extends", {s.name: s.extends for s in draft.stages.values()})
    told: set[tuple[str, str]] = set()
    for name in draft.variants:
        parents = {image.name: image.parents.get(name) for image in draft.images.values()}
        circles = [found for found in _circles("images", "from", parents) if found not in told]
        told.update(circles)
        yield from circles


def _circles(table: str, key: str, parents: Mapping[str, str | None]) -> Iterator[tuple[str, str]]:
    for cycle in cycles(parents):
        way = " -> ".join([*cycle, cycle[0]])
        yield f"{join(table, cycle[0])}.{key}", f"goes round in a circle: {way}"


def _parents(image: Image) -> list[tuple[str, str, list[str]]]:
    """Return what an image builds on: the key that names it, its name, in which variants."""
    key = f"{join('images', image.name)}.from"
    if len(set(image.parents.values())) == 1:
        return [(key, next(iter(image.parents.values())), list(image.parents))]
    return [(join(key, variant), name, [variant]) for variant, name in image.parents.items()]


def _unknown(
    path: str, name: str | None, known: Mapping[str, object], what: str
) -> Iterator[tuple[str, str]]:
    if name and name not in known:
        yield path, f"there is no {what} {shown(name)}; {suggestion(name, known)}"


def _unknown_variants(path: str, names: Iterable[str], draft: Project) -> Iterator[tuple[str, str]]:
    for index, name in enumerate(names):
        yield from _unknown(f"{path}.variants[{index}]", name, draft.variants, "variant")


def _venv_key(project: Project, image: Image, venv: str) -> str:
    """Return the path of the key that names a venv's stage."""
    path = join("images", image.name)
    if venv == project.venv and len(image.venvs) == 1:
        return f"{path}.stage"
    return join(f"{path}.venvs", venv)


def coherence(draft: Project, project: Project) -> Problems:
    """Return what is wrong between parts whose references are right.

    :param draft: the configuration as written.
    :param project: the same, settled.
    """
    return [
        *_folders(project),
        *_bases(project),
        *_indexes(project),
        *_stages(project),
        *_names(project),
        *(
            problem
            for image in project.images.values()
            for problem in _image(draft, project, image)
        ),
        *check_tags(project),
        *_caches(project),
        *_origins(project),
    ]


def _caches(project: Project) -> Iterator[tuple[str, str]]:
    """Refuse a cache that each image would write over the one before."""
    pairs = [(image, variant) for image in project.images.values() for variant in image.variants]
    for index, template in enumerate(project.build.cache_to):
        places = {expand(template, image=image, variant=variant) for image, variant in pairs}
        if len(places) < len(pairs) and template and template != "type=inline":
            message = f"{len(pairs)} images would write it, each over the other's"
            yield f"build.cache-to[{index}]", f"{message}; put {{image}}-{{variant}} into it"


def _bases(project: Project) -> Iterator[tuple[str, str]]:
    """Refuse bases that are images of this file: what builds on those says so."""
    tags = {
        f"{image.name}:{variant}": image.name
        for image in project.images.values()
        for variant in image.variants
    }
    for base in project.bases.values():
        for key, reference in {"runtime": base.runtime, "build": base.build}.items():
            if reference in tags:
                message = f"{shown(reference)} is an image of this file"
                hint = f'write from = "{tags[reference]}" in the image that builds on it'
                yield f"{join('bases', base.name)}.{key}", f"{message}; {hint}"


def _folders(project: Project) -> Iterator[tuple[str, str]]:
    if project.locks == project.output and project.locks:
        yield "project.output", f"is the folder of the locks too, {shown(project.locks)}"


def _origins(project: Project) -> Iterator[tuple[str, str]]:
    for base in project.bases.values():
        path = join("bases", base.name)
        for number, source in enumerate(base.apt_sources):
            if source.key is not None and not source.key_sha256:
                message = "is nothing without `key-sha256`, the digest that it must have"
                yield f"{path}.apt-sources[{number}].key", message
        if base.python == "uv" and base.python_path is not None:
            message = 'with python = "uv" it lies where venvsmith puts it; leave this out'
            yield f"{path}.python-path", message
        if base.python != "uv" and base.uv_image is not None:
            yield f"{path}.uv-image", 'serves only python = "uv"'


def _indexes(project: Project) -> Iterator[tuple[str, str]]:
    claims = [
        (index, position, pattern)
        for index in project.indexes.values()
        for position, pattern in enumerate(index.packages)
        if pattern
    ]
    for number, (index, position, pattern) in enumerate(claims):
        for other, _, claimed in claims[:number]:
            if other is not index and _overlap(pattern, claimed):
                path = f"{join('indexes', index.name)}.packages[{position}]"
                both = f"{shown(pattern)} and {shown(claimed)} of indexes.{other.name}"
                yield path, f"{both} claim the same names; each may come from one index only"


def _overlap(first: str, second: str) -> bool:
    """Return whether some name matches both patterns (``*`` stands for any characters)."""
    todo = [(0, 0)]
    seen = set(todo)
    while todo:
        i, j = todo.pop()
        if i == len(first) and j == len(second):
            return True
        steps = []
        a, b = first[i : i + 1], second[j : j + 1]
        if a == "*":
            steps += [(i + 1, j), *([(i, j + 1)] if b else [])]
        if b == "*":
            steps += [(i, j + 1), *([(i + 1, j)] if a else [])]
        if a and a == b:
            steps.append((i + 1, j + 1))
        new = [step for step in steps if step not in seen]
        seen.update(new)
        todo += new
    return False


def _stages(project: Project) -> Iterator[tuple[str, str]]:
    for stage in project.stages.values():
        parent = project.stages.get(stage.extends or "")
        if not stage.variants and parent is not None and parent.variants:
            held = ", ".join(parent.variants)
            message = f"none is left: {shown(parent.name)}, which it extends, has {held}"
            yield f"{join('stages', stage.name)}.variants", message


def _names(project: Project) -> Iterator[tuple[str, str]]:
    """Refuse stages and variants whose lockfiles would bear one name."""
    owners: dict[str, str] = {}
    for key in project.lock_keys():
        owner = f"{shown(key.stage)} in {shown(key.variant)} on {key.platform}"
        for filename in (key.filename, key.pylock_filename):
            taken = owners.setdefault(filename, owner)
            if taken != owner:
                path = join("stages", key.stage)
                yield path, f"{owner} and {taken} would share the lockfile {filename}; rename one"


def _image(draft: Project, project: Project, image: Image) -> Iterator[tuple[str, str]]:
    path = join("images", image.name)
    venvs = sorted(image.venvs)
    for outer in venvs:
        for inner in venvs:
            if inner.startswith(f"{outer}/"):
                yield join(f"{path}.venvs", inner), f"lies inside the venv {shown(outer)}"
    written = draft.images[image.name].variants
    for index, variant in enumerate(written):
        for stage in dict.fromkeys(image.venvs.values()):
            known = project.stages.get(stage)
            if variant in project.variants and known is not None and variant not in known.variants:
                has = f"it has {', '.join(known.variants)}" if known.variants else "it has none"
                message = f"the stage {shown(stage)} lacks the variant {shown(variant)}; {has}"
                yield f"{path}.variants[{index}]", message
    if not image.variants and not written:
        yield f"{path}.variants", "its stages have no variant in common"
    for key, name, variants in _parents(image):
        parent = project.images.get(name)
        if parent is not None and parent is not image:
            yield from _on_parent(project, image, parent, path=key, variants=variants)


def _on_parent(
    project: Project, image: Image, parent: Image, *, path: str, variants: list[str]
) -> Iterator[tuple[str, str]]:
    missing = [variant for variant in variants if variant not in parent.variants]
    if missing:
        listed = ", ".join(map(shown, missing))
        yield path, f"{shown(parent.name)} is not built in {listed}; limit `variants` to its own"
    if set(image.venvs) != set(parent.venvs):
        theirs = ", ".join(sorted(parent.venvs))
        yield path, f"{shown(parent.name)} has its venv at {theirs}; the paths must be the same"
    for venv, stage in image.venvs.items():
        below = parent.venvs.get(venv)
        known = stage in project.stages and below in project.stages
        if known and below not in _lineage(project, stage):
            yield path, f"its stage {shown(below or '')} is no ancestor of {shown(stage)}"


def _lineage(project: Project, stage: str) -> list[str]:
    """Return the stage and its ancestors, as far as they are known and no cycle closes."""
    chain: list[str] = []
    name: str | None = stage
    while name is not None and name in project.stages and name not in chain:
        chain.append(name)
        name = project.stages[name].extends
    return chain
