"""The pair table: distributions that break together although their metadata allow them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet
from packaging.version import Version

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """Versions that go together: while the anchor is in ``anchor``, the other in ``companion``."""

    anchor: SpecifierSet
    companion: SpecifierSet


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """Two distributions whose versions must match, by normalised name."""

    anchor: str
    companion: str
    source: str
    """Address of the table that the rows come from."""
    date: str
    """Day on which it was read or last changed, ``2026-08-21``."""
    reason: str
    """Why a mismatch breaks, one clause."""
    rows: tuple[Row, ...]
    """The newest anchor first."""

    def row_of(self, anchor_version: str) -> Row | None:
        """Return the row that speaks of a version of the anchor, or None where none does."""
        version = Version(anchor_version)
        return next((row for row in self.rows if row.anchor.contains(version, True)), None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Mismatch:
    """A pair that a set of versions violates."""

    pair: Pair
    row: Row
    anchor_version: str
    companion_version: str

    def __str__(self) -> str:
        """Return it in words."""
        pair = self.pair
        wanted = str(self.row.companion)
        goes_with = "no release of it" if wanted == "<0" else f"{pair.companion} {wanted}"
        return (
            f"{pair.companion} {self.companion_version} does not work with {pair.anchor} "
            f"{self.anchor_version}, which goes with {goes_with} ({pair.reason}; {pair.source})"
        )


@cache
def load_pairs() -> tuple[Pair, ...]:
    """Return the table that ships with this package."""
    text = resources.files("venvsmith.data").joinpath("pairs.toml").read_text(encoding="utf-8")
    return tuple(
        Pair(
            anchor=entry["anchor"],
            companion=entry["companion"],
            source=entry["source"],
            date=entry["date"],
            reason=entry["reason"],
            rows=tuple(
                Row(anchor=SpecifierSet(row["anchor"]), companion=SpecifierSet(row["companion"]))
                for row in entry["rows"]
            ),
        )
        for entry in tomllib.loads(text)["pair"]
    )


def mismatches(versions: Mapping[str, str]) -> Iterator[Mismatch]:
    """Yield each pair of the table that these versions violate.

    :param versions: normalised name to version; local parts (``+cu128``) do not matter.
    """
    for pair in load_pairs():
        anchor, companion = versions.get(pair.anchor), versions.get(pair.companion)
        if anchor is None or companion is None:
            continue
        row = pair.row_of(anchor)
        if row is not None and not row.companion.contains(Version(companion), True):
            yield Mismatch(pair=pair, row=row, anchor_version=anchor, companion_version=companion)
