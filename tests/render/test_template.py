"""A user's template: what it can do, what it cannot, and where its mistakes are told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from values import plan
from venvsmith.errors import UsageError
from venvsmith.render import UserTemplate
from venvsmith.render.dockerfile import emit_dockerfile
from venvsmith.render.template import template_text

ROOT = Path(__file__).parents[2]
WRITTEN = (
    "# Written by `venvsmith render`. Do not edit: change venvsmith.toml or my.j2 and render again."
)
TURNS = "{% for a in range(1000) %}{% for b in range(1000) %}xx{% endfor %}{% endfor %}"
LONG = "{% set x = 'x' * 100000 %}"
ENDLESS = "{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}"
PAGE = (ROOT / "docs" / "templates.md").read_text()


def dockerfile(text: str | None) -> str:
    template = None if text is None else UserTemplate(name="my.j2", text=text)
    return emit_dockerfile(
        plan(), path="docker/Dockerfile", config="venvsmith.toml", pins={}, template=template
    )


def in_block(body: str, block: str = "end") -> str:
    return f'{{% extends "Dockerfile.j2" %}}\n{{% block {block} %}}\n{body}\n{{% endblock %}}\n'


def test_the_example_adds_to_the_dockerfile_and_takes_nothing_away() -> None:
    own = dockerfile((ROOT / "examples" / "template.j2").read_text()).splitlines()
    plain = dockerfile(None).splitlines()
    added = [line for line in own if line and line not in plain]
    assert added == [
        "# Acme Speech. Questions: speech@acme.example",
        WRITTEN,
        "ENV ACME_BUILD=1",
        'LABEL com.acme.team="speech"',
        'LABEL com.acme.packages="asr"',
        'HEALTHCHECK --interval=30s CMD ["/venv/bin/python", "-c", "import sys"]',
        "EXPOSE 8000",
    ]
    kept = [line for line in own if line in plain]
    assert [line for line in kept if line] == [
        line for line in plain if line and "Written by" not in line
    ]


@pytest.mark.parametrize("block", re.findall(r"{% block (\w+)", template_text()))
def test_every_block_can_be_filled_and_is_documented(block: str) -> None:
    assert "# mine" in dockerfile(in_block("# mine", block)).splitlines()
    assert f"| `{block}` |" in PAGE


def test_every_filter_that_the_template_uses_is_documented() -> None:
    used = set(re.findall(r"\| (\w+)", template_text())) - {"dictsort", "join"}
    described = PAGE[PAGE.index("| filter |") : PAGE.index("## What it may do")]
    assert used <= set(re.findall(r"`(\w+)`", described))


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        pytest.param("FROM scratch", 1, "has to begin with", id="stands for itself"),
        pytest.param('{% extends "x.j2" %}', 1, "has to begin with", id="extends another"),
        pytest.param(in_block("", "ende"), 2, "there is no block 'ende'", id="a stray block"),
        pytest.param(in_block("{{ imgae }}"), 3, "'imgae' is undefined", id="a misspelt name"),
        pytest.param(in_block("{% if %}"), 3, "Expected an expression", id="syntax"),
        pytest.param(in_block("{{ 3 | quoted }}"), 3, "'replace'", id="a wrong type"),
        pytest.param(in_block('{% include "/etc/passwd" %}'), 3, "no template", id="a file"),
        pytest.param(in_block("{{ plan.__class__ }}"), 3, "unsafe", id="Python's insides"),
        pytest.param(in_block("{{ 'x' * 9999999999 }}"), 3, "too large", id="a long string"),
        pytest.param(in_block("{{ [1] * 9999 }}"), 3, "too large", id="a long list"),
        pytest.param(in_block("{{ 9 ** 9 ** 9 }}"), 3, "**", id="a huge number"),
        pytest.param(in_block("{{ '%9999999999d' % 1 }}"), 3, "%", id="a wide format"),
        pytest.param(in_block("{{ '{:9999999999}'.format(1) }}"), 3, "unsafe", id="a wide field"),
        pytest.param(in_block("{{ 'a' | indent(1500000000) }}"), 3, "large", id="a wide indent"),
        pytest.param(in_block(f"{LONG}{{{{ x | replace('x', x) }}}}"), 3, "large", id="a replace"),
        pytest.param(in_block(f"{LONG}{{{{ x.replace('x', x) }}}}"), 3, "large", id="its method"),
        pytest.param(in_block(f"{LONG}{{{{ x.join(x) }}}}"), 3, "large", id="a joining method"),
        pytest.param(in_block(f"{LONG}{{{{ ([x] * 90) | join }}}}"), 3, "large", id="a join"),
        pytest.param(in_block("{{ 1.5 | round(1000000000, 'ceil') }}"), 3, "large", id="digits"),
        pytest.param(in_block("{{ [1] | batch(1000000000, 0) | list }}"), 3, "large", id="a batch"),
        pytest.param(in_block("{{ {1: 1} | tojson(1000000000) }}"), 3, "large", id="wide JSON"),
        pytest.param(in_block("{{ 'a b' | wordwrap(1, wrapstring='x' * 999999) }}"), 3, "large",
                     id="a long line end"),
        pytest.param(in_block("{{ 'x'.translate({120: 'y'}) }}"), 3, "unsafe", id="a translation"),
        pytest.param(in_block(LONG + "{% set x = x ~ x %}" * 5), 3, "1024 KiB", id="doubled by ~"),
        pytest.param(in_block(LONG + "{% set x = x + x %}" * 5), 3, "large", id="doubled by +"),
        pytest.param(in_block(LONG + "{% set x %}{{ x }}{{ x }}{% endset %}" * 5), 3, "1024 KiB",
                     id="doubled by a block"),
        pytest.param(in_block("{{ range(1001) }}"), 3, "at most 1000", id="a long range"),
        pytest.param(
            in_block(ENDLESS), 3, "forever", id="recursion"
        ),
        pytest.param(
            in_block(TURNS),
            None,
            "1024 KiB",
            id="a long text",
        ),
    ],
)  # fmt: skip
def test_what_a_template_may_not_do_is_told_with_its_line(
    text: str, line: int | None, told: str
) -> None:
    with pytest.raises(UsageError) as caught:
        dockerfile(text)
    assert caught.value.code == "template"
    assert caught.value.where == ("my.j2" if line is None else f"my.j2:{line}")
    assert told in caught.value.message


def test_a_template_may_replace_in_a_text_of_usual_length() -> None:
    value = "{{ ('registry.example.com/acme/asr ' * 30) | replace('acme', 'internal-mirror') }}"
    assert "registry.example.com/internal-mirror/asr " * 30 in dockerfile(in_block(f"# {value}"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("plan.imgae", "there is no 'imgae' in it; did you mean \"image\"?", id="plan"),
        pytest.param(
            "stage.titel", "there is no 'titel' in it; did you mean \"title\"?", id="stage"
        ),
        pytest.param(
            "plan.settings.labels.x", "there is no 'x' in it; known are dev.", id="labels"
        ),
    ],
)
def test_a_part_that_the_plan_does_not_have_is_told_with_those_that_it_has(
    text: str, told: str
) -> None:
    with pytest.raises(UsageError) as caught:
        dockerfile(in_block(f"{{{{ {text} }}}}"))
    assert caught.value.message.startswith(told)


def test_the_page_shows_a_mistake_as_it_is_told() -> None:
    text = (
        PAGE[PAGE.index("{% extends") :].partition("```")[0].replace("HEALTH", "{{ plan.imgae }}")
    )
    with pytest.raises(UsageError) as caught:
        dockerfile(text)
    assert f"venvsmith: {caught.value.lines()[0]}".replace("my.j2", "company.j2") in PAGE
