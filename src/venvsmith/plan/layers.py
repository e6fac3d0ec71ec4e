"""Which distributions share an image layer."""

from __future__ import annotations

from venvsmith.model.lock import Pin
from venvsmith.model.plan import Layer
from venvsmith.model.project import LayerCut

# Which distributions of a stage get a layer apart under `layers = "balanced"`, by what they change
# along with: CUDA's libraries move with CUDA's releases, torch and triton with torch's. They are
# over 95 % of the bytes of a torch stack and change least often.
_HEAVY: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("nvidia", ("nvidia-", "cuda-")),
    ("torch", ("torch", "triton", "pytorch-triton")),
)


def cut_layers(pins: tuple[Pin, ...], *, stage: str, stem: str, cut: LayerCut) -> tuple[Layer, ...]:
    """Cut what one stage adds into layers, heavy ones first; their union is exactly ``pins``."""
    groups: dict[str, list[Pin]] = {}
    for pin in pins:
        group = _heavy_group(pin.name) if cut == "balanced" else ""
        groups.setdefault(group, []).append(pin)
    order = [*(name for name, _ in _HEAVY), ""]
    return tuple(
        Layer(name=f"{stem}.{group}" if group else stem, stage=stage, pins=tuple(groups[group]))
        for group in order
        if group in groups
    )


def _heavy_group(name: str) -> str:
    for group, prefixes in _HEAVY:
        if name.startswith(tuple(p for p in prefixes if p.endswith("-"))) or name in prefixes:
            return group
    return ""
