"""Libraries that are not found, as several rules of the native family share them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from venvsmith.data.knowledge import library_of
from venvsmith.rules.framework.follows import IMPORTS, failing_names, text_of
from venvsmith.rules.framework.loader import simulation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from venvsmith.model.finding import Finding, Severity
    from venvsmith.rules.framework.context import Context
    from venvsmith.rules.framework.loader import Gap
    from venvsmith.rules.framework.view import View

DRIVER = re.compile(
    r"^lib(cuda|nvidia-ml|nvidia-[\w-]+|nvcuvid|nvidia_[\w]+|hsa-[\w-]+)\.so(\.\d+)*$"
)
"""What NVIDIA's (or AMD's) container runtime puts into a container when it starts."""
FFMPEG = re.compile(
    r"^lib(avutil|avcodec|avformat|avdevice|avfilter|swscale|swresample)\.so\.(\d+)$"
)
CUDA_TORCH = re.compile(r"^lib(torch_cuda|c10_cuda|torch_cuda_linalg)[\w]*\.so$")
LIBPYTHON = re.compile(r"^libpython")
BASE_C = re.compile(r"^lib(c|m|dl|pthread|rt|util)\.so\.\d+$|^libc\.musl-|^ld-")
STEM = re.compile(r"\b(lib[a-z][\w+-]*(?:\.\d+)?(?:-\d+)?)|\b(\w+) library not found")
"""Names of libraries as packages that look for them themselves tell them."""
SAID = re.compile(r"(lib[\w.+-]+?\.so[\w.]*)(?::|['\"])? ?:? cannot open shared object file")


def special(name: str) -> bool:
    """Tell whether an absent library is the business of a rule of its own."""
    return any(p.match(name) for p in (DRIVER, CUDA_TORCH, LIBPYTHON, BASE_C))


def one_of_several(gap: Gap) -> bool:
    """Tell whether an object is one of a set of which one suffices: torch's FFmpeg parts."""
    parts = ("/torchcodec/", "/torio/", "/torchaudio/")
    return FFMPEG.match(gap.name) is not None and any(part in gap.by.path for part in parts)


def gaps(view: View) -> Iterator[Gap]:
    """Yield what extension modules miss, and what a failing import says that it misses."""
    sim = simulation(view)
    yield from (gap for gap in sim.gaps if not one_of_several(gap))
    said = " ".join(f"{i.message} {' '.join(i.causes)}" for i in view.failed_imports)
    yield from (gap for gap in sim.idle_gaps if gap.name in said and not one_of_several(gap))


def lies_at(view: View, gap: Gap) -> tuple[str, ...]:
    """Return where the target has the library all the same, off the loader's path."""
    by_hand = view.facts.system.libraries_off_path.get(gap.name)
    return gap.lies_at or ((by_hand,) if by_hand else ())


def spoken(view: View) -> frozenset[str]:
    """Return the libraries that failing imports say they cannot open, or do not find."""
    found: set[str] = set()
    for result in view.failed_imports:
        if result.missing is not None:
            continue
        for text in (result.message, *result.causes):
            found.update(match[1] for match in SAID.finditer(text))
            found.update(filter(None, (_known(m[1] or m[2]) for m in STEM.finditer(text))))
    said = " ".join(i.message for i in view.failed_imports)
    return frozenset(n for n in found if not (FFMPEG.match(n) and "torchcodec" in said))


def _known(stem: str) -> str | None:
    """Return the library whose name a loader in Python spelled its own way.

    ``libgobject-2.0-0`` and ``sndfile`` are ``libgobject-2.0.so.0`` and ``libsndfile.so.1``.
    """
    name = stem if stem.startswith("lib") else f"lib{stem}"
    for candidate in (name, re.sub(r"-\d+$", "", name)):
        found = library_of(f"{candidate}.so")
        if found is not None:
            return found
    return None


@lru_cache(maxsize=16)
def tested(view: View) -> frozenset[str]:
    """Return the distributions whose code surely ran: those of good imports and what they need."""
    return _closure(view, (i.module for i in view.env.imports if i.status == "ok"))


@lru_cache(maxsize=16)
def reached(view: View) -> frozenset[str]:
    """Return the distributions that some import would have met, had it come so far."""
    return _closure(view, (i.module for i in view.env.imports if i.status != "skipped"))


def _closure(view: View, modules: Iterable[str]) -> frozenset[str]:
    names = {
        str(canonicalize_name(dist.name)) for module in modules for dist in view.owners(module)
    }
    requires: dict[str, set[str]] = {}  # by normalised name
    for need in view.needs:
        requires.setdefault(canonicalize_name(need.by.name), set()).add(need.name)
    pending = list(names)
    while pending:
        for name in requires.get(pending.pop(), ()):
            if name not in names:
                names.add(name)
                pending.append(name)
    return frozenset(names)


def severity_at(view: View, path: str) -> Severity:
    """Grade a fault of a shared object by itself.

    Grave where nothing tried its distribution. Where an import did, it is what this explains that
    makes it grave: an optional part that fails leaves the rest standing.
    """
    dist = view.dist_at(path)
    if dist is None or canonicalize_name(dist.name) in reached(view):
        return "warning"
    return "error"


def claims_native(finding: Finding, other: Finding, ctx: Context, *words: str) -> bool:
    """Tell whether a failure is that of a shared object.

    It names one of the words, or passes through the finding's distribution without another reason.
    """
    if other.rule not in IMPORTS | {"command-failed"}:
        return False
    said = text_of(other) + other.message
    if any(word and word in said for word in words):
        return True
    owner = str(finding.evidence.get("distribution") or "")
    if not owner or other.rule == "import-unresolvable" or other.evidence.get("missing"):
        return False
    if ".so" in said or other.rule == "import-crashed":
        return canonicalize_name(owner) in failing_names(other, ctx)
    return False
