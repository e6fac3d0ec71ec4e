"""The probe as one script: its sources, a request, and the few lines that put them together."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

MARK = b"venvsmith-probe:"

_FRAME = """\
import sys, os
descriptor = os.dup(1)
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
import importlib.machinery
SOURCES = {sources}
class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name in SOURCES:
            return importlib.machinery.ModuleSpec(name, Finder, is_package=name == "vsprobe")
    @staticmethod
    def create_module(spec):
        return None
    @staticmethod
    def exec_module(module):
        name = module.__spec__.name
        exec(compile(SOURCES[name], "<" + name + ">", "exec"), module.__dict__)
sys.meta_path.insert(0, Finder)
from vsprobe import gather
import json
gather.main(json.loads({request}), descriptor)
os._exit(0)
"""


@cache
def sources() -> Mapping[str, str]:
    """Return the probe's modules as the names under which a target imports them."""
    found = {}
    for item in resources.files("venvsmith.collect.probe").iterdir():
        if item.name.endswith(".py"):
            stem = item.name.removesuffix(".py")
            name = "vsprobe" if stem == "__init__" else f"vsprobe.{stem}"
            found[name] = item.read_text(encoding="utf-8")
    return found


def script(request: Mapping[str, Any]) -> bytes:
    """Return the script that gathers what a request asks for, to be sent to ``python -I -S -B -``.

    Its standard output is one line, ``venvsmith-probe:<nonce>:<JSON>``; what else the interpreter
    or its children print there is dropped.
    """
    text = _FRAME.format(sources=ascii(dict(sources())), request=ascii(json.dumps(dict(request))))
    return text.encode("ascii")
