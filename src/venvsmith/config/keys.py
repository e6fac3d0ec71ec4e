"""Every key of the configuration, declared once.

The reader, the refusal of unknown keys, the JSON schema and docs/configuration.md all come from
these tables; the defaults are those of the model's dataclasses.
"""

from __future__ import annotations

from typing import get_args

from venvsmith.config import formats as f
from venvsmith.config.scalars import Choice, Moment, Whole
from venvsmith.config.tables import Key, ListOf, MapOf, OneOrEach, Table
from venvsmith.model import project as model

HIGHEST_UID = 2**31 - 1
"""Docker takes no higher one (moby/sys/user)."""

PROJECT = Table(
    {
        "name": Key(f.PROJECT_NAME, "the project's name", required=True),
        "python": Key(
            f.PYTHON, 'the minor version that every stage runs, such as "3.11"', required=True
        ),
        "installer": Key(
            Choice(get_args(model.Installer)),
            "what installs: `uv`, or `pip` as `<venv>/bin/python -m pip`",
        ),
        "resolver": Key(
            Choice(get_args(model.Resolver)),
            "what resolves: `uv`, or `pip-tools` for this machine's platform and Python minor "
            "only and without routed indexes",
        ),
        "venv": Key(f.VENV, "where an image's venv lies"),
        "locks": Key(f.FOLDER, "folder of the lockfiles"),
        "output": Key(f.FOLDER, "folder of what `render` writes"),
        "template": Key(
            f.INSIDE,
            "Jinja template that extends the Dockerfiles block by block, see docs/templates.md",
        ),
        "exclude-newer": Key(
            Moment(), "resolve as of that day, or that time with its offset from UTC"
        ),
        "no-wheel": Key(
            ListOf(f.DISTRIBUTION),
            "distributions that may be built from source; all others must have wheels",
        ),
        "layers": Key(
            Choice(get_args(model.LayerCut)),
            "how images are cut: `stage` makes one layer of a stage, `balanced` puts its heavy "
            "distributions apart",
        ),
    },
    model=model.Project,
    doc="What holds for all stages.",
)

INDEX = Table(
    {
        "url": Key(
            f.INDEX_URL,
            "the index, http, https or file; credentials come from "
            "`VENVSMITH_INDEX_<NAME>_USERNAME` and `_PASSWORD`, or netrc",
            required=True,
        ),
        "packages": Key(
            ListOf(f.DISTRIBUTIONS, at_least=1),
            "names, or patterns such as `acme-*`, of the distributions that come from it and from "
            "nowhere else, direct or not",
            required=True,
        ),
    },
    model=model.Index,
    doc="A package index besides the machine's default one. Any number.",
)

APT_SOURCE = Table(
    {
        "uri": Key(f.APT_URI, "the repository, http or https", required=True),
        "suite": Key(f.APT_WORD, "its suite, such as `bookworm`", required=True),
        "components": Key(
            ListOf(f.APT_WORD), "its components; `main` where not given and the suite is no folder"
        ),
        "key-sha256": Key(
            f.SHA256,
            "digest of its signing key; without it a key that the base trusts has to do",
        ),
        "key": Key(
            f.APT_KEY,
            "the key, a file of the project or a URL; where not given, the one of that digest at "
            "`gpg`, `gpg.key`, `key.asc`, `key.gpg`, `KEY.gpg` or `Release.key` below `uri`",
        ),
    },
    model=model.AptSource,
)

BASE = Table(
    {
        "image": Key(f.IMAGE, "image in which venvs are built and run; in place of the next two"),
        "build": Key(f.IMAGE, "image in which venvs are built"),
        "runtime": Key(f.IMAGE, "image in which they run"),
        "python": Key(
            Choice(get_args(model.PythonSource)),
            "`image`: the base has it; `apt`: install it; `uv`: uv's own, under a world-readable "
            "folder",
        ),
        "python-path": Key(
            f.WRITABLE, "the interpreter, the same in build and runtime; found where not given"
        ),
        "uv-image": Key(
            f.IMAGE,
            'image that holds `/uv`, for `python = "uv"`; '
            "`ghcr.io/astral-sh/uv` of the locked version where not given",
        ),
        "manylinux": Key(f.GLIBC, "the glibc that wheels may need, such as `2_28`"),
        "apt": Key(ListOf(f.APT_PACKAGE), "system packages that every image on it has"),
        "apt-sources": Key(ListOf(APT_SOURCE), "additional apt repositories"),
        "env": Key(MapOf(f.ENV_NAME, f.VALUE), "environment variables"),
    },
    model=model.Base,
    either=(("image",), ("build", "runtime")),
    doc="Where a venv is built and where it runs.",
)

VARIANT = Table(
    {
        "base": Key(f.NAME, "the base that it stands on", required=True),
        "platforms": Key(
            ListOf(Choice(("linux/amd64", "linux/arm64")), at_least=1, unique=True),
            "its platforms, such as `linux/amd64`",
            required=True,
        ),
        "torch-backend": Key(
            f.TORCH_BACKEND,
            "where torch comes from, as uv's `--torch-backend`: `cpu`, `cu128` and so on",
        ),
        "find-links": Key(ListOf(f.WHEELS), "folders or URLs of wheels"),
    },
    model=model.Variant,
    doc="An accelerator, or whatever else makes the same stages differ.",
)

STAGE = Table(
    {
        "extends": Key(f.NAME, "the stage of which it contains all, at the same versions"),
        "requires": Key(
            ListOf(f.REQUIREMENT),
            "requirements, as PEP 508 writes them, or a project's folder such as `./libs/acme`",
        ),
        "requires-file": Key(
            ListOf(f.REQUIREMENTS_FILE),
            "requirements files, or `pyproject.toml:GROUP` for a dependency group",
        ),
        "imports": Key(ListOf(f.MODULE), "modules that must import in the final image"),
        "commands": Key(
            ListOf(ListOf(f.WORD, at_least=1)), "commands that must exit 0 in the final image"
        ),
        "apt": Key(ListOf(f.APT_PACKAGE), "system packages that its images have when they run"),
        "variants": Key(
            ListOf(f.NAME, at_least=1, unique=True),
            "its variants, of which it has those that its parent has too; all where not given",
        ),
        "source": Key(
            f.IN_CONTEXT,
            "folder of a project that is built to a wheel and installed, never editable; its "
            "`[project] dependencies` are requirements of the stage",
        ),
    },
    model=model.Stage,
    doc="A set of requirements with a lockfile and image layers of its own.",
)

COPY = Table(
    {
        "from": Key(f.IN_CONTEXT, "file or folder of the project", required=True, field="source"),
        "to": Key(f.ABSOLUTE, "its absolute path in the image", required=True),
    },
    model=model.CopyFile,
)

IMAGE = Table(
    {
        "from": Key(
            OneOrEach(f.NAME, MapOf(f.NAME, f.NAME, at_least=1)),
            "another image of this file to build on, with the same variants and venv paths and "
            "an ancestor of the stage; adds only the missing layers; or variants and the image of "
            "each, on its base in the others",
            field="parents",
        ),
        "stage": Key(f.NAME, "the stage at the project's venv path"),
        "venvs": Key(MapOf(f.VENV, f.NAME, at_least=1), "or several: venv paths and their stages"),
        "variants": Key(
            ListOf(f.NAME, at_least=1, unique=True),
            "its variants; all that its stages have where not given",
        ),
        "user": Key(Whole(0, HIGHEST_UID), "uid that it runs as; it gets a passwd line and a home"),
        "workdir": Key(f.ABSOLUTE, "working directory"),
        "env": Key(MapOf(f.ENV_NAME, f.VALUE), "environment variables"),
        "writable": Key(
            ListOf(f.WRITABLE, unique=True), "folders that the user may write, made where missing"
        ),
        "copy": Key(ListOf(COPY), "files and folders of the project, `{ from, to }`"),
        "entrypoint": Key(ListOf(f.VALUE), "how it starts, one word an item"),
        "cmd": Key(ListOf(f.VALUE), "arguments, or how it starts without an entrypoint"),
        "labels": Key(MapOf(f.LABEL, f.VALUE), "labels besides venvsmith's own"),
        "tags": Key(
            ListOf(f.TAG, unique=True),
            "tags besides `<image>:<variant>`; `{image}`, `{stage}` and `{variant}` are filled in; "
            "`:latest` where none is written",
        ),
    },
    model=model.Image,
    either=(("stage",), ("venvs",)),
    doc="An image to build: stages at venv paths, and how it starts.",
)

BUILD = Table(
    {
        "cache-from": Key(
            ListOf(f.CACHE),
            "caches to read, as `docker buildx build` takes them; `{image}`, `{stage}` and "
            "`{variant}` are filled in",
        ),
        "cache-to": Key(
            ListOf(f.CACHE), "caches to write, with the same placeholders: one for each image"
        ),
        "secrets": Key(ListOf(f.SECRET, unique=True), "names of build secrets that steps may read"),
    },
    model=model.BuildSettings,
    doc="Caches and secrets of builds.",
)

PREFLIGHT = Table(
    {
        "binaries": Key(ListOf(f.PROGRAM), "programs that must be on PATH"),
        "tokens": Key(ListOf(f.VARIABLE), "environment variables that must be set"),
    },
    model=model.PreflightSettings,
    doc="What `preflight` looks for on this machine besides the usual.",
)

DOCUMENT = Table(
    {
        "project": Key(PROJECT, "a table with `name` and `python`", required=True),
        "indexes": Key(MapOf(f.NAME, INDEX), "package indexes"),
        "bases": Key(MapOf(f.NAME, BASE, at_least=1), "at least one base", required=True),
        "variants": Key(MapOf(f.NAME, VARIANT, at_least=1), "at least one variant", required=True),
        "stages": Key(MapOf(f.NAME, STAGE, at_least=1), "at least one stage", required=True),
        "images": Key(MapOf(f.NAME, IMAGE), "images"),
        "build": Key(BUILD, "build settings"),
        "preflight": Key(PREFLIGHT, "preflight settings"),
    },
)
