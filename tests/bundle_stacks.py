"""Small real applications and the spec that freezes all of them in one run of PyInstaller."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

REQUIRES = (
    "pyinstaller", "requests", "numpy", "pillow", "av", "lxml", "cryptography", "huggingface_hub",
    "jsonschema", "pydantic", "jinja2", "sqlalchemy", "click", "pandas", "soundfile",
)  # fmt: skip
"""What the applications import, without a version: they are to be as of today."""
FINE = "all is fine"
"""What an application that works prints last."""


@dataclass(frozen=True, kw_only=True)
class Stack:
    """One application.

    ``form`` is ``folder``, ``file`` (one executable) or ``flat`` (stripped, all beside it).
    """

    source: str
    form: str = "folder"
    spec: str = ""
    """Arguments of ``Analysis`` besides the script."""


STACKS = {
    "web": Stack(
        source="""\
from importlib.metadata import version
import requests
assert version("requests") == requests.__version__
assert "BEGIN CERTIFICATE" in open(requests.certs.where()).read()
requests.Session().prepare_request(requests.Request("GET", "https://example.com", params={"a": 1}))
""",
        spec="datas=copy_metadata('requests')",
    ),
    "arrays": Stack(
        source="""\
import numpy
assert numpy.linalg.inv(numpy.eye(3)).sum() == 3 and numpy.random.rand(3).shape == (3,)
"""
    ),
    "pictures": Stack(
        source="""\
import io
from PIL import Image, ImageDraw
picture = Image.new("RGB", (16, 16))
ImageDraw.Draw(picture).text((1, 1), "a")
picture.save(file := io.BytesIO(), "JPEG")
assert Image.open(file).size == (16, 16)
"""
    ),
    "media": Stack(
        source="""\
import io
import av, soundfile, numpy
soundfile.write(file := io.BytesIO(), numpy.zeros(1600), 16000, format="WAV")
file.seek(0)
assert sum(frame.samples for frame in av.open(file).decode(audio=0)) == 1600
"""
    ),
    "markup": Stack(
        source="""\
from cryptography.fernet import Fernet
from lxml import etree, html
key = Fernet(Fernet.generate_key())
assert key.decrypt(key.encrypt(b"a")) == b"a"
assert html.fromstring("<p>a</p>").text == "a" and etree.XML("<a/>").tag == "a"
"""
    ),
    "lazy": Stack(
        source="""\
import huggingface_hub
from huggingface_hub import HfApi
assert HfApi(token=False).endpoint and huggingface_hub.hf_hub_url("a/b", "c")
"""
    ),
    "resources": Stack(
        source="""\
import jsonschema
jsonschema.Draft202012Validator({"type": "integer"}).validate(1)
jsonschema.Draft7Validator.check_schema({"type": "integer"})
"""
    ),
    "models": Stack(
        source="""\
import pydantic
class Model(pydantic.BaseModel):
    number: int
assert Model.model_validate_json('{"number": 1}').number == 1
""",
        form="flat",
    ),
    "pages": Stack(
        source="""\
from importlib.metadata import version
import click, jinja2, sqlalchemy
assert version("click")
with sqlalchemy.create_engine("sqlite://").connect() as connection:
    assert connection.execute(sqlalchemy.text("select 1")).scalar() == 1
assert jinja2.Environment().from_string("{{ a }}").render(a=1) == "1" and click.style("a")
""",
        form="file",
        spec="datas=copy_metadata('click')",
    ),
    "plain": Stack(
        source="""\
import asyncio, concurrent.futures, email.message, http.server, importlib, multiprocessing
import sqlite3, ssl, xml.etree.ElementTree
assert sqlite3.connect(":memory:").execute("select 1").fetchone() == (1,)
assert ssl.create_default_context() and xml.etree.ElementTree.fromstring("<a/>").tag == "a"
async def one():
    return 1
assert asyncio.run(one()) == 1
importlib.import_module("wsgiref.util")
""",
        spec="hiddenimports=['wsgiref.util']",
    ),
    "tables": Stack(
        source="""\
import pandas
assert pandas.DataFrame({"a": [1, 2]}).groupby("a").size().sum() == 2
assert pandas.to_datetime("2020-01-01", utc=True).year == 2020
"""
    ),
    # A stand-in for torch, which is too large here: as torch.jit.script does, it reads the source.
    "scripted": Stack(
        source="""\
import scripted
assert scripted.twice(2) == 4
""",
        spec="pathex=[SPECPATH], module_collection_mode={'scripted': 'py+pyz'}",
    ),
}
OWN_MODULES = {
    "torch/__init__.py": "from torch import jit\n",
    "torch/jit.py": (
        "import inspect\n\ndef script(function):\n    assert inspect.getsource(function)\n"
        "    return function\n"
    ),
    "scripted/__init__.py": (
        "import torch\n\n@torch.jit.script\ndef twice(number):\n    return 2 * number\n"
    ),
}

_SPEC = """\
from PyInstaller.utils.hooks import copy_metadata
for name, form, arguments in {table!r}:
    given = eval(f"dict({{arguments}})", globals())
    a = Analysis([f"{{name}}.py"], **given)
    packed, flat = form == "file", form == "flat"
    parts = [a.binaries, a.datas]
    exe = EXE(
        PYZ(a.pure), a.scripts, *(parts if packed else []), name=name, exclude_binaries=not packed,
        strip=flat, contents_directory="." if flat else "_internal",
    )
    if not packed:
        COLLECT(exe, *parts, name=name, strip=flat)
"""


def freeze(folder: Path, python: Path, names: tuple[str, ...] = tuple(STACKS)) -> Path:
    """Freeze applications below a folder with an interpreter that has `REQUIRES`.

    :return: the folder that holds each of them under its name.
    """
    for name in names:
        source = f"{STACKS[name].source}print({FINE!r})\n"
        (folder / f"{name}.py").write_text(source)
    for path, text in OWN_MODULES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    table = [(name, STACKS[name].form, STACKS[name].spec) for name in names]
    (folder / "apps.spec").write_text(_SPEC.format(table=table))
    argv = [str(python), "-m", "PyInstaller", "--noconfirm", "--log-level", "ERROR", "apps.spec"]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "dist"
