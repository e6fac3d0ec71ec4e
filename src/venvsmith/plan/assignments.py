"""The record of which distributions share a layer, as text: ``deltas/layers.json``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from venvsmith.lock.record import refuse_schema
from venvsmith.model.plan import Plan
from venvsmith.plan.layers import Assignment

SCHEMA = "venvsmith/layers/1"


def emit_assignments(plans: Iterable[Plan]) -> str:
    """Return the record of all layers of these plans."""
    stages: dict[str, dict[str, list[str]]] = {}
    for plan in plans:
        for layer in (layer for venv in plan.venvs for layer in venv.layers):
            names = [pin.name for pin in layer.pins]
            stages.setdefault(layer.stem, {})[layer.name] = names
    content = {"schema": SCHEMA, "stages": {stem: stages[stem] for stem in sorted(stages)}}
    return json.dumps(content, indent=1) + "\n"


def assignments_of(content: Any) -> dict[str, Assignment]:
    """Return the layers of each lock, by its stem, from the parsed record.

    :raises ValueError: where it is not of the form that `emit_assignments` writes; what looking
        into unexpected data raises is not caught here.
    """
    refuse_schema(content, SCHEMA)
    found: dict[str, Assignment] = {}
    for stem, layers in content["stages"].items():
        for layer, names in layers.items():
            if layer != stem and not layer.startswith(f"{stem}."):
                message = f"'{layer}' is no layer of '{stem}'"
                raise ValueError(message)
            if not all(isinstance(name, str) for name in names):
                message = f"'{layer}' holds what is no name"
                raise ValueError(message)
        found[stem] = {layer: tuple(names) for layer, names in layers.items()}
    return found
