"""Run inside a venv: import modules, run scripts, and write down what that loaded and opened.

usage: python tracer.py REQUEST.json ANSWER.json

The request has ``modules``, ``commands`` and ``site``. Runs under Python 3.8 and later, with the
standard library alone; audit hooks (PEP 578) see every file that Python code opens.
"""

import importlib
import importlib.metadata
import json
import os
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

    Modules come in the order of their loading, without those that were there before.
    """
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
        "opened": sorted(opened),
        "metadata": sorted(asked),
        "libraries": mapped(site),
        "failed": failed,
    }


def run(argv: List[str]) -> str:
    """Run a console script of this environment in this process; return why it failed, or ''."""
    script = os.path.join(os.path.dirname(sys.executable), argv[0])
    sys.argv[:] = [script, *argv[1:]]
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        return "" if end.code in (None, 0) else "exits with %s" % end.code
    except BaseException as error:
        return "%s: %s" % (type(error).__name__, error)
    return ""


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
