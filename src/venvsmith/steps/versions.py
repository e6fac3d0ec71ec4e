"""Print a manifest, with the versions that only the build of a distribution could tell.

usage: versions.py MANIFEST VENV

Runs under Python 3.8 and later.
"""

from __future__ import annotations

import glob
import json
import os
import re
import sys


def installed(venv: str) -> dict[str, str]:
    """Return the versions of what is installed in a venv, by normalised name."""
    found = {}
    for path in glob.glob(os.path.join(venv, "lib", "python*", "site-packages", "*.dist-info")):
        name, _, version = os.path.basename(path)[: -len(".dist-info")].rpartition("-")
        found[re.sub(r"[-_.]+", "-", name).lower()] = version
    return found


def main() -> None:
    """Run as a script."""
    with open(sys.argv[1], encoding="utf-8") as file:
        manifest = json.load(file)
    versions = installed(sys.argv[2])
    for name, version in manifest["pins"].items():
        if version is None and name not in versions:
            sys.exit("venvsmith: the wheel of %s does not bear its name" % name)
        manifest["pins"][name] = version or versions[name]
    print(json.dumps(manifest, indent=1))


main()
