"""``--help``: each page is whole, fits 80 columns, and says nothing that the options do not."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from venvsmith.cli.main import COMMANDS, GROUPS, cli
from venvsmith.cli.manual import Manual
from venvsmith.cli.pages import PAGES

ROOT = Path(__file__).parents[2]
DOCS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def pages() -> Iterator[tuple[str, click.Command, click.Context]]:
    """Yield every command by its words, with the context in which its help is written."""
    top = click.Context(cli, info_name="venvsmith", terminal_width=80, max_content_width=100)
    todo: list[tuple[str, click.Command, click.Context]] = [("", cli, top)]
    while todo:
        words, command, ctx = todo.pop()
        yield words, command, ctx
        if isinstance(command, click.Group):
            for name in command.list_commands(ctx):
                inner = command.get_command(ctx, name)
                assert inner is not None
                todo.append((f"{words} {name}".strip(), inner, click.Context(inner, ctx, name)))


EVERY = [pytest.param(*page, id=page[0] or "venvsmith") for page in pages()]


@pytest.mark.parametrize(("words", "command", "ctx"), EVERY)
def test_a_page_is_whole_and_fits_80_columns(
    words: str, command: click.Command, ctx: click.Context
) -> None:
    assert isinstance(command, Manual)
    text = command.get_help(ctx)
    assert max(map(len, text.splitlines())) <= 80
    headings = re.findall(r"^([A-Z][a-z ]+):$", text, re.MULTILINE)
    assert {"Options", "Exit codes", "Examples"} <= set(headings)
    for param in command.params:
        if isinstance(param, click.Option):
            assert param.help, param.name
        else:
            assert (param.metavar or "") in text


@pytest.mark.parametrize("words", [[], ["bundle"]])
def test_a_group_without_a_command_tells_its_page(words: list[str]) -> None:
    argv = [sys.executable, "-m", "venvsmith", *words]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("Usage: venvsmith")
    assert "\nExamples:\n" in done.stderr


def test_no_page_is_of_a_command_that_is_not_there() -> None:
    assert set(PAGES) == {words for words, _, _ in pages()}


def test_every_command_is_listed_once_under_its_own_synopsis() -> None:
    assert len(COMMANDS) == len(set(COMMANDS))
    for name, synopsis in [item for group in GROUPS.values() for item in group.items()]:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        assert (command.name, (command.help or "").splitlines()[0]) == (name, synopsis)


def command_lines(text: str) -> Iterator[list[str]]:
    """Yield the words of each call of venvsmith in a shell line, without the program's name."""
    text = re.sub(r"^(\$ )?uvx ", "", text)
    lexer = shlex.shlex(text, posix=True, punctuation_chars="&|;()<>")
    lexer.whitespace_split = True
    call: list[str] | None = None
    for word in lexer:
        if set(word) <= set("&|;()<>"):
            if call:
                yield call
            call = None
        elif call is not None:
            call.append(word)
        elif word == "venvsmith":
            call = []
    if call:
        yield call


def examples() -> Iterator[tuple[str, str]]:
    for words, page in PAGES.items():
        for _, line in page.examples:
            yield f"venvsmith {words}", line
    for file in DOCS:
        for line in re.findall(r"^\$ ((?:uvx )?venvsmith .+)$", file.read_text(), re.MULTILINE):
            yield file.name, line


def parse(command: click.Command, words: list[str], above: click.Context | None = None) -> None:
    """Have click read a command line down to the last command, and run nothing."""
    ctx = command.make_context(command.name, list(words), parent=above)
    if isinstance(command, click.Group):
        at = next(i for i, word in enumerate(words) if word in command.list_commands(ctx))
        inner = command.get_command(ctx, words[at])
        assert inner is not None
        parse(inner, words[at + 1 :], ctx)


@pytest.mark.parametrize(("where", "line"), list(examples()))
def test_an_example_names_only_commands_and_options_that_are_there(
    where: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    calls = list(command_lines(line))
    assert calls
    for call in calls:
        # What must be there to be named, is: files by their suffix, folders by a leading dot.
        for word in call:
            if re.fullmatch(r"[\w-]+\.(spec|pem)", word):
                Path(word).touch()
            elif re.fullmatch(r"\.\w+", word):
                Path(word).mkdir(exist_ok=True)
        parse(cli, call)
