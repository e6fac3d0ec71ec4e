"""What shared objects ask for at run time that no NEEDED entry tells: dlopen names, symbols."""

from __future__ import annotations

import os
import re
from typing import Dict, Iterable, List, Set, Tuple

from .elf import ElfError, ElfFile
from .tree import Fact, Tree

OF_INTEREST = frozenset({
    "ctranslate2", "onnxruntime-gpu", "tensorflow", "cupy-cuda11x", "cupy-cuda12x", "cupy-cuda13x",
})  # fmt: skip
"""Distributions that are known to open their accelerator's libraries by name."""
NAME = re.compile(rb"\x00(lib[A-Za-z0-9_+-]+)\.so\.(\d+)(?:\.[\d.]+)?(?=\x00)")
LIBRARY = re.compile(r"^(lib[\w+-]+)\.so\.(\d+)")
SECTIONS = (".rodata", ".data", ".data.rel.ro")
MAX_SECTION = 256 * 1024 * 1024
COMPANIONS = frozenset({"torchaudio", "torchvision", "torchcodec", "torchtext", "fairseq2n"})
# C++ names of torch's namespaces, and the C names of its stable interface.
TORCH_SYMBOL = re.compile(r"(?:2at|3c10|5torch|6caffe2)[0-9A-Z]|^(?:aoti_)?torch_\w")
MAX_SYMBOLS = 20


def missing_dlopens(
    tree: Tree, owned: Dict[str, str], elves: List[Fact], system: Iterable[str]
) -> List[Fact]:
    """Return the versioned names that would be opened and lie here under other versions only.

    :param owned: paths of shared objects to their distribution.
    :param system: names of libraries that the loader finds without the environment.
    """
    there = _present([os.path.basename(fact["path"]) for fact in elves], system)
    found = []
    for fact in elves:
        if owned.get(fact["path"]) not in OF_INTEREST or fact.get("error"):
            continue
        wanted: Dict[str, Set[str]] = {}
        for stem, major in names_in(tree, fact["path"]):
            wanted.setdefault(stem, set()).add(major)
        for stem, majors in sorted(wanted.items()):
            others = _other_versions(stem, majors, there)
            if others:
                found.append({
                    "wanted": f"{stem}.so.{max(majors, key=int)}",
                    "by": fact["path"],
                    "present": others,
                })  # fmt: skip
    return found[:200]


def names_in(tree: Tree, path: str) -> Set[Tuple[str, str]]:
    """Return stem and major of every library name in a binary's constant strings."""
    found: Set[Tuple[str, str]] = set()
    try:
        with tree.open(path) as handle:
            elf = ElfFile(handle)
            for name in SECTIONS:
                data = b"\0" + elf.section(name, MAX_SECTION)
                found.update(
                    (m.group(1).decode(), m.group(2).decode()) for m in NAME.finditer(data)
                )
    except (ElfError, OSError, ValueError, OverflowError):
        return found
    return found


def _present(inside: List[str], system: Iterable[str]) -> Dict[str, Dict[str, str]]:
    """Return stems to majors to a name under which they are there."""
    found: Dict[str, Dict[str, str]] = {}
    for name in [*inside, *system]:
        match = LIBRARY.match(name)
        if match:
            found.setdefault(match.group(1), {}).setdefault(match.group(2), name)
    return found


def _other_versions(stem: str, majors: Set[str], there: Dict[str, Dict[str, str]]) -> List[str]:
    """Return what is there under other majors, where none that suits is.

    The parts of cuDNN changed their names from major to major, so a part counts as there in
    another version where cuDNN itself is.
    """
    for name in (stem, stem.partition("_")[0]):
        versions = there.get(name, {})
        if set(versions) & majors:
            return []
        if versions:
            return sorted(versions.values())
    return []


def undefined_symbols(tree: Tree, owned: Dict[str, str], elves: List[Fact]) -> List[Fact]:
    """Return the symbols of torch that its companions want and no library of torch defines."""
    by_owner: Dict[str, List[str]] = {}
    for fact in elves:
        if not fact.get("error"):
            by_owner.setdefault(owned.get(fact["path"], ""), []).append(fact["path"])
    providers = [path for path in by_owner.get("torch", []) if "/torch/lib/" in path]
    if not providers:
        return []
    found: List[Fact] = []
    for name in sorted(COMPANIONS & set(by_owner)):
        wanted: Dict[str, List[str]] = {}
        for path in by_owner[name]:
            for symbol in _wanted_of_torch(tree, path):
                wanted.setdefault(symbol, []).append(path)
        if not wanted:
            continue
        defined = _defined(tree, [*providers, *by_owner[name]], set(wanted))
        left = sorted(set(wanted) - defined)
        if not any("/libtorch_cuda" in path for path in providers):
            # A torch without CUDA lacks these by intent, and nobody calls them then.
            left = [symbol for symbol in left if "cuda" not in symbol]
        found += [
            {"symbol": symbol, "by": wanted[symbol][0], "distribution": name}
            for symbol in left[:MAX_SYMBOLS]
        ]
    return found


def _wanted_of_torch(tree: Tree, path: str) -> List[str]:
    try:
        with tree.open(path) as handle:
            return [
                symbol.name
                for symbol in ElfFile(handle).symbols()
                if not symbol.defined and not symbol.weak and TORCH_SYMBOL.search(symbol.name)
            ]
    except (ElfError, OSError, ValueError, OverflowError):
        return []


def _defined(tree: Tree, libraries: List[str], symbols: Set[str]) -> Set[str]:
    """Return those of the symbols that any of the libraries exports."""
    found: Set[str] = set()
    for path in libraries:
        try:
            with tree.open(path) as handle:
                elf = ElfFile(handle)
                found.update(name for name in symbols - found if elf.exports(name))
        except (ElfError, OSError, ValueError, OverflowError):
            # A library that cannot be read proves nothing: its symbols count as there.
            return symbols
    return found
