"""JSON schemas of what programs read: those of the report and of a comparison, from the models.

``python -m venvsmith.report.schema`` in a checkout rewrites them below ``schema/``; a test fails
where one is out of step.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from venvsmith.files import write_files
from venvsmith.model.comparison import COMPARISON_SCHEMA, Comparison
from venvsmith.model.finding import SCHEMA, Report

SCHEMA_FILE = Path("schema/report.schema.json")
COMPARISON_FILE = Path("schema/compare.schema.json")


def json_schema() -> str:
    """Return the report's JSON schema as text."""
    return schema_of(Report, name=SCHEMA, title="What venvsmith verify reports")


def comparison_schema() -> str:
    """Return the JSON schema of a comparison as text."""
    return schema_of(Comparison, name=COMPARISON_SCHEMA, title="What venvsmith compare tells")


def schema_of(model: type, *, name: str, title: str) -> str:
    """Return a JSON schema as text. What is added later may not break readers: keys are open.

    :param model: a dataclass that is written as JSON with all its keys, the empty ones too.
    :param name: as documents name it, ``venvsmith/report/1``.
    """
    (reference,), components = msgspec.json.schema_components(
        [model], ref_template="#/$defs/{name}"
    )
    for component in components.values():
        _strict(component)
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"https://venvsmith.example.com/{name}",
        "title": title,
        **reference,
        "$defs": components,
    }
    return json.dumps(schema, indent=2, sort_keys=False) + "\n"


def _strict(component: dict[str, Any]) -> None:
    """Require every key."""
    if component.get("type") == "object" and "properties" in component:
        component["required"] = list(component["properties"])
        for value in component["properties"].values():
            value.pop("default", None)


def main() -> None:
    """Write the schemas into the checkout that is the working directory."""
    write_files(
        {
            SCHEMA_FILE: json_schema().encode(),
            COMPARISON_FILE: comparison_schema().encode(),
        }
    )


if __name__ == "__main__":
    main()
