"""Known bad pairs are kept out, although their metadata allow them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from packaging.version import Version

from venvsmith.data.pairs import load_pairs, mismatches
from venvsmith.errors import JudgedError

if TYPE_CHECKING:
    from resolve.workshop import LocalIndex, Workshop

ARM = "py3-none-manylinux_2_28_aarch64"


def test_companion_moves_and_the_anchor_stays(index: LocalIndex, workshop: Workshop) -> None:
    index.add("torch", "2.8.0")
    for version in ("0.6.0", "0.7.0", "0.17.0"):
        index.add("torchcodec", version)
    index.add("torchaudio", "2.8.0")
    index.add("torchaudio", "2.11.0")
    workshop.stage("torch", "torch", "torchaudio").stage("codec", "torchcodec", extends="torch")

    workshop.lock()

    assert workshop.pins("codec.cpu") == {
        "torch": "2.8.0",
        "torchaudio": "2.8.0",
        "torchcodec": "0.7.0",
    }


def test_anchor_moves_to_the_newest_that_has_a_companion(
    index: LocalIndex, workshop: Workshop
) -> None:
    for version in ("2.8.0", "2.9.1", "2.10.0", "2.11.0"):
        index.add("torch", version)
    index.add("torchcodec", "0.7.0")
    index.add("torchcodec", "0.9.1")
    workshop.stage("torch", "torch").stage("codec", "torchcodec", extends="torch")

    workshop.lock()

    assert workshop.pins("codec.cpu") == {"torch": "2.9.1", "torchcodec": "0.9.1"}
    assert workshop.pins("torch.cpu") == {"torch": "2.9.1"}


def test_lock_fails_and_names_the_pair_where_no_set_is_left(
    index: LocalIndex, workshop: Workshop
) -> None:
    index.add("torch", "2.8.0", tag=ARM)
    index.add("torchcodec", "0.7.0", tag="py3-none-manylinux_2_28_x86_64")
    index.add("torchcodec", "0.17.0", tag=ARM)
    workshop.variant("cpu", "arm64").stage("torch", "torch")
    workshop.stage("codec", "torchcodec", extends="torch")

    with pytest.raises(JudgedError) as caught:
        workshop.lock()

    assert caught.value.where == "stages.codec (cpu, linux/arm64)"
    assert "torchcodec 0.17.0 does not work with torch 2.8.0" in caught.value.message


def test_lock_made_before_a_pair_was_known_is_drift(index: LocalIndex, workshop: Workshop) -> None:
    index.add("torch", "2.8.0")
    index.add("torchcodec", "0.7.0")
    workshop.stage("torch", "torch", "torchcodec").lock()
    path = workshop.root / "locks/torch.cpu.txt"
    path.write_text(path.read_text().replace("torchcodec==0.7.0", "torchcodec==0.5.0"))

    workshop.lock()

    assert workshop.pins("torch.cpu")["torchcodec"] == "0.7.0"


@pytest.mark.parametrize(
    ("versions", "bad"),
    [
        ({"torch": "2.8.0+cu128", "torchaudio": "2.8.0", "torchvision": "0.23.0"}, []),
        ({"torch": "2.15.0", "torchaudio": "2.11.0", "torchvision": "0.29.2"}, []),
        ({"torch": "2.8.0", "torchaudio": "2.11.0"}, ["torchaudio"]),
        ({"torch": "2.13.0", "torchvision": "0.29.2"}, ["torchvision"]),
        ({"torch": "2.15.0", "torchvision": "0.29.0"}, ["torchvision"]),
        ({"torch": "2.11.0", "torchcodec": "0.11.1"}, []),
        ({"torch": "2.12.0", "torchcodec": "0.11.1"}, ["torchcodec"]),
        ({"torch": "2.3.1", "torchcodec": "0.0.3"}, ["torchcodec"]),
        ({"torch": "2.4.0", "torchtext": "0.18.0"}, ["torchtext"]),
        ({"torch": "0.4.1", "torchaudio": "0.5"}, []),
    ],
)
def test_table_against_known_releases(versions: dict[str, str], bad: list[str]) -> None:
    assert [found.pair.companion for found in mismatches(versions)] == bad


def test_table_is_ordered_and_sourced() -> None:
    for pair in load_pairs():
        assert pair.source.startswith("https://")
        assert pair.date.startswith("20")
        for minor in range(4, 16):
            assert pair.row_of(str(Version(f"2.{minor}"))) is not None
