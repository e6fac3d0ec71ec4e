"""What each stage's layers held when they were built, recorded beside the locks.

``trees.json`` has the digest of the list of files that each layer carries, keyed by the stem of
the stage's lock, ``torch.cuda`` (with the venv's path where it is not the project's own,
``torch.cuda@/venvs/asr``, as scripts carry it). Another machine's build, or a later one, is held
against it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from venvsmith.lock.bases import read_bases
from venvsmith.lock.record import read_record, refuse_schema
from venvsmith.lock.store import find_tools

if TYPE_CHECKING:
    from pathlib import Path

    from venvsmith.model.project import Project

TREES_NAME = "trees.json"
SCHEMA = "venvsmith/trees/1"


@dataclass(frozen=True, kw_only=True, slots=True)
class BuiltLayer:
    """One layer as it was built.

    :param pins: digest of its pins (`pins_digest`); with others the record says nothing.
    :param tree: digest of its list of files.
    """

    pins: str
    tree: str


@dataclass(frozen=True, kw_only=True, slots=True)
class BuiltStage:
    """The layers of one stage in one variant, and what they were built with.

    :param base: the build base's digest, empty where it is not pinned.
    :param uv: version of the uv that installed, empty where pip did.
    :param python: the interpreter's version: in full where it is recorded, else its minor.
    """

    base: str = ""
    uv: str = ""
    python: str = ""
    layers: Mapping[str, BuiltLayer] = field(default_factory=dict)

    def made_like(self, other: BuiltStage) -> bool:
        """Return whether equal pins give equal layers in both; nobody knows it of unknown bases."""
        ours, theirs = ((each.base, each.uv, each.python.split(".")[:2]) for each in (self, other))
        return bool(self.base) and ours == theirs


def built_with(project: Project, variant: str) -> BuiltStage:
    """Return what a variant's stages are built with now, no layer among it."""
    image = project.bases[project.variants[variant].base].build
    tools = (find_tools(project) or ()) if project.installer == "uv" else ()
    return BuiltStage(
        base=image.partition("@")[2] or read_bases(project).get(image, ""),
        uv=next((pin.version for pin in tools if pin.name == "uv"), ""),
        python=project.python,
    )


def trees_path(project: Project) -> Path:
    """Return where the record lies."""
    return project.root / project.locks / TREES_NAME


def pins_digest(text: bytes) -> str:
    """Return the digest of a layer's pins, as they stand in ``deltas/``."""
    return f"sha256:{hashlib.sha256(text).hexdigest()}"


def read_trees(project: Project) -> dict[str, BuiltStage]:
    """Return the recorded stages by their keys (`stage_key`); empty where nothing is recorded.

    :raises UnsafeInputError: where the file is not what `emit_trees` writes.
    """
    found = read_record(
        trees_path(project),
        _stages,
        root=project.root,
        what="built trees",
        hint="delete it and build again",
        code="trees-malformed",
    )
    return found or {}


def emit_trees(stages: Mapping[str, BuiltStage]) -> str:
    """Return the record's text: equal records give equal text."""
    content = {"schema": SCHEMA, "stages": {stem: asdict(each) for stem, each in stages.items()}}
    return json.dumps(content, indent=1, sort_keys=True) + "\n"


def stage_key(project: Project, stem: str, venv: str) -> str:
    """Return under which key a stage's layers in a venv are recorded."""
    return stem if venv == project.venv else f"{stem}@{venv}"


def tree_key(venv: str, layer: str) -> str:
    """Return under which key `Expected.trees` has a layer of a venv."""
    return f"{venv}:{layer}"


def recorded_trees(project: Project) -> dict[str, str]:
    """Return the recorded digest of each layer that would be built from the same again.

    The same are the pins that `render` wrote, the base's digest, uv and Python's minor.

    :return: by `tree_key`.
    :raises UnsafeInputError: where the record is malformed.
    """
    found: dict[str, str] = {}
    variants = {key.stem: key.variant for key in project.lock_keys()}
    for key, stage in read_trees(project).items():
        stem, _, path = key.partition("@")
        if stem not in variants or not stage.made_like(built_with(project, variants[stem])):
            continue
        venv = path or project.venv
        for name, layer in stage.layers.items():
            delta = project.root / project.output / "deltas" / f"{name}.txt"
            if delta.is_file() and pins_digest(delta.read_bytes()) == layer.pins:
                found[tree_key(venv, name)] = layer.tree
    return found


def _stages(content: Any) -> dict[str, BuiltStage]:
    refuse_schema(content, SCHEMA)
    return {
        str(stem): BuiltStage(
            base=str(entry["base"]),
            uv=str(entry["uv"]),
            python=str(entry["python"]),
            layers={
                str(name): BuiltLayer(pins=str(layer["pins"]), tree=str(layer["tree"]))
                for name, layer in entry["layers"].items()
            },
        )
        for stem, entry in content["stages"].items()
    }
