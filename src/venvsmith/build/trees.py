"""Holding a build against the one that is recorded, and recording it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from venvsmith.files import write_files
from venvsmith.lock import emit_pins
from venvsmith.lock.trees import (
    BuiltLayer,
    built_with,
    emit_trees,
    pins_digest,
    read_trees,
    stage_key,
    tree_key,
    trees_path,
)
from venvsmith.model.expected import Expected

if TYPE_CHECKING:
    from venvsmith.model.facts import Facts
    from venvsmith.model.plan import Layer, Plan
    from venvsmith.model.project import Project


def expected_trees(project: Project, plan: Plan) -> tuple[Expected, ...]:
    """Return what each venv of a plan held when its layers were last built from the same.

    The same are the pins, the base's digest, uv and Python's minor: what differs in these may
    differ, and what a base of no known digest holds may be anything.
    """
    now = built_with(project, plan.variant)
    recorded = {key: entry for key, entry in read_trees(project).items() if entry.made_like(now)}
    found = []
    for venv in plan.venvs:
        trees: dict[str, str] = {}
        for layer in venv.layers:
            entry = recorded.get(stage_key(project, layer.stem, venv.path))
            known = entry.layers.get(layer.name) if entry is not None else None
            if known is not None and known.pins == _pins(layer):
                trees[tree_key(venv.path, layer.name)] = known.tree
        path = venv.path if len(plan.venvs) > 1 else None
        found.append(Expected(path=path, trees=trees))
    return tuple(found)


def record_trees(project: Project, plan: Plan, facts: Facts) -> bool:
    """Record what the layers of a built image hold; return whether the record has changed.

    :param facts: of the image.
    """
    context = built_with(project, plan.variant)
    stems = {key.stem for key in project.lock_keys()}
    record = {
        key: entry for key, entry in read_trees(project).items() if key.partition("@")[0] in stems
    }
    envs = {env.path: env for env in facts.environments}
    for venv in plan.venvs:
        env = envs.get(venv.path)
        if env is None or env.built is None or env.built.problem:
            continue
        run = env.interpreter.run if env.interpreter is not None else None
        python = (run.version if run is not None else None) or ""
        stages: dict[str, dict[str, BuiltLayer]] = {}
        for layer in venv.layers:
            tree = env.built.layers.get(layer.name)
            if tree is not None:
                built = BuiltLayer(pins=_pins(layer), tree=tree)
                stages.setdefault(layer.stem, {})[layer.name] = built
        for stem, layers in stages.items():
            key = stage_key(project, stem, venv.path)
            record[key] = replace(context, python=python, layers=layers)
    return bool(write_files({trees_path(project): emit_trees(record).encode()}))


def _pins(layer: Layer) -> str:
    return pins_digest(emit_pins(layer.pins).encode())
