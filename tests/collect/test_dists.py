"""Distributions as the probe reads them: where an editable's source is looked for."""

import json
import time
from pathlib import Path

import pytest

from venvsmith.collect.probe.dists import editable_paths, find
from venvsmith.collect.probe.tree import Tree


def editable(site: Path, name: str, url: str) -> None:
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    origin = {"url": url, "dir_info": {"editable": True}}
    (info / "direct_url.json").write_text(json.dumps(origin))


def sources(site: Path) -> dict[str, tuple[list[str], bool]]:
    found = find(Tree(), str(site), str(site))
    return {d.fact["name"]: (d.sources, d.fact["editable_exists"]) for d in found}


def test_an_editable_takes_no_path_of_another_whose_name_ends_in_its_own(tmp_path: Path) -> None:
    site, source = tmp_path / "site", tmp_path / "app"
    source.mkdir()
    editable(site, "app", f"file://{source}")
    editable(site, "my_app", "file:///gone")
    (site / "__editable__.my_app-1.0.pth").write_text("/gone/src\n")
    assert sources(site) == {"app": ([str(source)], True), "my-app": (["/gone/src"], False)}


def test_the_folder_of_an_editable_may_have_spaces_in_its_name(tmp_path: Path) -> None:
    (tmp_path / "my proj").mkdir()
    editable(tmp_path / "site", "app", f"file://{tmp_path}/my%20proj")
    assert sources(tmp_path / "site") == {"app": ([f"{tmp_path}/my proj"], True)}


def test_a_hook_of_setuptools_names_what_it_maps(tmp_path: Path) -> None:
    editable(tmp_path, "my.app", "file:///gone")
    hook = "__editable___my_app_1_0_finder"
    (tmp_path / "__editable__.my_app-1.0.pth").write_text(f"import {hook}; {hook}.install()")
    (tmp_path / f"{hook}.py").write_text(
        "import sys\nMAPPING: dict[str, str] = {'app': '/src/a', 'b': '/src/b'}\nNAMESPACES = {}\n"
    )
    assert editable_paths(Tree(), str(tmp_path)) == ["/src/a", "/src/b"]
    assert sources(tmp_path) == {"my-app": (["/src/a", "/src/b"], False)}


@pytest.mark.parametrize("text", ["MAPPING={}\\\n" * 20_000, "MAPPING = {" + "} " * 100_000 + "x"])
def test_a_hook_without_an_end_is_read_in_no_time(tmp_path: Path, text: str) -> None:
    (tmp_path / "__editable__.app-1.0.pth").write_text("import __editable___x; __editable___x.i()")
    (tmp_path / "__editable___x.py").write_text(text)
    started = time.monotonic()
    assert editable_paths(Tree(), str(tmp_path), "app") == []
    assert time.monotonic() - started < 2
