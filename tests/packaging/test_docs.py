"""The documentation hangs together: links lead somewhere, and the front page leads to all of it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from venvsmith.cli.pages import PAGES

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES_OF_DOCS = sorted((ROOT / "docs").glob("*.md"))
LINK = re.compile(r"\]\(([^)\s:]+)\)")


def anchors(file: Path) -> set[str]:
    """Return a page's headings as the addresses that a forge gives them."""
    headings = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("file", [README, *PAGES_OF_DOCS], ids=lambda file: file.name)
def test_every_link_leads_somewhere(file: Path) -> None:
    for link in LINK.findall(file.read_text()):
        path, _, anchor = link.partition("#")
        target = (file.parent / path).resolve() if path else file
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_the_front_page_links_every_page_and_lists_every_command() -> None:
    text = README.read_text()
    assert {f"docs/{page.name}" for page in PAGES_OF_DOCS} <= {
        link.partition("#")[0] for link in LINK.findall(text)
    }
    listed = set(re.findall(r"^\| `([a-z ]+)` \|", text, re.MULTILINE))
    assert listed == set(PAGES) - {"", "bundle"}


def test_the_page_for_contributors_has_the_rooms_in_the_order_in_which_they_import() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    rows = [row.split("|")[1] for row in text.splitlines() if row.startswith("| `")]
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = [layer.replace("venvsmith.", "") for layer in settings["contracts"][0]["layers"]]
    assert [re.findall(r"`(\w+)`", row) for row in rows] == [layer.split(" | ") for layer in layers]
    named = set(re.findall(r"`(\w+)`", "".join(rows)))
    here = (ROOT / "src/venvsmith").iterdir()
    rooms = {path.stem for path in here if path.suffix in {"", ".py"} and path.name[0] != "_"}
    assert rooms - named == {"steps"}
