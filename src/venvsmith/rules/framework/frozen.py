"""What the rules about frozen applications share: how a wanted part is told and recognised."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from venvsmith.model.bundle import MissingPart
    from venvsmith.model.facts import Elf
    from venvsmith.model.finding import Finding
    from venvsmith.rules.framework.context import Context


LIBRARY = "base_library.zip"
"""The part of the standard library that Python starts from."""
_FRAME = re.compile(r'^ *File "([^"\n]+)", line \d+, in ([^\n]+)', re.MULTILINE)
AGAIN = "Freeze the application again, or copy its files again"


def once(parts: Iterable[MissingPart]) -> Iterator[MissingPart]:
    """Yield each missing part once, the most certain asker first."""
    seen: set[str] = set()
    for part in sorted(parts, key=_uncertainty):
        if part.what not in seen:
            seen.add(part.what)
            yield part


def _uncertainty(part: MissingPart) -> tuple[bool, ...]:
    return not (part.certain or part.direct), part.doubtful, not part.certain, not part.direct


def asker(part: MissingPart) -> str:
    """Return who asks, as a person would name it: ``faster_whisper.vad.get_vad_model()``."""
    return f"{part.asker}.{part.function}()" if part.function else part.asker


def package(part: MissingPart) -> str:
    """Return the top-level package of what is missing: that of its path, or of who asks."""
    folder, found, _ = part.expected.partition("/")
    return folder if found else part.asker.partition(".")[0]


def in_package(ctx: Context, part: MissingPart) -> bool:
    """Tell whether a missing file would lie in a package, of which hooks can collect it."""
    bundle = ctx.env.bundle
    return bundle is not None and part.expected.partition("/")[0] in bundle.packages


def collected(ctx: Context, part: MissingPart) -> str:
    """Return PyInstaller's option that takes a missing file along."""
    if in_package(ctx, part):
        return f"--collect-data {package(part)}"
    return f"--add-data {part.expected}:{part.expected.rpartition('/')[0] or '.'}"


def loaded(ctx: Context, elf: Elf) -> bool:
    """Tell whether the loader would open an object of a bundle.

    Packages also carry objects for other machines, as data: a debugger's, for what it attaches to.
    """
    bundle = ctx.env.bundle
    name = elf.path.rpartition("/")[2]
    return bundle is not None and (
        elf.path == bundle.executable
        or elf.path.startswith("libpython")  # what the bootloader loads first, by its name
        or any(name in other.needed for other in ctx.env.elves)
    )


def told(part: MissingPart) -> dict[str, Any]:
    """Return the evidence that every finding about a missing part carries."""
    return {
        "what": part.what,
        "asker": part.asker,
        "package": package(part),
        "function": part.function,
        "expected": part.expected,
    }


def fails_for(other: Finding, finding: Finding, text: str) -> bool:
    """Tell whether an import or command fails for a missing part.

    It says a text that names the part, or ends in the function that asks for it. What is only
    possibly missing may be named in passing.
    """
    if finding.severity != "error":
        return False
    if any(text in str(other.evidence.get(key, "")) for key in ("output", "message")):
        return True
    return _ended_in(finding, str(other.evidence.get("output", "")))


def _ended_in(finding: Finding, output: str) -> bool:
    """Tell whether a traceback ends in the asker's module, on the way through its function."""
    frames = _FRAME.findall(output)
    path = str(finding.evidence.get("asker", "")).replace(".", "/")
    function = finding.evidence.get("function")
    for file, name in reversed(frames):
        if file not in {f"{path}.py", f"{path}/__init__.py"}:
            return False
        if name == function:
            return True
    return False
