"""The bill of materials: valid by the library's own strict validator, with the lock's hashes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from venvsmith.model.facts import Distribution, Environment, Facts, Target
from venvsmith.model.lock import Pin
from venvsmith.report.sbom import emit_sbom
from venvsmith.verify.expectations import hashed_pins

ONE, TWO = "1" * 64, "2" * 64


def dist(name: str, version: str, *requires: str) -> Distribution:
    return Distribution(
        name=name, version=version, location="/x", metadata_path="/x/y", requires=requires
    )


@pytest.fixture
def facts() -> Facts:
    torch = dist("torch", "2.8.0+cpu", "Jinja2>=3; python_version > '3'", "gone", "x; extra == 'y'")
    venvs = ("/venvs/a", "/venvs/b")
    return Facts(
        target=Target(kind="image", ref="asr:cpu", digest=f"sha256:{ONE}"),
        environments=tuple(
            Environment(path=path, kind="venv", distributions=(torch, dist("Jinja2", "3.1")))
            for path in venvs
        ),
    )


def test_it_is_valid_and_says_what_is_there_with_the_locks_hashes(facts: Facts) -> None:
    pins = [
        Pin(name="jinja2", version="3.1", hashes=(f"sha256:{ONE}", f"sha256:{TWO}")),
        Pin(name="torch", version="2.9", hashes=(f"sha256:{ONE}",)),
    ]
    text = emit_sbom(facts, pins)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert emit_sbom(facts, reversed(pins)) == text
    content = json.loads(text)
    found = {each["bom-ref"]: each for each in content["components"]}
    assert len(found) == 4
    jinja = found["/venvs/a#pkg:pypi/jinja2@3.1"]
    assert [each["content"] for each in jinja["hashes"]] == [ONE, TWO]
    torch = found["/venvs/b#pkg:pypi/torch@2.8.0%2Bcpu"]
    assert "hashes" not in torch  # the lock has another version
    needs = {each["ref"]: each.get("dependsOn", []) for each in content["dependencies"]}
    assert needs[torch["bom-ref"]] == ["/venvs/b#pkg:pypi/jinja2@3.1"]


def test_hashes_are_read_from_a_lock_and_a_pylock(tmp_path: Path) -> None:
    lock = tmp_path / "a.txt"
    lock.write_text(f"Foo==1 \\\n    --hash=sha256:{TWO} \\\n    --hash=sha256:{ONE}\nbar==2\n")
    assert hashed_pins(lock) == (
        Pin(name="bar", version="2", hashes=()),
        Pin(name="foo", version="1", hashes=(f"sha256:{ONE}", f"sha256:{TWO}")),
    )
    pylock = tmp_path / "pylock.toml"
    pylock.write_text(
        f'[[packages]]\nname = "foo"\nversion = "1"\nwheels = [{{hashes = {{sha256 = "{ONE}"}}}}]\n'
    )
    assert hashed_pins(pylock) == (Pin(name="foo", version="1", hashes=(f"sha256:{ONE}",)),)
