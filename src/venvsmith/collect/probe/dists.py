"""Installed distributions as their metadata folders describe them."""

from __future__ import annotations

import ast
import csv
import io
import json
import os
import re
from typing import Any, Dict, List, NamedTuple, Optional, Tuple
from urllib.parse import unquote

from .addresses import without_credentials
from .tree import Fact, Tree

RECORD_LIMIT = 64 * 1024 * 1024
METADATA_LIMIT = 512 * 1024
MAX_ROWS = 500_000
EDITABLE = "__editable__."
HOOK = re.compile(r"^import (__editable__\w+);", re.MULTILINE)
MAPPING = re.compile(r"^MAPPING[^=\n]*=[ \t]*(\{[^\n]*\})[ \t\r]*$", re.MULTILINE)
FOLDER = re.compile(r"^(?P<name>.+?)-(?P<version>[^-]+?)(-py\d.*)?\.(dist|egg)-info$")
MODULE = re.compile(r"^([A-Za-z_]\w*)(\.(?:cpython-|abi3|pypy)[^/]*)?\.(?:py|so|pyc)$")


class Row(NamedTuple):
    """A row of RECORD: absolute path in the target, algorithm and digest, both maybe empty."""

    path: str
    algorithm: str
    digest: str
    size: int


class Installed(NamedTuple):
    """A distribution's facts, and the files it claims."""

    fact: Fact
    rows: List[Row]
    sources: List[str]
    """For an editable install: the paths of the modules or folders that it maps."""


def normalise(name: str) -> str:
    """Return a distribution's name as PEP 503 has it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def find(tree: Tree, site: str, prefix: str) -> List[Installed]:
    """Return the distributions of one site-packages folder.

    :param prefix: the environment's folder; rows of RECORD that leave it are escapes.
    """
    found = []
    for name in tree.names(site):
        if name.endswith((".dist-info", ".egg-info")) and not name.startswith("~"):
            found.append(_read(tree, site, name, prefix))
        elif name.endswith(".egg-link"):
            found.append(_egg_link(tree, site, name))
    return found


def _read(tree: Tree, site: str, name: str, prefix: str) -> Installed:
    folder = f"{site}/{name}"
    match = FOLDER.match(name)
    fact: Fact = {
        "name": normalise(match.group("name") if match else name.rsplit(".", 1)[0]),
        "version": match.group("version") if match else "",
        "location": site,
        "metadata_path": folder,
    }
    is_folder = tree.is_dir(folder)
    source = (
        folder
        if not is_folder
        else folder + ("/METADATA" if name.endswith(".dist-info") else "/PKG-INFO")
    )
    _headers(tree.read(source, METADATA_LIMIT), fact)
    if not is_folder:
        return Installed(fact, [], [])
    fact["installer"] = (tree.text(folder + "/INSTALLER", 200) or "").strip() or None
    fact["tags"] = _tags(tree.text(folder + "/WHEEL", 64 * 1024))
    fact["entry_points"] = _entry_points(tree.text(folder + "/entry_points.txt"))
    sources = _direct_url(tree, site, folder, fact)
    rows = _record(tree, folder, site, prefix, fact)
    fact["top_level"] = _top_level(tree, folder, site, rows)
    return Installed(fact, rows, sources)


def _headers(data: Optional[bytes], fact: Fact) -> None:
    if data is None:
        fact["error"] = "its metadata file is missing or cannot be read"
        return
    head = data.replace(b"\r\n", b"\n").split(b"\n\n", 1)[0]
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as exc:
        fact["error"] = f"its metadata is not UTF-8: {exc.reason} at byte {exc.start}"
        text = head.decode("utf-8", "backslashreplace")
    headers: Dict[str, List[str]] = {}
    key = ""
    for line in text.split("\n"):
        if line[:1] in (" ", "\t"):
            if key:
                headers[key][-1] += " " + line.strip()
            continue
        key, separator, value = line.partition(":")
        key = key.strip().lower() if separator else ""
        if key:
            headers.setdefault(key, []).append(value.strip())
    if not headers.get("name") or not headers.get("version"):
        fact.setdefault("error", "its metadata names no name or no version")
    fact["name"] = normalise(headers.get("name", [fact["name"]])[0])
    fact["version"] = headers.get("version", [fact["version"]])[0]
    fact["requires"] = headers.get("requires-dist", [])


def _tags(text: Optional[str]) -> List[str]:
    lines = (text or "").splitlines()
    return [line.split(":", 1)[1].strip() for line in lines if line.lower().startswith("tag:")]


def _entry_points(content: Optional[str]) -> List[Fact]:
    group = ""
    found = []
    for line in (content or "").splitlines():
        text = line.strip()
        if text.startswith("[") and text.endswith("]"):
            group = text[1:-1].strip()
        elif "=" in text and not text.startswith(("#", ";")):
            name, _, value = text.partition("=")
            found.append({"group": group, "name": name.strip(), "value": value.strip()})
    return found[:2000]


def _direct_url(tree: Tree, site: str, folder: str, fact: Fact) -> List[str]:
    """Fill in where it was installed from, and return what an editable one maps."""
    try:
        origin: Any = json.loads(tree.text(folder + "/direct_url.json", 64 * 1024) or "{}")
        url = str(origin.get("url", ""))
        editable = bool(origin.get("dir_info", {}).get("editable"))
    except (ValueError, AttributeError, RecursionError):
        fact["error"] = "its direct_url.json is malformed"
        return []
    if url:
        fact["direct_url"] = without_credentials(url)
    if not editable:
        return []
    source = unquote(re.sub(r"^file://(localhost)?", "", url))
    paths = editable_paths(tree, site, fact["name"]) or [source]
    fact["editable"] = source
    fact["editable_exists"] = all(_module_exists(tree, path) for path in paths)
    return paths


def editable_paths(tree: Tree, site: str, name: str = "") -> List[str]:
    """Return the paths in the ``.pth`` that setuptools writes for an editable, or in its hook.

    The file is called ``__editable__.NAME-VERSION.pth``; where the project is more than a folder,
    it imports a module with the hook, which maps names to paths.

    :param name: the distribution's; the paths of all editables where it is empty.
    """
    found: List[str] = []
    for file in tree.names(site):
        if not (file.startswith(EDITABLE) and file.endswith(".pth")):
            continue
        if name and normalise(file[len(EDITABLE) :].rpartition("-")[0]) != normalise(name):
            continue
        text = tree.text(f"{site}/{file}", 256 * 1024) or ""
        found += [line.strip() for line in text.splitlines() if line.startswith("/")]
        for hook in HOOK.findall(text)[:1]:
            found += _mapped(tree.text(f"{site}/{hook}.py", 256 * 1024) or "")
    return found


def _mapped(hook: str) -> List[str]:
    match = MAPPING.search(hook)
    try:
        return [str(path) for path in ast.literal_eval(match.group(1)).values()] if match else []
    except (ValueError, SyntaxError, AttributeError, RecursionError, MemoryError):
        return []


def _module_exists(tree: Tree, path: str) -> bool:
    return tree.kind(path) in ("dir", "file") or tree.is_file(path + ".py")


def _egg_link(tree: Tree, site: str, name: str) -> Installed:
    source = (tree.text(f"{site}/{name}", 4096) or "").split("\n", 1)[0].strip()
    info = [entry for entry in tree.names(source) if entry.endswith(".egg-info")]
    fact: Fact = {
        "name": normalise(name[: -len(".egg-link")]),
        "version": "",
        "location": site,
        "metadata_path": f"{site}/{name}",
        "editable": source,
        "editable_exists": tree.is_dir(source),
    }
    if info:
        _headers(tree.read(f"{source}/{info[0]}/PKG-INFO", METADATA_LIMIT), fact)
    return Installed(fact, [], [source])


def _record(tree: Tree, folder: str, site: str, prefix: str, fact: Fact) -> List[Row]:
    data = tree.read(folder + "/RECORD", RECORD_LIMIT)
    problems: List[Fact] = []
    fact["record_problems"] = problems
    if data is None:
        return []
    text = data.decode("utf-8", "surrogateescape")
    rows = []
    try:
        for cells in csv.reader(io.StringIO(text, newline="")):
            if not cells:
                continue
            row = _row(cells, site)
            if row is None:
                problems.append({"path": folder + "/RECORD", "kind": "malformed",
                                 "detail": ",".join(cells)[:200]})  # fmt: skip
            elif not (row.path + "/").startswith(prefix.rstrip("/") + "/"):
                problems.append({"path": row.path, "kind": "escape", "detail": cells[0][:200]})
            else:
                rows.append(row)
            if len(rows) > MAX_ROWS:
                problems.append({"path": folder + "/RECORD", "kind": "malformed",
                                 "detail": f"more than {MAX_ROWS} rows"})  # fmt: skip
                break
    except csv.Error as exc:
        problems.append({"path": folder + "/RECORD", "kind": "malformed", "detail": str(exc)})
    fact["files"] = len(rows)
    return rows


def _row(cells: List[str], site: str) -> Optional[Row]:
    if len(cells) not in (1, 2, 3) or not cells[0] or "\0" in cells[0]:
        return None
    name = cells[0].replace("\\", "/")
    path = os.path.normpath(name if name.startswith("/") else f"{site}/{name}")
    algorithm, _, digest = (cells[1] if len(cells) > 1 else "").partition("=")
    size = cells[2] if len(cells) == 3 else ""
    if size and not (size.isascii() and size.isdigit() and len(size) < 16):
        return None
    return Row(path, algorithm, digest, int(size or 0))


def _top_level(tree: Tree, folder: str, site: str, rows: List[Row]) -> List[str]:
    found = set()
    start = site.rstrip("/") + "/"
    for row in rows:
        if not row.path.startswith(start):
            continue
        first, _, rest = row.path[len(start) :].partition("/")
        if rest:
            if first.isidentifier() and first != "__pycache__" and rest.endswith((".py", ".so")):
                found.add(first)
        else:
            match = MODULE.match(first)
            if match:
                found.add(match.group(1))
    if not found:
        listed = (tree.text(folder + "/top_level.txt", 64 * 1024) or "").split()
        found.update(name for name in listed if name.isidentifier())
    return sorted(found)


def elsewhere(tree: Tree, sites: List[str]) -> List[Fact]:
    """Return name, version and place of the distributions in folders that nothing judges."""
    found = []
    for site in sites:
        for name in tree.names(site):
            match = FOLDER.match(name)
            if match:
                found.append({
                    "name": normalise(match.group("name")),
                    "version": match.group("version"),
                    "location": site,
                })  # fmt: skip
    return found[:5000]


def owners(installed: List[Installed]) -> Dict[str, Tuple[str, ...]]:
    """Return which distributions claim each path."""
    found: Dict[str, List[str]] = {}
    for item in installed:
        for row in item.rows:
            found.setdefault(row.path, []).append(item.fact["name"])
    return {path: tuple(dict.fromkeys(names)) for path, names in found.items()}
