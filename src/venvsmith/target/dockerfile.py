"""The facts of a Dockerfile: its text, and what decides its meaning in the folder around it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from venvsmith.dockerfile.expand import has_unknown, split_words
from venvsmith.dockerfile.ignore import patterns_of
from venvsmith.dockerfile.parse import SIZE_LIMIT, parse
from venvsmith.errors import UnsafeInputError, UsageError
from venvsmith.model.dockerfile import (
    VENV_NAMES,
    BuildContext,
    ContextFile,
    DockerfileFacts,
    Instruction,
)
from venvsmith.model.facts import Facts, MissingFact, Target
from venvsmith.texts import read_text, read_toml

LOCK_LIMIT = 32 * 1024 * 1024
IGNORE_LIMIT = 256 * 1024
ANCESTORS = 4
"""How many folders above the Dockerfile's own may be the build context, within a checkout."""
SOURCE_LIMIT = 200


def dockerfile_facts(path: str) -> Facts:
    """Read a Dockerfile, and the folder that it is most likely built from: all there is to know.

    :raises UsageError: where there is no such file.
    :raises UnsafeInputError: where it is no Dockerfile.
    """
    file = Path(path)
    read = parse(_text(file, path), path)
    context = _context(file, read)
    reason = f"no folder was found that has all that {path} copies"
    return Facts(
        target=Target(kind="dockerfile", ref=path),
        dockerfile=replace(read, context=context),
        missing=() if context is not None else (MissingFact(what="context", reason=reason),),
    )


def _text(file: Path, path: str) -> str:
    where = f"dockerfile:{path}"
    try:
        if file.is_dir():
            hint = f"name the file: dockerfile:{file / 'Dockerfile'}"
            raise UsageError("this is a folder", where=where, hint=hint, code="no-such-target")
        return read_text(file, SIZE_LIMIT)
    except ValueError as exc:
        message = f"this is no Dockerfile: it {exc}"
        raise UnsafeInputError(message, where=where, code="dockerfile-malformed") from exc
    except OSError as exc:
        message = f"cannot be read: {exc.strerror}"
        raise UsageError(message, where=where, code="no-such-target") from exc


def _context(file: Path, facts: DockerfileFacts) -> BuildContext | None:
    """Return what lies in the folder that has all that the Dockerfile copies; None for none."""
    sources = list(dict.fromkeys(_sources(facts)))[:SOURCE_LIMIT]
    for folder in _candidates(file.parent.resolve()):
        if not _is_alone(folder, file) and all((folder / source).exists() for source in sources):
            return _seen(folder, file, sources)
    return None


def _candidates(own: Path) -> tuple[Path, ...]:
    """Return the file's folder, and those above it up to the root of its checkout."""
    above = own.parents[:ANCESTORS]
    for number, folder in enumerate((own, *above)):
        if (folder / ".git").exists():
            return (own, *above[:number])
    return (own,)


def _is_alone(folder: Path, file: Path) -> bool:
    """Tell whether a folder holds nothing but Dockerfiles, and so nothing to build from."""
    try:
        names = [entry.name for entry in os.scandir(folder)]
    except OSError:
        return True
    return all(name == file.name or "dockerfile" in name.lower() for name in names)


def _sources(facts: DockerfileFacts) -> Iterator[str]:
    """Yield the paths of the context that are named without variables or patterns."""
    for stage in facts.stages:
        for instruction in stage.instructions:
            for source in _named(instruction):
                plain = source.strip("\"'").lstrip("/")
                if plain and "://" not in plain and not any(c in plain for c in "*?[<"):
                    yield plain


def _named(instruction: Instruction) -> Iterator[str]:
    if instruction.keyword in {"COPY", "ADD"} and instruction.flag("from") is None:
        words = instruction.exec_form or tuple(split_words(instruction.args))
        yield from (word for word in words[:-1] if not has_unknown(word) and "<<" not in word)
    for flag in instruction.flags:
        parts = dict(part.partition("=")[::2] for part in flag.value.split(","))
        if flag.name == "mount" and parts.get("type") == "bind" and "from" not in parts:
            source = parts.get("source", parts.get("src", ""))
            if source and not has_unknown(source):
                yield source


def _seen(folder: Path, file: Path, sources: list[str]) -> BuildContext:
    folders = [source for source in sources if (folder / source).is_dir()]
    roots = list(dict.fromkeys(os.path.normpath(source) for source in [".", *folders]))
    venvs = [
        os.path.normpath(f"{root}/{name}")
        for root in roots
        for name in VENV_NAMES
        if (folder / root / name / "pyvenv.cfg").is_file()
    ]
    ignore_file, ignore = _ignore(folder, file)
    candidates = [*(s for s in sources if s.endswith("uv.lock")), *(f"{r}/uv.lock" for r in roots)]
    locks = {os.path.normpath(name): None for name in candidates}
    return BuildContext(
        ignore_file=ignore_file,
        ignore=ignore,
        folders=tuple(root for root in roots if root != "." and _is_project(folder / root)),
        venvs=tuple(venvs),
        locks=tuple(lock for name in locks if (lock := _lock(folder, name)) is not None),
    )


def _is_project(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("pyproject.toml", "setup.py", "uv.lock"))


def _ignore(folder: Path, file: Path) -> tuple[str | None, tuple[str, ...]]:
    for candidate in (file.with_name(f"{file.name}.dockerignore"), folder / ".dockerignore"):
        try:
            if candidate.is_file() and candidate.stat().st_size <= IGNORE_LIMIT:
                text = candidate.read_text(encoding="utf-8", errors="replace")
                return candidate.name, patterns_of(text)
        except OSError:
            continue
    return None, ()


def _lock(folder: Path, name: str) -> ContextFile | None:
    try:
        packages = read_toml(folder / name, LOCK_LIMIT)["package"]
        project = next(
            (p["name"] for p in packages if {"virtual", "editable"} & set(p.get("source", {}))),
            None,
        )
        names = tuple(str(package["name"]) for package in packages)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # what cannot be read says nothing
    return ContextFile(path=name, names=names, project=project)
