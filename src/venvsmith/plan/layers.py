"""Which distributions share an image layer.

What changes is pushed and pulled again, and the layer is the unit of that. `cut_layers` keeps the
bytes that a new version of some distribution costs small; what it decided once it keeps, so that a
new version changes one layer and reshuffles none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate

from venvsmith.data.units import unit_of
from venvsmith.model.lock import Pin
from venvsmith.model.plan import Layer
from venvsmith.model.project import LayerCut, Project

MAX_STAGE_LAYERS = 20
"""Layers of one stage in one variant: with more the gain is below what a layer costs."""
MAX_IMAGE_LAYERS = 60
"""Layers of all venvs of an image; overlayfs and docker take 127, the base's included."""
MAX_LAYER_BYTES = 4_000_000_000
"""Compressed size of a layer of several distributions. Registries refuse 10 GB and more, and
bytecode comes on top of what the wheels hold."""
CHANGE = 0.01
"""How probable it is that a release of the project brings a new version of one unit."""
LAYER_COST = 300_000
"""Bytes that a layer costs in each release although it has not changed: one round trip of 25 ms
at 100 Mbit/s."""

Assignment = Mapping[str, tuple[str, ...]]
"""Layer name to the names of its distributions, in the order in which layers are stacked."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Layering:
    """What cuts depend on besides the locks.

    :param sizes: stem of a lock to name to compressed bytes of the wheel.
    :param earlier: stem of a lock to the assignment that is in use.
    :param limits: stage to the most layers that it may have.
    """

    sizes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    earlier: Mapping[str, Assignment] = field(default_factory=dict)
    limits: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Item:
    """What is not cut: a unit, a part of one that is too large, or one distribution."""

    name: str
    names: tuple[str, ...]
    size: int


def cut_layers(
    pins: tuple[Pin, ...], *, stage: str, stem: str, cut: LayerCut, layering: Layering | None = None
) -> tuple[Layer, ...]:
    """Cut what one stage adds into layers, whose union is exactly ``pins``.

    What is cut anew stands with the largest first; layers that stay keep their order.
    """
    layering = layering or Layering()
    by_name = {pin.name: pin for pin in pins}
    if cut == "stage":
        assignment: Assignment = {stem: tuple(by_name)} if pins else {}
    else:
        assignment = assign(
            by_name,
            stem=stem,
            sizes=layering.sizes.get(stem, {}),
            earlier=layering.earlier.get(stem, {}),
            limit=layering.limits.get(stage, MAX_STAGE_LAYERS),
        )
    return tuple(
        Layer(name=name, stage=stage, pins=tuple(by_name[each] for each in sorted(names)))
        for name, names in assignment.items()
    )


def stage_limits(project: Project) -> dict[str, int]:
    """Return how many layers each stage may have, so that no image has more than its limit.

    The layers of an image are shared out evenly over all stages of all its venvs.
    """
    limits = dict.fromkeys(project.stages, MAX_STAGE_LAYERS)
    for image in project.images.values():
        chains = [project.ancestry(stage) for stage in image.venvs.values()]
        share = max(1, MAX_IMAGE_LAYERS // max(1, sum(map(len, chains))))
        for chain in chains:
            for stage in chain:
                limits[stage.name] = min(limits[stage.name], share)
    return limits


def assign(
    names: Iterable[str],
    *,
    stem: str,
    sizes: Mapping[str, int],
    earlier: Assignment,
    limit: int = MAX_STAGE_LAYERS,
) -> Assignment:
    """Return which layer holds which distributions.

    What ``earlier`` says stays: names that are gone leave, new ones join. All is cut anew only
    where there is nothing to keep, or a limit would be broken.

    :param names: normalised names, in any order.
    :param stem: the name of a layer that is the only one, and the start of all others' names.
    :param sizes: compressed bytes; a name that is missing counts as the median of the others.
    :param limit: the most layers.
    """
    wanted = sorted(set(names))
    if not wanted:
        return {}
    if not any(name in sizes for name in wanted):
        return _sticky(wanted, stem, {}, earlier, limit) or _by_unit(wanted, stem, limit)
    known = sorted(sizes[name] for name in wanted if name in sizes)
    weights = {name: sizes.get(name, known[len(known) // 2]) for name in wanted}
    return _sticky(wanted, stem, weights, earlier, limit) or _anew(wanted, stem, weights, limit)


# -- from nothing ----------------------------------------------------------------------------------


def _by_unit(names: list[str], stem: str, limit: int) -> dict[str, tuple[str, ...]]:
    """Cut without sizes: each unit apart (CUDA and torch are most of the bytes), and the rest."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(unit_of(name) or "", []).append(name)
    if len(groups) > limit:
        groups = {"": names}
    order = sorted(groups, key=lambda group: (not group, group))
    return {f"{stem}.{group}" if group else stem: tuple(groups[group]) for group in order}


def _anew(
    names: list[str], stem: str, weights: Mapping[str, int], limit: int
) -> dict[str, tuple[str, ...]]:
    """Cut the items, sorted by size, into runs: the cheapest of all ways to do that."""
    items = _items(names, weights)
    runs = _cheapest_runs(items, limit)
    assignment: dict[str, tuple[str, ...]] = {}
    for run in reversed(runs):
        # The lightest ones, many and small, need no name besides the stage's.
        name = stem if run is runs[0] else f"{stem}.{run[-1].name}"
        while name in assignment:
            name += "-more"  # a distribution may have the name of a unit
        assignment[name] = tuple(sorted(each for item in run for each in item.names))
    return assignment


def _items(names: list[str], weights: Mapping[str, int]) -> list[_Item]:
    """Return what is not cut, sorted by size; a unit above the limit of a layer is in parts."""
    units: dict[str, list[str]] = {}
    for name in names:
        units.setdefault(unit_of(name) or f"={name}", []).append(name)
    items = []
    for unit, members in units.items():
        parts: list[list[str]] = []
        # First fit, the largest first.
        for name in sorted(members, key=lambda each: (-weights[each], each)):
            size = weights[name]
            for part in parts:
                if sum(weights[each] for each in part) + size <= MAX_LAYER_BYTES:
                    part.append(name)
                    break
            else:
                parts.append([name])
        for number, part in enumerate(parts):
            title = unit.removeprefix("=") + (f"-{number + 1}" if number else "")
            total = sum(weights[each] for each in part)
            items.append(_Item(name=title, names=tuple(part), size=total))
    return sorted(items, key=lambda item: (item.size, item.name))


def _cheapest_runs(items: list[_Item], limit: int) -> list[list[_Item]]:
    """Return the cut of sorted items into at most ``limit`` runs that costs least.

    Dynamic programming over (number of runs, items so far). Where even that many runs cannot keep
    the size of a layer, the limit on their number counts more.
    """
    sums = [0, *accumulate(item.size for item in items)]
    best: list[list[tuple[float, int]]] = [[(0.0, 0)] + [(float("inf"), 0)] * len(items)]
    for _ in range(min(limit, len(items))):
        last = best[-1]
        row = [
            min(
                (last[start][0] + _cost(end - start, sums[end] - sums[start]), start)
                for start in range(end)
            )
            for end in range(1, len(items) + 1)
        ]
        best.append([(float("inf"), 0), *row])
    count = min(range(1, len(best)), key=lambda each: best[each][-1][0])
    runs: list[list[_Item]] = []
    end = len(items)
    while count:
        start = best[count][end][1]
        runs.insert(0, items[start:end])
        end, count = start, count - 1
    return runs


def _cost(count: int, size: int) -> float:
    """Return the bytes that a layer of so many items costs in one release, on average."""
    too_large = 1e6 * size if size > MAX_LAYER_BYTES and count > 1 else 0.0
    return CHANGE * count * size + LAYER_COST + too_large


# -- from what is there ----------------------------------------------------------------------------


def _sticky(
    names: list[str],
    stem: str,
    weights: Mapping[str, int],
    earlier: Assignment,
    limit: int,
) -> dict[str, tuple[str, ...]] | None:
    """Return the earlier assignment with what is new in it, or None where it cannot be kept."""
    wanted = set(names)
    layers = {layer: [each for each in held if each in wanted] for layer, held in earlier.items()}
    layers = {layer: held for layer, held in layers.items() if held}
    placed = {name for held in layers.values() for name in held}
    if not placed or sum(map(len, layers.values())) != len(placed):
        return None
    fresh = sorted(wanted - placed, key=lambda each: (-weights.get(each, 0), each))
    for name in fresh:
        layer = _home(name, stem, layers, weights, limit)
        layers.setdefault(layer, []).append(name)
    if len(layers) > limit or any(_breaks(held, weights) for held in layers.values()):
        return None
    return {layer: tuple(sorted(held)) for layer, held in layers.items()}


def _breaks(held: list[str], weights: Mapping[str, int]) -> bool:
    return len(held) > 1 and sum(weights.get(name, 0) for name in held) > MAX_LAYER_BYTES


def _home(
    name: str,
    stem: str,
    layers: Mapping[str, list[str]],
    weights: Mapping[str, int],
    limit: int,
) -> str:
    """Return the layer that a new name joins: its unit's, or the one where it adds least cost."""
    unit = unit_of(name)
    own = f"{stem}.{unit or name}"
    if unit is not None:
        for layer, held in layers.items():
            if any(unit_of(each) == unit for each in held) and not _breaks([*held, name], weights):
                return layer
    if not weights:
        return own if unit is not None else stem
    costs = []
    for layer, held in layers.items():
        if not _breaks([*held, name], weights):
            more = _cost_of([*held, name], weights) - _cost_of(held, weights)
            costs.append((more, layer))
    if len(layers) < limit and own not in layers:
        costs.append((_cost_of([name], weights), own))
    return min(costs)[1] if costs else own


def _cost_of(held: list[str], weights: Mapping[str, int]) -> float:
    units = {unit_of(name) or f"={name}" for name in held}
    return _cost(len(units), sum(weights.get(name, 0) for name in held))
