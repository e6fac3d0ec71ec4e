"""The record of which distributions share a layer, as text: ``deltas/layers.json``."""

from __future__ import annotations

import json
from collections.abc import Iterable

from venvsmith.errors import UnsafeInputError
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


def parse_assignments(text: str, *, where: str) -> dict[str, Assignment]:
    """Read the record: stem of a lock to its layers.

    :param where: the file, for messages.
    :raises UnsafeInputError: where it is not of the form that `emit_assignments` writes.
    """
    try:
        content = json.loads(text)
        if content["schema"] != SCHEMA:
            raise ValueError(content["schema"])  # noqa: TRY301 - one message for all that is unsound
        found: dict[str, Assignment] = {}
        for stem, layers in content["stages"].items():
            for layer, names in layers.items():
                if layer != stem and not layer.startswith(f"{stem}."):
                    raise ValueError(layer)  # noqa: TRY301
                if not all(isinstance(name, str) for name in names):
                    raise TypeError(names)  # noqa: TRY301
            found[stem] = {layer: tuple(names) for layer, names in layers.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise UnsafeInputError(
            f"not a record of layers ({exc})",
            where=where,
            hint="delete it and render again",
            code="layers-malformed",
        ) from exc
    return found
