"""Write a saved report in another format: one run of verify, several readers.

usage: python -m venvsmith.report REPORT.json FORMAT
"""

from __future__ import annotations

import sys
from pathlib import Path

from venvsmith.errors import VenvsmithError
from venvsmith.report import FORMATS, render
from venvsmith.report.saved import read_report


def main(argv: list[str]) -> int:
    """Print a report that ``verify --format json`` wrote; return 2 where it is none."""
    if len(argv) != 2 or argv[1] not in FORMATS:  # noqa: PLR2004 - file and format
        formats = "|".join(FORMATS)
        sys.stderr.write(f"usage: python -m venvsmith.report REPORT.json {formats}\n")
        return 2
    file, form = argv
    try:
        report = read_report(Path(file))
    except VenvsmithError as exc:
        sys.stderr.write("".join(f"{line}\n" for line in exc.lines()))
        return exc.exit_code
    sys.stdout.write(render(report, next(known for known in FORMATS if known == form)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
