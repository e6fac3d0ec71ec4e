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


class Blame:
    """The findings of one side, and what of the differences they speak of."""

    def __init__(
        self, findings: Sequence[Finding], side: Side, differences: Sequence[Difference]
    ) -> None:
        self._findings = findings
        self._differences = differences
        self._mine = [one.a if side == "a" else one.b for one in differences]
        self._other = [one.b if side == "a" else one.a for one in differences]
        self._named: dict[str, list[int]] = {}
        self._files: dict[str, list[int]] = {}
        for index, one in enumerate(differences):
            for key in set(_keys(one)):
                self._named.setdefault(key, []).append(index)
            if one.kind == "file":
                self._files.setdefault(one.name.rpartition("/")[2], []).append(index)
        self._index = {(one.kind, one.name): i for i, one in enumerate(differences)}
        self._points: dict[int, Mapping[int, int]] = {}

    def because_of(self, number: int) -> tuple[int, ...]:
        """Return the differences that account best for a finding, the likeliest first.

        What follows from it speaks for it, too.

        :param number: the finding's index.
        :return: indices of the differences; several where they are as likely, none where none fits.
        """
        finding = self._findings[number]
        folder = self._index.get(("python", FOLDER))
        if folder is not None and speaks_of(finding, self._other[folder] or ""):
            return (folder,)
        points = dict(self._points_of(number))
        for follower in finding.explains:
            for index, value in self._points_of(follower).items():
                points[index] = max(points.get(index, 0), value - 1)
        subject = _words(finding.subject)
        points = {i: value for i, value in sorted(points.items()) if self._can_harm(i, subject)}
        best = max(points.values(), default=0)
        if best < ENOUGH:
            return ()
        likely = [index for index, value in points.items() if value == best]
        kinds = {index: self._differences[index].kind for index in likely}
        packages = {self._differences[i].name for i in likely if kinds[i] == "package"}
        # A package's own program comes and goes with it.
        return tuple(
            i for i in likely if kinds[i] != "program" or self._differences[i].name not in packages
        )

    def _can_harm(self, index: int, subject: frozenset[str]) -> bool:
        """Leave out what this side merely has more of, unless the finding is about that."""
        one = self._differences[index]
        more = self._mine[index] is not None and self._other[index] is None
        if not more or one.kind not in {"package", "library", "program"}:
            return True
        return (canonicalize_name(one.name) if one.kind == "package" else one.name) in subject

    def _points_of(self, number: int) -> Mapping[int, int]:
        """Return the differences that a finding speaks of, and how clearly it does."""
        if number not in self._points:
            self._points[number] = self._weighed(self._findings[number])
        return self._points[number]

    def _weighed(self, finding: Finding) -> dict[int, int]:
        points = self._named_by(finding)
        if finding.rule in OF_BUNDLES:
            right = OF_BUNDLES[finding.rule]
            points = {
                index: value + ABOUT_IT if self._differences[index].kind in right else SEEN
                for index, value in points.items()
            }
        for key in ABOUT.get(finding.rule, ()):
            if key in self._index:
                index = self._index[key]
                points[index] = points.get(index, 0) + ABOUT_IT
        for file in map(str, finding.evidence.get("files") or ()):
            for index in self._files.get(file.rpartition("/")[2], ()):
                if file.endswith(self._differences[index].name):
                    points[index] = SUBJECT
        return points

    def _named_by(self, finding: Finding) -> dict[int, int]:
        points: dict[int, int] = {}
        evidence = dict(finding.evidence)
        naming = " ".join(_text(evidence.get(key)) for key in NAMING)
        for weight, text in (
            (SUBJECT, finding.subject),
            (NAMED, naming),
            (TOLD, finding.message),
            (SEEN, _text(evidence)),
        ):
            for word in _words(text):
                for index in self._named.get(word, ()):
                    points.setdefault(index, weight)
        return points


def speaks_of(finding: Finding, folder: str) -> bool:
    """Tell whether a finding speaks of files below a folder."""
    said = f"{finding.message} {_text(dict(finding.evidence))}"
    return bool(folder) and f"{folder.rstrip('/')}/" in said


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
