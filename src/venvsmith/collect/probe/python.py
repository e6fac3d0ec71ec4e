"""Interpreters and venvs as their files describe them."""

from __future__ import annotations

import os
import re
from typing import Dict, List, Optional, Tuple

from . import elf
from .tree import Fact, Handle, Tree

MINOR = re.compile(r"^python(3\.\d+)t?$")
LIBPYTHON = re.compile(r"^libpython(3\.\d+)t?(?:d|m)?\.so")
IN_BINARY = re.compile(rb"lib/python(3\.\d{1,2})\b")
MAX_BINARY = 64 * 1024 * 1024
LIBS = ("lib", "lib64")


CORE = ("abc", "ast", "asyncio", "base64", "codecs", "collections", "contextlib", "copy", "csv",
        "datetime", "decimal", "email", "encodings", "enum", "functools", "hashlib", "html", "http",
        "importlib", "inspect", "io", "json", "logging", "os", "pathlib", "pickle", "random", "re",
        "shutil", "site", "socket", "sqlite3", "ssl", "string", "subprocess", "tempfile",
        "threading", "tokenize", "traceback", "types", "typing", "unittest", "urllib", "uuid",
        "warnings", "weakref", "xml", "zipfile")  # fmt: skip
"""Modules that every complete standard library from 3.8 on has, and whole stacks rely on."""


def read_config(tree: Tree, venv: str) -> Optional[Dict[str, str]]:
    """Return ``pyvenv.cfg`` with lower-cased keys, or None where there is none."""
    text = tree.text(venv + "/pyvenv.cfg", 64 * 1024)
    if text is None:
        return None
    found = {}
    for line in text.splitlines():
        key, separator, value = line.partition("=")
        if separator:
            found[key.strip().lower()] = value.strip()
    return found


def lib_minors(tree: Tree, prefix: str) -> List[str]:
    """Return the minors of the ``lib/pythonX.Y`` folders that hold packages."""
    found = set()
    for lib in LIBS:
        for name in tree.names(prefix + "/" + lib):
            match = MINOR.match(name)
            if match and tree.is_dir(f"{prefix}/{lib}/{name}/site-packages"):
                found.add(match.group(1))
    return sorted(found, key=minor_key)


def has_stdlib(tree: Tree, prefix: str) -> bool:
    """Return whether a prefix has a standard library of its own: an installation, then."""
    return any(
        tree.is_dir(f"{prefix}/{lib}/{name}/encodings")
        for lib in LIBS for name in tree.names(f"{prefix}/{lib}") if MINOR.match(name)
    )  # fmt: skip


def minor_key(minor: str) -> Tuple[int, ...]:
    """Return what sorts ``3.9`` before ``3.11``."""
    return tuple(int(part) for part in minor.split(".") if part.isdigit())


def venv_site_packages(tree: Tree, venv: str) -> List[str]:
    """Return the site-packages folders of a venv, one for each path that is not an alias."""
    found: Dict[str, str] = {}
    for lib in LIBS:
        for name in tree.names(f"{venv}/{lib}"):
            path = f"{venv}/{lib}/{name}/site-packages"
            if MINOR.match(name) and tree.is_dir(path):
                found.setdefault(tree.real(path), path)
    return list(found.values())


def describe(tree: Tree, path: str, config: Optional[Dict[str, str]] = None) -> Fact:
    """Return what the files say of an interpreter, as `model.facts.Interpreter`.

    :param config: the venv's ``pyvenv.cfg``, whose ``home`` decides where the stdlib is looked for.
    """
    chain = tree.chain(path)
    fact: Fact = {"path": path, "chain": chain.steps}
    if chain.end is None or chain.kind != "file":
        return fact
    fact["resolves_to"] = chain.end
    try:
        with tree.open(chain.end) as handle:
            binary = elf.describe(chain.end, handle)
            fact["elf"] = binary
            fact["minor"] = _minor_of(chain.end, binary) or _minor_inside(handle)
    except OSError as exc:
        fact["elf"] = {
            "path": chain.end, "machine": "", "error": exc.strerror or str(exc)
        }  # fmt: skip
        fact["minor"] = _minor_of(chain.end, {})
    if fact["minor"]:
        fact["stdlib"] = find_stdlib(tree, chain.end, fact["minor"], config)
    if fact.get("stdlib"):
        there = set(tree.names(fact["stdlib"]))
        fact["stdlib_lacks"] = [n for n in CORE if n not in there and n + ".py" not in there]
    return fact


def _minor_of(path: str, binary: Fact) -> Optional[str]:
    match = MINOR.match(os.path.basename(path))
    if match:
        return match.group(1)
    for name in binary.get("needed", ()):
        match = LIBPYTHON.match(name)
        if match:
            return match.group(1)
    return None


def _minor_inside(handle: Handle) -> Optional[str]:
    """Return the minor that a nameless binary (``venv --copies``) carries in its strings."""
    step = 1024 * 1024
    for offset in range(0, min(handle.size, MAX_BINARY), step):
        match = IN_BINARY.search(handle.pread(step + 64, offset))
        if match:
            return match.group(1).decode()
    return None


def find_stdlib(
    tree: Tree, end: str, minor: str, config: Optional[Dict[str, str]]
) -> Optional[str]:
    """Return the stdlib folder as the interpreter would find it: it holds ``encodings``.

    Looked for from the venv's ``home``, then from the binary's own place, then from the prefixes
    that distributions compile in.
    """
    prefixes = []
    if config and config.get("home"):
        prefixes.append(os.path.dirname(config["home"].rstrip("/")))
    prefixes += [os.path.dirname(os.path.dirname(end)), "/usr", "/usr/local"]
    for prefix in dict.fromkeys(prefixes):
        for lib in LIBS:
            folder = f"{prefix.rstrip('/')}/{lib}/python{minor}"
            if tree.is_dir(folder + "/encodings"):
                return folder
    return None


def bin_python(tree: Tree, prefix: str) -> str:
    """Return the path of a prefix's interpreter: ``bin/python``, or what stands in its place."""
    names = tree.names(prefix + "/bin")
    for name in ("python", "python3"):
        if name in names:
            return f"{prefix}/bin/{name}"
    minor = sorted((n for n in names if MINOR.match(n)), key=lambda n: minor_key(n[6:]))
    return f"{prefix}/bin/{minor[-1] if minor else 'python'}"


def nested_in(tree: Tree, venv: str) -> Optional[str]:
    """Return the venv in whose folder this one lies."""
    folder = os.path.dirname(venv.rstrip("/"))
    while folder not in ("/", ""):
        if tree.is_file(folder + "/pyvenv.cfg"):
            return folder
        folder = os.path.dirname(folder)
    return None


def others(tree: Tree, path: List[str], home: str) -> List[str]:
    """Return the paths of interpreters in the usual places, one for each real file."""
    folders = [*path, "/usr/local/bin", "/usr/bin", "/opt/conda/bin"]
    for root in (home, "/root", "/opt", "/opt/uv"):
        for place in (".local/share/uv/python", "uv/python", "python", ".pyenv/versions"):
            folder = f"{root.rstrip('/')}/{place}"
            folders += [f"{folder}/{name}/bin" for name in tree.names(folder)]
    found: Dict[str, str] = {}
    for folder in dict.fromkeys(folders):
        for name in tree.names(folder):
            if MINOR.match(name) or name in ("python3", "python"):
                candidate = f"{folder.rstrip('/')}/{name}"
                chain = tree.chain(candidate)
                if chain.kind == "file" and chain.end is not None:
                    found.setdefault(chain.end, candidate)
    return list(found.values())
