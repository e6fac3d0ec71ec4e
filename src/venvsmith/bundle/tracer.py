"""Run inside a venv: import modules, run commands, and write down what that loaded and opened.

usage: python tracer.py REQUEST.json ANSWER.json

The request has ``modules``, ``commands`` and ``site``. Runs under Python 3.8 and later, with the
standard library alone; audit hooks (PEP 578) see every file that Python code opens.
"""

import importlib
import importlib.metadata
import json
import os
import re
import runpy
import sys
from typing import Any, Dict, List


def main() -> None:
    """Run as a script."""
    asked, told = sys.argv[1:3]
    with open(asked, encoding="utf-8") as file:
        request = json.load(file)
    answer = trace(request["modules"], request["commands"], request["site"])
    with open(told, "w", encoding="utf-8") as file:
        json.dump(answer, file)
    sys.stdout.flush()
    os._exit(0)


def trace(modules: List[str], commands: List[List[str]], site: str) -> Dict[str, Any]:
    """Return the modules loaded, files opened, metadata asked for and libraries mapped.

    Modules come in the order of their loading, without those that were there before; those that
    code of the environment asked for are named besides.
    """
    wanted = Wanted(site)
    opened: Dict[str, None] = {}
    asked: Dict[str, None] = {}
    failed: Dict[str, str] = {}

    def hear(event: str, arguments: Any) -> None:
        if event == "open" and isinstance(arguments[0], str) and arguments[0].startswith(site):
            opened[os.path.relpath(arguments[0], site)] = None

    original = importlib.metadata.Distribution.from_name.__func__  # type: ignore[attr-defined]

    def from_name(kind: Any, name: str) -> Any:
        asked[name] = None
        return original(kind, name)

    importlib.metadata.Distribution.from_name = classmethod(from_name)  # type: ignore[assignment, method-assign]
    before = frozenset(sys.modules)
    sys.addaudithook(hear)
    sys.meta_path.insert(0, wanted)
    for name in modules:
        try:
            importlib.import_module(name)
        except BaseException as error:
            failed[name] = "%s: %s" % (type(error).__name__, error)
    for argv in commands:
        problem = run(argv)
        if problem:
            failed[" ".join(argv)] = problem
    return {
        "modules": [name for name in sys.modules if name not in before],
        "asked": list(wanted.names),
        "opened": sorted(opened),
        "metadata": sorted(asked),
        "libraries": mapped(site),
        "failed": failed,
    }


class Wanted:
    """A finder that finds nothing, and notes what code of the environment looks for.

    An import by compiled code has no frame of its own: the nearest is that of who imported it.
    """

    def __init__(self, site: str) -> None:
        """Note imports by files below a folder."""
        self.site = site
        self.names: Dict[str, None] = {}

    def find_spec(self, name: str, *_: Any) -> None:
        """Note a module; others find it."""
        frame: Any = sys._getframe(1)  # noqa: SLF001 - who asks is in no argument
        while frame is not None and is_importlib(frame.f_code.co_filename):
            frame = frame.f_back
        if frame is not None and frame.f_code.co_filename.startswith(self.site):
            self.names[name] = None


def is_importlib(path: str) -> bool:
    """Tell whether code of a file is that which imports modules for others."""
    return path.startswith("<frozen importlib") or path.endswith("importlib/__init__.py")


OPTION = re.compile(r"-[ABbdEiIOPqRsSuvx]*(?:([cmWX])(.*))?", re.DOTALL)
"""One word of Python's options: flags, then one that takes a value, here or as the next word."""


def run(argv: List[str]) -> str:
    """Run a command of this environment in this process; return why it failed, or ''."""
    folder = os.path.dirname(sys.executable)
    path = list(sys.path)
    try:
        if re.match(r"python[\d.]*$", os.path.basename(argv[0])):
            interpret(argv[1:])
            return ""
        script = os.path.join(folder, argv[0])
        with open(script, "rb") as file:
            head = file.read(1000)
        if b"\0" in head or (head.startswith(b"#!") and b"python" not in head):
            return "no Python script: what it does cannot be recorded"
        sys.argv[:] = [script, *argv[1:]]
        runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        return "" if end.code in (None, 0) else "exits with %s" % end.code
    except BaseException as error:
        return "%s: %s" % (type(error).__name__, error)
    finally:
        sys.path[:] = path
    return ""


def interpret(words: List[str]) -> None:
    """Do what Python would with these words: ``-c CODE``, ``-m MODULE`` or a file."""
    option = OPTION.fullmatch(words[0]) if words and words[0] != "-" else None
    kind, value = (option.group(1), option.group(2)) if option else (None, None)
    rest = words[1:]
    if kind and not value and rest:
        value, rest = rest[0], rest[1:]
    if option and (kind is None or (kind in "WX" and value)):
        interpret(rest)
    elif kind and value:
        sys.argv[:] = ["-" + kind, *rest]
        sys.path.insert(0, os.getcwd())
        if kind == "m":
            runpy.run_module(value, run_name="__main__", alter_sys=True)
        else:
            code = compile(value, "<string>", "exec")
            exec(code, {"__name__": "__main__"})  # noqa: S102 - what the command says
    elif words and words[0][:1] != "-":
        sys.argv[:] = words
        sys.path.insert(0, os.path.dirname(os.path.abspath(words[0])))
        runpy.run_path(words[0], run_name="__main__")
    else:
        raise ValueError("no code that could be recorded: python %s" % " ".join(words))


def mapped(site: str) -> List[str]:
    """Return the shared objects of the environment that this process has mapped (Linux)."""
    found = set()
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="replace") as file:
            for line in file:
                path = line.rstrip("\n").partition("/")[2]
                if path and ("/" + path).startswith(site):
                    found.add(os.path.relpath("/" + path, site))
    except OSError:
        pass
    return sorted(found)


if __name__ == "__main__":
    main()
