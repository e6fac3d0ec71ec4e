"""Import what a stage promises and run its commands, in the place where the venv will run.

usage: rehearse.py MANIFEST [OTHER...]

OTHER are the paths of the image's other venvs, of which this one may see nothing.
Started by the venv's own interpreter, as the image's user, with the image's environment. All
imports happen in this one process; the first failure ends the build with its traceback.
Runs under Python 3.8 and later.
"""

import importlib
import json
import os
import subprocess
import sys
import traceback


def apart(others: "list[str]") -> None:
    """Stop where the path of modules leads into another venv."""
    for entry in sys.path[1:]:
        for other in others:
            if (os.path.realpath(entry) + "/").startswith(os.path.realpath(other) + "/"):
                sys.exit("venvsmith: %s sees %s: %s is on its path" % (sys.prefix, other, entry))


def main() -> None:
    """Run as a script."""
    # The folder of this script is not where the image's programs start.
    sys.path[0] = ""
    with open(sys.argv[1], encoding="utf-8") as file:
        manifest = json.load(file)
    apart(sys.argv[2:])
    for name in manifest["imports"]:
        try:
            module = importlib.import_module(name)
        except Exception as error:
            traceback.print_exc()
            sys.exit("venvsmith: import %s fails: %s: %s" % (name, type(error).__name__, error))
        spec = module.__spec__
        if spec is not None and spec.origin is None and not getattr(module, "__file__", None):
            sys.exit("venvsmith: %s imports only as an empty namespace" % name)
    for command in manifest["commands"]:
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                check=False,
            )
        except OSError as error:
            sys.exit("venvsmith: %s cannot start: %s" % (" ".join(command), error))
        if done.returncode:
            sys.stderr.write(done.stdout.decode("utf-8", "replace")[-4000:])
            sys.exit("venvsmith: %s exits %d" % (" ".join(command), done.returncode))
    print(
        "venvsmith: %d imports and %d commands work in %s"
        % (len(manifest["imports"]), len(manifest["commands"]), sys.prefix)
    )


main()
