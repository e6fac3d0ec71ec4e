"""No string of the configuration adds an instruction, reaches a shell, or changes on its way.

Every string key that `config/keys.py` declares gets hostile values; what is rendered is read by
parsers that share nothing with what wrote it, and must be what a harmless value gives, with the
one value in the place of the other.
"""

from __future__ import annotations

import copy
import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from values import plan
from venvsmith.config import _read
from venvsmith.config.formats import NAME
from venvsmith.config.keys import DOCUMENT
from venvsmith.config.scalars import Choice, Moment, Text
from venvsmith.config.tables import ListOf, MapOf, Table
from venvsmith.errors import ConfigError
from venvsmith.render import render_project

FILE = Path("/project/venvsmith.toml")
# Every string key once. What only some builds can have is taken out of the others below.
FULL: dict[str, Any] = {
    "project": {
        "name": "family", "python": "3.11", "installer": "uv", "resolver": "uv", "venv": "/venv",
        "locks": "locks", "output": "docker", "template": "my.j2", "exclude-newer": "2026-11-01",
        "no-wheel": ["torch"], "layers": "balanced",
    },
    "indexes": {"inside": {"url": "https://wheels.example.com/simple", "packages": ["acme-*"]}},
    "bases": {
        "slim": {
            "image": "python:3.11", "build": "python:3.11", "runtime": "python:3.11-slim",
            "python": "image", "python-path": "/usr/bin/python3.11", "manylinux": "2_28",
            "apt": ["ca-certificates"], "env": {"LANG": "C"},
            "apt-sources": [{
                "uri": "https://apt.example.com", "suite": "stable", "components": ["main"],
                "key-sha256": "a" * 64, "key": "keys/a.asc",
            }],
            "uv-image": "registry.example.com/uv:1",
        }
    },
    "variants": {
        "cuda": {
            "base": "slim", "platforms": ["linux/amd64"], "torch-backend": "cu128",
            "find-links": ["wheels"],
        }
    },
    "stages": {
        "torch": {
            "requires": ["torch"], "requires-file": ["requirements.txt"], "imports": ["torch"],
            "commands": [["python", "-V"]], "apt": ["ffmpeg"], "variants": ["cuda"],
            "source": "code",
        },
        "asr": {"extends": "torch"},
    },
    "images": {
        "low": {"stage": "torch"},
        "asr": {
            "from": "low", "stage": "asr", "variants": ["cuda"], "user": 1001, "workdir": "/app",
            "env": {"HOME_OF": "/cache"}, "writable": ["/cache"],
            "copy": [{"from": "config", "to": "/app/config"}], "entrypoint": ["whisperx"],
            "cmd": ["--help"], "labels": {"note": "x"}, "tags": ["example.com/asr:{variant}"],
        },
        "two": {"venvs": {"/venvs/a": "asr", "/venvs/b": "torch"}},
    },
    "build": {
        "cache-from": ["type=gha"], "cache-to": ["type=gha,scope={image}-{variant}"],
        "secrets": ["token"],
    },
    "preflight": {"binaries": ["ffmpeg"], "tokens": ["HF_TOKEN"]},
}  # fmt: skip

Place = tuple[Any, ...]
"""Keys and indexes that lead to a string; a last item ``("key", name)`` is a name itself."""


def places(kind: Any, value: Any, place: Place = (), declared: str = "") -> Iterator[Any]:
    """Yield where each string of a document stands, and which declared key it belongs to."""
    if isinstance(kind, Table):
        for name, key in kind.keys.items():
            if name in value:
                yield from places(key.kind, value[name], (*place, name), f"{declared}.{name}")
    elif isinstance(kind, MapOf):
        for name, item in value.items():
            yield (*place, ("key", name)), f"{declared}.*", kind.key
            yield from places(kind.value, item, (*place, name), f"{declared}.*=")
    elif isinstance(kind, ListOf):
        for index, item in enumerate(value):
            yield from places(kind.item, item, (*place, index), declared)
    elif isinstance(kind, Text | Choice | Moment):
        yield place, declared, kind


def declared_strings(kind: Any, declared: str = "") -> Iterator[str]:
    if isinstance(kind, Table):
        for name, key in kind.keys.items():
            yield from declared_strings(key.kind, f"{declared}.{name}")
    elif isinstance(kind, MapOf):
        yield f"{declared}.*"
        yield from declared_strings(kind.value, f"{declared}.*=")
    elif isinstance(kind, ListOf):
        yield from declared_strings(kind.item, declared)
    elif isinstance(kind, Text | Choice | Moment):
        yield declared


ALL = {place: kind for place, _, kind in places(DOCUMENT, FULL)}


def shown(place: Place) -> str:
    return ".".join(f"[{p[1]}]" if isinstance(p, tuple) else str(p) for p in place)


def document(place: Place, value: str) -> dict[str, Any]:
    """The full document with one string replaced, without what does not go with its place."""
    made = copy.deepcopy(FULL)
    *above, last = place
    parent: Any = made
    for step in above:
        parent = parent[step]
    if isinstance(last, tuple):
        parent[value] = parent.pop(last[1])
    else:
        parent[last] = value
    base = made["bases"].get("slim")
    if base is not None:
        for name in ["build", "runtime"] if "image" in place else ["image"]:
            del base[name]
        if "apt-sources" not in place:
            del base["apt-sources"]
        if "uv-image" in place:
            base["python"] = "uv"
        del base["python-path" if "uv-image" in place else "uv-image"]
    if place[0] != "indexes":
        del made["indexes"]
    if "torch" in made["stages"] and "source" not in place:
        del made["stages"]["torch"]["source"]
    return made


def rendered(content: dict[str, Any]) -> dict[str, bytes] | None:
    """What a document renders to; None where this version cannot build it yet."""
    project, problems = _read(content, file=FILE)
    assert problems == []
    try:
        plans = [plan(project, image=name) for name in project.images]
    except ConfigError:
        return None
    return render_project(project, plans, pins={})


# -- what a Dockerfile says, after the Dockerfile reference and BuildKit's own parser -------------


def instructions(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    pending = ""
    # Line ends are \n alone: unicode has others, which are no ends to BuildKit.
    for number, line in enumerate(text.split("\n")):
        assert not re.match(r"#\s*(escape|syntax|check)\s*=", line, re.IGNORECASE), number
        if re.match(r"\s*#", line) or not line.strip():
            continue
        if re.search(r"\\[ \t]*$", line):
            pending += re.sub(r"\\[ \t]*$", "", line)
            continue
        keyword, _, rest = (pending + line).strip().partition(" ")
        found.append((keyword, rest.strip()))
        pending = ""
    assert not pending
    return found


def unquoted(text: str) -> str:
    """Undo quotes and backslashes as BuildKit's expansion does; no variable may be left."""
    out, quote, chars = "", "", iter(text)
    for char in chars:
        if char == "\\" and quote != "'":
            out += next(chars)
        elif char in {"'", '"'} and quote in {"", char}:
            quote = "" if quote else char
        else:
            # The two variables that the template itself writes.
            assert char != "$", text
            out += char
    assert not quote
    return out


def split(text: str) -> list[str]:
    """Split at spaces outside quotes and behind no backslash, keeping both as they are."""
    words, word, quote, chars = [], "", "", iter(text)
    for char in chars:
        if char == "\\":
            word += char + next(chars, "")
            continue
        if char in {"'", '"'} and quote in {"", char}:
            quote = "" if quote else char
        if char.isspace() and not quote:
            words += [word] if word else []
            word = ""
        else:
            word += char
    return [*words, word] if word else words


def flags(rest: str) -> tuple[list[str], str]:
    """Take the leading ``--flags`` off a `RUN`, unquoted; return the command behind them."""
    found = []
    while match := re.match(r"--(?:\\.|[^\s\\])+\s+", rest):
        found.append(re.sub(r"\\(.)", r"\1", match[0].strip()))
        rest = rest[match.end() :]
    return found, rest


def mount(flag: str) -> list[str]:
    (fields,) = csv.reader([flag.removeprefix("--mount=")], strict=True)
    return [unquoted(field) for field in fields]


def shell(line: str) -> tuple[list[str], list[str]]:
    """Return a shell line's words, and all that a shell would act on: what no quote disarms."""
    words, acted = [""], []
    for part in re.findall(r"""'[^']*'|"'"|"[^"]*"|.""", line, re.DOTALL):
        if part[0] == "'" and len(part) > 1:
            words[-1] += part[1:-1]
        elif part == '"\'"':
            words[-1] += "'"
        elif part == " ":
            words.append("")
        else:
            words[-1] += part
            if not re.fullmatch(r"[A-Za-z0-9_@%+=:,./-]", part):
                acted.append(part)
    return [word for word in words if word], acted


def meaning(keyword: str, rest: str) -> Any:
    if keyword in {"ENV", "LABEL"}:
        words = split(rest)
        pairs = [re.fullmatch(r'((?:"(?:\\.|[^"\\])*"|[^"=])*)=(.*)', w, re.DOTALL) for w in words]
        if rest.startswith("PATH="):
            return rest
        return [(unquoted(p[1]), unquoted(p[2])) for p in pairs if p] + [len(words)]
    if keyword == "RUN":
        options, command = flags(rest)
        mounts = [mount(flag) for flag in options if flag.startswith("--mount=type=bind")]
        return mounts, [f for f in options if "type=bind" not in f], shell(command)
    if keyword == "COPY":
        start = rest.index("[")
        return rest[:start], [unquoted(word) for word in json.loads(rest[start:])]
    if keyword in {"ENTRYPOINT", "CMD"}:
        return json.loads(rest)
    return unquoted(rest) if keyword == "WORKDIR" else rest


def plain_bake(value: Any) -> Any:
    """Undo the escapes of bake's strings; nothing in them may be left to evaluate."""
    if isinstance(value, dict):
        return {plain_bake(key): plain_bake(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain_bake(item) for item in value]
    if isinstance(value, str):
        assert not re.search(r"(?<!\$)\$\{|(?<!%)%\{", value)
        return value.replace("$${", "${").replace("%%{", "%{")
    return value


def marked(value: Any, secret: str) -> Any:
    """Put one mark in the place of a value, in any structure; order names anew."""
    if isinstance(value, str):
        return value.replace(secret, "\0")
    if isinstance(value, dict):
        items = [(marked(k, secret), marked(v, secret)) for k, v in value.items()]
        return sorted(items, key=repr)
    if isinstance(value, list | tuple):
        return [marked(item, secret) for item in value]
    return value


def meanings(files: dict[str, bytes], secret: str) -> Any:
    """What all rendered files say, with a mark where the value stands."""
    said = {}
    for path, data in files.items():
        text = data.decode() if not path.endswith(".whl") else ""
        if path.endswith("docker-bake.json"):
            said[path] = plain_bake(json.loads(text))
        elif path.endswith(".json"):
            said[path] = json.loads(text)
        elif "/Dockerfile." in path and not path.endswith(".dockerignore"):
            told = [(keyword, meaning(keyword, rest)) for keyword, rest in instructions(text)]
            said[path] = sorted(told, key=lambda each: each[0])
        elif path.endswith(".dockerignore"):
            lines = text.split("\n")
            assert lines[1] == "*"
            assert all(line == line.strip() for line in lines)
            # A line without "!" leaves out part of a folder that was taken, by patterns of ours.
            taken = [line for line in lines[2:] if line[:1] == "!"]
            assert not any(re.search(r"[*?\[\]\\^]", line) for line in taken)
            said[path] = sorted(lines, key=lambda line: line.replace(secret, "\0"))
        else:
            said[path] = text
    marked_up = marked(said, secret)
    return json.loads(json.dumps(marked_up, sort_keys=True))


def ordered(told: Any) -> Any:
    """The same with instructions of one keyword in the order of what they say."""
    text = json.dumps(told, sort_keys=True)
    return sorted(re.split(r"(?<=\]), ", text))


# -- values ----------------------------------------------------------------------------------------

SPECIAL = [
    "\\", '"', "'", "$", "${x}", "$(x)", "`x`", "%{if}", "<<EOF", "#", " ", "&&", ";", "|", ">",
    "*", "?", "[a]", "~", "!", "--", "-x", "=", ",", "{", "}", "(", ")", "^", "@", ":", "/", ".",
    "é", "\u00a0", "\u3000", "\ufeff", "RUN x", "# escape=`", "EOF", "e\u0301",
]  # fmt: skip
parts = st.lists(
    st.sampled_from(SPECIAL) | st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")),
    max_size=6,
).map("".join)
CONTROLS = ["\n", "\r", "\t", "\0", "\x1b", "\x7f", "\x85", "\u2028", "\u202e"]


def in_place_of(old: str, value: str) -> list[str]:
    """The value itself, and in the forms that keys with a grammar of their own may take."""
    return [value, f"{old}{value}", f"{old}/{value}", f"{old}={value}", f"{old}?{value}"]


def test_every_string_key_is_tried() -> None:
    tried = {declared for _, declared, _ in places(DOCUMENT, FULL)}
    assert tried == set(declared_strings(DOCUMENT)), "put the new key into FULL"


FREE = [
    ("project", "name"), ("project", "output"), ("bases", "slim", "python-path"),
    ("bases", "slim", "env", "LANG"), ("variants", "cuda", "find-links", 0),
    ("stages", "torch", "commands", 0, 1), ("stages", "torch", "source"),
    ("images", "asr", "workdir"),
    ("images", "asr", "env", ("key", "HOME_OF")), ("images", "asr", "env", "HOME_OF"),
    ("images", "asr", "writable", 0), ("images", "asr", "copy", 0, "from"),
    ("images", "asr", "copy", 0, "to"), ("images", "asr", "entrypoint", 0),
    ("images", "asr", "cmd", 0), ("images", "asr", "labels", ("key", "note")),
    ("images", "asr", "labels", "note"), ("images", "asr", "tags", 0),
    ("build", "cache-from", 0), ("build", "secrets", 0),
]  # fmt: skip


@pytest.mark.parametrize("place", FREE, ids=shown)
def test_what_may_be_chosen_freely_is_seen_in_what_is_rendered(place: Place) -> None:
    files = rendered(document(place, text_at(place) + "q7z"))
    assert files is not None
    assert any(b"q7z" in data for data in files.values())


@pytest.mark.parametrize("place", ALL, ids=shown)
def test_control_characters_are_refused_with_the_keys_path(place: Place) -> None:
    old = text_at(place)
    for control in CONTROLS:
        _, problems = _read(document(place, f"{old}{control}RUN x"), file=FILE)
        named = [step for step in place if isinstance(step, str)]
        assert any(all(step in path for step in named) for path, _ in problems), control


def text_at(place: Place) -> str:
    value: Any = FULL
    for step in place:
        value = step[1] if isinstance(step, tuple) else value[step]
    assert isinstance(value, str)
    return value


HOSTILE = [
    ("", "\\", 0), (" ", " ", 0), ("-", "'", 1), ("${HOME}", "", 1), ("$(id)", "`id`", 2),
    ("a b", "* [c]", 2), ('"', ' <<EOF # "', 1), ("%{if}", "&& x; y", 1),
]  # fmt: skip


@pytest.mark.parametrize("place", FREE, ids=shown)
def test_no_hostile_string_becomes_more_than_itself(place: Place) -> None:
    for before, after, form in HOSTILE:
        compare(place, before, after, form)


@settings(max_examples=100)
@given(place=st.sampled_from(list(ALL)), before=parts, after=parts, form=st.integers(0, 4))
def test_no_string_of_the_configuration_becomes_more_than_itself(
    place: Place, before: str, after: str, form: int
) -> None:
    compare(place, before, after, form)


def compare(place: Place, before: str, after: str, form: int) -> None:
    """What is rendered with a hostile value is what is rendered with a harmless one."""
    old = text_at(place)
    told = []
    for value in (f"{before}q7z{after}", "q7z"):
        given_value = in_place_of(old, value)[form]
        content = document(place, given_value)
        if _read(content, file=FILE)[1]:
            return  # refused, which is the other way to be safe
        model = ALL[place].read(given_value, "", [])
        files = rendered(content)
        if files is None or ALL[place] == NAME:
            return  # a name has no room for anything special
        told.append(ordered(meanings(files, value if "{image}" in old else model)))
    assert told[0] == told[1]
