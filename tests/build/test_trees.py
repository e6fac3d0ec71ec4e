"""A build is held against an earlier one where both were made from the same, and only there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from values import plan, project
from venvsmith.build.trees import expected_trees
from venvsmith.lock import emit_pins
from venvsmith.lock.bases import emit_bases
from venvsmith.lock.trees import BuiltLayer, BuiltStage, emit_trees, pins_digest, recorded_trees
from venvsmith.model.project import Base

ONE, OTHER = (f"sha256:{digit * 64}" for digit in "12")


@pytest.mark.parametrize(
    ("base", "recorded", "compared"),
    [
        pytest.param(ONE, {}, True, id="all the same"),
        pytest.param(ONE, {"python": "3.11.9"}, True, id="another patch release"),
        pytest.param(ONE, {"python": "3.12.2"}, False, id="another minor"),
        pytest.param(ONE, {"base": OTHER}, False, id="another base"),
        pytest.param(ONE, {"uv": "0.1"}, False, id="another installer"),
        pytest.param("", {"base": ""}, False, id="bases that nobody knows"),
        pytest.param(f"@{ONE}", {}, True, id="a base with its digest in the configuration"),
    ],
)
def test_layers_are_held_against_those_that_were_made_from_the_same(
    tmp_path: Path, base: str, recorded: dict[str, Any], *, compared: bool
) -> None:
    image = f"debian{base}" if "@" in base else "debian"
    slim = Base(name="slim", build=image, runtime=image)
    of = project(root=tmp_path, installer="pip", bases={"slim": slim})
    layers = plan(of).venvs[0].layers
    built = {
        layer: BuiltLayer(pins=pins_digest(emit_pins(layer.pins).encode()), tree=ONE)
        for layer in layers
    }
    stages = {
        stem: BuiltStage(
            **{
                "base": ONE,
                "python": "3.11.2",
                "layers": {layer.name: made for layer, made in built.items() if layer.stem == stem},
                **recorded,
            }
        )
        for stem in {layer.stem for layer in layers}
    }
    files = {"locks/trees.json": emit_trees(stages)}
    files["locks/bases.json"] = emit_bases({image: base} if base and "@" not in base else {})
    files |= {f"docker/deltas/{layer.name}.txt": emit_pins(layer.pins) for layer in layers}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    expected = {f"/venv:{layer.name}": ONE for layer in layers} if compared else {}
    assert expected_trees(of, plan(of))[0].trees == expected
    assert recorded_trees(of) == expected
