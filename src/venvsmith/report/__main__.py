"""Write a saved report in another format: one run of verify, several readers.

usage: python -m venvsmith.report REPORT.json FORMAT
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from venvsmith.model.finding import Report
from venvsmith.report import FORMATS, render


def main(argv: list[str]) -> int:
    """Print a report that ``verify --format json`` wrote; return 2 where it is none."""
    if len(argv) != 2 or argv[1] not in FORMATS:  # noqa: PLR2004 - file and format
        formats = "|".join(FORMATS)
        sys.stderr.write(f"usage: python -m venvsmith.report REPORT.json {formats}\n")
        return 2
    file, form = argv
    try:
        report = msgspec.json.decode(Path(file).read_bytes(), type=Report)
    except (OSError, msgspec.DecodeError) as exc:
        sys.stderr.write(f"venvsmith: no-report: {file}: {exc}\n")
        return 2
    sys.stdout.write(render(report, next(known for known in FORMATS if known == form)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
