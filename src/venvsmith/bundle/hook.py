"""One PyInstaller hook: what it names, and its file."""

from __future__ import annotations

from dataclasses import dataclass, field
from glob import escape
from typing import Literal

Kind = Literal["data", "metadata", "import", "library", "source"]
OURS = "Written by `venvsmith bundle hooks`"


@dataclass(frozen=True, kw_only=True, slots=True)
class Need:
    """One thing that has to be collected, and why.

    :param what: a path or pattern below the package, a distribution, a module, or a library's path
        below site-packages.
    :param package: the top-level package that it lies in, for data and libraries.
    :param certain: whether importing the module must ask for it.
    """

    kind: Kind
    what: str
    why: str
    package: str = ""
    certain: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Hook:
    """All that one module asks for.

    :param module: whose import makes PyInstaller carry the hook out.
    :param distribution: what brings it, ``faster-whisper 1.2.1``; empty where none claims it.
    """

    module: str
    distribution: str
    needs: tuple[Need, ...] = field(default_factory=tuple)

    @property
    def filename(self) -> str:
        """Return the name under which PyInstaller finds it."""
        return f"hook-{self.module}.py"


def text_of(hook: Hook) -> str:
    """Return a hook's file."""
    of = f" of {hook.distribution}" if hook.distribution else ""
    lines = [
        f'"""Hook for {_plain(hook.module + of)}.',
        "",
        f"{OURS} from the installed package; do not edit.",
        '"""',
        "",
    ]
    body: list[str] = []
    calls: set[str] = set()
    for name, kinds in _LISTS.items():
        chosen = [need for need in hook.needs if need.kind in kinds]
        if not chosen:
            continue
        body.append(f"{name} = [")
        for need in chosen:
            word, call = _entry(hook, need)
            calls |= {call} if call else set()
            body += [f"    # {_plain(need.why)}", f"    {word},"]
        body += ["]", ""]
    for need in hook.needs:
        if need.kind == "source":
            body += [f"# {_plain(need.why)}", 'module_collection_mode = "pyz+py"', ""]
    if calls:
        lines += [f"from PyInstaller.utils.hooks import {', '.join(sorted(calls))}", ""]
    return "\n".join([*lines, *body]).rstrip("\n") + "\n"


_LISTS: dict[str, frozenset[Kind]] = {
    "hiddenimports": frozenset({"import"}),
    "datas": frozenset({"data", "metadata"}),
    "binaries": frozenset({"library"}),
}


def _entry(hook: Hook, need: Need) -> tuple[str, str]:
    """Return a need as an element of a hook's list, and the function that it calls."""
    what, package = _literal(need.what), _literal(need.package)
    match need.kind:
        case "data":
            return f"*collect_data_files({package}, includes=[{what}])", "collect_data_files"
        case "metadata":
            return f"*copy_metadata({what})", "copy_metadata"
        case "library" if need.package:
            inside = _literal(escape(need.what.removeprefix(f"{need.package}/")))
            call = f"collect_dynamic_libs({package}, search_patterns=[{inside}])"
            return f"*{call}", "collect_dynamic_libs"
        case "library":
            top, folder = _literal(hook.module.partition(".")[0]), need.what.rpartition("/")[0]
            path = f"get_package_paths({top})[0] + {_literal(f'/{need.what}')}"
            return f"({path}, {_literal(folder)})", "get_package_paths"
        case _:
            return what, ""


def _literal(text: str) -> str:
    """Return a text as Python writes it, in ASCII and with double quotes where it has neither."""
    written = ascii(text)
    return written if '"' in text or "'" in text else f'"{written[1:-1]}"'


def _plain(text: str) -> str:
    """Return a text for a comment or docstring: whatever a file is called, nothing of it runs."""
    return ascii(text)[1:-1].replace('"', "'")
