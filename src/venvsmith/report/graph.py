"""Stages, variants, images and sizes as one value, and as a tree to read. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from venvsmith.lock import sizes_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from venvsmith.lock.sizes import Sizes
    from venvsmith.model.lock import Lock
    from venvsmith.model.project import LockKey, Project

SCHEMA = "venvsmith/graph/1"
MEGA = 1_000_000

Graph = dict[str, Any]


def project_graph(project: Project, locks: Mapping[LockKey, Lock], sizes: Sizes) -> Graph:
    """Return the graph as `--format json` writes it (docs/graph.md), in the configuration's order.

    :param locks: those that are there; a stage without one has no counts.
    :param sizes: what is recorded of the wheels' sizes.
    """
    return {
        "schema": SCHEMA,
        "project": project.name,
        "stages": [
            {
                "name": stage.name,
                "extends": stage.extends,
                "locks": [
                    _lock(key, locks.get(key), sizes)
                    for key in project.lock_keys()
                    if key.stage == stage.name
                ],
            }
            for stage in project.stages.values()
        ],
        "images": [
            {
                "name": image.name,
                "venvs": dict(image.venvs),
                "variants": [
                    {"name": name, "from": image.parents.get(name)} for name in image.variants
                ],
            }
            for image in project.images.values()
        ],
    }


def graph_json(graph: Graph) -> str:
    """Return the graph as JSON text."""
    return json.dumps(graph, indent=2) + "\n"


def graph_text(graph: Graph) -> str:
    """Return the graph as a tree: stages below what they extend, then the images."""
    lines = [graph["project"], "", "stages"]
    lines += _tree(graph["stages"], None, "")
    lines += ["", "images"]
    for image in graph["images"]:
        last = image is graph["images"][-1]
        lines.append(f"{'└── ' if last else '├── '}{_image_line(image)}")
    lines.append("")
    entries = [lock for stage in graph["stages"] for lock in stage["locks"]]
    if any(lock["packages"] is None for lock in entries):
        lines.append("Not everything is locked: run 'venvsmith lock'.")
    if any(lock["packages"] and lock["bytes"] is None for lock in entries):
        lines.append(
            "Sizes are of wheels, compressed; 'venvsmith lock' records those missing here."
        )
    else:
        lines.append("Sizes are of wheels, compressed.")
    return "\n".join(lines) + "\n"


def _lock(key: LockKey, lock: Lock | None, sizes: Sizes) -> Graph:
    entry: Graph = {
        "variant": key.variant,
        "platform": str(key.platform),
        "packages": None,
        "bytes": None,
    }
    if lock is not None:
        known = sizes_of(sizes, key, lock.pins)
        entry["packages"] = len(lock.pins)
        if len(known) == len(lock.pins):
            entry["bytes"] = sum(known.values())
    return entry


def _tree(stages: Sequence[Graph], parent: str | None, indent: str) -> list[str]:
    below = [stage for stage in stages if stage["extends"] == parent]
    lines = []
    for stage in below:
        last = stage is below[-1]
        lines.append(f"{indent}{'└── ' if last else '├── '}{_stage_line(stage)}")
        lines += _tree(stages, stage["name"], indent + ("    " if last else "│   "))
    return lines


def _stage_line(stage: Graph) -> str:
    told = []
    for lock in stage["locks"]:
        one = sum(other["variant"] == lock["variant"] for other in stage["locks"]) == 1
        name = lock["variant"] if one else f"{lock['variant']} {lock['platform']}"
        if lock["packages"] is None:
            told.append(f"{name}: not locked")
            continue
        size = "" if lock["bytes"] is None else f", {lock['bytes'] / MEGA:,.1f} MB"
        count = f"{lock['packages']} package{'' if lock['packages'] == 1 else 's'}"
        told.append(f"{name}: {count}{size}")
    return f"{stage['name']}  ({'; '.join(told)})" if told else stage["name"]


def _image_line(image: Graph) -> str:
    venvs = ", ".join(f"{path} = {stage}" for path, stage in image["venvs"].items())
    variants = [
        variant["name"] + (f" on {variant['from']}" if variant["from"] else "")
        for variant in image["variants"]
    ]
    return f"{image['name']}  ({venvs}; {', '.join(variants)})"
