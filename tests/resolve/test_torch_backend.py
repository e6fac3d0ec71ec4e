"""Torch without PyTorch's own index: from wheels in a folder, and from a mirror."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from venvsmith.errors import ConfigError, SurroundingsError
from venvsmith.model.project import Project
from venvsmith.resolve import LockOptions, lock_project

if TYPE_CHECKING:
    from resolve.workshop import LocalIndex, Workshop


@pytest.fixture
def torch(index: LocalIndex, workshop: Workshop) -> Workshop:
    """A default index with a newer torch, and a folder with the CPU build."""
    index.add("lib", "1")
    index.add("torch", "2.9.0", "lib")
    own = type(index)(folder=workshop.root / "links")
    own.add("torch", "2.8.0+cpu", "lib")
    return workshop.stage("base", "torch")


def with_backend(workshop: Workshop) -> Project:
    workshop.variant("cpu", "amd64", find_links=("links/simple/torch",))
    project = workshop.project()
    cpu = replace(project.variants["cpu"], torch_backend="cpu")
    return replace(project, variants={"cpu": cpu})


def test_wheels_of_a_folder_do_offline(torch: Workshop) -> None:
    lock_project(replace(with_backend(torch), installer="pip"), LockOptions(offline=True))
    assert torch.pins("base.cpu") == {"lib": "1", "torch": "2.8.0+cpu"}


def test_a_mirror_is_an_index_for_its_names(torch: Workshop) -> None:
    mirror = (torch.root / "links/simple").as_uri()
    torch.route("mirror", mirror, "torch", "torchaudio", "torchvision").lock()
    assert torch.pins("base.cpu") == {"lib": "1", "torch": "2.8.0+cpu"}


def test_an_index_out_of_reach_is_told_with_the_ways_around_it(
    torch: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with pytest.raises(SurroundingsError) as caught:
        lock_project(replace(with_backend(torch), installer="pip"), LockOptions())
    assert caught.value.code == "index-unreachable"
    assert "torch-backend cpu asks PyTorch's own index" in caught.value.hint


def test_a_backend_or_a_folder_that_is_not_there_is_told_by_its_key(torch: Workshop) -> None:
    project = with_backend(torch.route("own", "file:///gone/simple", "acme-*"))
    links = ("links/simple/torch", "nodir", "file:///gone")
    cpu = replace(project.variants["cpu"], torch_backend="cu999", find_links=links)
    with pytest.raises(ConfigError) as caught:
        lock_project(replace(project, variants={"cpu": cpu}), LockOptions())
    told = dict(caught.value.problems)
    assert re.fullmatch(
        r'uv [\d.]+ knows no "cu999"; did you mean "cu\d+"\?',
        told.pop("variants.cpu.torch-backend"),
    )
    assert told == {
        "variants.cpu.find-links[1]": 'there is no folder "nodir"',
        "variants.cpu.find-links[2]": 'there is no folder "file:///gone"',
        "indexes.own.url": 'there is no folder "file:///gone/simple"',
    }


def test_locks_that_are_up_to_date_need_no_folder_of_wheels(torch: Workshop) -> None:
    torch.variant("cpu", "amd64", find_links=("links/simple/torch",)).lock()
    (torch.root / "links").rename(torch.root / "elsewhere")
    assert torch.lock().changed == ()
