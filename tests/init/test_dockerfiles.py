"""Dockerfiles as people write them, and those of the corpus as a property."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from init.drafts import Made, told
from venvsmith.config import check
from venvsmith.dockerfile.parse import parse
from venvsmith.errors import VenvsmithError
from venvsmith.init import Draft, draft

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
from corpuslib.cases import load

REPORT = """\
# the build of the WhisperX report: three stages, uv, a venv that is copied
ARG PYTHON=3.11
FROM python:${PYTHON}-slim-bookworm AS base
RUN apt-get update && apt-get install -y --no-install-recommends ffmpeg libgomp1=12.2.0-14 && \\
    rm -rf /var/lib/apt/lists/*

FROM base AS build
COPY --from=ghcr.io/astral-sh/uv:0.9 /uv /bin/
RUN apt-get update && apt-get install -y build-essential git
RUN uv venv /venv
RUN VIRTUAL_ENV=/venv uv pip install torch==2.8.0 torchaudio==2.8.0 \\
      --index-url https://mirror.example.com/whl/cu128
RUN uv pip install --python /venv/bin/python --no-deps whisperx==3.8.6

FROM base AS no_model
ENV PATH="/venv/bin:$PATH" HF_HOME=/cache HF_TOKEN=abc
COPY --link --from=build /venv /venv
RUN /venv/bin/python3 -c 'import whisperx; print("ok")' && /venv/bin/whisperx -h
RUN groupadd -g 1001 app && useradd -l -u 1001 -g app app && mkdir -p /cache && chown app /cache
USER app
WORKDIR /app
STOPSIGNAL SIGINT
ENTRYPOINT ["whisperx"]

FROM no_model AS with_model
RUN python -c 'import whisperx; whisperx.load_model("base")'

FROM no_model
LABEL org.opencontainers.image.title="whisperX ${PYTHON}" revision=$GIT_SHA
"""
DEADSNAKES = """\
FROM nvidia/cuda:12.6.3-cudnn-runtime-ubuntu22.04
ENV DEBIAN_FRONTEND=noninteractive PYTHONUNBUFFERED=1
RUN apt-get update && apt-get install -y software-properties-common wget && \\
    add-apt-repository -y ppa:deadsnakes/ppa && apt-get install -y python3.11 python3.11-venv ffmpeg
RUN update-alternatives --install /usr/bin/python3 python3 /usr/bin/python3.11 1
RUN wget https://bootstrap.example.com/get-pip.py -O get-pip.py && python3 get-pip.py
RUN python3 -m pip install --no-cache-dir --upgrade pip wheel setuptools
COPY requirements.txt /tmp/
RUN pip install --no-cache-dir -r /tmp/requirements.txt
RUN wget -q https://models.example.com/base.pt -O /opt/base.pt
COPY --chown=1000:1000 app/ /srv/app/
EXPOSE 8000
HEALTHCHECK CMD curl -f http://localhost:8000/health
WORKDIR /srv
CMD uvicorn app.main:app --host 0.0.0.0 --port ${PORT:-8000}
"""
POETRY = """\
FROM python:3.12 AS builder
RUN pip install poetry==1.8.5 && poetry config virtualenvs.in-project true
WORKDIR /app
COPY pyproject.toml poetry.lock ./
RUN --mount=type=cache,target=/root/.cache poetry install --only main --no-root
FROM python:3.12-slim
WORKDIR /app
COPY --from=builder /app/.venv /app/.venv
COPY bookings ./bookings
ENV PATH=/app/.venv/bin:$PATH
USER 10001:10002
CMD ["poetry", "run", "python", "-m", "bookings"]
"""
UV_PROJECT = """\
FROM ghcr.io/astral-sh/uv:python3.13-bookworm-slim
WORKDIR /app
RUN --mount=type=bind,source=uv.lock,target=uv.lock \\
    --mount=type=bind,source=pyproject.toml,target=pyproject.toml \\
    uv sync --frozen --no-install-project --extra web
COPY . /app
RUN uv sync --frozen --extra web
ENTRYPOINT []
CMD ["uv", "run", "serve", "--port", "80"]
"""
CONDA = """\
FROM continuumio/miniconda3:24.9.2-0
RUN conda install -y -c conda-forge python=3.10 numpy=1.26 libsndfile && conda clean -afy
RUN pip install librosa
SHELL ["conda", "run", "-n", "base", "/bin/bash", "-c"]
ONBUILD COPY . /src
VOLUME /data
ADD https://example.com/tool.tar.gz /opt/
CMD ["conda", "run", "--no-capture-output", "-n", "base", "python", "/src/run.py"]
"""
PREFIX = """\
FROM python:3.11-slim AS builder
COPY requirements.txt .
RUN pip install --prefix=/install -r requirements.txt && pip install --target /libs gunicorn
FROM python:3.11-slim
RUN apt-get update && apt-get install -y curl git
COPY --from=builder /install /usr/local
COPY --from=builder /libs /libs
COPY . /app
HEALTHCHECK CMD curl -f http://localhost:8000/health || exit 1
CMD ["gunicorn", "wsgi:app"]
"""
ALPINE = """\
FROM python:3.9-alpine
RUN apk add --no-cache ffmpeg gcc musl-dev
RUN <<EOF
pip install flask gunicorn
echo "debug = 1" > /etc/app.conf
EOF
COPY <<EOF /app/x.py
print(1)
EOF
CMD ["gunicorn", "x:app"]
"""


def test_the_build_of_the_report_becomes_layers_bases_and_an_image(
    make: Callable[..., Made],
) -> None:
    project, result = make("Dockerfile", Dockerfile=REPORT)
    base = project.bases["slim"]
    assert (project.python, project.venv, base.runtime) == (
        "3.11",
        "/venv",
        "python:3.11-slim-bookworm",
    )
    assert project.variants["cuda"].torch_backend == "cu128"
    assert project.stages["torch"].requires == ("torch==2.8.0", "torchaudio==2.8.0")
    main = project.stages["shop"]
    assert main.requires == ("whisperx==3.8.6",)
    assert main.imports == ("whisperx",)
    assert main.commands == (("whisperx", "-h"),)
    assert main.apt == ("ffmpeg", "libgomp1=12.2.0-14")
    image = project.images["shop"]
    assert (image.user, image.workdir, image.entrypoint) == (1001, "/app", ("whisperx",))
    assert image.env == {"HF_HOME": "/cache"}
    assert image.writable == ("/cache",)
    assert image.labels == {}
    notes = told(result)
    for what in (
        "HF_TOKEN",
        "LABEL revision=$GIT_SHA",
        "STOPSIGNAL",
        "AS with_model",
        "--no-deps",
        "build-essential",
    ):
        assert what in notes
    assert "abc" not in result.text + notes


def test_a_cuda_image_with_a_foreign_python_takes_uv_s(make: Callable[..., Made]) -> None:
    project, result = make(
        "Dockerfile",
        **{
            "Dockerfile": DEADSNAKES,
            "requirements.txt": "faster-whisper\nfastapi\n",
            "app__main.py": "",
        },
    )
    assert (project.python, project.bases["slim"].python) == ("3.11", "uv")
    assert project.stages["shop"].requires_file == ("requirements.txt",)
    assert project.stages["shop"].apt == ("ffmpeg",)
    image = project.images["shop"]
    assert [(c.source, c.to) for c in image.copy] == [("app", "/srv/app")]
    assert image.env == {"PYTHONUNBUFFERED": "1"}
    assert image.cmd is not None
    assert image.cmd[:2] == ("/bin/sh", "-c")
    notes = told(result)
    for what in ("deadsnakes", "base.pt", "EXPOSE", "HEALTHCHECK", "--chown", "wget"):
        assert what in notes
    assert "get-pip" not in notes


def test_poetry_s_environment_stays_at_its_path(make: Callable[..., Made]) -> None:
    project, result = make(
        "Dockerfile",
        **{
            "Dockerfile": POETRY,
            "pyproject.toml": '[tool.poetry]\nname = "bookings"\npackage-mode = false\n'
            '[tool.poetry.dependencies]\npython = "^3.10"\ndjango = "^5.1"\n',
            "poetry.lock": "",
            "bookings__main.py": "",
        },
    )
    assert (project.venv, project.python) == ("/app/.venv", "3.12")
    assert project.bases["slim"].build == "python:3.12"
    assert project.stages["bookings"].requires == ("django>=5.1,<6",)
    image = project.images["bookings"]
    assert (image.user, image.cmd) == (10001, ("python", "-m", "bookings"))
    assert [(c.source, c.to) for c in image.copy] == [("bookings", "/app/bookings")]
    assert "10002" in told(result)


def test_a_project_of_uv_is_installed_not_copied(make: Callable[..., Made]) -> None:
    project, result = make(
        "Dockerfile",
        **{
            "Dockerfile": UV_PROJECT,
            "pyproject.toml": '[project]\nname = "web-shop"\nversion = "1"\n'
            'dependencies = ["flask"]\n[project.optional-dependencies]\nweb = ["gunicorn"]\n'
            '[build-system]\nrequires = ["hatchling"]\n',
            "uv.lock": "",
        },
    )
    assert project.python == "3.13"
    assert project.stages["dependencies"].requires == ("gunicorn",)
    assert project.stages["dependencies"].requires_file == ("pyproject.toml",)
    assert project.stages["web-shop"].source == "."
    image = project.images["web-shop"]
    assert (image.entrypoint, image.cmd) == (None, ("serve", "--port", "80"))
    assert image.copy == ()
    assert "COPY . /app" in told(result)


@pytest.mark.parametrize(
    ("run", "asked"),
    [
        ("uv --directory /app sync --frozen", ("pyproject.toml",)),
        ("uv --no-cache --project /app sync", ("pyproject.toml",)),
        ("uv --directory / sync --project app", ("pyproject.toml",)),
        ("poetry -C /app install", ("pyproject.toml",)),
        ("pdm sync -p /app", ("pyproject.toml",)),
        ("uv --directory /app pip --no-cache install -r more.txt", ("more.txt",)),
        ("cd /nowhere && uv --directory=/app pip install -r more.txt", ("more.txt",)),
    ],
)
def test_options_before_the_verb_lose_no_install(
    make: Callable[..., Made], run: str, asked: tuple[str, ...]
) -> None:
    project, result = make(
        "Dockerfile",
        **{
            "Dockerfile": f"FROM python:3.12-slim\nCOPY sub /app\nRUN {run}\n",
            "sub__pyproject.toml": '[project]\nname = "shop"\nversion = "1"\n'
            'dependencies = ["flask"]\n',
            "sub__more.txt": "flask\n",
        },
    )
    files = {Path(file).name for stage in project.stages.values() for file in stage.requires_file}
    assert files == set(asked), told(result)


@pytest.mark.parametrize("run", ["uv format", "uv init shop", "poetry shell"])
def test_a_verb_that_nothing_stands_for_is_told(make: Callable[..., Made], run: str) -> None:
    assert run in told(make("Dockerfile", Dockerfile=f"FROM python:3.12\nRUN {run}\n")[1])


def test_what_poetry_adds_is_required(make: Callable[..., Made]) -> None:
    project, _ = make("Dockerfile", Dockerfile="FROM python:3.12\nRUN poetry add httpx\n")
    assert project.stages["shop"].requires == ("httpx",)


def test_what_conda_does_is_told(make: Callable[..., Made]) -> None:
    project, result = make("Dockerfile", Dockerfile=CONDA)
    assert project.python == "3.10"
    assert project.bases["slim"].runtime == "python:3.10-slim-bookworm"
    assert project.stages["shop"].requires == ("librosa",)
    assert project.images["shop"].cmd == ("python", "/src/run.py")
    assert project.images["shop"].writable == ("/data",)
    notes = told(result)
    for what in ("numpy=1.26", "ONBUILD", "VOLUME", "tool.tar.gz", "continuumio"):
        assert what in notes


def test_packages_that_are_copied_by_prefix_are_an_environment(
    make: Callable[..., Made],
) -> None:
    project, result = make(
        "Dockerfile",
        **{
            "Dockerfile": PREFIX,
            "requirements.txt": "flask\n",
            "wsgi.py": "",
            "shop__main.py": "",
            "notes.tmp": "",
            ".env": "SECRET=1",
            ".dockerignore": "*.tmp\n",
        },
    )
    assert project.stages["shop"].requires == ("gunicorn",)
    assert project.stages["shop"].requires_file == ("requirements.txt",)
    assert project.stages["shop"].apt == ("curl",)  # its HEALTHCHECK calls it
    assert [(c.source, c.to) for c in project.images["shop"].copy] == [
        ("shop", "/app/shop"),
        ("wsgi.py", "/app/wsgi.py"),
    ]
    notes = told(result)
    assert "apt: git" in notes
    assert "HEALTHCHECK" in notes
    assert "COPY /" not in notes
    assert "COPY . /app" in notes


def test_musl_and_files_within_the_dockerfile_are_told(make: Callable[..., Made]) -> None:
    project, result = make("Dockerfile", Dockerfile=ALPINE)
    assert project.bases["slim"].runtime == "python:3.9-slim-bookworm"
    assert project.stages["shop"].requires == ("flask", "gunicorn")
    notes = told(result)
    for what in ("musl", "ffmpeg", "echo debug = 1", "/app/x.py"):
        assert what in notes


def test_constraints_and_options_of_one_install_are_no_matter_of_another(
    make: Callable[..., Made],
) -> None:
    text = """\
FROM python:3.12-slim
COPY . /app
RUN cd /app && pip install -c limits.txt -r more.txt starlette && pip install numpy
RUN uv pip install --index acme=https://h/simple --overrides o.txt --prerelease allow six
RUN curl --token=hunter2 https://h/x -o /x && API_KEY=hunter2 make
USER www-data
"""
    project, result = make(
        "Dockerfile",
        Dockerfile=text,
        **{"limits.txt": "httpx<1\nstarlette<2\nidna<4\nnumpy<2\n", "more.txt": "httpx\n"},
    )
    stage = project.stages["shop"]
    assert (stage.requires, stage.requires_file) == (("starlette<2", "httpx<1", "numpy", "six"), ())
    assert project.images["shop"].user == 33
    notes = told(result)
    for what in ("constraints idna<4, numpy<2", "--extra-index-url", "--override o.txt", "--pre"):
        assert what in notes
    entries = "\n".join(entry.what for entry in result.entries)
    assert "hunter2" not in notes + result.text + entries


SYNCED_TWICE = """\
FROM python:3.12-slim
WORKDIR /app
COPY pyproject.toml uv.lock ./
RUN uv sync --no-install-project --extra cu128
COPY . .
RUN uv sync --extra cu128 --extra web --group dev
"""
OFFERS = """\
[project]
name = "shop"
version = "1"
dependencies = ["flask"]
[project.optional-dependencies]
cpu = ["torch==2.7"]
cu128 = ["torch==2.8"]
web = ["gunicorn"]
[dependency-groups]
dev = ["pytest"]
docs = ["sphinx"]
"""


def test_a_later_sync_adds_what_it_names_and_one_torch_is_enough(
    make: Callable[..., Made],
) -> None:
    project, result = make(
        "Dockerfile", **{"Dockerfile": SYNCED_TWICE, "pyproject.toml": OFFERS, "uv.lock": ""}
    )
    assert [v.torch_backend for v in project.variants.values()] == ["cu128"]
    assert project.stages["torch"].requires == ("torch==2.8",)
    stage = project.stages["shop"]
    assert stage.requires == ("gunicorn",)
    assert set(stage.requires_file) == {"pyproject.toml", "pyproject.toml:dev"}
    assert list(project.stages) == ["torch", "shop"]
    notes = told(result)
    assert "extra cpu" in notes
    assert "dependency group docs" in notes
    assert "dependency group dev" not in notes


def test_pytorch_s_image_names_a_torch_where_nothing_else_does(make: Callable[..., Made]) -> None:
    text = "FROM pytorch/pytorch:2.4.0-cuda12.4-cudnn9-runtime\nRUN pip install timm torch==2.5.1\n"
    project, _ = make("Dockerfile", Dockerfile=text)
    assert project.stages["torch"].requires == ("torch==2.5.1",)


@pytest.mark.parametrize(
    ("run", "stage", "source"),
    [("uv sync", "shop", None), ("uv sync && pip install .", "dependencies", ".")],
)
def test_pip_installs_a_project_without_a_build_system_and_uv_does_not(
    make: Callable[..., Made], run: str, stage: str, source: str | None
) -> None:
    text = f"FROM python:3.12\nWORKDIR /w\nCOPY . .\nRUN {run}\n"
    project, _ = make("Dockerfile", **{"Dockerfile": text, "pyproject.toml": OFFERS})
    assert project.stages["shop"].source == source
    assert project.stages[stage].requires_file == ("pyproject.toml",)


def test_a_project_whose_file_alone_is_copied_is_found(make: Callable[..., Made]) -> None:
    text = "FROM python:3.12\nWORKDIR /w\nCOPY setup.py ./\nRUN pip install -e .[train]\n"
    _, result = make("Dockerfile", **{"Dockerfile": text, "setup.py": ""})
    assert ".[train]: its folder has no pyproject.toml" in told(result)


def _accounted(text: str, result: Draft) -> list[str]:
    """Return the instructions of which nothing says what became of them."""
    facts = parse(text, "Dockerfile")
    lines = {entry.line for entry in result.entries}
    missing = []
    stages = [i for stage in facts.stages for i in stage.instructions]
    for instruction in (*facts.global_args, *facts.unknown, *stages):
        ends = [h.line + h.content.count("\n") for h in instruction.heredocs]
        ends += [piece.line for piece in instruction.pieces]
        span = range(instruction.line, max([instruction.line, *ends]) + 1)
        if not lines.intersection(span):
            missing.append(f"{instruction.line}: {instruction.keyword} {instruction.args}")
    return missing + [f"FROM {stage.base}" for stage in facts.stages if stage.line not in lines]


@pytest.mark.parametrize("text", [REPORT, DEADSNAKES, POETRY, UV_PROJECT, CONDA, ALPINE, PREFIX])
def test_every_instruction_is_accounted_for(make: Callable[..., Made], text: str) -> None:
    assert _accounted(text, make("Dockerfile", Dockerfile=text)[1]) == []


CASES = [case for kind in ("broken", "healthy", "bases") for case in load(kind)]


def test_every_dockerfile_of_the_corpus_loads_with_every_instruction_accounted_for(
    tmp_path: Path,
) -> None:
    assert len(CASES) > 200
    for case in CASES:
        root = tmp_path / case.kind / case.name
        for name, text in {**case.files, "Dockerfile": case.dockerfile}.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace("{w} ", ""), encoding="utf-8")
        result = draft(root / "Dockerfile", target=root / "venvsmith.toml")
        check(result.text, file=root / "venvsmith.toml")
        written = (root / "Dockerfile").read_text(encoding="utf-8")
        assert _accounted(written, result) == [], case.name


WORDS = st.sampled_from(
    ["pip install", "-r", "x.txt", "torch==2.8.0", "ENV", "A=b", "$X", "${Y:-z}", '"', "'", "\\",
     "&&", "\n", "USER", "a:b", "COPY", ".", "/", "..", "CMD", "[", "]", '["a"]', "RUN", "apt-get",
     "install", "ffmpeg", "uv sync", "LABEL", "FROM", "python:3.11", "AS b", "--from=b", "#",
     "\x1b",
     "WORKDIR", "VOLUME", "ENTRYPOINT", "<<EOF", "EOF", "mkdir", "chown", "é", "\u202e",
     "git+https://x/y"]
)  # fmt: skip


@settings(max_examples=80)
@given(st.lists(WORDS, max_size=25))
def test_no_dockerfile_breaks_it_and_what_it_writes_loads(
    tmp_path_factory: pytest.TempPathFactory, words: list[str]
) -> None:
    root = tmp_path_factory.getbasetemp() / "any"
    root.mkdir(exist_ok=True)
    text = "FROM python:3.11-slim\nRUN " + " ".join(words) + "\n"
    (root / "Dockerfile").write_text(text, encoding="utf-8")
    try:
        result = draft(root / "Dockerfile", target=root / "venvsmith.toml")
    except VenvsmithError as error:
        assert error.exit_code == 3, error.message  # noqa: PT017 - only malformed ones
        return
    check(result.text, file=root / "venvsmith.toml")
    assert "\x1b" not in result.text
    assert _accounted(text, result) == []
