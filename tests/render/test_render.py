"""Rendered files, read by a parser that shares nothing with what wrote them."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from values import plan, project
from venvsmith.model.plan import Plan
from venvsmith.model.project import BuildSettings
from venvsmith.render import render_project
from venvsmith.render.dockerfile import emit_dockerfile


def dockerfile(made: Plan, pins: Mapping[str, str] | None = None) -> str:
    return emit_dockerfile(
        made, path="docker/Dockerfile.asr.cuda", config="venvsmith.toml", pins=pins or {}
    )


def instructions(text: str) -> list[tuple[str, str]]:
    """Parse as BuildKit does: comments dropped, continued lines joined, one keyword each."""
    found: list[tuple[str, str]] = []
    pending = ""
    for line in text.split("\n"):
        if re.match(r"\s*#", line) or (not pending and not line.strip()):
            continue
        if re.search(r"\\[ \t]*$", line):
            pending += re.sub(r"\\[ \t]*$", "", line)
            continue
        keyword, _, rest = (pending + line).strip().partition(" ")
        found.append((keyword, rest))
        pending = ""
    assert not pending
    return found


def unquote(value: str) -> str:
    """Undo double quotes as BuildKit's word expansion does, expecting no variable to be left."""
    assert value[0] == value[-1] == '"'
    out = ""
    chars = iter(value[1:-1])
    for char in chars:
        assert char not in {'"', "$"}
        out += next(chars) if char == "\\" else char
    return out


def test_each_step_of_the_plan_stands_in_the_dockerfile_once_and_nothing_else_runs() -> None:
    made = plan()
    text = dockerfile(made)
    steps = re.findall(r"^# step (\S+): ", text, re.MULTILINE)
    assert steps == [step.id for step in made.steps]
    runs = [rest for keyword, rest in instructions(text) if keyword == "RUN"]
    assert len(runs) == len(made.steps)
    for run, step in zip(runs, made.steps, strict=True):
        squeezed = " ".join(run.split())
        assert squeezed.endswith(" && ".join(" ".join(line.split()) for line in step.run))


def test_the_image_waits_for_the_rehearsal() -> None:
    told = instructions(dockerfile(plan()))
    final = told[told.index(("FROM", "assembled AS final")) :]
    assert ("COPY", '--link --from=rehearsal ["/venvsmith/gate/", "/"]') in final


def test_layers_of_the_image_are_copied_with_link_onto_the_root() -> None:
    told = instructions(dockerfile(plan()))
    start = told.index(("FROM", "runtime AS assembled"))
    copies = [rest for keyword, rest in told[start:] if keyword == "COPY" and "--from" in rest]
    assert len(copies) == 7
    assert all(rest.startswith("--link ") and rest.endswith(', "/"]') for rest in copies)


def test_bases_are_pinned_to_recorded_digests() -> None:
    text = dockerfile(plan(), {"python:3.11-slim": "sha256:abc"})
    assert "FROM python:3.11-slim@sha256:abc AS runtime\n" in text
    assert "FROM python:3.11 AS interpreter\n" in text


def test_a_delta_holds_pins_and_hashes_and_nothing_else() -> None:
    of = project()
    files = render_project(of, [plan(of)], pins={})
    for path, data in files.items():
        if "/deltas/" in path and not path.endswith(".json"):
            lines = data.decode().splitlines()
            assert all(re.fullmatch(r"\S+==\S+ \\|    --hash=sha256:\w+( \\)?", x) for x in lines)


def test_the_allow_list_names_exactly_what_is_mounted_or_copied() -> None:
    of = project()
    made = plan(of)
    ignore = render_project(of, [made], pins={})["docker/Dockerfile.asr.cuda.dockerignore"]
    allowed = {line[1:] for line in ignore.decode().splitlines() if line.startswith("!")}
    read = set(re.findall(r"type=bind,source=([^,]+),", dockerfile(made)))
    for keyword, rest in instructions(dockerfile(made)):
        if keyword == "COPY" and "--from" not in rest:
            read.add(json.loads(rest[rest.index("[") :])[0])
    assert allowed == read


def test_the_bake_file_names_each_plan() -> None:
    of = project(image={"tags": ("registry.example.com/{stage}:{variant}",)})
    files = render_project(of, [plan(of)], pins={})
    bake = json.loads(files["docker/docker-bake.json"])
    assert bake["target"]["asr_cuda"]["tags"] == ["asr:cuda", "registry.example.com/asr:cuda"]
    assert bake["target"]["asr_cuda"]["platforms"] == ["linux/amd64"]
    assert bake["group"]["default"]["targets"] == ["asr_cuda"]


def test_rendering_twice_gives_the_same_bytes() -> None:
    of = project()
    assert render_project(of, [plan(of)], pins={}) == render_project(of, [plan(of)], pins={})


# Anything but control characters, which the configuration refuses; with what shells and
# Dockerfiles find special made likely.
hostile = st.lists(
    st.sampled_from(
        [
            "\\",
            '"',
            "'",
            "$",
            "${x}",
            "%{y}",
            "$$",
            "%%",
            "`",
            "\\\\",
            "<<EOF",
            "#",
            " ",
            "\n"[:0],
            "RUN x",
            "é",
            "e\u0301",
            "\ufeff",
        ]
    )
    | st.characters(exclude_categories=("Cc", "Cs")),
    max_size=12,
).map("".join)
PLAIN = instructions(dockerfile(plan()))


@given(env=hostile, label=hostile, word=hostile)
def test_no_value_adds_an_instruction_or_changes_on_the_way(
    env: str, label: str, word: str
) -> None:
    image = {
        "env": {"VALUE": env},
        "labels": {"note": label},
        "entrypoint": ("run", word),
        "cmd": (word,),
    }
    told = instructions(dockerfile(plan(project(image=image))))
    keywords = [keyword for keyword, _ in told]
    assert sorted(keywords) == sorted([*(k for k, _ in PLAIN), "ENV", "LABEL", "CMD"])
    values = dict(rest.partition("=")[::2] for k, rest in told if k in {"ENV", "LABEL"})
    assert unquote(values["VALUE"]) == env
    assert unquote(values["note"]) == label
    argv = dict(told)
    assert json.loads(argv["ENTRYPOINT"]) == ["run", word]
    assert json.loads(argv["CMD"]) == [word]


@pytest.mark.engine
@settings(max_examples=5)
@given(values=st.lists(hostile, min_size=20, max_size=60))
def test_bake_reads_every_value_as_it_is(values: list[str]) -> None:
    labels = {f"label-{number}": value for number, value in enumerate(values)}
    labels["${key} %{if}"] = "$${x} %%{y}"
    of = project(image={"labels": labels})
    bake = render_project(of, [plan(of)], pins={})["docker/docker-bake.json"]
    argv = ["docker", "buildx", "bake", "-f", "-", "--print"]
    done = subprocess.run(argv, input=bake, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    read = json.loads(done.stdout)["target"]["asr_cuda"]["labels"]
    # Bake's labels win over the Dockerfile's, which holds them all.
    assert {**labels, **{key: read[key] for key in labels if key in read}} == labels
    assert {key for key in labels if labels[key].isascii()} <= set(read)


def test_the_bake_file_groups_its_targets_and_fills_in_their_caches() -> None:
    build = BuildSettings(
        cache_from=("type=gha,scope={image}",),
        cache_to=("type=registry,ref=example.com/cache:{image}-{variant}-{stage},mode=max",),
    )
    of = project(build=build)
    of = replace(of, images={**of.images, "cuda": replace(of.images["asr"], name="cuda")})
    plans = [plan(of), plan(of, image="cuda")]
    bake = json.loads(render_project(of, plans, pins={})["docker/docker-bake.json"])
    both = ["asr_cuda", "cuda_cuda"]
    # An image that is called as a variant is found by its target's name.
    assert bake["group"] == {
        "default": {"targets": both}, "cuda": {"targets": both}, "asr": {"targets": both[:1]},
    }  # fmt: skip
    target = bake["target"]["asr_cuda"]
    assert target["cache-from"] == ["type=gha,scope=asr"]
    assert target["cache-to"] == ["type=registry,ref=example.com/cache:asr-cuda-asr,mode=max"]
    assert target["labels"]["dev.venvsmith.image"] == "asr"
