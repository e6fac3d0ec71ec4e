"""Which of the differences accounts for a finding that only one side has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from packaging.utils import canonicalize_name

from venvsmith.data.modules import modules_of
from venvsmith.model.comparison import FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from venvsmith.model.comparison import Difference, Side
    from venvsmith.model.finding import Finding

_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
NAMING: Final = frozenset(
    {"missing", "module", "modules", "required", "wanted", "library", "libraries", "distribution"}
    | {"distributions", "required_by", "provider", "names", "source"}
)
"""Keys of the evidence under which a rule names what a finding is about."""
# Rules to the differences that they speak of without naming them.
ABOUT: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "path-env-missing": (("variable", "PATH"),),
    "python-alias-missing": (("variable", "PATH"), ("program", "python")),
    "pythonpath-poison": (("variable", "PYTHONPATH"),),
    "stdlib-missing": (("variable", "PYTHONHOME"),),
    "native-lib-off-path": (("variable", "LD_LIBRARY_PATH"),),
    "native-lib-shadowed": (("variable", "LD_LIBRARY_PATH"),),
    "dlopen-lib-missing": (("variable", "LD_LIBRARY_PATH"),),
    "cache-unwritable": (("system", "uid"), ("variable", "HOME")),
    "unreadable-files": (("system", "uid"),),
    "interpreter-unreachable": (("system", "uid"),),
    "user-site-install": (("system", "uid"), ("variable", "HOME")),
    "glibc-too-old": (("system", "libc"),),
    "execstack-refused": (("system", "libc"),),
    "libc-mismatch": (("system", "libc"),),
    "glibcxx-too-old": (("system", "libstdc++"),),
    "arch-mismatch": (("system", "machine"),),
    "python-minor-mismatch": (("python", "version"), ("python", "interpreter")),
    "interpreter-dangling": (("python", "interpreter"), ("python", "version")),
    "command-failed": (("system", "entrypoint"), ("system", "cmd"), ("system", "workdir")),
    "module-shadowed": (("system", "workdir"), ("variable", "PYTHONPATH")),
}
OF_BUNDLES: Final[Mapping[str, tuple[str, ...]]] = {
    "bundle-module-missing": ("module",),
    "bundle-data-missing": ("data",),
    "bundle-metadata-missing": ("metadata",),
    "bundle-native-missing": ("library",),
}
"""What each of these rules is about: a module of the same name is not the metadata that it asks."""
SUBJECT, NAMED, TOLD, ABOUT_IT, SEEN = 6, 4, 3, 3, 1
ENOUGH: Final = 3
"""Points from which a difference counts: being seen in a path of a traceback is not enough."""


def because_of(
    finding: Finding, follow: Sequence[Finding], side: Side, differences: Sequence[Difference]
) -> tuple[int, ...]:
    """Return the differences that account best for a finding, the likeliest first.

    :param follow: what follows from it on the same side.
    :return: indices of ``differences``; several where they are as likely, none where none fits.
    """
    for index, one in enumerate(differences):
        if (one.kind, one.name) == ("python", FOLDER):
            theirs = one.b if side == "a" else one.a
            if speaks_of(finding, theirs or ""):
                return (index,)
    points = {
        index: max(_points(finding, one), *(_points(f, one) - 1 for f in follow), 0)
        for index, one in enumerate(differences)
        if _can_harm(one, side, finding)
    }
    best = max(points.values(), default=0)
    if best < ENOUGH:
        return ()
    likely = [index for index, value in points.items() if value == best]
    packages = {differences[i].name for i in likely if differences[i].kind == "package"}
    # A package's own program comes and goes with it.
    return tuple(
        i for i in likely if differences[i].kind != "program" or differences[i].name not in packages
    )


def speaks_of(finding: Finding, folder: str) -> bool:
    """Tell whether a finding speaks of files below a folder."""
    said = f"{finding.message} {_text(dict(finding.evidence))}"
    return bool(folder) and f"{folder.rstrip('/')}/" in said


def _can_harm(one: Difference, side: Side, finding: Finding) -> bool:
    """Leave out what the failing side merely has more of, unless the finding is about that."""
    mine = one.a if side == "a" else one.b
    other = one.b if side == "a" else one.a
    more = mine is not None and other is None and one.kind in {"package", "library", "program"}
    return not more or _stem(one) in _words(finding.subject)


def _stem(one: Difference) -> str:
    return canonicalize_name(one.name) if one.kind == "package" else one.name


def _points(finding: Finding, one: Difference) -> int:
    if one.kind == "file":
        named = (str(file) for file in finding.evidence.get("files") or ())
        return SUBJECT if any(file.endswith(one.name) for file in named) else 0
    keys = frozenset(_keys(one))
    total = 0
    if keys & _words(finding.subject):
        total = SUBJECT
    elif any(keys & _words(_text(finding.evidence.get(key))) for key in NAMING):
        total = NAMED
    elif keys & _words(finding.message):
        total = TOLD
    elif keys & _words(_text(dict(finding.evidence))):
        total = SEEN
    if one.kind in OF_BUNDLES.get(finding.rule, one.kind):
        total += ABOUT_IT if one.kind in OF_BUNDLES.get(finding.rule, ()) else 0
    elif total:
        total = SEEN
    if (one.kind, one.name) in ABOUT.get(finding.rule, ()):
        total += ABOUT_IT
    return total


def _keys(one: Difference) -> Iterator[str]:
    """Yield the words by which a finding would speak of a difference."""
    if one.kind == "package":
        yield canonicalize_name(one.name)
        yield from modules_of(one.name)
    elif one.kind == "metadata":
        yield canonicalize_name(one.name)
    elif one.kind == "data":
        yield one.name.rpartition("/")[2]
    elif one.kind in {"library", "program", "variable", "module"}:
        yield one.name


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(_text(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return " ".join(_text(item) for item in value)
    return "" if value is None else str(value)


def _words(text: str) -> frozenset[str]:
    """Return the words of a text, modules by their first name, too, and names normalised."""
    found: set[str] = set()
    for word in _WORD.findall(text):
        plain = word.rstrip(".")
        found |= {plain, plain.partition(".")[0], canonicalize_name(plain)}
    return frozenset(found)
