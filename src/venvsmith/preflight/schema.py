"""The JSON form of preflight, and its schema, from the model itself.

``python -m venvsmith.preflight.schema`` in a checkout rewrites ``schema/preflight.schema.json``; a
test fails where it is out of step.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from venvsmith.files import write_files
from venvsmith.preflight.report import SCHEMA, Preflight
from venvsmith.report.schema import schema_of

SCHEMA_FILE = Path("schema/preflight.schema.json")


def as_json(preflight: Preflight) -> str:
    """Return the answer as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(preflight), indent=2).decode() + "\n"


def json_schema() -> str:
    """Return its JSON schema as text."""
    return schema_of(Preflight, name=SCHEMA, title="What venvsmith preflight tells")


def main() -> None:
    """Write the schema into the checkout that is the working directory."""
    write_files({SCHEMA_FILE: json_schema().encode()})


if __name__ == "__main__":
    main()
