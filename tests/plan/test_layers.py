"""Cuts into layers: exact, the same everywhere, and they stay put."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from values import plan, project
from venvsmith.model.lock import Pin
from venvsmith.plan.assignments import assignments_of, emit_assignments
from venvsmith.plan.layers import (
    CHANGE,
    LAYER_COST,
    MAX_IMAGE_LAYERS,
    MAX_LAYER_BYTES,
    MAX_STAGE_LAYERS,
    Assignment,
    Layering,
    assign,
    cut_layers,
    stage_limits,
)

MB = 1_000_000
STEM = "app.cuda"
_UNITS = ("nvidia-a", "nvidia-b", "nvidia-c", "cuda-x", "torch", "triton", "nvidia", "torch-2")
NAMES = st.sampled_from([*_UNITS, *(f"d{number}" for number in range(30))])
SIZES = st.dictionaries(NAMES, st.integers(0, 6_000) | st.integers(0, 6_000 * MB), max_size=30)
LIMITS = st.integers(1, MAX_STAGE_LAYERS)


def names_of(assignment: Assignment) -> list[str]:
    return sorted(name for held in assignment.values() for name in held)


def layer_of(assignment: Assignment) -> dict[str, str]:
    return {name: layer for layer, held in assignment.items() for name in held}


def fresh(sizes: dict[str, int], limit: int = MAX_STAGE_LAYERS) -> Assignment:
    return assign(sizes, stem=STEM, sizes=sizes, earlier={}, limit=limit)


@given(SIZES, st.sets(NAMES), LIMITS, st.randoms(use_true_random=False))
def test_union_is_exact_limits_hold_and_order_does_not_matter(
    sizes: dict[str, int], unsized: set[str], limit: int, random: object
) -> None:
    names = sorted({*sizes, *unsized})
    cut = assign(names, stem=STEM, sizes=sizes, earlier={}, limit=limit)
    assert names_of(cut) == names
    assert len(cut) <= limit
    assert all(held == tuple(sorted(held)) and held for held in cut.values())
    shuffled = list(names)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert list(assign(shuffled, stem=STEM, sizes=sizes, earlier={}, limit=limit).items()) == list(
        cut.items()
    )
    if limit == MAX_STAGE_LAYERS and set(names) <= set(sizes) and sum(sizes.values()) < 60_000 * MB:
        large = [held for held in cut.values() if sum(sizes[n] for n in held) > MAX_LAYER_BYTES]
        assert all(len(held) == 1 for held in large)
    # What it has decided it keeps.
    assert assign(names, stem=STEM, sizes=sizes, earlier=cut, limit=limit) == cut


@given(SIZES, SIZES, st.sets(NAMES), LIMITS)
def test_bumps_additions_and_removals_move_nobody_else(
    sizes: dict[str, int], changed: dict[str, int], gone: set[str], limit: int
) -> None:
    """Unless a limit would break, each name stays in the layer that it was in."""
    before = fresh(sizes, limit)
    now = {name: size for name, size in {**sizes, **changed}.items() if name not in gone}
    after = assign(now, stem=STEM, sizes=now, earlier=before, limit=limit)
    assert names_of(after) == sorted(now)
    assert len(after) <= limit
    kept = {layer: [n for n in held if n in now] for layer, held in before.items()}
    within = all(
        len(held) < 2 or sum(now[n] for n in held) <= MAX_LAYER_BYTES for held in kept.values()
    )
    was, is_now = layer_of(before), layer_of(after)
    if within and any(kept.values()) and sum(now.values()) <= MAX_LAYER_BYTES:
        assert all(is_now[name] == was[name] for name in now if name in was)


@given(st.dictionaries(NAMES, st.integers(1, 50 * MB), min_size=1, max_size=9))
def test_cut_costs_no_more_than_any_other_into_two_or_one(sizes: dict[str, int]) -> None:
    """The runs of sorted items that the search chose, against all cuts of few items."""

    def cost(held: tuple[str, ...]) -> float:
        units = {"nvidia*" if n.startswith(("nvidia-", "cuda-")) else n for n in held}
        units = {"torch*" if n in {"torch", "triton"} else n for n in units}
        return CHANGE * len(units) * sum(sizes[n] for n in held) + LAYER_COST

    chosen = sum(map(cost, fresh(sizes).values()))
    assert chosen <= cost(tuple(sizes)) + 1
    ordered = sorted(sizes, key=lambda name: (sizes[name], name))
    if not any(name.startswith(("nvidia", "cuda", "torch", "triton")) for name in sizes):
        for cut in range(1, len(ordered)):
            assert chosen <= cost(tuple(ordered[:cut])) + cost(tuple(ordered[cut:])) + 1


def test_a_real_stack_is_cut_by_units_and_sizes() -> None:
    sizes = {
        "nvidia-cudnn-cu12": 570 * MB,
        "nvidia-cublas-cu12": 580 * MB,
        "torch": 888 * MB,
        "triton": 155 * MB,
        "numpy": 17 * MB,
        "transformers": 12 * MB,
        "filelock": 16_000,
        "packaging": 66_000,
    }
    assert fresh(sizes) == {
        "app.cuda.nvidia": ("nvidia-cublas-cu12", "nvidia-cudnn-cu12"),
        "app.cuda.torch": ("torch", "triton"),
        "app.cuda.numpy": ("numpy",),
        "app.cuda": ("filelock", "packaging", "transformers"),
    }


def test_a_small_stage_stays_one_layer() -> None:
    assert fresh({f"d{number}": MB for number in range(5)}) == {
        STEM: tuple(f"d{number}" for number in range(5))
    }


def test_new_names_join_their_unit_or_where_they_cost_least() -> None:
    sizes = {"nvidia-a": 500 * MB, "torch": 900 * MB, "small": 9_000, "medium": 30 * MB}
    before = fresh(sizes)
    now = {**sizes, "nvidia-new": 400 * MB, "triton": 9 * MB, "tiny": 5_000, "big": 60 * MB}
    after = assign(now, stem=STEM, sizes=now, earlier=before)
    assert after == {
        "app.cuda.torch": ("torch", "triton"),
        "app.cuda.nvidia": ("nvidia-a", "nvidia-new"),
        "app.cuda.medium": ("medium",),
        "app.cuda": ("small", "tiny"),
        "app.cuda.big": ("big",),
    }


def test_a_unit_above_the_limit_of_a_layer_is_split() -> None:
    sizes = {f"nvidia-{letter}": MAX_LAYER_BYTES // 2 for letter in "abc"}
    assert sorted(map(len, fresh(sizes).values())) == [1, 2]


def test_no_image_has_more_layers_than_its_limit() -> None:
    of = project()
    long = {"s0": replace(of.stages["torch"], name="s0")}
    for number in range(1, 7):
        name = f"s{number}"
        long[name] = replace(of.stages["torch"], name=name, extends=f"s{number - 1}")
    image = replace(of.images["asr"], venvs={"/a": "s6", "/b": "s6"})
    limits = stage_limits(replace(of, stages=long, images={"asr": image}))
    assert 2 * sum(limits.values()) <= MAX_IMAGE_LAYERS
    assert all(limits.values())


def test_without_sizes_units_stand_apart_and_stay() -> None:
    pins = tuple(
        Pin(name=name, version="1", hashes=("sha256:" + "0" * 64,))
        for name in ("nvidia-a", "small", "torch")
    )
    cut = cut_layers(pins, stage="app", stem=STEM, cut="balanced")
    assert [layer.name for layer in cut] == ["app.cuda.nvidia", "app.cuda.torch", STEM]
    earlier = {layer.name: tuple(pin.name for pin in layer.pins) for layer in cut}
    more = (*pins, replace(pins[1], name="zeta"))
    again = cut_layers(
        more, stage="app", stem=STEM, cut="balanced", layering=Layering(earlier={STEM: earlier})
    )
    assert [pin.name for pin in again[-1].pins] == ["small", "zeta"]


def test_record_is_read_as_it_was_written_and_refused_otherwise() -> None:
    made = plan()
    text = emit_assignments([made])
    found = assignments_of(json.loads(text))
    assert found["torch.cuda"]["torch.cuda.torch"] == ("torch", "triton")
    assert {n for cut in found.values() for n in cut} == {x.name for x in made.venvs[0].layers}
    for bad in (text.replace("torch.cuda.torch", "other"), text.replace("/1", "/2")):
        with pytest.raises(ValueError, match=r"no layer of 'torch.cuda'|its schema is"):
            assignments_of(json.loads(bad))
