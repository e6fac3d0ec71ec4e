"""Copy a project's files, but for what never belongs into a build of it.

usage: source.py FROM TO PATTERN...

PATTERN is a path below FROM, or ``**/NAME`` for a name at any depth; ``*`` and ``[...]`` are
wildcards. Virtual environments are left out under any name. Runs under Python 3.8 and later.
"""

from __future__ import annotations

import fnmatch
import os
import shutil
import sys


def main() -> None:
    """Run as a script."""
    source, target, patterns = sys.argv[1], sys.argv[2], sys.argv[3:]
    anywhere = [pattern[3:] for pattern in patterns if pattern.startswith("**/")]
    at_top = [pattern for pattern in patterns if not pattern.startswith("**/")]

    def left_out(folder: str, names: list[str]) -> list[str]:
        below = os.path.relpath(folder, source)
        return [
            name
            for name in names
            if any(fnmatch.fnmatchcase(name, pattern) for pattern in anywhere)
            or os.path.normpath(os.path.join(below, name)) in at_top
            or os.path.exists(os.path.join(folder, name, "pyvenv.cfg"))
        ]

    if not os.path.isfile(os.path.join(source, "pyproject.toml")):
        sys.exit("venvsmith: there is no pyproject.toml among the files of the project")
    shutil.copytree(source, target, symlinks=True, ignore=left_out)


main()
