"""Import what a stage promises and run its commands, in the place where the venv will run.

usage: rehearse.py MANIFEST [OTHER...]

OTHER are the paths of the image's other venvs, of which this one may see nothing.
Started by the venv's own interpreter, as the image's user, with the image's environment. All
imports happen in this one process, and the first command runs beside them; the first failure, of
the imports before the commands, ends the build with what it said.
Runs under Python 3.8 and later.
"""

import importlib
import json
import os
import subprocess
import sys
import threading
import traceback


def apart(others: "list[str]") -> None:
    """Stop where the path of modules leads into another venv."""
    for entry in sys.path[1:]:
        for other in others:
            if (os.path.realpath(entry) + "/").startswith(os.path.realpath(other) + "/"):
                sys.exit("venvsmith: %s sees %s: %s is on its path" % (sys.prefix, other, entry))


class Running:
    """A command that was started, whose output is read as it comes."""

    def __init__(self, command: "list[str]") -> None:
        self.line = " ".join(command)
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        except OSError as error:
            self._fault = str(error)
            return
        self._fault = ""
        self._output = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            self._output = (self._output + line)[-4000:]

    def stop(self) -> None:
        """End it: what it would say does not matter any more."""
        if not self._fault:
            self._process.kill()

    def check(self) -> None:
        """Wait for it, and end the build where it fails."""
        if self._fault:
            sys.exit("venvsmith: %s cannot start: %s" % (self.line, self._fault))
        code = self._process.wait()
        self._reader.join()
        if code:
            sys.stderr.write(self._output.decode("utf-8", "replace"))
            sys.exit("venvsmith: %s exits %d" % (self.line, code))


def rehearse(names: "list[str]") -> None:
    """Import modules, and end the build where one fails."""
    for name in names:
        try:
            module = importlib.import_module(name)
        except Exception as error:
            traceback.print_exc()
            sys.exit("venvsmith: import %s fails: %s: %s" % (name, type(error).__name__, error))
        spec = module.__spec__
        if spec is not None and spec.origin is None and not getattr(module, "__file__", None):
            sys.exit("venvsmith: %s imports only as an empty namespace" % name)


def main() -> None:
    """Run as a script."""
    # The folder of this script is not where the image's programs start.
    sys.path[0] = ""
    with open(sys.argv[1], encoding="utf-8") as file:
        manifest = json.load(file)
    apart(sys.argv[2:])
    first = [Running(command) for command in manifest["commands"][:1]]
    try:
        rehearse(manifest["imports"])
    except BaseException:
        for running in first:
            running.stop()
        raise
    for running in first:
        running.check()
    for command in manifest["commands"][1:]:
        Running(command).check()
    print(
        "venvsmith: %d imports and %d commands work in %s"
        % (len(manifest["imports"]), len(manifest["commands"]), sys.prefix)
    )


main()
