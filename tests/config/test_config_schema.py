"""Schema, page and reader come from one table and agree with each other."""

from __future__ import annotations

import copy
import datetime as dt
import json
import tomllib
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from venvsmith.config import _read
from venvsmith.config.keys import DOCUMENT
from venvsmith.config.schema import PAGE_FILE, SCHEMA_FILE, json_schema, page
from venvsmith.config.tables import ListOf, MapOf, Table

HERE = Path(__file__).parent
CHECKOUT = HERE.parent.parent
EXAMPLE = tomllib.loads((HERE / "contract-example.toml").read_text("utf-8"))
VALIDATOR = Draft202012Validator(json.loads(json_schema()))

scalars = st.one_of(
    st.none().map(lambda _: dt.date(2026, 11, 1)),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["torch", "cuda", "/venv", "slim", "x@y", "-x", "..", "a-b", "A", "3.11", ""]),
)
keys = st.one_of(
    st.sampled_from(["name", "from", "stage", "venvs", "requires", "env", "image", "copy", "x"]),
    st.text(max_size=5),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)),
    max_leaves=8,
)


def problems(document: Any) -> list[tuple[str, str]]:
    return _read(document, file=HERE / "venvsmith.toml")[1]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            found += places(item, (*path, key))
    return found


@st.composite
def changed_examples(draw: st.DrawFn) -> Any:
    """The contract's example with values replaced, taken out and put in, at up to three places."""
    document = copy.deepcopy(EXAMPLE)
    for _ in range(draw(st.integers(1, 3))):
        *above, last = draw(st.sampled_from(places(document)[1:]))
        parent = document
        for key in above:
            parent = parent[key]
        match draw(st.sampled_from(["replace", "remove", "add"])):
            case "remove":
                del parent[last]
            case "add" if isinstance(parent, dict):
                parent[draw(keys)] = draw(values)
            case _:
                parent[last] = draw(values)
        if not document:
            break
    return document


def as_json(value: Any) -> Any:
    """TOML's dates as the strings that a schema's users write."""
    if isinstance(value, dict):
        return {key: as_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_json(item) for item in value]
    return value.isoformat() if isinstance(value, dt.date) else value


def test_the_schema_file_is_in_step() -> None:
    written = (CHECKOUT / SCHEMA_FILE).read_text("utf-8")
    assert written == json_schema(), "run python -m venvsmith.config.schema"


def test_the_page_is_in_step() -> None:
    written = (CHECKOUT / PAGE_FILE).read_text("utf-8")
    assert written == page(written), "run python -m venvsmith.config.schema"


def test_the_schema_is_one_and_takes_the_contracts_example() -> None:
    Draft202012Validator.check_schema(VALIDATOR.schema)
    VALIDATOR.validate(EXAMPLE)


@pytest.mark.parametrize(
    "file",
    [CHECKOUT / "venvsmith.toml", *sorted((CHECKOUT / "examples").glob("*/venvsmith.toml"))],
    ids=lambda file: file.parent.name,
)
def test_the_schema_takes_the_configurations_of_this_repository(file: Path) -> None:
    VALIDATOR.validate(tomllib.loads(file.read_text("utf-8")))


@given(changed_examples())
def test_what_the_schema_refuses_the_reader_refuses(document: Any) -> None:
    told = problems(document)
    refused = list(VALIDATOR.iter_errors(as_json(document)))
    assert told or not refused, refused


@given(st.one_of(values, changed_examples()))
def test_no_document_does_worse_than_tell_its_mistakes(document: Any) -> None:
    for key, text in problems(document):
        assert text.isprintable()
        assert key.isprintable()


def test_every_key_is_a_field_of_the_model_and_every_default_its_own() -> None:
    for table in tables(DOCUMENT):
        if table.model is None:
            continue
        declared = {field.name: field for field in fields(table.model)}
        for name, key in table.keys.items():
            # `image` and `stage` are short for two keys, and one, that are fields.
            field = declared.get(table.field_of(name))
            assert field is not None or any(name in group for group in table.either), name
            if field is not None and not key.required and not table.either:
                assert (field.default, field.default_factory) != (MISSING, MISSING), name


def tables(table: Table) -> list[Table]:
    found = [table]
    for key in table.keys.values():
        kind = key.kind
        if isinstance(kind, MapOf):
            kind = kind.value
        elif isinstance(kind, ListOf):
            kind = kind.item
        if isinstance(kind, Table):
            found += tables(kind)
    return found
