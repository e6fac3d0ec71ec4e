"""Families are resolved together: ancestors suit all, siblings differ only where they must."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from venvsmith.errors import JudgedError

if TYPE_CHECKING:
    from resolve.workshop import LocalIndex, Workshop


def test_child_holds_its_parents_pins_and_siblings_agree_where_they_can(
    index: LocalIndex, workshop: Workshop
) -> None:
    for version in ("1", "2", "3"):
        index.add("lib", version)
    index.add("left", "1", "lib<3")
    index.add("right", "1", "lib>1")
    workshop.stage("base", "lib")
    workshop.stage("a", "left", extends="base").stage("b", "right", extends="base")

    workshop.lock()

    assert workshop.pins("base.cpu") == {"lib": "2"}
    assert workshop.pins("a.cpu") == {"left": "1", "lib": "2"}
    assert workshop.pins("b.cpu") == {"lib": "2", "right": "1"}


def test_ancestor_takes_what_every_chain_allows_where_siblings_conflict(
    index: LocalIndex, workshop: Workshop
) -> None:
    # No descendant allows the newest lib; and only together do they leave 1 of it.
    for version in ("1", "2", "3"):
        index.add("lib", version)
    for version in ("1", "2"):
        index.add("tool", version)
    index.add("left", "1", "lib<3", "tool<2")
    index.add("right", "1", "lib<2", "tool>=2")
    workshop.stage("base", "lib")
    workshop.stage("a", "left", extends="base").stage("b", "right", extends="base")

    workshop.lock()

    assert workshop.pins("base.cpu") == {"lib": "1"}
    assert workshop.pins("a.cpu") == {"left": "1", "lib": "1", "tool": "1"}
    assert workshop.pins("b.cpu") == {"lib": "1", "right": "1", "tool": "2"}


def test_each_sibling_bounds_another_part_of_the_ancestor(
    index: LocalIndex, workshop: Workshop
) -> None:
    for name in ("p", "q", "tool"):
        index.add(name, "1")
        index.add(name, "2")
    workshop.stage("base", "p", "q")
    workshop.stage("a", "p<2", "tool<2", extends="base")
    workshop.stage("b", "q<2", "tool>=2", extends="base")

    workshop.lock()

    assert workshop.pins("base.cpu") == {"p": "1", "q": "1"}
    assert workshop.pins("a.cpu")["tool"] == "1"
    assert workshop.pins("b.cpu")["tool"] == "2"


def test_conflict_deep_in_the_tree_splits_only_there(index: LocalIndex, workshop: Workshop) -> None:
    for name in ("lib", "tool", "extra"):
        index.add(name, "1")
        index.add(name, "2")
    workshop.stage("base", "lib").stage("mid", "extra", extends="base")
    workshop.stage("a", "tool<2", "extra<2", extends="mid")
    workshop.stage("b", "tool>=2", extends="mid")
    workshop.stage("c", "tool", extends="base")

    workshop.lock()

    assert workshop.pins("mid.cpu") == {"extra": "1", "lib": "2"}
    assert [workshop.pins(f"{stage}.cpu")["tool"] for stage in "abc"] == ["1", "2", "2"]


def test_ancestor_that_no_version_suits_is_told_with_the_versions(
    index: LocalIndex, workshop: Workshop
) -> None:
    index.add("lib", "1")
    index.add("lib", "2")
    workshop.stage("base", "lib")
    workshop.stage("a", "lib<2", extends="base").stage("b", "lib>=2", extends="base")

    with pytest.raises(JudgedError) as caught:
        workshop.lock()

    assert caught.value.code == "no-resolution"
    assert caught.value.where == "stages.base (cpu, linux/amd64)"
    assert "lib (a: 1, b: 2)" in caught.value.message
    assert not (workshop.root / "locks").exists()


def test_unsolvable_stage_is_named_with_its_reason_and_nothing_is_written(
    index: LocalIndex, workshop: Workshop
) -> None:
    index.add("lib", "1")
    index.add("left", "1", "lib>=2")
    index.add("other", "1")
    workshop.stage("fine", "other")
    workshop.stage("base", "lib").stage("a", "left", extends="base")

    with pytest.raises(JudgedError) as caught:
        workshop.lock()

    assert caught.value.where == "stages.a (cpu, linux/amd64)"
    assert caught.value.message == (
        "stage 'a' (left) cannot be resolved: all versions of left depend on lib>=2 and only "
        "lib==1 is available, so all versions of left cannot be used; "
        "stage 'a' requires left"
    )
    assert not (workshop.root / "locks").exists()


def test_each_platform_has_its_own_versions_and_files(
    index: LocalIndex, workshop: Workshop
) -> None:
    index.add("lib", "2", tag="py3-none-manylinux_2_28_x86_64")
    index.add("lib", "1", tag="py3-none-manylinux_2_17_aarch64")
    workshop.variant("cpu", "amd64", "arm64").stage("base", "lib")

    workshop.lock()

    assert workshop.pins("base.cpu-amd64") == {"lib": "2"}
    assert workshop.pins("base.cpu-arm64") == {"lib": "1"}


def test_wheels_for_a_newer_glibc_are_passed_over(index: LocalIndex, workshop: Workshop) -> None:
    index.add("lib", "2", tag="py3-none-manylinux_2_39_x86_64")
    index.add("lib", "1", tag="py3-none-manylinux_2_28_x86_64")
    workshop.stage("base", "lib").lock()
    assert workshop.pins("base.cpu") == {"lib": "1"}
