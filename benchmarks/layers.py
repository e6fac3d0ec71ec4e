"""Bytes that are pushed again after a new version of one distribution, by calculation.

Takes the sizes that `lock` recorded for the root configuration (the whole WhisperX stack for
CUDA), and cuts it as `render` does: one layer, one layer a stage, balanced. Nothing is installed.

usage: python benchmarks/layers.py
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import median

from venvsmith.config import load
from venvsmith.lock import delta, read_locks, read_sizes, sizes_of
from venvsmith.plan.layers import Layering, cut_layers, stage_limits

ROOT = Path(__file__).parents[1]
STAGE, VARIANT = "whisperx", "cuda"
BUMPED = ("nltk", "transformers", "numpy", "torch")


def main() -> None:
    project = load(ROOT / "venvsmith.toml")
    locks = {key.stage: lock for key, lock in read_locks(project).items() if key.variant == VARIANT}
    chain = [locks[stage.name] for stage in project.ancestry(STAGE)]
    record = read_sizes(project)
    sizes = sizes_of(record, chain[-1].key, chain[-1].pins)
    missing = [pin.name for pin in chain[-1].pins if pin.name not in sizes]
    if missing:
        sys.exit(f"no size is recorded for {', '.join(missing)}: run 'venvsmith lock'")
    print(f"{len(sizes)} distributions, {sum(sizes.values()) / 1e6:.0f} MB compressed\n")
    print(f"| MB pushed again after | {' | '.join(BUMPED)} | median | layers |")
    print(f"|---|{'---|' * (len(BUMPED) + 2)}")
    layering = Layering(
        sizes={lock.key.stem: sizes for lock in chain}, limits=stage_limits(project)
    )
    for title in ("one layer", "stage", "balanced"):
        layers: list[list[str]] = []
        if title == "one layer":
            layers = [list(sizes)]
        else:
            for lock, parent in zip(chain, [None, *chain], strict=False):
                cut = cut_layers(
                    delta(lock, parent),
                    stage=lock.key.stage,
                    stem=lock.key.stem,
                    cut="stage" if title == "stage" else "balanced",
                    layering=layering,
                )
                layers += ([pin.name for pin in layer.pins] for layer in cut)
        cost = {name: sum(map(sizes.__getitem__, held)) / 1e6 for held in layers for name in held}
        row = [*(cost[name] for name in BUMPED), median(cost.values())]
        print(f"| {title} | {' | '.join(f'{x:.1f}' for x in row)} | {len(layers)} |")


if __name__ == "__main__":
    main()
