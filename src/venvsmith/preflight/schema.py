"""The JSON form of preflight, and its schema, from the model itself.

``python -m venvsmith.preflight.schema`` in a checkout rewrites ``schema/preflight.schema.json``; a
test fails where it is out of step.
"""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from venvsmith.files import write_files
from venvsmith.preflight.report import SCHEMA, Preflight

SCHEMA_FILE = Path("schema/preflight.schema.json")


def as_json(preflight: Preflight) -> str:
    """Return the answer as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(preflight), indent=2).decode() + "\n"


def json_schema() -> str:
    """Return the JSON schema as text. What is added later may not break readers: keys are open."""
    (reference,), components = msgspec.json.schema_components(
        [Preflight], ref_template="#/$defs/{name}"
    )
    for component in components.values():
        component["required"] = list(component["properties"])
        for value in component["properties"].values():
            value.pop("default", None)
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"https://venvsmith.example.com/{SCHEMA}",
        "title": "What venvsmith preflight tells",
        **reference,
        "$defs": components,
    }
    return json.dumps(schema, indent=2, sort_keys=False) + "\n"


def main() -> None:
    """Write the schema into the checkout that is the working directory."""
    write_files({SCHEMA_FILE: json_schema().encode()})


if __name__ == "__main__":
    main()
