"""The parser: BuildKit's grammar, line numbers, and no crash on anything."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from venvsmith.dockerfile.installs import events
from venvsmith.dockerfile.parse import SIZE_LIMIT, parse
from venvsmith.dockerfile.replay import Reading
from venvsmith.dockerfile.shell import parse_script
from venvsmith.errors import UnsafeInputError
from venvsmith.model.dockerfile import Piece
from venvsmith.model.facts import Facts, Target
from venvsmith.verify import judge

WHOLE = """\
# syntax=docker/dockerfile:1.7
# escape=`
ARG V=3.11
FROM --platform=$BUILDPLATFORM python:${V}-slim AS Build
RUN --mount=type=cache,target=/root/.cache `
    # a comment between
    pip install rich `

    click
COPY --from=ghcr.io/astral-sh/uv:0.9.5 ["/uv", "/bin dir/"]
RUN <<EOF bash
pip install \\
  numpy
EOF
COPY <<-A <<'B' /etc/
	one
	A
two $V
B
ONBUILD RUN pip install later
FROM build
CMD ["python"]
"""


def test_every_form_of_the_grammar_is_read_with_its_lines() -> None:
    facts = parse(WHOLE, "Dockerfile")
    assert facts.syntax == "docker/dockerfile:1.7"
    assert [(s.name, s.base, s.line, s.platform) for s in facts.stages] == [
        ("build", "python:${V}-slim", 4, "$BUILDPLATFORM"),
        (None, "build", 21, None),
    ]
    pip, uv, heredoc, several, later = facts.stages[0].instructions
    assert pip.flag("mount") == "type=cache,target=/root/.cache"
    assert pip.args.split() == ["pip", "install", "rich", "click"]
    assert [p.line for p in pip.pieces if p.text.strip()] == [7, 9]
    assert uv.exec_form == ("/uv", "/bin dir/")
    assert [(h.content, h.line) for h in heredoc.heredocs] == [("pip install \\\n  numpy", 12)]
    assert [h.content for h in several.heredocs] == ["\tone", "two $V"]
    assert (later.keyword, later.on_build, later.line) == ("RUN", True, 20)


def test_stages_and_variables_are_followed() -> None:
    reading = Reading(parse(WHOLE, "Dockerfile"))
    assert reading.root_base(reading.facts.final) == "python:3.11-slim"
    assert reading.final_chain == reading.built == {0, 1}
    found = [(e.line, e.names) for e in events(reading, reading.facts.final)]
    assert found == [(7, ("rich", "click")), (12, ("numpy",))]


@pytest.mark.parametrize(
    ("run", "place"),
    [
        ("uv --directory /app sync", "/app/.venv"),
        ("uv sync --directory /app", "/app/.venv"),
        ("uv --directory=/app --no-cache sync --project shop", "/app/shop/.venv"),
        ("uv --directory /app pip --no-cache install rich", "/app/.venv"),
        ("uv --directory /app venv env", "/app/env"),
        ("cd /app && UV_PROJECT_ENVIRONMENT=/venv uv -q sync", "/venv"),
        ("export UV_PROJECT_ENVIRONMENT=/venv; uv sync", "/venv"),
        ("UV_PROJECT_ENVIRONMENT=/venv uv lock && uv sync", "/srv/.venv"),
        ("cd $(mktemp -d) && uv sync", None),
        (". /venv/bin/activate && uv pip install rich", "/venv"),
    ],
)
def test_an_environment_is_where_its_command_puts_it(run: str, place: str | None) -> None:
    reading = Reading(parse(f"FROM python:3.12\nWORKDIR /srv\nRUN {run}\n", "Dockerfile"))
    assert [event.place for event in events(reading, reading.facts.final)] == [place]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no FROM"),
        ("# only\n", "no FROM"),
        ("RUN x\n", "no FROM"),
        ("FROM\n", "names no base"),
        ("FROM a\nRUN <<EOF\nx\n", "the heredoc EOF has no end"),
        ("FROM a\n{% if x %}\n", "a template"),
        ("FROM a\nRUN " + "x" * 70_000, "a line of more than"),
        ("#" * (SIZE_LIMIT + 1), "larger than"),
        ("FROM a\n" * 1001, "more than 1000 instructions"),
    ],
)
def test_what_is_no_dockerfile_is_refused_with_the_reason(text: str, said: str) -> None:
    with pytest.raises(UnsafeInputError, match=said):
        parse(text, "Dockerfile")


def test_the_shell_is_divided_into_commands() -> None:
    text = (
        "set -ex; if [ -f x ]; then pip install a; fi && B=1 C='d e' sudo -E pip install b > /log "
        "|| true; bash -c 'pip install \"c\" && ls' | tee `date`; x=$(pip list | cat) y # pip z"
    )
    commands = parse_script((Piece(line=3, text=text),)).commands
    assert [(" ".join(c.argv), c.joiner, c.conditional) for c in commands] == [
        ("set -ex", "", False),
        ("[ -f x ]", ";", True),
        ("pip install a", ";", True),
        ("fi", ";", False),
        ("pip install b", "&&", False),
        ("true", "||", True),
        ('bash -c pip install "c" && ls', ";", False),
        ("pip install c", "", False),
        ("ls", "&&", False),
        ("tee `date`", "|", False),
        ("y", ";", False),
    ]


WORDS = st.sampled_from(
    [
        *("FROM", "RUN", "COPY", "ENV", "ARG", "ONBUILD", "HEALTHCHECK", "a", "b:1", "AS"),
        *("--from=a", "$x", "${x:-${y}}", "${", "'", '"', "\\", "\\\n", "\n", "#", "<<E", "E"),
        *("&&", "|", "(", ")", "`", "[", '["a"]', "x=1", "pip install", "uv sync", "uv venv"),
        *("/v", "chown -R", "apt-get update", "python -m venv /v", "=", "\t", "\ufeff", "é"),
        *("\x00", "if", "fi", "{{"),
    ]
)


@settings(max_examples=300)
@given(st.lists(WORDS, max_size=40))
def test_nothing_makes_the_parser_or_a_rule_crash(words: list[str]) -> None:
    text = "FROM python:3.11\n" + " ".join(words)
    try:
        facts = parse(text, "Dockerfile")
    except UnsafeInputError:
        return
    judge(Facts(target=Target(kind="dockerfile", ref="Dockerfile"), dockerfile=facts))


@pytest.mark.parametrize(
    "line",
    [
        "ENV A0=xxxxxxxx\n" + "".join(f"ENV A{n}=$A{n - 1}$A{n - 1}\n" for n in range(1, 200)),
        "ENV A=" + "${" * 30_000 + "\n",
        "RUN " + "(" * 60_000 + "\n",
        "RUN " + "$(" * 30_000 + "\n",
        "RUN " + "a && \\\n" * 20_000 + "b\n",
        "RUN " + "curl http://a " * 4_000 + "\n",
        "".join(
            f"RUN uv venv /v{n} && pip install a{n}\nFROM s{n - 1} AS s{n}\nCOPY --from={n} / /\n"
            for n in range(150)
        ),
        "RUN uv venv /v && uv pip install -p /v a\n" * 300
        + "FROM python:3.12\n"
        + "COPY --from=0 /v /v\nRUN chown -R 1 /v\n" * 300,
    ],
    ids=[
        *("doubling", "open braces", "parentheses", "substitutions", "continuations"),
        *("downloads", "stages", "copies"),
    ],
)
def test_a_hostile_file_costs_neither_time_nor_memory(line: str) -> None:
    started = time.process_time()
    facts = parse("FROM python:3.11\n" + line, "Dockerfile")
    judge(Facts(target=Target(kind="dockerfile", ref="Dockerfile"), dockerfile=facts))
    assert time.process_time() - started < 20
