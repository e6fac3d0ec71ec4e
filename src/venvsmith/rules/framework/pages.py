"""The rules' pages: for ``venvsmith explain`` and for ``docs/rules/``.

``python -m venvsmith.rules.framework.pages`` in a checkout rewrites ``docs/rules/``; a test fails
where it is out of step.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING

from venvsmith.files import write_files
from venvsmith.rules.framework.catalogue import load_rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from venvsmith.rules.framework.rule import Rule

FOLDER = Path("docs/rules")
FAMILIES = {
    "1": "The probe itself",
    "2": "Distributions",
    "3": "Interpreter and venv",
    "4": "Native code",
    "5": "Scripts and start",
    "6": "The torch family",
    "7": "Imports",
    "8": "Dockerfiles",
    "9": "Bundles",
}


def index(rules: Iterable[Rule]) -> str:
    """Return the list of rules by family, for a terminal."""
    lines: list[str] = []
    family = ""
    for rule in rules:
        if rule.code[2] != family:
            family = rule.code[2]
            lines += ["", FAMILIES[family]] if lines else [FAMILIES[family]]
        lines.append(f"  {rule.code}  {rule.name:<28} {rule.title()}")
    return "\n".join([*lines, "", "venvsmith explain RULE tells more of one."]) + "\n"


def near(name: str, rules: Iterable[Rule]) -> str:
    """Return a did-you-mean for a name that no rule has, or an empty string."""
    close = difflib.get_close_matches(name, [rule.name for rule in rules], n=1)
    return f"did you mean '{close[0]}'?" if close else ""


def pages(rules: Iterable[Rule]) -> Mapping[str, str]:
    """Return the files of ``docs/rules/``: one a rule, and the table of all."""
    rules = tuple(rules)
    files = {f"{rule.name}.md": rule.page() for rule in rules}
    lines = ["# Rules", "", "Each page is what `venvsmith explain RULE` prints."]
    family = ""
    for rule in rules:
        if rule.code[2] != family:
            family = rule.code[2]
            lines += ["", f"## {FAMILIES[family]}", ""]
        lines.append(f"- {rule.code} [{rule.name}]({rule.name}.md): {rule.title()}")
    files["README.md"] = "\n".join(lines) + "\n"
    return files


def main() -> None:
    """Write the pages into the checkout that is the working directory."""
    files = pages(load_rules())
    changes: dict[Path, bytes | None] = {FOLDER / k: v.encode() for k, v in files.items()}
    for old in FOLDER.glob("*.md"):
        changes.setdefault(old, None)
    write_files(changes)


if __name__ == "__main__":
    main()
