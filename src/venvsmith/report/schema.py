"""The JSON schema of the report, from the model itself.

``python -m venvsmith.report.schema`` in a checkout rewrites ``schema/report.schema.json``; a test
fails where it is out of step.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from venvsmith.files import write_files
from venvsmith.model.finding import SCHEMA, Report

SCHEMA_FILE = Path("schema/report.schema.json")


def json_schema() -> str:
    """Return the JSON schema as text. What is added later may not break readers: keys are open."""
    (reference,), components = msgspec.json.schema_components(
        [Report], ref_template="#/$defs/{name}"
    )
    for component in components.values():
        _strict(component)
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"https://venvsmith.example.com/{SCHEMA}",
        "title": "What venvsmith verify reports",
        **reference,
        "$defs": components,
    }
    return json.dumps(schema, indent=2, sort_keys=False) + "\n"


def _strict(component: dict[str, Any]) -> None:
    """Require every key: a report carries all of them, the empty ones too."""
    if component.get("type") == "object" and "properties" in component:
        component["required"] = list(component["properties"])
        for value in component["properties"].values():
            value.pop("default", None)


def main() -> None:
    """Write the schema into the checkout that is the working directory."""
    write_files({SCHEMA_FILE: json_schema().encode()})


if __name__ == "__main__":
    main()
